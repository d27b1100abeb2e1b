import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skfusion import Blocks, BlockUnion, FusionClassifier, Ragged
from skfusion.exceptions import BlockTypeError, ParameterError
from skfusion.inspection import block_importance
from skfusion.inspection._importance import shapley_values

METHODS = ("permute", "drop", "shapley")


class Recorder(RegressorMixin, BaseEstimator):
    """Keeps the rows that it is asked about."""

    def fit(self, X, y):
        self.asked_ = []
        return self

    def predict(self, X):
        self.asked_.append(X)
        return np.zeros(len(X))


def linear_on_blocks():
    return make_pipeline(FunctionTransformer(Blocks.hstack), LinearRegression())


# Shapley values


@pytest.mark.parametrize("n_players", [1, 2, 3, 5])
def test_shapley_values_are_the_mean_gain_over_all_orders(n_players):
    values = np.random.default_rng(n_players).normal(size=2**n_players)
    gains = np.zeros(n_players)
    orders = list(itertools.permutations(range(n_players)))
    for order in orders:
        coalition = 0
        for player in order:
            gains[player] += values[coalition | 1 << player] - values[coalition]
            coalition |= 1 << player
    np.testing.assert_allclose(shapley_values(values), gains / len(orders), atol=1e-12)


def test_shapley_values_share_out_what_lies_above_the_prior(fitted, rows, held_out):
    X, y = held_out
    found = block_importance(fitted, X, y, method="shapley", scoring="neg_log_loss")
    prior = DummyClassifier(strategy="prior").fit(np.zeros((160, 1)), rows[1])
    prior_score = -log_loss(y, prior.predict_proba(np.zeros((120, 1))))
    assert found.importances.sum() == pytest.approx(found.score - prior_score, abs=1e-5)
    assert found.importances.shape == (2, 1)


def test_shapley_values_of_two_blocks_from_four_scores(fitted, rows, held_out):
    X, y = held_out
    found = block_importance(fitted, X, y, method="shapley")
    allowing = clone(fitted).set_params(missing="allow").fit(*rows)
    yes = np.ones(len(X), dtype=bool)
    lacking = {
        names: allowing.score(Blocks(parts(X), dict.fromkeys(names, yes)), y)
        for names in [(), ("signal",), ("noise",), ("signal", "noise")]
    }
    alone, beside = lacking["noise",] - lacking["signal", "noise"], lacking[()] - lacking["signal",]
    assert found.importances_mean[0] == pytest.approx((alone + beside) / 2)


def parts(X):
    return {name: X[name] for name in X.names}


def test_shapley_values_of_nine_blocks_are_refused():
    X = Blocks({f"b{i}": np.arange(6.0) for i in range(9)})
    model = linear_on_blocks().fit(X, np.arange(6.0))
    with pytest.raises(ParameterError, match='at most 8 blocks.*Got 9.*Use method="permute"'):
        block_importance(model, X, np.arange(6.0), method="shapley")


def test_shapley_values_of_eight_blocks_find_the_weights_of_an_additive_model():
    rng = np.random.default_rng(0)
    columns = rng.normal(size=(50, 8))
    X = Blocks({f"b{i}": columns[:, [i]] for i in range(8)})
    model = linear_on_blocks().fit(X, columns @ np.arange(8.0))

    def mean_prediction(model, X, y):
        return model.predict(X).mean()

    found = block_importance(model, X, columns[:, 0], method="shapley", scoring=mean_prediction)
    np.testing.assert_allclose(
        found.importances_mean, columns.mean(axis=0) * np.arange(8), atol=1e-9
    )


# Shuffling and dropping


def test_shuffling_against_the_same_by_hand():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 2)), rng.normal(size=(40, 1))
    y = a[:, 0] - 2 * b[:, 0]
    X = Blocks({"a": a, "b": b})
    model = linear_on_blocks().fit(X, y)
    found = block_importance(model, X, y, n_repeats=3, random_state=7)
    draw = np.random.RandomState(7)
    orders = [draw.permutation(40) for _ in range(3)]
    plain = LinearRegression().fit(np.hstack([a, b]), y)
    expected = [
        [1 - r2_score(y, plain.predict(np.hstack([a[order], b]))) for order in orders],
        [1 - r2_score(y, plain.predict(np.hstack([a, b[order]]))) for order in orders],
    ]
    np.testing.assert_allclose(found.importances, expected)
    np.testing.assert_allclose(found.importances_mean, np.mean(expected, axis=1))
    np.testing.assert_allclose(found.importances_std, np.std(expected, axis=1))


