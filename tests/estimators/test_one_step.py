"""What was learned is adopted in one step: beside predictions, after errors, after Ctrl-C."""

import sys
import threading
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skfusion import BlockUnion, FusionClassifier, FusionRegressor
from skfusion.exceptions import ParameterError

CALLS = ["fit", "warm fit", "partial_fit"]
HOOKS = ["on_train_begin", "on_epoch_begin", "on_batch_begin", "on_grad_computed"]
HOOKS += ["on_batch_end", "on_epoch_end", "on_train_end"]


class Raising(Callback):
    """Raises at one of the hooks, once it is armed."""

    armed = False

    def __init__(self, hook, error):
        self.hook, self.error = hook, error

    def _at(self, hook):
        if Raising.armed and hook == self.hook:
            raise self.error("stop here")


def _raise_at(hook):
    def method(self, net, *args, **kwargs):
        self._at(hook)

    return method


for _hook in HOOKS:
    setattr(Raising, _hook, _raise_at(_hook))


@pytest.fixture
def armed():
    """Return a function that arms the callbacks; they are harmless again after the test."""
    yield lambda: setattr(Raising, "armed", True)
    Raising.armed = False


@pytest.fixture(scope="module")
def frame():
    texts = [f"{'good' if i % 2 else 'bad'} thing number {i}" for i in range(40)]
    return pd.DataFrame({"text": texts, "cost": np.arange(40.0)}), np.arange(40) % 2


def made(call, kind=FusionClassifier, **params):
    settings = {"max_epochs": 2, "random_state": 0, "early_stopping": True, "batch_size": 16}
    return kind(**(settings | {"warm_start": call == "warm fit"} | params))


def run(model, call, X, y):
    return model.partial_fit(X, y) if call == "partial_fit" else model.fit(X, y)


def seen(model, X):
    """Return all that a user sees of the estimator: attributes by identity, numbers as copies."""
    if not hasattr(model, "net_"):
        return dict(vars(model)), None, None
    weights = {name: value.clone() for name, value in model.net_.module_.state_dict().items()}
    return dict(vars(model)), weights, model.predict(X)


def assert_unchanged(model, X, before):
    attributes, weights, predicted = before
    assert vars(model).keys() == attributes.keys()
    assert all(vars(model)[name] is value for name, value in attributes.items())
    if weights is not None:
        now = model.net_.module_.state_dict()
        assert all(torch.equal(now[name], value) for name, value in weights.items())
        np.testing.assert_array_equal(model.predict(X), predicted)
        assert len(model.history_) == len(model.net_.history)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError])
@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("call", CALLS)
def test_an_error_at_any_hook_leaves_everything_as_before(frame, armed, call, hook, error):
    X, y = frame
    for fitted in (False, True):
        Raising.armed = False
        model = made(call, callbacks=[Raising(hook, error)])
        if fitted:
            run(model, call, X, y)
        before, state = seen(model, X), torch.get_rng_state()
        armed()
        with pytest.raises(error, match="stop here"):
            run(model, call, X, y)
        Raising.armed = False
        assert_unchanged(model, X, before)
        assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("kind", [FusionClassifier, FusionRegressor])
