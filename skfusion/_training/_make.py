"""From a plan, a target and the user's choices to a net that can be trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from sklearn.utils.validation import check_memory
from torch import nn

from skfusion._checks import check_choice
from skfusion._module import ModulePlan
from skfusion._training._callbacks import (
    ForgetBatches,
    ProgressBar,
    StopEarly,
    StopIfTold,
    early_stopping,
    own_copy,
)
from skfusion._training._checkpoint import Save
from skfusion._training._course import Average, ClipGradients, FollowSchedule
from skfusion._training._net import Balance, Net
from skfusion._training._policies import Thaw
from skfusion.targets import Target
from skfusion.training import Averaging, Schedule

__all__ = ["Settings", "follow", "make_net", "pick_device", "seeded"]

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


class _TargetLoss(nn.Module):
    """The loss of ``target``, in the place where skorch expects a criterion."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target

    def forward(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        return self.target.loss(outputs, codes, weight)


@dataclass(frozen=True)
class Settings:
    """What the user chose about training; see the arguments of the estimators."""

    lr: float
    optimizer: Any
    weight_decay: float
    batch_size: int
    max_epochs: int
    patience: int | None  # epochs without gain that stop the training; None trains on
    schedule: Schedule | None
    gradient_clipping: float | None
    averaging: Averaging | None
    accumulate: int
    batch_by_length: bool
    memory: Any
    balance: Balance
    bf16: bool
    saves: bool
    verbose: int
    callbacks: Any
    net_params: Mapping[str, Any] | None

    def alone(self) -> Settings:
        """Return the settings for training one encoder alone, in front of the fit proper."""
        plain = replace(self, patience=None, schedule=None, averaging=None, balance=Balance())
        return replace(plain, saves=False, verbose=0, callbacks=None)


def make_net(plan: ModulePlan, target: Target, settings: Settings, device: str) -> Net:
    """Return an initialised net."""
    net = Net(
        plan,
        _TargetLoss,
        criterion__target=target,
        balance=settings.balance,
        accumulate=settings.accumulate,
        bf16=settings.bf16,
        by_length=settings.batch_by_length,
        memory=check_memory(settings.memory),
        like_me=partial(make_net, target=target, settings=settings.alone(), device=device),
        callbacks=_callbacks(settings),
        lr=settings.lr,
        batch_size=settings.batch_size,
        max_epochs=settings.max_epochs,
        device=device,
        verbose=1,  # of skorch: callbacks that print do so; its own log is off
        train_split=None,
        callbacks__print_log=None,
        **{**_optimizer_settings(settings, device), **(settings.net_params or {})},
    )
    net.initialize()
    _begin_momentum(net.optimizer_)
    return net


def _begin_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Let fused SGD start from a momentum of 0, which is the same step.

    Else torch fails on weights whose first gradient comes later than that of others, such as what
    stands in for blocks that are missing in few rows.
    """
    if isinstance(optimizer, torch.optim.SGD):
        for group in optimizer.param_groups:
            for weight in group["params"] if group["fused"] and group["momentum"] else ():
                optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)


_OURS = (
    Thaw,
    FollowSchedule,
    Average,
    ClipGradients,
    StopEarly,
    ProgressBar,
    ForgetBatches,
    Save,
    StopIfTold,
)


def follow(net: Net, settings: Settings) -> None:
    """Let a net that goes on do what the user chose since; its optimiser stays."""
    net.weigh(settings.balance)
    net.follow(settings.lr, settings.batch_size, settings.batch_by_length)
    net.group(settings.accumulate)
    net.bf16 = settings.bf16
    begin = [isinstance(callback, Thaw) for _, callback in net.callbacks_].index(True)
    given = [named for named in net.callbacks_[begin:] if not isinstance(named[1], _OURS)]
    first, last = (
        [(name, callback.initialize()) for name, callback in part]
        for part in (_first_callbacks(settings), _last_callbacks(settings))
    )
    net.callbacks_ = [*net.callbacks_[:begin], *first, *given, *last]


def _callbacks(settings: Settings) -> list[Any]:
    # Copies, since a callback keeps what it has seen.
    given = [own_copy(callback) for callback in settings.callbacks or ()]
    return [*_first_callbacks(settings), *given, *_last_callbacks(settings)]


def _first_callbacks(settings: Settings) -> list[tuple[str, Any]]:
    """Return the callbacks of this library that come before those of the user."""
    callbacks: list[tuple[str, Any]] = [("thaw", Thaw())]
    if settings.schedule is not None:
        callbacks.append(("schedule", FollowSchedule(settings.schedule)))
    if settings.averaging is not None:
        callbacks.append(("averaging", Average(settings.averaging)))
    if settings.gradient_clipping is not None:
        callbacks.append(("gradient_clipping", ClipGradients(settings.gradient_clipping)))
    if settings.patience is not None:
        callbacks.append(("early_stopping", early_stopping(settings.patience)))
    if settings.verbose:
        callbacks.append(("progress", ProgressBar()))
    return callbacks


def _last_callbacks(settings: Settings) -> list[tuple[str, Any]]:
    """Return the callbacks of this library that end an epoch."""
    saves = [("save", Save())] if settings.saves else []
    return [("forget", ForgetBatches()), *saves, ("stop", StopIfTold())]


def _optimizer_settings(settings: Settings, device: str) -> dict[str, Any]:
    optimizer, decay = settings.optimizer, {"optimizer__weight_decay": settings.weight_decay}
    if isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer):
        return {"optimizer": optimizer, **decay}
    # Fused: one kernel for all parameters instead of one per parameter and operation.
    chosen = {
        "optimizer": OPTIMIZERS[check_choice("optimizer", optimizer, OPTIMIZERS)],
        "optimizer__fused": torch.device(device).type in ("cpu", "cuda"),
        **decay,
    }
    if optimizer == "sgd":
        chosen |= {"optimizer__momentum": 0.9, "optimizer__nesterov": True}
    return chosen


def pick_device(device: str) -> str:
    """Return ``device``; for "auto" the accelerator if there is one, else "cpu"."""
    if device != "auto":
        return str(torch.device(device))
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch for the block of code, and leave its global state as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield
