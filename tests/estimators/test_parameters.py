"""Parameters by name, down to those of the encoders."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skfusion import (
    BlockUnion,
    FusionClassifier,
    FusionGenerator,
    FusionMultiTask,
    FusionRegressor,
)
from skfusion.encoders import CNN, MLP
from skfusion.exceptions import ParameterError
from skfusion.fusion import Concat, Gated
from skfusion.heads import MLPHead


@pytest.fixture
def model():
    return FusionClassifier(
        {"photo": CNN(channels=(4,)), "facts": MLP(widths=(8,))}, fusion=Concat(), head=MLPHead()
    )


def test_parameters_of_encoders_are_named_by_block(model):
    params = model.get_params()
    assert params["photo"] is model.encoders["photo"]
    assert params["photo__channels"] == (4,)
    assert params["facts__widths"] == (8,)
    assert params["head__widths"] == (64,)
    assert "photo__channels" not in model.get_params(deep=False)


def test_parameters_of_encoders_are_set(model):
    assert model.set_params(photo__channels=(2, 2), facts__dropout=0.5, lr=0.1) is model
    assert model.encoders["photo"].channels == (2, 2)
    assert model.encoders["facts"].dropout == 0.5
    assert model.lr == 0.1


def test_an_encoder_is_exchanged_before_its_parameters_are_set(model):
    model.set_params(photo__channels=(7,), photo=CNN(width=5), head=MLPHead(), head__widths=3)
    assert model.encoders["photo"].get_params()["width"] == 5
    assert model.encoders["photo"].channels == (7,)
    assert model.head.widths == 3


def test_encoders_are_exchanged_before_their_parameters_are_set(model):
    model.set_params(facts__widths=3, encoders={"facts": MLP(norm="layer")})
    assert list(model.encoders) == ["facts"]
    assert model.encoders["facts"].widths == 3
    assert model.encoders["facts"].norm == "layer"


def test_exchanging_an_encoder_leaves_the_dict_of_the_user_alone():
    given = {"facts": MLP(widths=1)}
    FusionClassifier(given).set_params(facts=MLP(widths=2))
    assert given["facts"].widths == 1


def test_a_clone_shares_nothing(model):
    copy = clone(model)
    copy.set_params(photo__channels=(9,), head__widths=9)
    assert model.encoders["photo"].channels == (4,)
    assert model.head.widths == (64,)
    assert repr(clone(model)) == repr(model)


def test_a_clone_of_a_fitted_estimator_is_not_fitted(X, y, make):
    copy = clone(make(max_epochs=1).fit(X, y))
    assert [name for name in vars(copy) if name.endswith("_")] == []


def test_fitting_changes_no_parameter(X, y, make):
    model = make(max_epochs=1, head=MLPHead(), fusion=Concat())
    before = {name: repr(value) for name, value in model.get_params().items()}
    encoders = dict(model.encoders)
    model.fit(X, y)
    assert {name: repr(value) for name, value in model.get_params().items()} == before
    assert all(model.encoders[name] is encoder for name, encoder in encoders.items())


def test_parameters_without_encoders():
    model = FusionRegressor()
    assert model.set_params(lr=0.5).lr == 0.5
    assert not any("__" in name for name in model.get_params())


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"learning_rte": 1}, "Invalid parameter 'learning_rte'.*it is neither an argument nor a"),
        ({"max_epoch": 1}, "Did you mean 'max_epochs'"),
        ({"foto__channels": 1}, "Did you mean 'photo'"),
        ({"text__width": 1}, r"name it: encoders=\{'text': MLP\(\)\}"),
        ({"photo__chanels": 1}, "Invalid parameter 'chanels' for estimator CNN"),
        ({"aliased__width": 1}, "Invalid parameter 'width' for estimator MLP"),
        ({"lr__scale": 1}, "'lr__scale': lr is 0.003, which has no parameters"),
        ({"schedule__warmup": 1}, "schedule is None, which has no parameters"),
        ({"fusion__width": 1}, "Invalid parameter 'width' for estimator Concat"),
    ],
)
def test_unknown_parameters(model, params, match):
    model.encoders = {**model.encoders, "aliased": "mlp"}
    with pytest.raises(ValueError, match=match):
        model.set_params(**params)


def test_a_name_becomes_its_recipe_where_a_parameter_of_it_is_set():
    model = FusionClassifier({"facts": "mlp"}, fusion="gated", head="mlp")
    model.set_params(facts__widths=3, fusion__width=4, head__widths=5)
    assert repr(model.encoders["facts"]) == "MLP(widths=3)"
    assert repr(model.fusion) == "Gated(width=4)"
    assert repr(model.head) == "MLPHead(widths=5)"


def test_parameters_inside_a_list_of_groups_are_named_by_group():
    model = FusionClassifier(fusion=[("language", ["text", "words"], Gated())])
    assert model.get_params()["fusion__language__width"] == 64
    copy = clone(model).set_params(fusion__language__width=8)
    assert copy.fusion.groups[0][2].width == 8
    assert model.fusion[0][2].width == 64


def test_a_grid_search_over_parameters_of_a_fusion_that_is_named(X, y, make):
    grid = {"fusion": ["gated"], "fusion__width": [2, 3]}
    search = GridSearchCV(make(max_epochs=1), grid, cv=2, error_score="raise").fit(X, y)
    width = search.best_params_["fusion__width"]
    assert search.best_estimator_.transform(X).shape[1] == width


def test_unknown_parameters_are_errors_of_this_library(model):
    with pytest.raises(ParameterError, match="Did you mean 'fusion'"):
        model.set_params(fusoin="concat")


def test_a_grid_search_over_inner_parameters(X, y, make):
    grid = {
        "photo__channels": [(2,), (3,)],
        "fusion": ["concat", Concat()],
        "facts": [MLP(widths=(2,)), MLP(widths=(3,))],
    }
    search = GridSearchCV(make(max_epochs=1), grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 8
    best = search.best_estimator_
    assert best.encoders["photo"].channels == search.best_params_["photo__channels"]
    n_facts = best.transform(X).shape[1] - 12
    assert (n_facts,) == best.encoders["facts"].widths


def test_a_grid_search_chooses_what_is_better(table, y):
    grid = {"X__widths": [(8,)], "lr": [1e-30, 0.1]}
    model = FusionClassifier({"X": MLP()}, max_epochs=20, random_state=0)
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(table, y)
    assert search.best_params_["lr"] == 0.1
    assert search.best_score_ == 1


def test_names_in_a_pipeline():
    pipeline = make_pipeline(BlockUnion(), FusionClassifier({"photo": CNN(channels=(4,))}))
    assert pipeline.get_params()["fusionclassifier__photo__channels"] == (4,)
    pipeline.set_params(fusionclassifier__photo__channels=(5,), fusionclassifier__fusion="concat")
    assert pipeline[-1].encoders["photo"].channels == (5,)
    with pytest.raises(ParameterError, match="Did you mean 'photo'"):
        pipeline.set_params(fusionclassifier__phto__channels=(5,))


def test_an_encoder_serves_two_estimators(table, y):
    """Recipes hold no weights, so that they can be shared."""
    shared = MLP(widths=(3,))
    one = FusionClassifier({"X": shared}, max_epochs=1, random_state=0).fit(table, y)
    before = one.predict_proba(table)
    FusionClassifier({"X": shared}, max_epochs=5, random_state=1).fit(table[:, :2], y)
    np.testing.assert_array_equal(one.predict_proba(table), before)


@pytest.mark.parametrize(
    "estimator", [FusionClassifier(), FusionRegressor(), FusionGenerator(), FusionMultiTask()]
)
def test_columns_called_like_an_argument_become_blocks_of_another_name(estimator):
    arguments = [*estimator.get_params(), "text"]
    words = [f"note number {i} of quite some words" for i in range(12)]
    frame = pd.DataFrame(dict.fromkeys(arguments, words))
    blocks = BlockUnion().fit_transform(frame)
    assert "text" in blocks
    assert not set(blocks.names) & set(estimator.get_params())
