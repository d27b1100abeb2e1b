import numpy as np
import torch
from scipy.sparse import csr_array

from skfusion._batch import SparseRows
from skfusion.encoders import SparseLinear


def test_it_is_a_linear_layer_on_the_dense_rows(rng, build, n_parameters):
    rows = csr_array(rng.normal(size=(6, 9)) * (rng.random((6, 9)) < 0.3))
    module, state = build(SparseLinear(4), rows)
    parts = (torch.from_numpy(part) for part in (rows.indptr, rows.indices, rows.data))
    found = module(SparseRows(*parts)).detach().numpy()
    expected = np.maximum(rows.toarray() @ state["0.weight"] + state["0.bias"], 0)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert n_parameters(module) == 9 * 4 + 4
