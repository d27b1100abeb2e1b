"""Rows and whole blocks that are missing, while fitting and predicting."""

import copy

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from skfusion import Blocks, BlockUnion, FusionClassifier, FusionRegressor, Ragged
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
    model = FusionClassifier(members=1, max_epochs=8, random_state=0, missing="allow")
    return model.fit(X, y), X, y


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
    missing_embeddings = list(model.net_.module_.missing_embeddings)
    assert all(bool(embedding.abs().max() > 0) for embedding in missing_embeddings)
    lacking = Blocks({name: X[name] for name in X.names}, {"left": np.ones(N, bool)})
    before = model.transform(lacking)[:, : len(missing_embeddings[0])]
    np.testing.assert_allclose(
        before, np.tile(missing_embeddings[0].detach().numpy(), (N, 1)), rtol=1e-6
    )


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


def a_table():
    rng = np.random.default_rng(0)
    words = [f"{'good' if i % 2 else 'bad'} number {i}" for i in range(N)]
    frame = pd.DataFrame({"note": words, "price": rng.normal(size=N), "stars": rng.normal(size=N)})
    return frame, np.arange(N) % 2


def test_a_table_may_lack_all_columns_of_a_block_where_that_is_allowed():
    frame, y = a_table()
    model = FusionClassifier(max_epochs=2, missing="allow", random_state=0).fit(frame, y)
    without = model.predict_proba(frame.drop(columns="note"))
    np.testing.assert_array_equal(without, model.predict_proba(frame.assign(note=None)))
    assert np.isfinite(model.predict_proba(frame[["note"]])).all()
    with pytest.raises(BlockError, match="column 'price', from which block 'numbers' is made"):
        model.predict(frame.drop(columns="price"))
    with pytest.raises(ValueError, match="(?s)unseen at fit.*other"):
        model.predict(frame[["note"]].assign(other=1))


def test_a_table_without_a_block_is_an_error_that_names_it():
    frame, y = a_table()
    model = FusionClassifier(max_epochs=1).fit(frame, y)
    match = "column 'note', from which block 'note' is made, is missing.*missing=\"allow\""
    with pytest.raises(BlockError, match=match):
        model.predict(frame.drop(columns="note"))
    model.set_params(missing="allow").predict(frame.drop(columns="note"))


def test_a_union_that_allows_it_goes_on_doing_so():
    frame, y = a_table()
    union = BlockUnion(missing="allow")
    model = FusionClassifier(union=union, missing="allow", max_epochs=1).fit(frame, y)
    model.set_params(missing="error").predict(frame.drop(columns="note"))
    model.set_params(union__missing="error").fit(frame, y)
    with pytest.raises(BlockError, match="column 'note'"):
        model.predict(frame.drop(columns="note"))


def test_a_wrong_word_is_refused_when_predicting_too(fitted):
    model, X, _ = fitted
    other = copy.copy(model).set_params(missing="alow")
    for call in (other.predict, other.predict_proba, other.transform):
        with pytest.raises(ParameterError, match=r"missing must be .*'alow'"):
            call(X)


def test_a_dict_with_text_may_lack_a_block_where_that_is_allowed():
    frame, y = a_table()
    arrays = {"note": frame["note"].tolist(), "price": frame["price"].to_numpy()}
    model = FusionClassifier(max_epochs=2, missing="allow", random_state=0).fit(arrays, y)
    for name in arrays:
        assert model.predict({name: arrays[name]}).shape == (N,)


def test_a_pipeline_may_lack_a_block_where_its_union_allows_that():
    frame, y = a_table()
    steps = [("words", TfidfVectorizer(), "note"), ("facts", "passthrough", ["price", "stars"])]
    model = make_pipeline(BlockUnion(steps, missing="allow"), FusionClassifier(max_epochs=1))
    model.fit(frame, y)
    assert model.predict(frame[["note"]]).shape == (N,)


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


def prior_of(model):
    nothing = Blocks({"a": np.zeros((1, 3))}, {"a": [True]})
    return model.predict_proba(nothing)[0] if hasattr(model, "classes_") else model.predict(nothing)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_prior_is_that_of_all_batches_so_far(n_classes):
    X = np.random.default_rng(0).normal(size=(60, 3))
    y = np.arange(60) % n_classes
    y[:20] = 0
    model = FusionClassifier(missing="allow")
    for rows in (slice(0, 20), slice(20, 30), slice(30, 60)):
        model.partial_fit(Blocks({"a": X[rows]}), y[rows], classes=range(n_classes))
    np.testing.assert_allclose(prior_of(model), np.bincount(y) / 60, atol=1e-5)


@pytest.mark.parametrize("loss", ["squared", "poisson"])
def test_the_prior_of_values_is_that_of_all_batches_so_far(loss):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.gamma(2.0, size=60)
    y[20:] += 5
    model = FusionRegressor(missing="allow", loss=loss)
    for rows in (slice(0, 20), slice(20, 60)):
        model.partial_fit(Blocks({"a": X[rows]}), y[rows])
    np.testing.assert_allclose(prior_of(model), y.mean(), rtol=1e-5)


def test_the_prior_of_several_labels_is_that_of_all_batches_so_far():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    labels = (rng.random((60, 3)) < [0.2, 0.5, 0.7]).astype(int)
    model = FusionClassifier(missing="allow")
    for rows in (slice(0, 20), slice(20, 60)):
        model.partial_fit(Blocks({"a": X[rows]}), labels[rows])
    np.testing.assert_allclose(prior_of(model), labels.mean(0), rtol=1e-5)


def test_the_prior_of_a_warm_start_is_that_of_the_last_fit():
    X = Blocks({"a": np.random.default_rng(0).normal(size=(60, 3))})
    model = FusionClassifier(missing="allow", warm_start=True, max_epochs=1)
    model.fit(X, np.arange(60) % 2).fit(X, np.arange(60) % 6 > 0)
    np.testing.assert_allclose(prior_of(model), [1 / 6, 5 / 6], rtol=1e-6)


def test_missing_takes_two_words():
    with pytest.raises(ParameterError, match="missing must be one of 'error', 'allow'"):
        FusionClassifier(missing="alow").fit(np.eye(4), [0, 1, 0, 1])


def test_encoders_may_be_named_for_blocks_that_are_gone_later():
    blocks, masks, y = make()
    encoders = {"left": MLP(8), "text": SparseLinear(8)}
    model = FusionClassifier(encoders, max_epochs=2, missing="allow").fit(Blocks(blocks, masks), y)
    assert model.predict(Blocks({"words": blocks["words"]})).shape == (N,)
