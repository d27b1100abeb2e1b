"""Blocks through scikit-learn's own calls, with a classifier that needs nothing but Blocks."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    LeaveOneGroupOut,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    train_test_split,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils import resample, shuffle

from skfusion.blocks import Blocks, Ragged
from skfusion.exceptions import BlockTypeError

N_ROWS = 60
HALVING = enable_halving_search_cv  # importing it is what makes HalvingGridSearchCV importable


class Centroids(ClassifierMixin, BaseEstimator):
    """Softmax of the distances to the class means of the 2-D blocks."""

    def __init__(self, scale=1.0):
        self.scale = scale

    def fit(self, X, y, sample_weight=None):
        assert_aligned(X)
        table = X.select(["text", "facts"]).hstack().toarray()
        self.classes_ = np.unique(y)
        self.centroids_ = np.stack([table[y == label].mean(axis=0) for label in self.classes_])
        self.n_rows_ = len(X)
        return self

    def predict_proba(self, X):
        assert_aligned(X)
        table = X.select(["text", "facts"]).hstack().toarray()
        distances = np.square(table[:, None] - self.centroids_).sum(axis=2)
        scores = np.exp(-self.scale * (distances - distances.min(axis=1, keepdims=True)))
        return scores / scores.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class CountedUnion(TransformerMixin, BaseEstimator):
    """A step whose fits leave a trace on disk, where a cache can be seen at work."""

    def __init__(self, trace=None):
        self.trace = trace

    def fit(self, X, y=None):
        with open(self.trace, "a") as trace:
            trace.write("fit\n")
        return self

    def transform(self, X):
        return X[:]


def assert_aligned(X):
    """Every block of a row must be that row's: they all carry the row's number."""
    numbers = X["facts"][:, 0]
    np.testing.assert_array_equal(X["photo"][:, 0, 0, 0], numbers)
    np.testing.assert_array_equal(X["text"][:, [0]].toarray()[:, 0], numbers)
    np.testing.assert_array_equal([row[0] for row in X["words"]], numbers)


@pytest.fixture
def y():
    return np.tile([0, 1], N_ROWS // 2)


@pytest.fixture
def groups():
    return np.repeat([0, 1, 2], N_ROWS // 3)


@pytest.fixture
def X(y):
    rng = np.random.default_rng(0)
    numbers = np.arange(N_ROWS)
    signal = (y[:, None] * 40 + rng.normal(size=(N_ROWS, 2))).astype(np.float64)
    return Blocks(
        {
            "text": sparse.csr_array(np.column_stack([numbers, signal])),
            "facts": np.column_stack([numbers, signal]),
            "photo": np.broadcast_to(numbers[:, None, None, None], (N_ROWS, 4, 4, 3)).astype(
                "uint8"
            ),
            "words": Ragged.from_rows([[number] * (1 + number % 3) for number in numbers]),
        }
    )


def test_train_test_split(X, y):
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    assert isinstance(X_train, Blocks)
    assert len(X_train) == len(y_train) == 45
    numbers = np.concatenate([X_train["facts"][:, 0], X_test["facts"][:, 0]])
    assert sorted(numbers) == list(range(N_ROWS))
    assert Centroids().fit(X_train, y_train).score(X_test, y_test) == 1


@pytest.mark.parametrize("call", [shuffle, resample])
def test_shuffle_and_resample(X, y, call):
    X_new, y_new = call(X, y, random_state=0)
    assert_aligned(X_new)
    numbers = X_new["facts"][:, 0].astype(int)
    np.testing.assert_array_equal(y[numbers], y_new)
    assert numbers.tolist() != list(range(N_ROWS))


def test_cross_val_score(X, y):
    assert cross_val_score(Centroids(), X, y, cv=3).tolist() == [1, 1, 1]


def test_cross_val_predict(X, y):
    np.testing.assert_array_equal(cross_val_predict(Centroids(), X, y, cv=3), y)
    assert cross_val_predict(Centroids(), X, y, cv=3, method="predict_proba").shape == (N_ROWS, 2)


def test_cross_validate_in_two_processes(X, y):
    found = cross_validate(Centroids(), X, y, cv=3, n_jobs=2, return_estimator=True)
    assert found["test_score"].tolist() == [1, 1, 1]
    assert [estimator.n_rows_ for estimator in found["estimator"]] == [40, 40, 40]


def test_leave_one_group_out(X, y, groups):
    scores = cross_val_score(Centroids(), X, y, groups=groups, cv=LeaveOneGroupOut())
    assert scores.tolist() == [1, 1, 1]


GRID = {"scale": [0.5, 1.0]}


@pytest.mark.parametrize(
    "make_search",
    [
        lambda: GridSearchCV(Centroids(), GRID, cv=2, n_jobs=2),
        lambda: RandomizedSearchCV(Centroids(), GRID, n_iter=2, cv=2, random_state=0),
        lambda: HalvingGridSearchCV(Centroids(), GRID, cv=2, random_state=0, error_score="raise"),
    ],
    ids=["grid", "randomized", "halving"],
)
def test_searches(X, y, make_search):
    search = make_search().fit(X, y)
    assert search.best_score_ == 1
    assert search.best_params_["scale"] in GRID["scale"]
    np.testing.assert_array_equal(search.predict(X[:7]), y[:7])


def test_learning_curve(X, y):
    sizes, _, scores = learning_curve(
        Centroids(), X, y, train_sizes=[10, 20], cv=2, shuffle=True, random_state=0
    )
    assert sizes.tolist() == [10, 20]
    assert scores.tolist() == [[1, 1], [1, 1]]


def test_validation_curve(X, y):
    _, scores = validation_curve(
        Centroids(), X, y, param_name="scale", param_range=[0.5, 1.0], cv=2
    )
    assert scores.tolist() == [[1, 1], [1, 1]]


def test_permutation_test_score(X, y):
    score, permuted, p_value = permutation_test_score(
        Centroids(), X, y, n_permutations=9, cv=2, random_state=0
    )
    assert score == 1
    assert permuted.max() < 1
    assert p_value == pytest.approx(0.1)


def test_a_cached_pipeline_fits_its_steps_once(X, y, tmp_path):
    trace = tmp_path / "trace"
    model = Pipeline(
        [("union", CountedUnion(str(trace))), ("net", Centroids())], memory=str(tmp_path / "cache")
    )
    model.fit(X, y)
    assert X["text"].has_canonical_format
    clone(model).fit(X[:], y)
    assert trace.read_text().splitlines() == ["fit"]
    clone(model).fit(X[1:], y[1:])
    assert trace.read_text().splitlines() == ["fit", "fit"]


def test_a_search_over_a_cached_pipeline_fits_a_step_once_a_fold(X, y, tmp_path):
    trace = tmp_path / "trace"
    model = Pipeline(
        [("union", CountedUnion(str(trace))), ("net", Centroids())], memory=str(tmp_path / "cache")
    )
    GridSearchCV(model, {"net__scale": [0.5, 1.0, 2.0]}, cv=2).fit(X, y)
    assert trace.read_text().splitlines() == ["fit"] * 3  # two folds and the refit


@pytest.mark.parametrize(
    "model",
    [
        CalibratedClassifierCV(Centroids(), cv=2),
        TunedThresholdClassifierCV(Centroids(), cv=2),
        VotingClassifier([("a", Centroids()), ("b", Centroids(2.0))], voting="soft"),
        StackingClassifier([("a", Centroids()), ("b", Centroids(2.0))], cv=2),
        OneVsRestClassifier(Centroids()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_meta_estimators(X, y, model):
    model = clone(model).fit(X, y)
    np.testing.assert_array_equal(model.predict(X), y)
    np.testing.assert_array_equal(model.predict(X[::-1]), y[::-1])


def test_multi_output(X, y, groups):
    targets = np.column_stack([y, 1 - y])
    model = MultiOutputClassifier(Centroids()).fit(X, targets)
    np.testing.assert_array_equal(model.predict(X), targets)


def test_function_transformer_and_feature_union(X, y):
    model = make_pipeline(FunctionTransformer(Blocks.select, kw_args={"names": ["facts"]}))
    assert model.fit_transform(X).names == ("facts",)
    union = FeatureUnion(
        [
            ("text", FunctionTransformer(lambda blocks: blocks["text"])),
            ("facts", FunctionTransformer(lambda blocks: blocks["facts"])),
        ]
    )
    assert union.fit_transform(X).shape == (N_ROWS, 6)


def test_dense_blocks_feed_any_estimator(X, y):
    facts = X.select(["facts"])
    by_blocks = make_pipeline(StandardScaler(), LogisticRegression()).fit(facts, y)
    by_array = make_pipeline(StandardScaler(), LogisticRegression()).fit(X["facts"], y)
    np.testing.assert_array_equal(
        by_blocks.predict_proba(facts), by_array.predict_proba(X["facts"])
    )


@pytest.mark.parametrize(
    "model",
    [
        BaggingClassifier(Centroids()),
        AdaBoostClassifier(Centroids()),
        SelfTrainingClassifier(Centroids()),
        LogisticRegression(),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize(
    ("names", "match"),
    [
        (["text", "facts"], "block 'text' is sparse and is never made dense silently"),
        (["facts", "photo"], "block 'photo' is in the way"),
        (["facts", "words"], "block 'words' is in the way"),
    ],
)
def test_those_that_need_one_array_name_the_block_in_the_way(X, y, model, names, match):
    with pytest.raises(BlockTypeError, match=match):
        clone(model).fit(X.select(names), y)
