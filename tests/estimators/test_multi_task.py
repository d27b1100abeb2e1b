"""Several targets by one network."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score

from skfusion import Blocks, FusionClassifier, FusionMultiTask, FusionRegressor
from skfusion.encoders import MLP
from skfusion.exceptions import ParameterError, TargetError
from skfusion.fusion import Late
from skfusion.targets import SeveralTargets, Texts, Values

N = 240
RNG = np.random.default_rng(0)
LEFT, RIGHT = RNG.normal(size=(2, N, 3)).astype(np.float32)
X = Blocks({"left": LEFT, "right": RIGHT})
Y = pd.DataFrame(
    {
        "price": 100 + 10 * (LEFT[:, 0] + RIGHT[:, 0]),
        "kind": np.array(["a", "b", "c"])[np.digitize(LEFT[:, 1], [-0.5, 0.5])],
        "broken": RIGHT[:, 1] > 0,
    }
)


def model(**params):
    settings = {"max_epochs": 80, "random_state": 0, "lr": 0.01}
    return FusionMultiTask(**(settings | params))


@pytest.fixture(scope="module")
def fitted():
    return model().fit(X, Y)


def test_all_targets_are_learned(fitted):
    predicted = fitted.predict(X)
    assert list(predicted) == list(Y) and predicted["kind"].isin(["a", "b", "c"]).all()
    assert r2_score(Y["price"], predicted["price"]) > 0.95
    assert (predicted["kind"] == Y["kind"]).mean() > 0.9
    assert (predicted["broken"] == Y["broken"]).mean() > 0.9


def test_scores_are_those_of_each_target(fitted):
    scores, predicted = fitted.scores(X, Y), fitted.predict(X)
    assert scores.loc["price", "score"] == pytest.approx(
        r2_score(Y["price"], predicted["price"]), abs=1e-5
    )
    assert scores.loc["kind", "score"] == (predicted["kind"] == Y["kind"]).mean()
    assert scores["n_rows"].tolist() == [N] * 3
    assert fitted.score(X, Y) == pytest.approx(scores["score"].mean())
    assert 0.7 < fitted.held_out_score_ < 1
    assert (fitted.held_out_[:, 1] == Y["kind"]).mean() > 0.7


def test_probabilities_are_of_the_targets_with_classes(fitted):
    found = fitted.predict_proba(X)
    assert set(found) == {"kind", "broken"} and list(found["kind"]) == ["a", "b", "c"]
    for table in found.values():
        np.testing.assert_allclose(table.sum(axis=1), 1, atol=1e-6)


def test_the_index_of_a_frame_comes_back():
    frame = pd.DataFrame(LEFT, columns=["x", "y", "z"], index=np.arange(N) * 2)
    found = model(max_epochs=2).fit(frame, Y.set_axis(frame.index))
    assert found.predict(frame).index.equals(frame.index)
    assert found.predict_proba(frame)["kind"].index.equals(frame.index)


def test_rows_may_lack_some_targets():
    y = Y.astype(object)
    y.loc[RNG.random(N) < 0.4, "price"] = None
    y.loc[RNG.random(N) < 0.4, "kind"] = np.nan
    y.loc[:20] = None
    found = model().fit(X, y)
    assert found.scores(X, y)["n_rows"].tolist() == y.notna().sum().tolist()
    assert found.scores(X, Y)["score"].min() > 0.85


def test_one_target_alone_is_that_of_the_other_estimators():
    settings = {"max_epochs": 20, "random_state": 0, "members": 1, "early_stopping": False}
    of_values = FusionRegressor(linear=False, **settings).fit(X, Y["price"]).predict(X)
    found = FusionMultiTask(**settings).fit(X, Y[["price"]]).predict(X)["price"]
    np.testing.assert_allclose(found, of_values, rtol=1e-4)
    of_classes = FusionClassifier(linear=False, **settings).fit(X, Y["kind"]).predict_proba(X)
    found = FusionMultiTask(**settings).fit(X, Y[["kind"]]).predict_proba(X)["kind"]
    np.testing.assert_allclose(found, of_classes, atol=1e-4)


@pytest.mark.parametrize("weights", [{"kind": 0.0}, {"price": 5.0, "broken": 0.1}, "learned"])
def test_weights(weights):
    found = model(weights=weights, max_epochs=60).fit(X, Y)
    scores = found.scores(X, Y)["score"]
    assert scores["price"] > 0.9
    assert (scores["kind"] < 0.7) == (weights == {"kind": 0.0})


def test_what_a_column_is_can_be_said():
    counts = pd.DataFrame({"stars": RNG.integers(1, 4, N), "price": Y["price"]})
    found = model(targets={"stars": "classes"}, max_epochs=2).fit(X, counts)
    assert found.predict(X)["stars"].isin([1, 2, 3]).all() and "stars" in found.predict_proba(X)
    as_numbers = model(targets={"stars": Values(), "price": "auto"}, max_epochs=2).fit(X, counts)
    assert as_numbers.predict_proba(X) == {}


def test_y_may_be_a_dict_of_columns():
    y = {name: Y[name].to_numpy() for name in Y}
    assert model(max_epochs=2).fit(X, y).score(X, y) > -1


def test_it_goes_through_scikit_learn():
    quick = model(max_epochs=10)
    assert cross_val_score(quick, X, Y, cv=3).min() > 0.3
    assert cross_val_predict(quick, X, Y, cv=3).shape == (N, 3)
    grid = {"head": ["linear", "mlp"], "weights": [None, "learned"]}
    search = GridSearchCV(model(encoders={"left": MLP(8)}, max_epochs=3), grid, cv=2).fit(X, Y)
    assert len(search.cv_results_["params"]) == 4


def test_it_is_repeated_kept_and_goes_on(fitted):
    again = clone(fitted).fit(X, Y)
    pd.testing.assert_frame_equal(again.predict(X), fitted.predict(X))
    loaded = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(loaded.predict(X), fitted.predict(X))
    begun = model(max_epochs=2, members=1).fit(X, Y)
    first = begun.score(X, Y)
    for _ in range(20):
        begun.partial_fit(X, Y)
    assert begun.score(X, Y) > first


def test_missing_blocks_and_weights_of_rows():
    masked = Blocks({"left": LEFT, "right": RIGHT}, {"right": np.arange(N) % 3 == 0})
    weight = np.where(np.arange(N) % 2, 1.0, 0.0)
    found = model(missing="allow", max_epochs=40).fit(masked, Y, weight)
    assert found.score(masked[1::2], Y[1::2]) > found.score(masked[::2], Y[::2]) - 0.05


TWICE = pd.DataFrame(np.ones((N, 2)), columns=["a", "a"])


@pytest.mark.parametrize(
    ("params", "y", "message"),
    [
        ({}, Y["price"].to_numpy(), "y must be a DataFrame, or a dict of columns"),
        ({}, {"a": [1.0] * N, "b": [1.0]}, f"columns differ in length: 'a' has {N}, 'b' has 1"),
        ({}, TWICE, "y names the target 'a' twice"),
        ({}, Y.assign(price=np.nan), "target 'price': no row has a value"),
        ({}, Y.assign(price=np.inf), "target 'price'.*infin"),
        ({}, Y.assign(kind="a"), "target 'kind'.*one class only"),
        ({"targets": {"cost": "values"}}, Y, "targets names 'cost', which is no column of y"),
        ({"targets": {"kind": 3}}, Y, r"targets\['kind'\] must be a recipe"),
        ({"targets": {"kind": Texts()}}, Y, "Fit a FusionGenerator for it"),
        ({"weights": {"prize": 1.0}}, Y, "weights names 'prize'.*Did you mean 'price'"),
        ({"weights": {"price": -1.0}}, Y, r"weights\['price'\] must be a number >= 0"),
        ({"weights": 3}, Y, "weights must be a dict of numbers"),
        ({"fusion": Late()}, Y, "decides about one kind of outputs"),
    ],
)
def test_errors(params, y, message):
    with pytest.raises((ParameterError, TargetError), match=message):
        model(**params).fit(X, y)


def test_rows_are_counted_as_the_user_does():
    y = Y.astype(object)
    y.loc[:20, "price"] = None
    y.loc[30, "price"] = np.inf
    with pytest.raises(TargetError, match="target 'price': y, row 30"):
        model().fit(X, y)
    found = model(max_epochs=1).fit(X, Y)
    y = Y.astype(object)
    y.loc[:20, "kind"] = None
    y.loc[30, "kind"] = "new"
    with pytest.raises(TargetError, match="target 'kind': y, row 30.*fit anew on rows of all"):
        found.score(X, y)


def test_a_batch_may_lack_a_target():
    found = model(max_epochs=2, members=1).fit(X, Y)
    found.partial_fit(X, Y.assign(price=np.nan))
    scores = found.scores(X, Y.assign(price=np.nan))
    assert np.isnan(scores.loc["price", "score"]) and scores.loc["price", "n_rows"] == 0


def test_a_target_that_is_not_in_y(fitted):
    with pytest.raises(TargetError, match="y lacks the target 'kind' of the fit"):
        fitted.score(X, Y.drop(columns="kind"))


def test_the_recipe_learns_nothing_itself():
    recipe = SeveralTargets({"price": "values"})
    recipe.learn(recipe.read(Y))
    assert vars(recipe) == {"targets": {"price": "values"}, "weights": None}
