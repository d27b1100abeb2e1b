"""Whether a fit is the one that a checkpoint is of: told by code and values, not by names."""

import functools
import os
import subprocess
import sys
from types import MethodType

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from skfusion._estimators._hashing import hash_of, is_installed
from skfusion.exceptions import CheckpointError
from skfusion.losses import Huber, Loss

SCALE = 1.0


def squared(outputs, codes):
    return (outputs - codes) ** 2


def scaled(outputs, codes):
    return SCALE * (outputs - codes) ** 2


def calls_another(outputs, codes):
    return helper(outputs - codes)


def helper(values):
    return values**2


def made(power, *, default=1.0):
    def loss(outputs, codes, factor=default):
        return factor * (outputs - codes).abs() ** power

    return loss


class Power(Loss):
    exponent = 2

    def __init__(self, power=2):
        self.power = power

    def each(self, outputs, codes):
        return (outputs - codes).abs() ** self.power


class Callable:
    def __init__(self, power=2):
        self.power = power

    def __call__(self, outputs, codes):
        return (outputs - codes).abs() ** self.power

    def method(self, outputs, codes):
        return (outputs - codes).abs() ** self.power


def other_class(base, **attributes):
    """Return a class of the same name with other attributes."""
    return type(base)(base.__name__, base.__bases__, {**vars(base), **attributes})


class Closed:
    """What can be called and not be looked into."""

    def __call__(self, outputs, codes):
        return outputs - codes

    def __reduce_ex__(self, protocol):
        raise NotImplementedError("it cannot be pickled")


def recursive(depth):
    def loss(outputs, codes):
        return loss(outputs, codes) if depth else (outputs - codes) ** 2

    return loss


