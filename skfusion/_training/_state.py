"""The whole state of a fit: taken from a net, compared with one, put back into one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import torch
from skorch.callbacks import Callback

from skfusion._training._averaging import Average
from skfusion._training._early_stopping import StopEarly
from skfusion._training._schedule import FollowSchedule

if TYPE_CHECKING:
    from skfusion._training._net import Net

__all__ = ["FitState"]

_OWN = (Average, FollowSchedule, StopEarly)  # whose ints are counts
_OF_WEIGHTS = ("best_weights_", "last_")  # the attributes of these that hold all weights
# What the usual optimisers keep in the shape of each weight, and what they cannot do without.
_SHAPED = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer")
_NEEDED = {torch.optim.Adam: {"step", "exp_avg", "exp_avg_sq"}}  # AdamW is one as well


@dataclass(frozen=True)
class FitState:
    """What a fit goes on from."""

    weights: dict[str, torch.Tensor]
    optimizer: dict[str, Any]
    callbacks: dict[str, dict[str, Any]]
    history: list[dict[str, Any]]
    random: torch.Tensor
    random_cuda: list[torch.Tensor]

    @classmethod
    def of(cls, net: Net) -> FitState:
        """Return the state of ``net``."""
        return cls(
            weights=net.module_.state_dict(),
            optimizer=net.optimizer_.state_dict(),
            callbacks={name: _kept(callback) for name, callback in _keeping(net)},
            history=net.history.to_list(),
            random=torch.get_rng_state(),
            random_cuda=torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        )

    def packed(self) -> dict[str, object]:
        """Return the state as tensors and plain values."""
        # As text, since a callback of the user may record numbers of any kind.
        history = json.dumps(self.history, default=_plain)
        return {field.name: getattr(self, field.name) for field in fields(self)} | {
            "history": history
        }

    @classmethod
    def unpacked(cls, packed: object) -> FitState:
        """Return the state that was packed; ``ValueError`` says what is wrong with it."""
        names = {field.name for field in fields(cls)}
        if not isinstance(packed, dict) or packed.keys() != names:
            raise ValueError(f"its state must have {', '.join(sorted(names))}")
        state = cls(**{**packed, "history": _epochs(packed["history"])})
        randoms = state.random_cuda if isinstance(state.random_cuda, list) else [None]
        if not all(isinstance(each, torch.Tensor) for each in [state.random, *randoms]):
            raise ValueError("its random states are no tensors")
        return state

    def check_network(self, net: Net) -> None:
        """Raise ``ValueError`` unless weights and history could be those of ``net``."""
        _check("its weights", net.module_.state_dict(), self.weights)
        for name, _ in net.module_.named_parameters():
            if not torch.isfinite(self.weights[name]).all():
                raise ValueError(f"its weights {name!r} are not finite")

    def put_network(self, net: Net) -> None:
        """Give ``net`` weights and history."""
        net.take_up(self.weights, self.history)

    def check_training(self, net: Net) -> None:
        """Raise ``ValueError`` unless the rest could be that of ``net``, which begins to train."""
        _check("its optimizer", {"state", "param_groups"}, self.optimizer)
        groups = net.optimizer_.state_dict()["param_groups"]
        _check("the groups of its optimizer", groups, self.optimizer["param_groups"])
        _check_steps(net.optimizer_, self.optimizer["state"])
        keeping = dict(_keeping(net))
        _check("its callbacks", set(keeping), self.callbacks)
        for name, callback in keeping.items():
            _check_kept(f"its callback {name!r}", callback, self.callbacks[name], net)
        _check("its random state", torch.get_rng_state(), self.random)

    def put_training(self, net: Net) -> None:
        """Give ``net`` the rest: where optimiser, callbacks and random numbers stood."""
        net.optimizer_.load_state_dict(self.optimizer)
        for name, callback in _keeping(net):
            _give_back(callback, self.callbacks[name])
        torch.set_rng_state(self.random)
        if self.random_cuda:
            torch.cuda.set_rng_state_all(self.random_cuda)


def _keeping(net: Net) -> list[tuple[str, Callback]]:
    """Return the callbacks that name in ``kept`` which of their attributes are their state."""
    return [(name, callback) for name, callback in net.callbacks_ if hasattr(callback, "kept")]


def _kept(callback: Callback) -> dict[str, Any]:
    return {name: _state(getattr(callback, name)) for name in callback.kept}


def _state(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return value.state_dict() if hasattr(value, "state_dict") else value


def _give_back(callback: Callback, kept: Mapping[str, Any]) -> None:
    for name, value in kept.items():
        own = getattr(callback, name)
        if hasattr(own, "load_state_dict"):
            own.load_state_dict(value)
        else:
            setattr(callback, name, value)


def _plain(value: Any) -> Any:
    """Return a number of numpy or torch as one of Python; anything else as text."""
    return value.item() if hasattr(value, "item") else repr(value)


# What a state must be like


def _epochs(history: object) -> list[dict[str, Any]]:
    """Return the epochs of a history that was written as text."""
    epochs = json.loads(history) if isinstance(history, str) else None
    if not isinstance(epochs, list) or not all(isinstance(epoch, dict) for epoch in epochs):
        raise ValueError("its history is no list of epochs")
    for number, epoch in enumerate(epochs, start=1):
        if epoch.get("epoch") != number or not isinstance(epoch.get("batches"), list):
            raise ValueError(f"its history has no epoch {number}")
        for name in ("train_loss", "dur", *(epoch.keys() & {"valid_loss", "lr"})):
            value = epoch.get(name)
            if not (_is_real(value) and math.isfinite(value)):
                raise ValueError(f"its history has {value!r} as {name} of epoch {number}")
    return epochs


def _check_steps(optimizer: torch.optim.Optimizer, state: object) -> None:
    """Check what an optimiser keeps of each weight."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    needed = next((names for kind, names in _NEEDED.items() if isinstance(optimizer, kind)), set())
    if not isinstance(state, dict) or not state.keys() <= set(range(len(weights))):
        raise ValueError("its optimizer is one of other weights")
    for number, kept in state.items():
        which = f"the state of weights {number} in its optimizer"
        if not isinstance(kept, dict) or not kept.keys() >= needed:
            raise ValueError(f"{which} must have {', '.join(sorted(needed))}")
        for name in kept.keys() & set(_SHAPED):
            if kept[name] is not None:
                _check(f"{name!r} of {which}", weights[number].detach(), kept[name])
        steps = kept.get("step", 1)
        steps = steps.item() if isinstance(steps, torch.Tensor) else steps
        if not _is_real(steps) or steps < 0 or not float(steps).is_integer():
            raise ValueError(f"'step' of {which} is {steps!r}, which is no count")


