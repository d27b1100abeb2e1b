import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skfusion import FusionClassifier
from skfusion.blocks import Blocks, Ragged, spec_of
from skfusion.encoders import CNN, MLP, RNN, Chain, SparseLinear, TemporalCNN, Transformer
from skfusion.exceptions import BlockError, ParameterError


def test_the_second_reads_the_tokens_of_the_first(rng, build, run):
    images = rng.normal(size=(3, 8, 8, 2))
    module, _ = build(Chain(CNN((3,)), RNN(4)), images)
    tokens, _ = run(module.first, images)
    assert tokens.shape == (3, 16, 3)
    np.testing.assert_allclose(run(module, images), run(module.then, tokens), atol=1e-12)


def test_the_mask_goes_along(rng, build, run):
    rows = Ragged.from_rows([rng.normal(size=(length, 2)) for length in (5, 2)])
    module, _ = build(Chain(TemporalCNN((3,)), RNN(4)), rows)
    alone = np.concatenate([run(module, *rows[[i]].pad()) for i in range(2)])
    np.testing.assert_allclose(run(module, *rows.pad()), alone, atol=1e-12)


def test_an_encoder_without_tokens_hands_on_vectors(rng, build, run):
    x = rng.normal(size=(3, 5))
    module, _ = build(Chain(MLP(4), MLP(2)), x)
    np.testing.assert_allclose(run(module, x), run(module.then, run(module.first, x)), atol=1e-12)


def test_three_in_a_row_pooled_or_not(rng, build, run):
    images = rng.normal(size=(3, 8, 8, 2))
    chain = Chain(CNN((3,)), Chain(TemporalCNN((5,)), Transformer(4, n_heads=2)))
    assert run(build(chain, images)[0], images).shape == (3, 4)
    tokens, mask = run(build(chain, images, pooled=False)[0], images)
    assert tokens.shape == (3, 16, 4)
    assert mask is None


def test_the_parts_are_searched_by_their_names(rng):
    images = Blocks({"photo": rng.normal(size=(12, 8, 8, 1)).astype(np.float32)})
    model = FusionClassifier({"photo": Chain(CNN((2,)), RNN(2))}, max_epochs=1, random_state=0)
    grid = {"photo__first__channels": [(2,), (3,)], "photo__then__width": [3]}
    best = GridSearchCV(model, grid, cv=2).fit(images, [0, 1] * 6).best_estimator_
    assert best.transform(images).shape == (12, 3)


def test_clone_keeps_the_parts():
    chain = clone(Chain(CNN((2,)), RNN(2)))
    assert repr(chain) == "Chain(first=CNN(channels=(2,)), then=RNN(width=2))"


@pytest.mark.parametrize(
    ("chain", "error", "message"),
    [
        (Chain(RNN(), MLP()), BlockError, "'photo' has the form 'image', which RNN cannot take"),
        (Chain(CNN(), CNN()), BlockError, "has the form 'sequence', which CNN cannot take"),
        (Chain(CNN(), SparseLinear()), BlockError, "which SparseLinear cannot take"),
        (Chain("cnn", RNN()), ParameterError, "first must be a recipe such as MLP"),
        (Chain(CNN(), None), ParameterError, "then must be a recipe such as MLP"),
    ],
)
def test_what_cannot_be_is_refused(chain, error, message):
    spec = spec_of("photo", np.zeros((2, 8, 8, 3)))
    with pytest.raises(error, match=message):
        chain.build(spec)


def test_an_error_of_the_second_says_where_it_comes_from():
    with pytest.raises(BlockError, match="cannot take") as caught:
        Chain(CNN(), CNN()).build(spec_of("photo", np.zeros((2, 8, 8, 3))))
    assert "as `then` of Chain, behind CNN" in str(caught.value)