@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_at_any_line_leaves_everything_as_before(frame, call, kind):
    """Ctrl-C comes between any two lines: at each k-th call of a function of this library."""
    X, y = frame
    model = run(made(call, kind, max_epochs=1), call, X, y)
    before = seen(model, X)
    n_calls = count_calls(lambda: run(model_like(model), call, X, y))
    assert n_calls > 300
    n_raised = 0
    for k in range(1, n_calls, n_calls // 12):
        try:
            with Interrupted(k):
                run(model, call, X, y)
        except KeyboardInterrupt:
            n_raised += 1
            assert_unchanged(model, X, before)
        else:  # Python ignores what is raised where an object is deleted
            before = seen(model, X)
    assert n_raised >= 10


def model_like(model):
    """Return another estimator that was fitted to the same."""
    other = object.__new__(type(model))
    vars(other).update(vars(model))
    return other


class Interrupted:
    """Raises ``KeyboardInterrupt`` at the k-th call of a function of this library."""

    def __init__(self, k):
        self.k, self.n = k, 0

    def __call__(self, frame, event, arg):
        if event == "call" and "/skfusion/" in frame.f_code.co_filename:
            self.n += 1
            if self.n == self.k:
                sys.setprofile(None)
                raise KeyboardInterrupt(f"at call {self.k}")

    def __enter__(self):
        sys.setprofile(self)
        return self

    def __exit__(self, *error):
        sys.setprofile(None)


def count_calls(work):
    with Interrupted(-1) as counter:
        work()
    return counter.n


# Beside predictions


@pytest.mark.parametrize("call", CALLS)
def test_predictions_beside_a_fit_see_the_old_network_or_the_new_one(frame, call):
    """Also of one union with its own network: two frames alternate, with other vocabularies."""
    X, y = frame
    other = X.assign(text=X["text"].str.replace("thing", "quite another kind of stuff"))
    model = made(call, early_stopping=False, lr=0.05)
    states = [run(model, call, X, y)._fitted]
    frames = [X, other] if call == "fit" else [X, X]
    found, stop = [], threading.Event()

    def predict():
        while not stop.is_set():
            found.append((model.predict_proba(X), model.transform(X)))

    threads = [threading.Thread(target=predict) for _ in range(2)]
    for thread in threads:
        thread.start()
    for i in range(6):
        states.append(run(model, call, frames[i % 2], y)._fitted)
    stop.set()
    for thread in threads:
        thread.join()
    known = []
    for state in states:
        with patch.object(model, "_fitted", state):
            known.append((model.predict_proba(X), model.transform(X)))
    assert len(found) > len(states)
    for kind in (0, 1):
        answers = {one[kind].tobytes() for one in known}
        assert {one[kind].tobytes() for one in found} <= answers
    assert len({one[0].tobytes() for one in known}) > 1


def test_a_prediction_takes_what_was_learned_once(frame):
    """A fit that ends in the midst of a prediction changes nothing of it."""
    X, y = frame
    model = made("fit").fit(X, y)
    expected, state = model.predict_proba(X), model._fitted
    read = type(state.reader).read

    def read_then_fit(reader, rows):
        blocks = read(reader, rows)
        with patch.object(type(reader), "read", read):
            model.set_params(lr=0.5, random_state=1).fit(X[::-1], y)
        return blocks

    with patch.object(type(state.reader), "read", read_then_fit):
        found = model.predict_proba(X)
    np.testing.assert_array_equal(found, expected)
    assert model._fitted is not state
    assert (model.predict_proba(X) != expected).any()


class Meddler(StandardScaler):
    """Changes the estimator that it is fitted in, as a thread beside the fit may do."""

    model = None

    def fit(self, X, y=None, sample_weight=None):
        type(self).model.set_params(class_weight={0: 0.0, 1: 1.0}, memory="elsewhere", lr=1e-9)
        return super().fit(X, y)


def test_a_fit_follows_the_arguments_of_its_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame, y = pd.DataFrame({"a": np.arange(20.0), "b": [*"xy"] * 10}), np.arange(20) % 2
    params = {"max_epochs": 2, "random_state": 0, "memory": None}
    models = [
        FusionClassifier(union=BlockUnion(numbers=scaler()), **params)
        for scaler in (Meddler, StandardScaler)
    ]
    Meddler.model = models[0]
    changed, other = (model.fit(frame, y).predict_proba(frame) for model in models)
    np.testing.assert_array_equal(changed, other)
    assert not list(tmp_path.iterdir())


def test_a_history_that_the_user_changes_is_theirs():
    model = FusionClassifier(max_epochs=2, random_state=0).fit(np.eye(20), [0, 1] * 10)
    model.history_.loc[:, "train_loss"] = 0.0
    assert model.history_["train_loss"].min() > 0


def test_explain_speaks_of_the_fusion_that_was_fitted():
    model = FusionClassifier(max_epochs=1).fit(np.eye(20), [0, 1] * 10)
    model.set_params(fusion="gated")
    with pytest.raises(ParameterError, match=r"fusion of the fit, Concat\(\), has no weights"):
        model.explain("no X at all")
