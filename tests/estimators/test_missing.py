"""Rows and whole blocks that are missing, while fitting and predicting."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from skfusion import Blocks, FusionClassifier, FusionRegressor, Ragged
from skfusion.encoders import MLP, SparseLinear
from skfusion.exceptions import BlockError, ParameterError

N = 120


def make(seed=0, missing=0.3):
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(2, N, 4)).astype(np.float32)
    ids = [rng.integers(2, 9, rng.integers(0, 4)) for _ in range(N)]
    y = (left[:, 0] + right[:, 0] > 0).astype(int)
    lacks_left = rng.random(N) < missing
    lacks_right = ~lacks_left & (rng.random(N) < missing)
    blocks = {
        "left": left,
        "right": right,
        "text": csr_array((rng.random((N, 6)) < 0.3).astype(np.float32)),
        "words": Ragged.from_rows(ids, dtype=np.int64, n_tokens=9),
    }
    masks = {"left": lacks_left, "right": lacks_right, "text": lacks_left, "words": lacks_right}
    return blocks, masks, y


@pytest.fixture(scope="module")
def fitted():
    blocks, masks, y = make()
    X = Blocks(blocks, masks)
    return FusionClassifier(max_epochs=8, random_state=0, missing="allow").fit(X, y), X, y


@pytest.mark.parametrize("fusion", ["concat", "gated", "late"])
def test_what_stands_in_missing_rows_is_never_read(fusion):
    blocks, masks, y = make()
    spoiled = {name: blocks[name] for name in blocks}
    for name in ("left", "right"):
        spoiled[name] = np.where(masks[name][:, None], np.float32("nan"), blocks[name])
    results = []
    for content in (blocks, spoiled):
        X = Blocks(content, masks)
        model = FusionClassifier(fusion=fusion, max_epochs=4, random_state=0).fit(X, y)
        results.append(model.predict_proba(X))
    np.testing.assert_array_equal(*results)


def test_the_stand_in_is_learned_and_used_when_predicting(fitted):
    model, X, _ = fitted
    stand_ins = list(model.net_.module_.stand_ins)
    assert all(bool(stand_in.abs().max() > 0) for stand_in in stand_ins)
    lacking = Blocks({name: X[name] for name in X.names}, {"left": np.ones(N, bool)})
    before = model.transform(lacking)[:, : len(stand_ins[0])]
    np.testing.assert_allclose(before, np.tile(stand_ins[0].detach().numpy(), (N, 1)), rtol=1e-6)


def test_a_missing_row_does_not_change_the_others(fitted):
    model, X, _ = fitted
    rows = model.predict_proba(X)
    alone = np.concatenate([model.predict_proba(X[[i]]) for i in range(N)])
    np.testing.assert_allclose(rows, alone, atol=1e-6)


def test_predicting_without_a_block_is_an_error_that_names_it_unless_allowed(fitted):
    model, X, y = fitted
    strict = FusionClassifier(max_epochs=1).fit(X, y)
    with pytest.raises(BlockError, match=r"gone are \['left', 'text'\].*missing=\"allow\""):
        strict.predict(X.select(["right", "words"]))
    without = model.predict_proba(X.select(["right", "words"])[~X.missing("right")])
    assert np.isfinite(without).all()


def test_without_a_block_equals_the_block_missing_everywhere(fitted):
    model, X, _ = fitted
    rows = ~X.missing("right")
    part = X.select(["right", "words"])[rows]
    everywhere = {name: np.ones(rows.sum(), bool) for name in ("left", "text")}
    marked = Blocks({name: X[rows][name] for name in X.names}, everywhere)
    np.testing.assert_array_equal(model.predict_proba(part), model.predict_proba(marked))


def test_a_row_without_any_block_is_an_error_that_names_it():
    X = Blocks({"a": np.ones((4, 2))}, {"a": [False, False, True, False]})
    with pytest.raises(BlockError, match="row 2 lacks every block"):
        FusionClassifier(max_epochs=1).fit(X, [0, 1, 0, 1])


def test_the_prior_is_predicted_for_a_row_without_any_block(fitted):
    model, _, y = fitted
    nothing = Blocks({"left": np.zeros((2, 4))}, {"left": [True, False]})
    probabilities = model.predict_proba(nothing)
    np.testing.assert_allclose(probabilities[0], np.bincount(y) / N, rtol=1e-6)
    assert abs(probabilities[1] - probabilities[0]).max() > 1e-4


@pytest.mark.parametrize("several", [False, True])
def test_the_prior_of_a_regression_is_the_weighted_mean(several):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)).astype(np.float32)
    y = rng.normal(5, 2, size=(40, 2) if several else 40)
    weight = rng.random(40)
    model = FusionRegressor(max_epochs=2, missing="allow")
    model.fit(Blocks({"a": X, "b": X}), y, sample_weight=weight)
    predicted = model.predict(Blocks({"a": X[:1]}, {"a": [True]}))[0]
    np.testing.assert_allclose(predicted, np.average(y, axis=0, weights=weight))


def test_the_prior_of_several_labels_and_of_three_classes():
    rng = np.random.default_rng(0)
    X = Blocks({"a": rng.normal(size=(60, 3)).astype(np.float32)})
    nothing = Blocks({"a": X["a"][:1]}, {"a": [True]})
    labels = rng.random((60, 3)) < [0.2, 0.5, 0.7]
    model = FusionClassifier(max_epochs=1, missing="allow").fit(X, labels.astype(int))
    np.testing.assert_allclose(model.predict_proba(nothing)[0], labels.mean(0), rtol=1e-6)
    three = np.arange(60) % 3
    model.fit(X, three)
    np.testing.assert_allclose(model.predict_proba(nothing)[0], np.full(3, 1 / 3), rtol=1e-6)


def test_missing_takes_two_words():
    with pytest.raises(ParameterError, match="missing must be one of 'error', 'allow'"):
        FusionClassifier(missing="alow").fit(np.eye(4), [0, 1, 0, 1])


def test_encoders_may_be_named_for_blocks_that_are_gone_later():
    blocks, masks, y = make()
    encoders = {"left": MLP(8), "text": SparseLinear(8)}
    model = FusionClassifier(encoders, max_epochs=2, missing="allow").fit(Blocks(blocks, masks), y)
    assert model.predict(Blocks({"words": blocks["words"]})).shape == (N,)
