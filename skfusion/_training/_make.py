"""From a plan, a target and the user's choices to a net that can be trained."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import nn

from skfusion._checks import check_choice
from skfusion._module import ModulePlan
from skfusion._training._callbacks import ForgetBatches, ProgressBar, early_stopping
from skfusion._training._net import Balance, Net
from skfusion._training._policies import Thaw
from skfusion.targets import Target

__all__ = ["make_net", "pick_device", "seeded"]

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


def make_net(
    plan: ModulePlan,
    target: Target,
    *,
    lr: float,
    optimizer: Any,
    weight_decay: float,
    batch_size: int,
    max_epochs: int,
    patience: int | None,
    balance: Balance,
    device: str,
    verbose: int,
    callbacks: Any,
    net_params: Mapping[str, Any] | None,
) -> Net:
    """Return an initialised net; ``patience`` epochs without gain stop it, None trains on."""
    own: list[tuple[str, Callback]] = [("thaw", Thaw())]
    if patience is not None:
        own.append(("early_stopping", early_stopping(patience)))
    if verbose:
        own.append(("progress", ProgressBar()))
    settings = {
        "lr": lr,
        "batch_size": batch_size,
        "max_epochs": max_epochs,
        "device": device,
        "verbose": 0,
        "train_split": None,
        "callbacks__print_log": None,
        **_optimizer_settings(optimizer, lr, weight_decay, device),
        **(net_params or {}),
    }
    like_me = partial(
        make_net,
        target=target,
        lr=lr,
        optimizer=optimizer,
        weight_decay=weight_decay,
        batch_size=batch_size,
        max_epochs=max_epochs,
        patience=None,
        balance=Balance(),
        device=device,
        verbose=0,
        callbacks=None,
        net_params=net_params,
    )
    net = Net(
        plan,
        _TargetLoss,
        criterion__target=target,
        balance=balance,
        like_me=like_me,
        callbacks=[*own, *copy.deepcopy(list(callbacks or [])), ("forget", ForgetBatches())],
        **settings,
    )
    return net.initialize()


def _optimizer_settings(
    optimizer: Any, lr: float, weight_decay: float, device: str
) -> dict[str, Any]:
    if isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer):
        return {"optimizer": optimizer, "optimizer__weight_decay": weight_decay}
    settings = {
        "optimizer": OPTIMIZERS[check_choice("optimizer", optimizer, OPTIMIZERS)],
        "optimizer__weight_decay": weight_decay,
        # One kernel for all parameters instead of one per parameter and operation.
        "optimizer__fused": torch.device(device).type in ("cpu", "cuda"),
    }
    if optimizer == "sgd":
        settings |= {"optimizer__momentum": 0.9, "optimizer__nesterov": True}
    return settings


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
