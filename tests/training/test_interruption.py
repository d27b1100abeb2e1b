"""Ctrl-C, and whatever else is raised in a fit: it reaches the caller, and all is as before."""

import signal
import threading
import time

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV, cross_validate
from skorch.callbacks import Callback, EarlyStopping

from skfusion import Blocks, FusionClassifier
from skfusion.encoders import MLP, Policy

HOOKS = [
    "on_train_begin",
    "on_epoch_begin",
    "on_batch_begin",
    "on_grad_computed",
    "on_batch_end",
    "on_epoch_end",
    "on_train_end",
]
WAYS = ["fit", "partial_fit", "warm start", "partial_fit again"]


class Exit(BaseException):
    """As SystemExit or pytest's own: no Exception."""


CTRL_C = KeyboardInterrupt("Ctrl-C")
SWITCH = {"error": None}  # what is raised at the moment; nets keep copies of their callbacks


class Raises(Callback):
    """Raises at a hook."""

    def __init__(self, hook):
        self.hook = hook


def _hook(name):
    def hook(self, net, **kwargs):
        if name == self.hook and SWITCH["error"] is not None:
            raise SWITCH["error"]

    return hook


for name in HOOKS:
    setattr(Raises, name, _hook(name))


class Ends(Callback):
    """Counts how many trainings begin and end."""

    n_open = 0

    def on_train_begin(self, net, **kwargs):
        type(self).n_open += 1

    def on_train_end(self, net, **kwargs):
        type(self).n_open -= 1


@pytest.fixture
def switch(monkeypatch):
    """Return a function that sets what ``Raises`` raises."""
    return lambda error: monkeypatch.setitem(SWITCH, "error", error)


@pytest.fixture
def rows():
    left, right = np.random.default_rng(0).normal(size=(2, 40, 3)).astype("f")
    return Blocks({"left": left, "right": right}), (left[:, 0] > 0).astype(int)


def model(**params):
    encoders = {"left": Policy(MLP(4, dropout=0.2), unfreeze_at=2), "right": MLP(4)}
    settings = {
        "members": 1,
        "max_epochs": 3,
        "batch_size": 8,
        "random_state": 0,
        "averaging": "ema",
    }
    return FusionClassifier(encoders, **(settings | params))


def call(fitted, way, rows):
    """Fit in one of the ways; the last two go on from a fit before."""
    if way == "partial_fit again":
        return fitted.partial_fit(*rows)
    return fitted.fit(*rows) if way != "partial_fit" else fitted.partial_fit(*rows, classes=[0, 1])


def state(fitted):
    """Return all that a fit could change, as something that compares."""
    if not hasattr(fitted, "net_"):
        return sorted(vars(fitted))
    net = fitted.net_
    weights = {key: value.clone() for key, value in net.module_.state_dict().items()}
    steps = [group["lr"] for group in net.optimizer_.param_groups]
    modes = [part.training for part in net.module_.modules()]
    learns = [weight.requires_grad for weight in net.module_.parameters()]
    callbacks = [name for name, _ in net.callbacks_]
    told = (steps, modes, learns, callbacks, len(net.history), net.run_, id(net))
    return {key: value.numpy().tobytes() for key, value in weights.items()}, told


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("error", [CTRL_C, Exit("Ctrl-C")])
def test_it_reaches_the_caller_and_nothing_changed(rows, switch, hook, way, error):
    fitted, undisturbed = (
        model(callbacks=[Ends(), Raises(hook)], warm_start=way == "warm start") for _ in range(2)
    )
    if way in WAYS[2:]:
        fitted.fit(*rows), undisturbed.fit(*rows)
    torch.manual_seed(3)
    before, random, n_threads = state(fitted), torch.get_rng_state(), threading.active_count()
    Ends.n_open = 0
    switch(error)
    with pytest.raises(type(error), match="Ctrl-C"):
        call(fitted, way, rows)
    assert state(fitted) == before
    assert torch.equal(torch.get_rng_state(), random)
    assert threading.active_count() == n_threads
    assert Ends.n_open == 0
    switch(None)
    found = [call(one, way, rows).predict_proba(rows[0]) for one in (fitted, undisturbed)]
    np.testing.assert_array_equal(*found)


