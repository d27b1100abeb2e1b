"""Fitted estimators kept and sent: pickle, joblib, copies."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.utils import check_random_state

from skfusion import FusionClassifier, FusionRegressor
from skfusion.encoders import MLP


def through_joblib(model, path):
    joblib.dump(model, path / "model.joblib", compress=3)
    return joblib.load(path / "model.joblib")


WAYS = {
    "pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "joblib": through_joblib,
    "deepcopy": lambda model, path: copy.deepcopy(model),
}


@pytest.fixture(scope="module")
def fitted(X, y, make):
    """One fitted estimator a kind of input and target, each with the X it was fitted on."""
    frame = pd.DataFrame({"text": ["good one", "bad one"] * 20, "number": np.arange(40.0)})
    targets = np.column_stack([y, 1 - y])
    values = X["facts"][:, 0]
    quick = {"max_epochs": 2, "random_state": 0}
    return {
        "blocks": (make(members=1, early_stopping=True).fit(X, y), X),
        "members": (make(members=3, early_stopping=True).fit(X, y), X),
        "names": (make().fit(X, np.array(["no", "maybe", "yes"])[y + np.arange(40) % 2]), X),
        "table": (FusionClassifier(**quick).fit(frame, y), frame),
        "labels": (FusionClassifier(**quick).fit(X["facts"], targets), X["facts"]),
        "values": (FusionRegressor(**quick).fit(X["facts"], values), X["facts"]),
    }


CASES = ["blocks", "members", "names", "table", "labels", "values"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES)
def test_predictions_stay_the_same(fitted, case, way, tmp_path):
    model, X = fitted[case]
    loaded = WAYS[way](model, tmp_path)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    assert repr(loaded) == repr(model)


@pytest.mark.parametrize("case", CASES)
def test_what_was_learned_stays(fitted, case):
    model, _ = fitted[case]
    loaded = pickle.loads(pickle.dumps(model))
    fitted_names = {name for name in vars(model) if name.endswith("_")}
    assert {name for name in vars(loaded) if name.endswith("_")} == fitted_names
    pd.testing.assert_frame_equal(loaded.history_, model.history_)
    assert loaded.specs_ == model.specs_
    for net, other in zip(loaded.nets_, model.nets_, strict=True):
        assert net.history.to_list() == other.history.to_list()


@pytest.mark.parametrize("members", [1, 2])
def test_copies_share_no_weights(X, y, make, members):
    model = make(members=members).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    copied = copy.deepcopy(model)
    before = model.predict_proba(X)
    for other in (loaded, copied):
        other.partial_fit(X, y)
        assert (other.predict_proba(X) != before).any()
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_a_pickle_holds_weights_and_little_else(y):
    """Neither the rows nor the optimiser's state, which is twice the weights, go into it."""
    X = np.random.default_rng(0).normal(size=(4000, 50)).astype(np.float32)
    model = FusionClassifier({"X": MLP(widths=(300, 300))}, max_epochs=2, members=1).fit(
        X, X[:, 0] > 0
    )
    n_weights = sum(parameter.numel() for parameter in model.net_.module_.parameters())
    assert len(pickle.dumps(model)) < 4 * n_weights + 20_000


def test_an_unfitted_estimator_is_kept_too(make):
    model = make()
    assert repr(pickle.loads(pickle.dumps(model))) == repr(model)


@pytest.mark.parametrize("members", [1, 2])
def test_a_loaded_estimator_goes_on(X, y, make, members):
    loaded = pickle.loads(pickle.dumps(make(members=members, warm_start=True).fit(X, y)))
    first = loaded.history_["train_loss"][0]
    loaded.partial_fit(X, y)
    loaded.set_params(max_epochs=2).fit(X, y)
    assert loaded.history_["epoch"].tolist() == [1, 2, 3, 4, 5, 6] * members
    assert loaded.history_["train_loss"].iloc[-1] < first


@pytest.mark.parametrize("members", [1, 2])
def test_a_loaded_estimator_is_cloned_and_fitted_anew(X, y, make, members):
    model = make(members=members).fit(X, y)
    again = clone(pickle.loads(pickle.dumps(model))).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_loading_leaves_global_random_states_as_they_were(X, y, make):
    packed = pickle.dumps(make().fit(X, y))
    before = torch.get_rng_state().tolist(), check_random_state(None).get_state()[1].tolist()
    pickle.loads(packed)
    after = torch.get_rng_state().tolist(), check_random_state(None).get_state()[1].tolist()
    assert after == before


def test_a_model_of_another_device_loads_where_there_is_none(X, y, make):
    model = make().fit(X, y)
    state = model.__getstate__() | {"device": "cuda:7"}
    loaded = object.__new__(FusionClassifier)
    loaded.__setstate__(state)
    np.testing.assert_allclose(loaded.predict_proba(X), model.predict_proba(X), atol=1e-5)


def test_the_state_holds_no_tensors(X, y, make):
    """Tensors would want the device back that they were on."""
    assert b"torch.storage" not in pickle.dumps(make().fit(X, y))
