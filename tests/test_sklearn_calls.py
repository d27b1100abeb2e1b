"""The estimators inside scikit-learn's own calls, on blocks of four forms and on a raw table."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, make_scorer
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
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skfusion import Blocks, BlockUnion, FusionClassifier, FusionRegressor, Ragged
from skfusion.encoders import CNN, RNN
from skfusion.exceptions import BlockTypeError

N_ROWS = 48
HALVING = enable_halving_search_cv  # importing it is what makes HalvingGridSearchCV importable


@pytest.fixture
def y():
    return np.tile(["no", "yes"], N_ROWS // 2)


@pytest.fixture
def X(y):
    """Every block tells the class, so that a few epochs are enough."""
    rng = np.random.default_rng(0)
    yes = (y == "yes").astype(int)
    words = [rng.integers(1, 5, 1 + number % 4) + 4 * label for number, label in enumerate(yes)]
    missing = np.zeros(N_ROWS, bool)
    missing[[3, 10, 21]] = True
    return Blocks(
        {
            "text": sparse.csr_array(np.eye(2)[yes] * rng.uniform(1, 2, (N_ROWS, 2))),
            "facts": rng.normal(size=(N_ROWS, 3)) + 4 * yes[:, None],
            "photo": (
                rng.integers(0, 55, (N_ROWS, 6, 6, 3)) + 200 * yes[:, None, None, None]
            ).astype("uint8"),
            "words": Ragged.from_rows(words, n_tokens=9),
        },
        missing={"photo": missing},
    )


@pytest.fixture
def table(X, y):
    words = np.where(y == "yes", "a good and lovely thing", "a bad and ugly thing")
    return pd.DataFrame({"review": words, "price": X["facts"][:, 0], "stars": X["facts"][:, 1]})


def net(**parameters):
    encoders = {"photo": CNN(channels=(4,)), "words": RNN(width=8)}
    settings = {"max_epochs": 8, "lr": 0.02, "random_state": 0} | parameters
    return FusionClassifier(encoders=encoders, **settings)


def union():
    return BlockUnion(
        [("text", TfidfVectorizer(), "review"), ("facts", StandardScaler(), ["price", "stars"])]
    )


def table_model(**parameters):
    return Pipeline(
        [("union", union()), ("net", FusionClassifier(max_epochs=8, lr=0.02, random_state=0))],
        **parameters,
    )


# Cross-validation and searches


def test_cross_validate_in_two_processes_is_as_in_one(X, y):
    there = cross_validate(net(), X, y, cv=2, n_jobs=2, return_estimator=True)
    here = cross_validate(net(), X, y, cv=2, return_estimator=True)
    np.testing.assert_array_equal(there["test_score"], here["test_score"])
    for one, other in zip(there["estimator"], here["estimator"], strict=True):
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


def test_cross_val_predict(X, y):
    found = cross_val_predict(net(), X, y, cv=2, method="predict_proba")
    assert found.shape == (N_ROWS, 2)
    assert ((found[:, 1] > 0.5) == (y == "yes")).mean() > 0.9


def test_leave_one_group_out(X, y):
    groups = np.arange(N_ROWS) // (N_ROWS // 3)
    scores = cross_val_score(net(), X, y, groups=groups, cv=LeaveOneGroupOut())
    assert scores.shape == (3,)
    assert scores.min() > 0.9


def test_a_grid_over_an_encoder_the_fusion_and_the_learning_rate(X, y):
    grid = {"photo__channels": [(2,), (4,)], "words__cell": ["gru", "lstm"], "lr": [0.02]}
    search = GridSearchCV(net(), grid, cv=2, n_jobs=2, error_score="raise").fit(X, y)
    assert search.best_score_ > 0.9
    assert set(search.best_params_) == set(grid)
    chosen = search.best_estimator_.encoders["photo"].channels
    assert chosen == search.best_params_["photo__channels"]
    np.testing.assert_array_equal(search.predict(X[:5]), y[:5])


def test_a_randomized_search(X, y):
    search = RandomizedSearchCV(net(), {"lr": [0.01, 0.02]}, n_iter=2, cv=2, random_state=0)
    assert search.fit(X, y).best_score_ > 0.9


def test_halving_over_epochs(X, y):
    search = HalvingGridSearchCV(
        net(),
        {"lr": [0.001, 0.01, 0.02]},
        cv=2,
        resource="max_epochs",
        max_resources=9,
        random_state=0,
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_["max_epochs"] == 9
    assert search.n_iterations_ > 1


def test_learning_curve(X, y):
    sizes, _, scores = learning_curve(
        net(), X, y, train_sizes=[8, 20], cv=2, shuffle=True, random_state=0, error_score="raise"
    )
    assert sizes.tolist() == [8, 20]
    assert np.isfinite(scores).all()


def test_validation_curve(X, y):
    _, scores = validation_curve(
        net(), X, y, param_name="max_epochs", param_range=[1, 8], cv=2, error_score="raise"
    )
    assert scores[1].mean() >= scores[0].mean()


def test_permutation_test_score(X, y):
    score, permuted, _ = permutation_test_score(net(), X, y, n_permutations=3, cv=2, random_state=0)
    assert score > permuted.mean()


# Meta-estimators


@pytest.mark.parametrize(
    "model",
    [
        CalibratedClassifierCV(net(), cv=2),
        TunedThresholdClassifierCV(net(), cv=2),
        VotingClassifier([("a", net()), ("b", net(lr=0.01))], voting="soft"),
        StackingClassifier([("a", net()), ("b", net(lr=0.01))], cv=2),
        OneVsRestClassifier(net()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_meta_estimators(X, y, model):
    model = clone(model).fit(X, y)
    assert (model.predict(X) == y).mean() > 0.9
    np.testing.assert_array_equal(model.predict(X[::-1]), model.predict(X)[::-1])


def test_multi_output(X, y):
    targets = np.column_stack([y, y[::-1]])
    predicted = MultiOutputClassifier(net()).fit(X, targets).predict(X)
    assert (predicted == targets).mean() > 0.9


def test_a_step_in_front_sees_the_blocks(X, y):
    choose = FunctionTransformer(Blocks.select, kw_args={"names": ["text", "facts"]})
    model = make_pipeline(choose, FusionClassifier(max_epochs=8, lr=0.02, random_state=0)).fit(X, y)
    assert set(model[-1].specs_) == {"text", "facts"}
    assert model.score(X, y) > 0.9


def test_bagging_takes_an_array_and_names_the_block_that_is_none(X, y):
    bag = BaggingClassifier(FusionClassifier(max_epochs=8, lr=0.02), n_estimators=2, random_state=0)
    assert bag.fit(X["facts"], y).score(X["facts"], y) > 0.9
    assert clone(bag).fit(X.select(["facts"]), y).score(X["facts"], y) > 0.9
    with pytest.raises(BlockTypeError, match="block 'photo' is in the way"):
        clone(bag).fit(X.select(["facts", "photo"]), y)


def test_a_transformed_target(X):
    values = np.exp(X["facts"][:, 0] / 4)
    inner = FusionRegressor(max_epochs=30, lr=0.02, random_state=0)
    model = TransformedTargetRegressor(inner, func=np.log, inverse_func=np.exp)
    facts = X.select(["facts"])
    assert model.fit(facts, values).score(facts, values) > 0.5


# A raw table through a union


def test_a_grid_reaches_into_the_union_and_the_net(table, y):
    grid = {"union__text__ngram_range": [(1, 1), (1, 2)], "net__fusion": ["concat"]}
    search = GridSearchCV(table_model(), grid, cv=2, error_score="raise").fit(table, y)
    assert search.best_score_ > 0.9


def test_a_cached_union_is_fitted_once(table, y, tmp_path):
    model = table_model(memory=str(tmp_path))
    first = clone(model).fit(table, y)
    stored = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pkl")}
    second = clone(model).fit(table, y)
    assert stored
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pkl")} == stored
    np.testing.assert_array_equal(first.predict_proba(table), second.predict_proba(table))


def test_permutation_importance_is_per_column(table, y):
    table["noise"] = np.random.default_rng(1).normal(size=N_ROWS)
    model = make_pipeline(
        BlockUnion([("facts", StandardScaler(), ["price", "noise"])]),
        FusionClassifier(max_epochs=20, lr=0.02, random_state=0),
    ).fit(table[["price", "noise"]], y)
    found = permutation_importance(model, table[["price", "noise"]], y, random_state=0)
    price, noise = found.importances_mean
    assert price > noise


def test_global_pandas_output_changes_nothing(table, y):
    plain = table_model().fit(table, y).predict_proba(table)
    with config_context(transform_output="pandas"):
        framed = table_model().fit(table, y).predict_proba(table)
    np.testing.assert_array_equal(plain, framed)


def test_sample_weight_is_routed_through_pipeline_and_search(table, y):
    weight = np.where(y == "yes", 1.0, 1e-4)
    with config_context(enable_metadata_routing=True):
        facts = StandardScaler().set_fit_request(sample_weight=False)
        last = FusionClassifier(max_epochs=8, lr=0.001, random_state=0)
        last.set_fit_request(sample_weight=True)
        model = Pipeline([("union", BlockUnion([("facts", facts, ["price"])])), ("net", last)])
        accuracy = make_scorer(accuracy_score).set_score_request(sample_weight=True)
        search = GridSearchCV(model, {"net__lr": [0.001, 0.01]}, scoring=accuracy, cv=2)
        search.fit(table, y, sample_weight=weight)
    assert (search.predict(table) == "yes").all()
    assert search.best_score_ > 0.99  # by count, half of them are wrong


def test_a_fitted_pipeline_survives_pickle(table, y):
    model = table_model().fit(table, y)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(table), model.predict_proba(table))
