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


def test_its_gradient_is_that_of_the_linear_layer(rng, build):
    rows = csr_array(
        rng.normal(size=(6, 9)) * (rng.random((6, 9)) < 0.3) * (np.arange(6) != 2)[:, None]
    )
    module, _ = build(SparseLinear(4, activation="identity"), rows)
    parts = (torch.from_numpy(part) for part in (rows.indptr, rows.indices, rows.data))
    upstream = rng.normal(size=(6, 4))
    module(SparseRows(*parts)).backward(torch.from_numpy(upstream))
    np.testing.assert_allclose(module[0].weight.grad, rows.T @ upstream, atol=1e-12)
    np.testing.assert_allclose(module[0].bias.grad, upstream.sum(0), atol=1e-12)


def test_a_column_stored_twice_in_a_row_counts_twice(build):
    rows = csr_array((np.array([1.0, 2.0]), np.array([1, 1]), np.array([0, 2])), shape=(1, 3))
    module, _ = build(SparseLinear(2, activation="identity"), rows)
    parts = (torch.from_numpy(part) for part in (rows.indptr, rows.indices, rows.data))
    module(SparseRows(*parts)).sum().backward()
    np.testing.assert_allclose(module[0].weight.grad, [[0, 0], [3, 3], [0, 0]])
