"""From a plan, a target and the user's choices to a net that can be trained."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence

import torch
from skorch.callbacks import Callback
from torch import nn
from torch.overrides import TorchFunctionMode

from skfusion._module import ModulePlan
from skfusion._training._averaging import Average, plain_module
from skfusion._training._callbacks import (
    ForgetBatches,
    OwnCallback,
    ProgressBar,
    own_copy,
    same_callbacks,
)
from skfusion._training._check import OPTIMIZERS
from skfusion._training._early_stopping import StopEarly
from skfusion._training._history import copy_of_history
from skfusion._training._net import Net
from skfusion._training._parameter_groups import Thaw
from skfusion._training._schedule import ClipGradients, FollowSchedule
from skfusion._training._settings import CallbackLike, TrainingSettings
from skfusion._training._torch_state import plain_settings, some_seed
from skfusion.targets import Coding

__all__ = ["copy_of", "follow", "make_net", "pick_device"]


class _TargetLoss(nn.Module):
    """The loss of ``target``, in the place where skorch expects a criterion."""

    def __init__(self, target: Coding) -> None:
        super().__init__()
        self.target = target

    def forward(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        return self.target.loss(outputs, codes, weight)


def make_net(
    plan: ModulePlan,
    target: Coding,
    settings: TrainingSettings,
    device: str | None,
    net_class: Callable[..., Net] = Net,
) -> Net:
    """Return an initialised net, of ``net_class``: ``Net``, or what replaces its hooks.

    Without a ``device``, the class sees to where the module is. Weights are drawn from the seed of
    the ``seeded`` block around the call.
    """
    with some_seed():
        net = _new_net(plan, target, settings, device, net_class)
    _begin_momentum(net.optimizer_)
    return net


def _new_net(
    plan: ModulePlan,
    target: Coding,
    settings: TrainingSettings,
    device: str | None,
    net_class: Callable[..., Net],
) -> Net:
    net = net_class(
        plan,
        _TargetLoss,
        criterion__target=target,
        settings=settings,
        net_class=net_class,
        callbacks=_callbacks(settings),
        lr=settings.lr,
        max_epochs=settings.max_epochs,
        device=device,
        verbose=1,  # of skorch: callbacks that print do so; its own log is off
        train_split=None,
        callbacks__print_log=None,
        **(_optimizer_settings(settings, device) | dict(settings.net_params)),
    )
    net.initialize()
    return net


def copy_of(net: Net) -> Net:
    """Return a net that can be trained on its own: weights, optimiser's state and history.

    What is frozen for good is shared. Training the copy leaves ``net`` as it is, so that
    predictions meanwhile, and after an error, are those of before.
    """
    frozen = net.module_.frozen_parts().values()
    shared: dict[int, nn.Module | nn.Parameter] = {id(part): part for part in frozen}
    shared |= {id(weight): weight for part in frozen for weight in part.parameters()}
    with plain_settings(net.placement, training=True), _Detached():
        module, optimizer = copy.deepcopy((plain_module(net.module_), net.optimizer_), shared)
    # What a schedule put in its place would step the optimiser that it was made for.
    optimizer.__dict__.pop("step", None)
    callbacks = [(name, own_copy(callback)) for name, callback in net.callbacks_]
    return net.twin(module, optimizer, callbacks, copy_of_history(net.history))


class _Detached(TorchFunctionMode):
    """Lets what modules remember of the last batch be copied, although it is part of a graph."""

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: tuple[torch.Tensor, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        if func is torch.Tensor.__deepcopy__ and not args[0].is_leaf:
            args = (args[0].detach(), *args[1:])
        return func(*args, **(kwargs or {}))


def _begin_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Let fused SGD start from a momentum of 0, which is the same step.

    Else torch fails on weights whose first gradient comes later than that of others, such as what
    stands in for blocks that are missing in few rows.
    """
    if isinstance(optimizer, torch.optim.SGD):
        for group in optimizer.param_groups:
            for weight in group["params"] if group["fused"] and group["momentum"] else ():
                optimizer.state[weight]["momentum_buffer"] = torch.zeros_like(weight)


def follow(net: Net, settings: TrainingSettings, target: Coding) -> None:
    """Let a net that goes on do what the user chose since; its optimiser stays."""
    kept = same_callbacks(net.settings.callbacks, settings.callbacks)
    net.follow(settings, target)
    if not kept:
        net.set_params(callbacks=_callbacks(settings))
        net.initialize_callbacks()
        return
    begin = [isinstance(callback, Thaw) for _, callback in net.callbacks_].index(True)
    given = [named for named in net.callbacks_[begin:] if not isinstance(named[1], OwnCallback)]
    first, last = (
        [(name, callback.initialize()) for name, callback in part]
        for part in (_first_callbacks(settings), _last_callbacks())
    )
    net.hear([*net.callbacks_[:begin], *first, *given, *last])


def _callbacks(settings: TrainingSettings) -> list[CallbackLike]:
    # Copies, since a callback keeps what it has seen.
    given = [own_copy(callback) for callback in settings.callbacks]
    return [*_first_callbacks(settings), *given, *_last_callbacks()]


def _first_callbacks(settings: TrainingSettings) -> list[tuple[str, Callback]]:
    """Return the callbacks of this library that come before those of the user."""
    callbacks: list[tuple[str, Callback]] = [("thaw", Thaw())]
    if settings.schedule is not None:
        callbacks.append(("schedule", FollowSchedule(settings.schedule)))
    if settings.averaging is not None:
        callbacks.append(("averaging", Average(settings.averaging)))
    if settings.gradient_clipping is not None:
        callbacks.append(("gradient_clipping", ClipGradients(settings.gradient_clipping)))
    if settings.patience is not None:
        callbacks.append(("early_stopping", StopEarly(settings.patience)))
    if settings.verbose:
        callbacks.append(("progress", ProgressBar()))
    return callbacks


def _last_callbacks() -> list[tuple[str, Callback]]:
    """Return the callbacks of this library that come after those of the user."""
    return [("forget", ForgetBatches())]


# Where torch has the fused kernel.
_FUSED = {
    "adagrad": ("cpu",),
    "adam": ("cpu", "cuda"),
    "adamw": ("cpu", "cuda"),
    "sgd": ("cpu", "cuda"),
}


def _optimizer_settings(settings: TrainingSettings, device: str | None) -> dict[str, object]:
    optimizer, decay = settings.optimizer, {"optimizer__weight_decay": settings.weight_decay}
    if not isinstance(optimizer, str):
        return {"optimizer": optimizer, **decay}
    chosen = {"optimizer": OPTIMIZERS[optimizer], **decay}
    if "fused" in inspect.signature(OPTIMIZERS[optimizer]).parameters:
        # One kernel for all parameters instead of one per parameter and operation.
        placed = "" if device is None else torch.device(device).type
        chosen["optimizer__fused"] = placed in _FUSED[optimizer]
    if optimizer == "sgd":
        chosen |= {"optimizer__momentum": 0.9, "optimizer__nesterov": True}
    return chosen


def pick_device(device: str | torch.device) -> str:
    """Return ``device``; for "auto" the accelerator if there is one, else "cpu"."""
    if not isinstance(device, str) or device != "auto":
        return str(torch.device(device))
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
