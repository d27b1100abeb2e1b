from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from skfusion.encoders import Chain, NumericEmbedding, Transformer
from skfusion.exceptions import ParameterError


@pytest.fixture
def x(rng):
    return rng.normal(size=(7, 3))


def per_feature(code, state):
    """ReLU of a linear map of its own for each feature."""
    features = [
        code[:, j] @ state["embed.1.weight"][j] + state["embed.1.bias"][j]
        for j in range(code.shape[1])
    ]
    return np.maximum(np.stack(features, axis=1), 0)


def test_periodic_embeddings(x, build, run):
    module, state = build(NumericEmbedding(embedding_width=4, n_frequencies=5), x, pooled=False)
    angles = 2 * np.pi * x[:, :, None] * state["embed.0.frequencies"]
    code = np.concatenate([np.cos(angles), np.sin(angles)], axis=2)
    tokens, mask = run(module, x)
    assert mask is None
    np.testing.assert_allclose(tokens, per_feature(code, state), atol=1e-12)


def piecewise_by_hand(value, edges):
    """The cases of the paper's formula, the first and the last bin open."""
    code = []
    for t, (start, end) in enumerate(pairwise(edges)):
        if value < start and t > 0:
            code.append(0.0)
        elif value >= end and t < len(edges) - 2:
            code.append(1.0)
        else:
            code.append((value - start) / (end - start))
    return code


def test_piecewise_linear_embeddings(x, build, run):
    edges = [-1.0, -0.2, 0.5, 2.0]
    encoder = NumericEmbedding("piecewise", embedding_width=4, bins=edges)
    module, state = build(encoder, x, pooled=False)
    code = np.array([[piecewise_by_hand(value, edges) for value in row] for row in x])
    tokens, _ = run(module, x)
    np.testing.assert_allclose(tokens, per_feature(code, state), atol=1e-6)


def test_bins_hold_equal_shares_of_bell_shaped_data(build, x):
    _, state = build(NumericEmbedding("piecewise", bins=5), x)
    np.testing.assert_allclose(norm.cdf(state["0.0.starts"][1:]), [0.2, 0.4, 0.6, 0.8], atol=1e-6)


def test_pooled_is_a_network_on_all_features_side_by_side(x, build, run, n_parameters):
    encoder = NumericEmbedding(embedding_width=4, n_frequencies=5, widths=(6, 2))
    module, state = build(encoder, x)
    embedded = run(module[0], x).reshape(7, 12)
    hidden = np.maximum(embedded @ state["2.weight"].T + state["2.bias"], 0)
    expected = np.maximum(hidden @ state["5.weight"].T + state["5.bias"], 0)
    np.testing.assert_allclose(run(module, x), expected, atol=1e-12)
    assert n_parameters(module) == 3 * 5 + 3 * (10 * 4 + 4) + (12 * 6 + 6) + (6 * 2 + 2)


def test_features_are_tokens_of_a_transformer(x, build, run):
    module, _ = build(Chain(NumericEmbedding(embedding_width=4), Transformer(8)), x)
    assert run(module, x).shape == (7, 8)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (NumericEmbedding("plr"), "kind must be one of 'periodic', 'piecewise'"),
        (NumericEmbedding("piecewise", bins=1), "bins must be an int >= 2"),
        (NumericEmbedding("piecewise", bins=[0.0, 1.0, 1.0]), "increasing sequence of edges"),
        (NumericEmbedding(n_frequencies=0), "n_frequencies must be an int >= 1"),
        (NumericEmbedding(scale=-1.0), "scale must be a number >= 0"),
    ],
)
def test_what_cannot_be_is_refused(encoder, message, build, x):
    with pytest.raises(ParameterError, match=message):
        build(encoder, x)
