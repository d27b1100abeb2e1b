import numpy as np
import pytest

from skfusion.blocks import Ragged
from skfusion.encoders import MLP
from skfusion.exceptions import BlockError


def test_layers_are_products_of_matrices(rng, build, run, n_parameters):
    x = rng.normal(size=(4, 3))
    module, state = build(MLP((5, 2), activation="tanh"), x)
    names = sorted(name for name in state if name.endswith("weight"))
    y = x
    for name in names:
        y = np.tanh(y @ state[name].T + state[name.replace("weight", "bias")])
    np.testing.assert_allclose(run(module, x), y, atol=1e-12)
    assert n_parameters(module) == 3 * 5 + 5 + 5 * 2 + 2


def test_bytes_of_any_shape_are_flattened_and_scaled(rng, build, run):
    images = rng.integers(0, 256, (4, 2, 3, 1), dtype=np.uint8)
    module, state = build(MLP(2, activation="identity"), images)
    (weight,) = (value for name, value in state.items() if name.endswith("weight"))
    (bias,) = (value for name, value in state.items() if name.endswith("bias"))
    expected = images.reshape(4, 6) / 255 @ weight.T + bias
    np.testing.assert_allclose(run(module, images), expected, atol=1e-12)


def test_ragged_rows_cannot_be_flattened(build):
    rows = Ragged.from_rows([np.zeros((2, 3)), np.zeros((1, 3))])
    with pytest.raises(BlockError, match="rows of different length, which cannot be flattened"):
        build(MLP(), rows)