def _check_kept(which: str, callback: Callback, kept: object, net: Net) -> None:
    """Check the state of a callback: attributes, or what they load."""
    _check(which, set(callback.kept), kept)
    assert isinstance(kept, dict)
    for name, value in kept.items():
        own, what = getattr(callback, name), f"{name!r} of {which}"
        if hasattr(own, "load_state_dict"):
            _check(what, own.state_dict(), value)
        elif not isinstance(callback, _OWN):
            continue  # what a callback of the user's keeps is its own business
        elif name in _OF_WEIGHTS:
            if value is not None:
                _check(what, net.module_.state_dict(), value)
        elif type(own) is int and (not _is_real(value) or value < 0 or value % 1):
            raise ValueError(f"{what} is {value!r}, which is no count")
        else:
            _check(what, own, value)


def _check(which: str, own: object, kept: object) -> None:
    """Raise ``ValueError`` unless ``kept`` is built like ``own``; of a set only the names count."""
    problem = next(_differences(which, own, kept), None)
    if problem is not None:
        raise ValueError(problem)


def _differences(which: str, own: object, kept: object) -> Iterator[str]:
    if isinstance(own, torch.Tensor):
        yield from _other_tensor(which, own, kept)
    elif isinstance(own, set | Mapping):
        if not isinstance(kept, Mapping):
            yield f"{which} cannot be {type(kept).__name__}"
        elif set(own) != set(kept):
            yield f"{which} must have {_listed(own)}, and has {_listed(kept)}"
        elif isinstance(own, Mapping):
            for name in own:
                yield from _differences(f"{name!r} of {which}", own[name], kept[name])
    elif isinstance(own, list | tuple):
        if not isinstance(kept, list | tuple) or len(own) != len(kept):
            yield f"{which} must be {len(own)} values"
        else:
            for mine, other in zip(own, kept, strict=True):
                yield from _differences(which, mine, other)
    elif _is_real(own) and not (_is_real(kept) and not math.isnan(kept)):
        yield f"{which} is {kept!r}, which is no number"
    elif isinstance(own, bool | str) and type(own) is not type(kept):
        yield f"{which} cannot be {kept!r}"


def _other_tensor(which: str, own: torch.Tensor, kept: object) -> Iterator[str]:
    if not isinstance(kept, torch.Tensor):
        yield f"{which} cannot be {type(kept).__name__}"
    elif (own.shape, own.dtype) != (kept.shape, kept.dtype):
        mine, other = (f"{tuple(each.shape)} of {each.dtype}" for each in (own, kept))
        yield f"{which} must have shape {mine}, and has {other}"


def _is_real(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _listed(names: Mapping[str, object] | set[str]) -> str:
    shown = sorted(map(str, names))
    return ", ".join(shown[:5]) + (f" and {len(shown) - 5} more" if len(shown) > 5 else "")
