"""From a plan, a target and the user's choices to a net that can be trained."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from skfusion._checks import check_choice
from skfusion._module import ModulePlan
from skfusion._training._callbacks import ForgetBatches, ProgressBar, early_stopping
from skfusion._training._net import Balance, Net
from skfusion._training._policies import Thaw
from skfusion.targets import Target

__all__ = ["Settings", "make_net", "pick_device", "seeded"]

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
    balance: Balance
    verbose: int
    callbacks: Any
    net_params: Mapping[str, Any] | None

    def alone(self) -> Settings:
        """Return the settings for training one encoder alone, in front of the fit proper."""
        return replace(self, patience=None, balance=Balance(), verbose=0, callbacks=None)


def make_net(plan: ModulePlan, target: Target, settings: Settings, device: str) -> Net:
    """Return an initialised net."""
    net = Net(
        plan,
        _TargetLoss,
        criterion__target=target,
        balance=settings.balance,
        like_me=partial(make_net, target=target, settings=settings.alone(), device=device),
        callbacks=_callbacks(settings),
        lr=settings.lr,
        batch_size=settings.batch_size,
        max_epochs=settings.max_epochs,
        device=device,
        verbose=0,
        train_split=None,
        callbacks__print_log=None,
        **{**_optimizer_settings(settings, device), **(settings.net_params or {})},
    )
    return net.initialize()


def _callbacks(settings: Settings) -> list[Any]:
    callbacks: list[Any] = [("thaw", Thaw())]
    if settings.patience is not None:
        callbacks.append(("early_stopping", early_stopping(settings.patience)))
    if settings.verbose:
        callbacks.append(("progress", ProgressBar()))
    # Copies, since a callback keeps what it has seen; last the one that makes the others forget.
    return [*callbacks, *copy.deepcopy(list(settings.callbacks or [])), ("forget", ForgetBatches())]


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
