import pickle

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

from skfusion import FusionClassifier
from skfusion.blocks import Blocks, Ragged, spec_of
from skfusion.encoders import MLP, RNN, Chain, FittedEncoder, SparseLinear, TokenEmbedding
from skfusion.exceptions import BlockError, ParameterError

Y = np.array([0, 1, 1, 0] * 5)


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(length, 3)).astype(np.float32) for length in [2, 4, 1, 3] * 5]
    return {
        "text": csr_array((rng.random((20, 9)) < 0.3).astype(np.float32)),
        "steps": Ragged.from_rows(rows),
        "facts": rng.normal(size=(20, 4)).astype(np.float32),
    }


def fitted(X, **encoders):
    blocks = {name: X[name] for name in encoders}
    return FusionClassifier(encoders, max_epochs=2, random_state=0).fit(blocks, Y)


@pytest.fixture(scope="module")
def text(X):
    return fitted(X, text=SparseLinear(6))


@pytest.fixture(scope="module")
def two(X):
    return fitted(X, steps=RNN(5), facts=MLP(4))


def test_two_networks_feed_a_third(X, text, two):
    encoders = {
        "text": FittedEncoder(text),
        "steps": FittedEncoder(two, part="steps"),
        "facts": MLP(3),
    }
    third = FusionClassifier(encoders, max_epochs=2, random_state=0).fit(X, Y)
    vectors = third.transform(X)
    assert vectors.shape == (20, 6 + 5 + 3)
    np.testing.assert_allclose(vectors[:, :6], text.transform({"text": X["text"]}), atol=1e-6)
    own = two.transform({"steps": X["steps"], "facts": X["facts"]})
    np.testing.assert_allclose(vectors[:, 6:11], own[:, :5], atol=1e-6)


def test_a_frozen_part_stays_and_another_is_tuned(X, text):
    blocks = {"text": X["text"]}
    before = text.transform(blocks)
    for frozen in (True, False):
        model = FusionClassifier({"text": FittedEncoder(text, frozen=frozen)}, max_epochs=3, lr=0.1)
        moved = np.abs(model.fit(blocks, Y).transform(blocks) - before).max()
        assert (moved < 1e-6) == frozen
    np.testing.assert_array_equal(text.transform(blocks), before)


def test_the_block_may_have_another_name(X, text):
    model = FusionClassifier({"title": FittedEncoder(text)}, max_epochs=1)
    vectors = model.fit({"title": X["text"]}, Y).transform({"title": X["text"]})
    np.testing.assert_allclose(vectors, text.transform({"text": X["text"]}), atol=1e-6)


def test_clone_pickle_and_search_keep_the_estimator_fitted(X, text):
    blocks = Blocks({"text": X["text"]})
    model = FusionClassifier({"text": FittedEncoder(text)}, max_epochs=1, random_state=0)
    expected = model.fit(blocks, Y).predict_proba(blocks)
    np.testing.assert_allclose(clone(model).fit(blocks, Y).predict_proba(blocks), expected)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(model)).predict_proba(blocks), expected)
    search = GridSearchCV(model, {"text__frozen": [True, False]}, cv=2).fit(blocks, Y)
    assert set(search.cv_results_["param_text__frozen"]) == {True, False}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_clone_of_a_recipe_around_it_keeps_it_fitted(X, two, build, run):
    chain = clone(Chain(FittedEncoder(two, part="facts"), MLP(2)))
    module, _ = build(chain, X["facts"])
    assert run(module, X["facts"].astype(float)).shape == (20, 2)


def test_parameters_of_the_fitted_estimator_are_no_longer_offered(text):
    assert set(FittedEncoder(text).get_params()) == {"estimator", "part", "frozen"}


def test_ragged_rows_and_rows_that_lack_the_block(X, two):
    missing = np.arange(20) % 5 == 0
    blocks = Blocks({"steps": X["steps"], "facts": X["facts"]}, {"steps": missing})
    encoders = {"steps": FittedEncoder(two, "steps"), "facts": FittedEncoder(two, "facts")}
    model = FusionClassifier(encoders, max_epochs=2).fit(blocks, Y)
    assert np.isfinite(model.predict_proba(blocks)).all()


def test_a_double_network_takes_a_single_one(X, text):
    blocks = {"text": X["text"].astype(np.float64)}
    model = FusionClassifier({"text": FittedEncoder(text)}, max_epochs=1).fit(blocks, Y)
    assert model.net_.module_.encoders[0].backbone.encoders[0][0].weight.dtype == torch.float64


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda text, two: FittedEncoder(two), r"part='fused' needs an estimator of one block"),
        (lambda text, two: FittedEncoder(two, "fact"), "Got 'fact'. Did you mean 'facts'"),
        (lambda text, two: FittedEncoder(LogisticRegression()), "Got LogisticRegression"),
        (lambda text, two: FittedEncoder(None), "Got NoneType"),
    ],
)
def test_what_is_no_part_of_a_fitted_network_is_refused(make, message, text, two, X):
    with pytest.raises(ParameterError, match=message):
        make(text, two).build(spec_of("facts", X["facts"]))


def test_an_estimator_must_be_fitted(X):
    encoder = FittedEncoder(FusionClassifier())
    with pytest.raises(NotFittedError, match="needs a fitted estimator, but this one is not"):
        FusionClassifier({"facts": encoder}).fit({"facts": X["facts"]}, Y)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (np.zeros((3, 5), np.float32), r"shape \(5,\).* but .* fitted on block 'facts'"),
        (np.zeros((3, 4, 4), np.float32), "'title' has rows of form 'sequence'"),
    ],
)
def test_rows_must_be_as_at_that_fit(block, message, two):
    with pytest.raises(BlockError, match=message):
        FittedEncoder(two, "facts").build(spec_of("title", block))


def test_bytes_and_floats_are_not_mixed_up():
    """A network fitted on bytes scales them; floats from 0 to 255 would pass unscaled."""
    images = np.zeros((4, 8, 8, 1), np.uint8)
    model = FusionClassifier({"photo": "cnn"}, max_epochs=1).fit({"photo": images}, [0, 1, 0, 1])
    with pytest.raises(BlockError, match="dtype float32, but .* dtype uint8"):
        FittedEncoder(model).build(spec_of("photo", images.astype(np.float32)))


def test_a_larger_vocabulary_is_refused():
    words = Ragged.from_rows([[0], [1]], n_tokens=2)
    model = FusionClassifier({"words": TokenEmbedding(3)}, max_epochs=1).fit(
        {"words": words}, [0, 1]
    )
    larger = Ragged.from_rows([[0], [5]], n_tokens=6)
    with pytest.raises(BlockError, match="vocabulary of 6 ids, but .* fitted with 2"):
        FittedEncoder(model).build(spec_of("words", larger))
