"""What the classifier learns and returns."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.utils.class_weight import compute_sample_weight

from skfusion import Blocks, FusionClassifier
from skfusion.encoders import MLP
from skfusion.heads import LinearHead, MLPHead

LABELS = {
    "text": np.array(["no", "yes"]),
    "objects": np.array(["b", "a", "c"], dtype=object),
    "booleans": np.array([False, True]),
    "signs": np.array([-1, 1]),
    "gaps": np.array([30, 7, 12]),
    "floats": np.array([2.0, 1.0, 4.0]),
}


@pytest.fixture(scope="module")
def rows():
    """Return a function that makes rows of two blocks whose class is plain to see."""

    def rows(labels, n_rows=60):
        code = np.arange(n_rows) % len(labels)
        noise = np.random.default_rng(0).normal(size=(n_rows, 2), scale=0.1)
        X = Blocks({"left": np.eye(len(labels))[code], "right": noise})
        return X, labels[code]

    return rows


@pytest.fixture(scope="module")
def indicators(table):
    return np.column_stack([table[:, 0] > 0, table[:, 1] > 0, table[:, 0] > 5]).astype(int)


def quick(**params):
    return FusionClassifier(**({"max_epochs": 20, "lr": 0.03, "random_state": 0} | params))


@pytest.mark.parametrize("kind", LABELS)
def test_labels_come_back_as_they_went_in(rows, kind):
    X, y = rows(LABELS[kind])
    model = quick().fit(X, y)
    np.testing.assert_array_equal(model.classes_, np.unique(y))
    assert model.classes_.dtype == y.dtype
    assert model.predict(X).dtype == y.dtype
    np.testing.assert_array_equal(model.predict(X), y)


def test_labels_may_be_a_series_of_categories(rows):
    X, y = rows(LABELS["text"])
    model = quick().fit(X, pd.Series(y, dtype="category"))
    np.testing.assert_array_equal(model.predict(X), y)


@pytest.mark.parametrize("kind", ["text", "objects"])
def test_probabilities_are_those_of_the_outputs(rows, kind):
    X, y = rows(LABELS[kind])
    model = quick(max_epochs=2).fit(X, y)
    scores, probabilities = model.decision_function(X), model.predict_proba(X)
    assert scores.dtype == probabilities.dtype == np.float64
    scores = np.stack([0 * scores, scores], axis=1) if scores.ndim == 1 else scores
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected)
    best = model.classes_[probabilities.argmax(axis=1)]
    np.testing.assert_array_equal(model.predict(X), best)


def test_outputs_are_the_head_of_the_fused_vectors(rows):
    X, y = rows(LABELS["objects"])
    model = quick(max_epochs=2).fit(X, y)
    weight, bias = (part.detach().numpy() for part in model.net_.module_.head.parameters())
    by_hand = model.transform(X) @ weight.T + bias
    np.testing.assert_allclose(model.decision_function(X), by_hand, rtol=1e-4, atol=1e-6)


def test_fused_vectors_are_as_wide_as_the_encoders_together(X, y, make):
    model = make(max_epochs=1).fit(X, y)
    assert model.transform(X).shape == (len(X), 16)
    names = model.get_feature_names_out()
    assert names.tolist() == [f"fusionclassifier{i}" for i in range(16)]


@pytest.mark.parametrize("as_sparse", [False, True])
def test_several_labels_a_row(table, indicators, as_sparse):
    model = quick(max_epochs=60)
    model.fit(table, sparse.csr_array(indicators) if as_sparse else indicators)
    probabilities, predicted = model.predict_proba(table), model.predict(table)
    assert probabilities.shape == predicted.shape == indicators.shape
    np.testing.assert_array_equal(predicted, probabilities > 0.5)
    assert (predicted == indicators).mean() > 0.95
    assert model.score(table, indicators) == (predicted == indicators).all(axis=1).mean()
    assert predicted[:, 2].max() == 0


def test_what_only_both_blocks_together_tell_needs_a_deeper_head():
    """The class is whether two signs agree: no sum of one score per block can tell."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(200, 2))
    X = Blocks({"left": signs[:, :1], "right": signs[:, 1:]})
    y = signs[:, 0] == signs[:, 1]
    encoders = {name: MLP(widths=(8,)) for name in X.names}
    settings = {"encoders": encoders, "max_epochs": 40, "lr": 0.03}
    assert quick(head=MLPHead(widths=(16,)), **settings).fit(X, y).score(X, y) == 1
    assert quick(head=LinearHead(), **settings).fit(X, y).score(X, y) < 0.9


def test_what_is_learned_of_the_input(X, y, make):
    model = make(max_epochs=1).fit(X, y)
    assert model.n_features_in_ == 4
    assert model.feature_names_in_.tolist() == ["text", "facts", "photo", "words"]
    assert model.specs_ == X.specs()
    assert model.union_ is None


# Weights


@pytest.fixture(scope="module")
def uneven(table):
    return table, np.array([0] * 30 + [1] * 10)


@pytest.mark.parametrize("loss", ["cross_entropy", "focal"])
@pytest.mark.parametrize("class_weight", ["balanced", {0: 1.0, 1: 3.0}])
def test_class_weights_are_row_weights(uneven, class_weight, loss):
    X, y = uneven
    weight = compute_sample_weight(class_weight, y)
    by_class = quick(class_weight=class_weight, loss=loss).fit(X, y)
    by_row, plain = quick(loss=loss).fit(X, y, sample_weight=weight), quick(loss=loss).fit(X, y)
    np.testing.assert_array_equal(by_class.predict_proba(X), by_row.predict_proba(X))
    assert by_class.predict_proba(X)[:, 1].mean() > plain.predict_proba(X)[:, 1].mean()


def test_class_weights_and_row_weights_multiply(uneven):
    X, y = uneven
    weight = np.linspace(1, 2, len(y))
    both = quick(class_weight={0: 1.0, 1: 4.0}).fit(X, y, sample_weight=weight)
    product = quick().fit(X, y, sample_weight=weight * np.where(y == 1, 4, 1))
    np.testing.assert_array_equal(both.predict_proba(X), product.predict_proba(X))


def test_rows_of_weight_zero_are_not_there(uneven):
    X, y = uneven
    weight = np.where(np.arange(len(y)) % 3, 1.0, 0.0)
    kept = weight > 0
    weighted = quick().fit(X, y, sample_weight=weight)
    without = quick().fit(X[kept], y[kept])
    np.testing.assert_array_equal(weighted.predict_proba(X), without.predict_proba(X))


def test_a_class_of_weight_zero_is_unknown(rows):
    X, y = rows(LABELS["objects"])
    model = quick(max_epochs=1).fit(X, y, sample_weight=(y != "c").astype(float))
    assert model.classes_.tolist() == ["a", "b"]


def test_only_ratios_of_weights_count(uneven):
    X, y = uneven
    weight = np.linspace(1, 2, len(y))
    one = quick().fit(X, y, sample_weight=weight).predict_proba(X)
    np.testing.assert_array_equal(quick().fit(X, y, weight * 8).predict_proba(X), one)