def test_dropping_against_the_same_by_hand(fitted, held_out):
    X, y = held_out
    found = block_importance(fitted, X, y, method="drop")
    full = accuracy_score(y, fitted.predict(X))
    for i, name in enumerate(X.names):
        without = Blocks(parts(X), {name: np.ones(len(X), dtype=bool)})
        loss = full - accuracy_score(y, fitted.predict(without))
        assert found.importances[i, 0] == pytest.approx(loss)


@pytest.mark.parametrize("method", METHODS)
def test_the_informative_block_is_worth_most(fitted, held_out, method):
    found = block_importance(fitted, *held_out, method=method, random_state=0)
    assert found.names == ["signal", "noise"]
    assert found.importances_mean[0] > 0.15
    assert abs(found.importances_mean[1]) < 0.1
    assert found.score == fitted.score(*held_out)


def test_a_shuffled_block_takes_its_missing_rows_along():
    late = np.arange(20) >= 15
    X = Blocks({"a": np.arange(20.0), "b": np.arange(20.0)}, missing={"a": late})
    model = Recorder().fit(X, None)
    block_importance(model, X, np.arange(20.0), n_repeats=1, random_state=0)
    plain, a_shuffled, b_shuffled = model.asked_
    np.testing.assert_array_equal(a_shuffled.missing("a"), a_shuffled["a"].ravel() >= 15)
    assert not np.array_equal(a_shuffled["a"], plain["a"])
    np.testing.assert_array_equal(a_shuffled["b"], plain["b"])
    np.testing.assert_array_equal(b_shuffled.missing("a"), late)


def test_a_dropped_block_keeps_the_gaps_of_the_others():
    late = np.arange(20) >= 15
    X = Blocks({"a": np.arange(20.0), "b": np.arange(20.0)}, missing={"a": late})
    model = Recorder().fit(X, None)
    block_importance(model, X, np.arange(20.0), method="drop")
    _, no_a, no_b = model.asked_
    assert no_a.missing("a").all()
    assert no_a.missing("b") is None
    np.testing.assert_array_equal(no_b.missing("a"), late)


def test_rows_that_shuffling_leaves_without_any_block_are_answered():
    half = np.arange(40) % 2 == 0
    X = Blocks(
        {"signal": np.ones((40, 2)), "noise": np.ones((40, 3))},
        missing={"signal": half, "noise": ~half},
    )
    y = ["yes", "no"] * 20
    model = FusionClassifier(max_epochs=2, random_state=0).fit(X, y)
    assert block_importance(model, X, y, random_state=0).importances.shape == (2, 5)


def test_all_forms_of_blocks_can_be_shuffled_and_dropped():
    rng = np.random.default_rng(0)
    X = Blocks(
        {
            "text": csr_array(np.eye(12)),
            "words": Ragged.from_rows([np.arange(i % 3 + 1) for i in range(12)], n_tokens=4),
            "photo": rng.integers(0, 255, size=(12, 8, 8, 3), dtype=np.uint8),
        }
    )
    y = np.arange(12) % 2
    model = FusionClassifier(max_epochs=1, random_state=0).fit(X, y)
    for method in METHODS:
        found = block_importance(model, X, y, method=method, n_repeats=1, random_state=0)
        assert np.isfinite(found.importances).all()


class Photos:
    """A lazy block that counts the most rows it was asked for at once."""

    shape, ndim, dtype = (64, 8, 8, 3), 4, np.dtype(np.float32)

    def __init__(self):
        self.most = 0

    def __len__(self):
        return 64

    def __getitem__(self, rows):
        values = np.zeros(self.shape, np.float32)[rows]
        self.most = max(self.most, len(values))
        return values