def test_a_search_stops(rows, switch):
    switch(CTRL_C)
    fitted = model(callbacks=[Raises("on_epoch_begin")])
    with pytest.raises(KeyboardInterrupt, match="Ctrl-C"):
        GridSearchCV(fitted, {"lr": [0.1, 0.2]}, cv=2).fit(*rows)
    with pytest.raises(KeyboardInterrupt, match="Ctrl-C"):
        cross_validate(fitted, *rows, cv=2)


@pytest.mark.parametrize("held_out", [True, False])
def test_early_stopping_of_the_user_ends_in_order(rows, held_out):
    """skorch's raises KeyboardInterrupt to stop, which is none."""

    class Patient(EarlyStopping):
        def on_epoch_end(self, net, **kwargs):
            super().on_epoch_end(net, **kwargs)

    for kind in (EarlyStopping, Patient):
        stops = kind(monitor="train_loss", patience=2, threshold=10.0, sink=lambda *_, **__: None)
        fitted = model(max_epochs=9, callbacks=[stops], early_stopping=held_out).fit(*rows)
        assert len(fitted.history_) == 3


def test_an_interruption_within_early_stopping_is_one(rows):
    def sink(*args, **kwargs):
        raise KeyboardInterrupt("Ctrl-C")

    stops = EarlyStopping(monitor="train_loss", patience=2, threshold=10.0, sink=sink)
    with pytest.raises(KeyboardInterrupt, match="Ctrl-C"):
        model(max_epochs=9, callbacks=[stops]).fit(*rows)


def test_the_checkpoint_stays_to_go_on_from(rows, switch, tmp_path):
    class Later(Raises):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 3 and SWITCH["error"]:
                raise SWITCH["error"]

    undisturbed = model(callbacks=[Later("never")]).fit(*rows).predict_proba(rows[0])
    fitted = model(callbacks=[Later("never")], checkpoint=tmp_path / "fit.pt")
    switch(CTRL_C)
    with pytest.raises(KeyboardInterrupt, match="Ctrl-C"):
        fitted.fit(*rows)
    assert (tmp_path / "fit.pt").exists()
    switch(None)
    np.testing.assert_array_equal(fitted.fit(*rows).predict_proba(rows[0]), undisturbed)


@pytest.mark.parametrize("verbose", [0, 1])
def test_a_progress_bar_is_closed(rows, switch, verbose, capsys):
    switch(CTRL_C)
    with pytest.raises(KeyboardInterrupt, match="Ctrl-C"):
        model(verbose=verbose, callbacks=[Raises("on_epoch_end")]).fit(*rows)
    shown = capsys.readouterr().err
    assert shown.endswith("\n") if verbose else shown == ""


def test_what_fails_while_leaving_is_told_with_the_first_error(rows, switch):
    class Leaves(Callback):
        def on_train_end(self, net, **kwargs):
            raise OSError("no connection")

    switch(ValueError("first"))
    with pytest.raises(ValueError, match="first") as caught:
        model(callbacks=[Leaves(), Raises("on_epoch_end")]).fit(*rows)
    told = [str(caught.value), *getattr(caught.value, "__notes__", [])]
    assert "no connection" in "\n".join(told)


@pytest.mark.parametrize("after", np.linspace(0.001, 0.06, 12))
def test_a_signal_at_any_moment(rows, after):
    """The real thing: the signal comes in the middle of any line."""
    torch.manual_seed(3)
    model(max_epochs=1).fit(*rows)  # torch imports much with the first
    random, fitted = torch.get_rng_state(), model(max_epochs=2000)

    def interrupt(number, frame):
        if frame.f_code.co_name in ("gc_callback", "__del__"):  # where Python ignores errors
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            return
        raise KeyboardInterrupt("Ctrl-C")

    signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt, match="Ctrl-C"):
            signal.setitimer(signal.ITIMER_REAL, after)
            fitted.fit(*rows)
            time.sleep(1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert not hasattr(fitted, "net_")
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.empty(0).device.type == "cpu"  # recipes are tried out on another
    model(max_epochs=1).fit(*rows)