DIFFERENT = {
    "lambdas": (lambda o, c: (o - c) ** 2, lambda o, c: (o - c) ** 4),
    "constants": (lambda o, c: 2 * (o - c) ** 2, lambda o, c: 3 * (o - c) ** 2),
    "names": (lambda o, c: o.exp() - c, lambda o, c: o.abs() - c),
    "closures": (made(2), made(4)),
    "defaults": (made(2), made(2, default=2.0)),
    "inner functions": (
        lambda o, c: (lambda x: x + 1)(o - c),
        lambda o, c: (lambda x: x + 2)(o - c),
    ),
    "partials": (
        functools.partial(F.huber_loss, delta=1.0),
        functools.partial(F.huber_loss, delta=2.0),
    ),
    "partials of lambdas": (
        functools.partial(lambda o, c, k: k * (o - c), k=1),
        functools.partial(lambda o, c, k: -k * (o - c), k=1),
    ),
    "bound methods": (Callable(2).method, Callable(4).method),
    "functions bound": (MethodType(lambda self, o, c: o, 1), MethodType(lambda self, o, c: c, 1)),
    "objects to call": (Callable(2), Callable(4)),
    "code of classes": (Callable(), other_class(Callable, __call__=lambda self, o, c: o - c)()),
    "data of classes": (Power, other_class(Power, exponent=3)),
    "static methods": (
        other_class(Power, each=staticmethod(lambda o, c: o)),
        other_class(Power, each=staticmethod(lambda o, c: c)),
    ),
    "base classes": (
        type("Own", (Power,), {}),
        type("Own", (other_class(Power, each=lambda self, o, c: o),), {}),
    ),
    "cached functions": (functools.lru_cache(made(2)), functools.lru_cache(made(3))),
    "wrapped functions": (torch.no_grad()(made(2)), torch.no_grad()(made(3))),
    "functions of a library": (F.l1_loss, F.mse_loss),
    "built-in functions": (torch.exp, torch.log),
    "in a list": ([1, lambda o: o], [1, lambda o: -o]),
    "in a dict": ({"a": {"b": lambda o: o}}, {"a": {"b": lambda o: -o}}),
    "as an attribute": (Callable(lambda o: o), Callable(lambda o: -o)),
    "recursive": (recursive(0), recursive(1)),
    "tensors": (torch.zeros(3), torch.ones(3)),
    "dtypes of tensors": (torch.zeros(2), torch.zeros(1, dtype=torch.float64)),
    "types of numbers": (1, 1.0),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_told_apart(kind):
    one, other = DIFFERENT[kind]
    assert hash_of(one) != hash_of(other)
    assert hash_of(one) == hash_of(one)


SAME = {
    "lambdas": (lambda o, c: (o - c) ** 2, lambda o, c: (o - c) ** 2),
    "closures": (made(2), made(2)),
    "bound methods": (Callable().method, Callable().method),
    "recursive": (recursive(1), recursive(1)),
    "sets": ({"a", "b", 3}, {3, "b", "a"}),
    "dicts of mixed keys": ({"a": 1, 2: 3}, {2: 3, "a": 1}),
    "tensors": (torch.arange(6).reshape(2, 3).T, torch.tensor([[0, 3], [1, 4], [2, 5]])),
}


@pytest.mark.parametrize("kind", SAME)
def test_taken_for_the_same(kind):
    one, other = SAME[kind]
    assert hash_of(one) == hash_of(other)


def test_globals_that_a_function_refers_to(monkeypatch):
    module = sys.modules[__name__]
    before = hash_of(scaled), hash_of(calls_another), hash_of(squared)
    monkeypatch.setattr(module, "SCALE", 2.0)
    monkeypatch.setattr(module, "helper", lambda values: values**4)
    after = hash_of(scaled), hash_of(calls_another), hash_of(squared)
    assert [one == other for one, other in zip(before, after, strict=True)] == [False, False, True]


def test_code_of_modules_of_the_user(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_losses.py").write_text("def cubed(x):\n    return x ** 3\n")
    import own_losses

    def loss(outputs, codes):
        return own_losses.cubed(outputs - codes)

    loss = type(loss)(loss.__code__, {"own_losses": own_losses}, "loss", None, loss.__closure__)
    before = hash_of(loss)
    monkeypatch.setattr(own_losses, "cubed", lambda x: x**4)
    assert hash_of(loss) != before


def test_what_callbacks_count_in_their_class_does_not_matter(monkeypatch):
    before = hash_of(Power, of_data=False)
    monkeypatch.setattr(Power, "exponent", 7)
    assert hash_of(Power, of_data=False) == before
    monkeypatch.setattr(Power, "each", lambda self, o, c: o)
    assert hash_of(Power, of_data=False) != before


def test_equal_in_another_process():
    """Whatever the order of sets and the addresses of objects there."""
    code = """
import functools, torch
from torch.nn import functional as F
from skfusion._estimators._hashing import hash_of
LIMITS = {"low", "high", "none"}
def loss(o, c, kinds=frozenset({"a", "b", "c"})):
    return LIMITS if o in {"x", "y", "z"} else [F.l1_loss(o, c), kinds]
class Own:
    table = {"a": 1, 3: 4}
    def __call__(self, o, c):
        return loss(o, c)
print(hash_of([loss, Own(), functools.partial(loss, c={"q", "r"}), torch.optim.AdamW]))
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    hashes = {
        subprocess.check_output(
            [sys.executable, "-c", code], env={**environment, "PYTHONHASHSEED": seed}
        )
        for seed in "123"
    }
    assert len(hashes) == 1


def test_code_that_cannot_be_seen():
    with pytest.raises(CheckpointError, match="cannot be told apart from others of its kind"):
        hash_of(Closed())
    assert hash_of([open, print]) != hash_of([print, open])
    lock = Callable(__import__("threading").Lock())
    assert hash_of([lock.power]) == hash_of([lock.power])


def test_what_is_installed():
    installed = (torch.optim.AdamW, Huber, F.huber_loss, functools.wraps, np.ndarray, OSError)
    assert all(map(is_installed, installed))
    assert not any(map(is_installed, (Power, helper, made(2), lambda: 0)))


# In a fit


@pytest.fixture
def fits(X, y, make, tmp_path):
    """Return a function that fits with a checkpoint of which another fit is broken off before."""

    def fit(place=tmp_path / "run.pt", **params):
        return make(checkpoint=place, **params).fit(X, y)

    return fit


def broken_off(fit, **params):
    from skorch.callbacks import Callback

    class Breaks(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2 and not Breaks.done:
                Breaks.done = True
                raise ConnectionError("broken off")

    Breaks.done = False
    callbacks = [Breaks()]
    with pytest.raises(ConnectionError, match="broken off"):
        fit(callbacks=callbacks, **params)
    return lambda **changed: fit(callbacks=callbacks, **{**params, **changed})


def absolute(factor):
    return lambda outputs, codes: factor * (outputs - codes).abs()


def test_a_fit_with_another_lambda_does_not_go_on(fits):
    again = broken_off(fits, loss=absolute(1))
    with pytest.raises(CheckpointError, match="differs in loss: .*<lambda> then and now, but with"):
        again(loss=absolute(2))
    assert len(again(loss=absolute(1)).history_) == 3


def test_a_fit_with_a_recipe_of_other_code_does_not_go_on(fits, make, y, X):
    again = broken_off(fits, loss=Power())
    with pytest.raises(CheckpointError, match="differs in loss: Power then and now, but with"):
        again(loss=other_class(Power, each=lambda self, o, c: o - c)())
    with pytest.raises(CheckpointError, match="differs in loss__power: 2 then, 4 now"):
        again(loss=Power(4))


def test_a_fit_with_another_optimizer_of_the_same_name_does_not_go_on(fits):
    def optimizer(factor):
        class Own(torch.optim.SGD):
            def step(self, closure=None):
                for group in self.param_groups:
                    group["lr"] *= factor
                return super().step(closure)

        return Own

    again = broken_off(fits, optimizer=optimizer(0.5))
    with pytest.raises(CheckpointError, match="differs in optimizer: Own then and now"):
        again(optimizer=optimizer(0.25))
    assert len(again(optimizer=optimizer(0.5)).history_) == 3


def test_in_a_folder_another_lambda_is_another_fit(fits, tmp_path):
    fits(tmp_path, loss=absolute(1))
    fits(tmp_path, loss=absolute(2))
    assert len(list(tmp_path.iterdir())) == 2


def test_a_loss_that_cannot_be_told_apart_is_refused_by_name(fits):
    with pytest.raises(CheckpointError, match=r"^loss: .* Pass a plain function, or checkpoint="):
        fits(loss=Closed())