def test_lazy_blocks_stay_unread_until_rows_are_needed():
    photos = Photos()
    X = Blocks({"photo": photos, "price": np.arange(64.0)})[np.arange(63, -1, -1)]

    class FirstRows(Recorder):
        def predict(self, X):
            super().predict(X)
            return np.zeros(len(X)) + X[:4]["photo"].sum()

    block_importance(FirstRows().fit(X, None), X, np.arange(64.0), n_repeats=1)
    assert photos.most == 4


# Where the blocks come from


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    stars = pd.Series(y + 0.1 * rng.normal(size=80))
    return pd.DataFrame({"stars": stars, "pages": rng.normal(size=80)}), y


def union():
    parts = [("facts", StandardScaler(), ["stars"]), ("size", StandardScaler(), ["pages"])]
    return BlockUnion(parts)


def test_a_pipeline_is_split_behind_its_blocks(frame):
    X, y = frame
    model = make_pipeline(union(), FusionClassifier(max_epochs=10, lr=0.05, random_state=0))
    model.fit(X, y)
    found = block_importance(model, X, y, random_state=0)
    by_hand = block_importance(model[-1], model[:-1].transform(X), y, random_state=0)
    np.testing.assert_array_equal(found.importances, by_hand.importances)
    assert found.names == ["facts", "size"]
    assert found.importances_mean[0] > 0.2


def test_a_pipeline_of_a_linear_model_is_measured_by_its_blocks(frame):
    X, y = frame
    model = make_pipeline(union(), FunctionTransformer(Blocks.hstack), LogisticRegression())
    found = block_importance(model.fit(X, y), X, y, random_state=0)
    assert found.names == ["facts", "size"]
    assert found.importances_mean[0] > 0.2


def test_a_search_is_measured_by_its_best_estimator(frame):
    X, y = frame
    model = make_pipeline(union(), FusionClassifier(max_epochs=2, random_state=0))
    search = GridSearchCV(model, {"fusionclassifier__lr": [0.01, 0.1]}, cv=2).fit(X, y)
    found = block_importance(search, X, y, random_state=0)
    best = block_importance(search.best_estimator_, X, y, random_state=0)
    np.testing.assert_array_equal(found.importances, best.importances)


def test_an_estimator_that_makes_blocks_of_a_table_itself(frame):
    numbers, y = frame
    X = numbers.assign(word=["good", "bad"] * 40)
    model = FusionClassifier(max_epochs=5, lr=0.05, random_state=0).fit(X, y)
    found = block_importance(model, X, y, random_state=0)
    assert found.names == list(model.specs_)
    assert found.score == model.score(X, y)
    assert model.union_ is not None


def test_a_plain_matrix_is_one_block(frame):
    X, y = frame
    model = FusionClassifier(max_epochs=10, lr=0.05, random_state=0).fit(X.to_numpy(), y)
    found = block_importance(model, X.to_numpy(), y, method="drop")
    assert found.names == ["X"]
    assert found.importances[0, 0] == pytest.approx(found.score - 0.5)


def test_the_estimator_is_left_as_it_was(fitted, held_out):
    before = fitted.predict_proba(held_out[0])
    block_importance(fitted, *held_out, method="shapley")
    assert fitted.missing == "error"
    np.testing.assert_array_equal(fitted.predict_proba(held_out[0]), before)


def test_workers_do_not_change_the_result(fitted, held_out):
    alone = block_importance(fitted, *held_out, n_repeats=2, random_state=0)
    shared = block_importance(fitted, *held_out, n_repeats=2, random_state=0, n_jobs=2)
    np.testing.assert_array_equal(alone.importances, shared.importances)


# Bad input


def test_an_unknown_method_is_named(fitted, held_out):
    with pytest.raises(ParameterError, match="method must be one of.*Did you mean 'permute'"):
        block_importance(fitted, *held_out, method="permutation")


def test_what_never_becomes_blocks_is_refused(frame):
    X, y = frame
    with pytest.raises(BlockTypeError, match="X must be Blocks.*Got DataFrame and LogisticReg"):
        block_importance(LogisticRegression().fit(X, y), X, y)


def test_an_unfitted_estimator_is_refused(held_out):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        block_importance(FusionClassifier(), *held_out)


def test_y_of_another_length_is_refused(fitted, held_out):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        block_importance(fitted, held_out[0], held_out[1][:-1])
