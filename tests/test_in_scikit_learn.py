"""The estimators inside scikit-learn's own tools, on Blocks."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy import sparse
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, StackingRegressor, VotingClassifier
from sklearn.experimental import enable_halving_search_cv
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
    learning_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skfusion import Blocks, BlockUnion, FusionClassifier, FusionRegressor
from skfusion.encoders import CNN, MLP, SparseLinear

HALVING = enable_halving_search_cv  # importing it is what makes HalvingGridSearchCV importable
N_ROWS = 60


@pytest.fixture(scope="module")
def y():
    return np.tile([0, 1], N_ROWS // 2)


@pytest.fixture(scope="module")
def X(y):
    rng = np.random.default_rng(0)
    signal = y[:, None] * 2 - 1 + 0.1 * rng.normal(size=(N_ROWS, 3))
    photo = (100 + 80 * signal).clip(0, 255)[:, :, None, None]
    return Blocks(
        {
            "text": sparse.csr_array(signal.astype(np.float32)),
            "facts": signal.astype(np.float32),
            "photo": np.broadcast_to(photo, (N_ROWS, 3, 4, 2)).astype(np.uint8),
        }
    )


def quick(kind=FusionClassifier, **params):
    encoders = {
        "text": SparseLinear(width=4),
        "facts": MLP(widths=(4,)),
        "photo": CNN(channels=(2,), width=4),
    }
    settings = {"encoders": encoders, "max_epochs": 15, "lr": 0.1, "random_state": 0}
    return kind(**(settings | params))


@pytest.fixture(scope="module")
def frame(y):
    rng = np.random.default_rng(0)
    reviews = [f"{'good' if label else 'bad'} thing number {i}" for i, label in enumerate(y)]
    return pd.DataFrame({"review": reviews, "price": y + 0.1 * rng.normal(size=N_ROWS)})


def pipeline(**params):
    union = [("text", TfidfVectorizer(), "review"), ("facts", StandardScaler(), ["price"])]
    encoders = {"text": SparseLinear(width=4), "facts": MLP(widths=(4,))}
    return make_pipeline(BlockUnion(union), quick(encoders=encoders), **params)


# Splits, scores, searches


def test_cross_validate_in_two_processes(X, y):
    found = cross_validate(quick(), X, y, cv=2, n_jobs=2, return_estimator=True)
    alone = cross_validate(quick(), X, y, cv=2)
    assert found["test_score"].tolist() == alone["test_score"].tolist() == [1, 1]
    for model in found["estimator"]:
        np.testing.assert_array_equal(model.predict(X), y)


def test_a_grid_search_in_two_processes(X, y):
    grid = {"lr": [1e-30, 0.1], "photo__channels": [(2,)], "facts__widths": [(3,)]}
    search = GridSearchCV(
        quick(), grid, cv=2, n_jobs=2, scoring="neg_log_loss", error_score="raise"
    ).fit(X, y)
    assert search.best_params_ == {"lr": 0.1, "photo__channels": (2,), "facts__widths": (3,)}
    assert search.score(X, y) > -0.1
    assert search.predict_proba(X).shape == (N_ROWS, 2)


def test_a_randomized_search(X, y):
    space = {"lr": [0.05, 0.1], "facts": [MLP(widths=(2,)), MLP(widths=(3,))]}
    search = RandomizedSearchCV(quick(), space, n_iter=2, cv=2, random_state=0, error_score="raise")
    assert search.fit(X, y).best_score_ == 1


def test_a_halving_search_spends_epochs(X, y):
    search = HalvingGridSearchCV(
        quick(),
        {"lr": [1e-30, 0.001, 0.05, 0.1]},
        resource="max_epochs",
        min_resources=2,
        max_resources=8,
        factor=2,
        cv=2,
        random_state=0,
        error_score="raise",
    ).fit(X, y)
    assert search.n_resources_ == [2, 4, 8]
    assert search.best_params_["lr"] >= 0.05
    assert len(search.best_estimator_.history_) == 8


def test_a_learning_curve(X, y):
    sizes, _, scores = learning_curve(
        quick(), X, y, train_sizes=[10, 30], cv=2, shuffle=True, random_state=0, error_score="raise"
    )
    assert sizes.tolist() == [10, 30]
    assert scores.min() == 1


def test_predictions_of_held_out_folds(X, y):
    found = cross_val_predict(quick(), X, y, cv=2, method="predict_proba")
    np.testing.assert_array_equal(found.argmax(axis=1), y)


def test_the_best_fitting_vectors_feed_another_estimator(X, y):
    model = make_pipeline(quick(), LogisticRegression()).fit(X, y)
    assert model[-1].coef_.shape == (1, 12)
    assert model.score(X, y) == 1


# Pipelines


def test_a_cached_pipeline_gives_the_same(frame, y, tmp_path):
    plain = pipeline().fit(frame, y).predict_proba(frame)
    for _ in range(2):
        cached = pipeline(memory=str(tmp_path)).fit(frame, y)
        np.testing.assert_array_equal(cached.predict_proba(frame), plain)


def test_a_search_through_a_pipeline(frame, y):
    grid = {
        "blockunion__text__ngram_range": [(1, 1), (1, 2)],
        "fusionclassifier__text__width": [2, 3],
        "fusionclassifier__fusion": ["concat"],
    }
    search = GridSearchCV(pipeline(), grid, cv=2, error_score="raise").fit(frame, y)
    assert search.best_score_ == 1
    assert len(search.cv_results_["params"]) == 4


def test_columns_of_a_frame_have_importances(frame, y):
    model = pipeline().fit(frame.assign(noise=0.0), y)
    found = permutation_importance(
        model, frame.assign(noise=0.0), y, n_repeats=2, random_state=0, scoring="neg_log_loss"
    )
    assert found.importances_mean[2] == 0
    assert found.importances_mean[:2].min() > 0


def test_weights_are_routed_through_a_pipeline(frame, y):
    weight = np.where(y == 1, 9.0, 1.0)
    by_hand = pipeline().fit(frame, y, fusionclassifier__sample_weight=weight)
    with sklearn.config_context(enable_metadata_routing=True):
        model = pipeline()
        model[0].transformers[1][1].set_fit_request(sample_weight=False)
        model[1].set_fit_request(sample_weight=True)
        routed = model.fit(frame, y, sample_weight=weight)
    expected = by_hand.predict_proba(frame)
    np.testing.assert_array_equal(routed.predict_proba(frame), expected)
    assert (pipeline().fit(frame, y).predict_proba(frame) != expected).any()


def test_pandas_output_for_all_transformers(frame, X, y):
    expected = pipeline().fit(frame, y).predict_proba(frame)
    with sklearn.config_context(transform_output="pandas"):
        found = pipeline().fit(frame, y).predict_proba(frame)
        vectors = quick().fit(X, y).transform(X)
    np.testing.assert_array_equal(found, expected)
    assert list(vectors.columns) == [f"fusionclassifier{i}" for i in range(12)]


# Estimators made of estimators


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: CalibratedClassifierCV(model, cv=2),
        lambda model: TunedThresholdClassifierCV(model, cv=2),
        lambda model: VotingClassifier([("a", model), ("b", clone(model))], voting="soft"),
        lambda model: StackingClassifier([("a", model), ("b", clone(model))], cv=2),
        lambda model: OneVsRestClassifier(model),
        lambda model: Pipeline([("net", model)]),
    ],
    ids=["calibrated", "threshold", "voting", "stacking", "one vs rest", "pipeline"],
)
def test_classifiers_made_of_ours(X, y, wrap):
    model = wrap(quick()).fit(X, y)
    np.testing.assert_array_equal(model.predict(X[::-1]), y[::-1])
    assert model.predict_proba(X).shape == (N_ROWS, 2)


def test_several_targets(X, y):
    targets = np.column_stack([y, 1 - y, np.arange(N_ROWS) % 2])
    model = MultiOutputClassifier(quick()).fit(X, targets)
    np.testing.assert_array_equal(model.predict(X), targets)


def test_one_against_the_rest_of_three_classes(X, y):
    labels = np.array(["a", "b"])[y]
    labels[:10] = "c"
    model = OneVsRestClassifier(quick()).fit(X, labels)
    assert model.predict_proba(X).shape == (N_ROWS, 3)


def test_stacked_regressors(X):
    values = X["facts"][:, 0].astype(float)
    nets = [("a", quick(FusionRegressor)), ("b", quick(FusionRegressor, random_state=1))]
    model = StackingRegressor(nets, cv=2).fit(X, values)
    assert model.score(X, values) > 0.9
