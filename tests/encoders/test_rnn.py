import numpy as np
import pytest
from torch import nn

from skfusion.blocks import Ragged
from skfusion.encoders import RNN


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, weights, h, c):
    gates = x @ weights["weight_ih"].T + weights["bias_ih"] + h @ weights["weight_hh"].T
    i, f, g, o = np.split(gates + weights["bias_hh"], 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru(x, weights, h, c):
    xr, xz, xn = np.split(x @ weights["weight_ih"].T + weights["bias_ih"], 3)
    hr, hz, hn = np.split(h @ weights["weight_hh"].T + weights["bias_hh"], 3)
    z = sigmoid(xz + hz)
    return (1 - z) * np.tanh(xn + sigmoid(xr + hr) * hn) + z * h, c


def plain(x, weights, h, c):
    y = x @ weights["weight_ih"].T + weights["bias_ih"] + h @ weights["weight_hh"].T
    return np.tanh(y + weights["bias_hh"]), c


CELLS = {"lstm": (lstm, 4), "gru": (gru, 3), "plain": (plain, 1)}


def states(cell, row, weights, width):
    """The state behind each step of one row, by the formulas of the papers."""
    h = c = np.zeros(width)
    found = []
    for x in row:
        h, c = cell(x, weights, h, c)
        found.append(h)
    return np.array(found).reshape(-1, width)


def weights_of(state, layer, direction):
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return {kind: state[f"layers.{layer}.{direction}.{kind}_l0"] for kind in kinds}


@pytest.fixture
def block(rng):
    return Ragged.from_rows([rng.normal(size=(length, 3)) for length in (4, 1, 6, 0)])


@pytest.mark.parametrize("name", CELLS)
def test_cells_are_those_of_the_papers(name, block, build, run):
    cell, _ = CELLS[name]
    module, state = build(RNN(5, name, n_layers=2), block, pooled=False)
    tokens, mask = run(module, *block.pad())
    for row, found, kept in zip(block, tokens, mask, strict=True):
        for layer in range(2):
            row = states(cell, row, weights_of(state, layer, 0), 5)
        np.testing.assert_allclose(found[kept], row, atol=1e-10)


@pytest.mark.parametrize("name", CELLS)
def test_very_wide_steps_take_a_shortcut_to_the_same_states(name, rng, build, run):
    block = Ragged.from_rows([rng.normal(size=(length, 2048)) for length in (3, 2)])
    module, state = build(RNN(5, name), block, pooled=False)
    tokens, mask = run(module, *block.pad())
    for row, found, kept in zip(block, tokens, mask, strict=True):
        expected = states(CELLS[name][0], row, weights_of(state, 0, 0), 5)
        np.testing.assert_allclose(found[kept], expected, atol=1e-10)


def test_both_directions_read_each_row_from_its_own_end(block, build, run):
    module, state = build(RNN(5, bidirectional=True), block)
    found = run(module, *block.pad())
    for row, vector in zip(block, found, strict=True):
        forth = states(gru, row, weights_of(state, 0, 0), 5)
        back = states(gru, row[::-1], weights_of(state, 0, 1), 5)
        ends = np.concatenate([forth[-1], back[-1]]) if len(row) else np.zeros(10)
        np.testing.assert_allclose(vector, ends, atol=1e-10)


def test_the_last_state_is_that_of_the_row_not_of_the_padding(block, build, run):
    module, state = build(RNN(5), block)
    found = run(module, *block.pad())
    for row, vector in zip(block, found, strict=True):
        last = states(gru, row, weights_of(state, 0, 0), 5)[-1] if len(row) else np.zeros(5)
        np.testing.assert_allclose(vector, last, atol=1e-10)


def test_token_ids_are_read_by_their_vectors(build, run):
    words = Ragged.from_rows([[1, 3], [2]], n_tokens=4)
    module, state = build(RNN(5, embedding_width=3), words)
    found = run(module, *words.pad())
    for row, vector in zip(words, found, strict=True):
        steps = state["steps.weight"][row]
        np.testing.assert_allclose(vector, states(gru, steps, weights_of(state, 0, 0), 5)[-1])


@pytest.mark.parametrize("name", CELLS)
def test_parameters(name, block, build, n_parameters):
    n_gates = CELLS[name][1]
    module, _ = build(RNN(5, name, bidirectional=True), block)
    assert n_parameters(module) == 2 * n_gates * (3 * 5 + 5 * 5 + 2 * 5)


def test_weights_start_as_in_keras(rng, build):
    """Glorot per gate, an orthogonal recurrence, and an LSTM that remembers at first."""
    _, state = build(RNN(16, "lstm"), rng.normal(size=(2, 3, 5000)))
    weights = weights_of(state, 0, 0)
    limit = np.sqrt(6 / (5000 + 16))
    for gate in np.split(weights["weight_ih"], 4):
        assert 0.98 * limit < np.abs(gate).max() <= limit
    for gate in np.split(weights["weight_hh"], 4):
        np.testing.assert_allclose(gate @ gate.T, np.eye(16), atol=1e-6)
    assert weights["bias_ih"].tolist() == [0.0] * 16 + [1.0] * 16 + [0.0] * 32
    assert not weights["bias_hh"].any()


def test_gates_behind_very_wide_steps_are_not_saturated(rng, build):
    """torch's own start drives them to 0 and 1, where gradients end."""
    block = np.abs(rng.normal(size=(4, 3, 8000)))
    _, state = build(RNN(8, "lstm"), block)
    ours = block @ weights_of(state, 0, 0)["weight_ih"].T
    torchs = block @ nn.LSTM(8000, 8).double().weight_ih_l0.detach().numpy().T
    assert np.abs(ours).mean() < 2 < 10 < np.abs(torchs).mean()
