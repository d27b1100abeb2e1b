"""What changes over the course of a whole fit: the learning rate, and the average of the weights.

Both rest in ``partial_fit``, which knows neither how many steps nor which rows are yet to come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from skorch.callbacks import Callback, GradientNormClipping
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from skfusion.training import Averaging, Schedule

__all__ = ["Average", "ClipGradients", "FollowSchedule"]


class ClipGradients(GradientNormClipping):
    """skorch's clipping, told apart from one of the user's."""


class FollowSchedule(Callback):
    """Let torch's scheduler set the rates; afterwards they are as they were before."""

    kept = ("scheduler_",)

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.scheduler_: Any = None

    def on_train_begin(self, net: Any, X: Any = None, **kwargs: Any) -> None:
        self.scheduler_ = None
        if not net.run_.whole:
            return
        self.before_ = [_settings(group) for group in net.optimizer_.param_groups]
        self.n_steps_ = net.max_epochs * net.steps_of(X[0])
        self.scheduler_ = self.schedule.build(net.optimizer_, self.n_steps_)
        if self.schedule.per == "step":
            net.after_step_.append(self._step)

    def _step(self, net: Any) -> None:
        if self.scheduler_.last_epoch + 1 < self.n_steps_:
            self.scheduler_.step()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if self.scheduler_ is not None and self.schedule.per == "epoch":
            epoch = net.history[-1]
            self.scheduler_.step(epoch.get("valid_loss", epoch["train_loss"]))

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        if self.scheduler_ is None:
            return
        for group, before in zip(net.optimizer_.param_groups, self.before_, strict=True):
            for key in _settings(group).keys() - before.keys():
                del group[key]
            group.update(before)


def _settings(group: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in group.items() if key != "params"}


class Average(Callback):
    """Average the weights, and show the average from the end of an epoch to the next.

    Held-out rows, early stopping and the user's callbacks thereby see what will predict, while the
    steps of the next epoch go on from the weights that the last one left.
    """

    kept = ("average_", "first_", "last_")

    def __init__(self, averaging: Averaging) -> None:
        self.averaging = averaging
        self.average_: Any = None
        self.last_: dict[str, torch.Tensor] | None = None  # the weights while the average is shown

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.average_ = self.last_ = None
        if not net.run_.whole:
            return
        self.average_ = self.averaging.build(_plain(net.module_))
        self.first_ = len(net.history) + self.averaging.first_epoch(net.max_epochs)
        if self.averaging.per == "step":
            net.after_step_.append(self._add)
        net.after_rows_.append(self._show)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        if self.last_ is not None:
            _plain(net.module_).load_state_dict(self.last_)
            self.last_ = None

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        if self.average_ is not None and self.last_ is None:  # interrupted within an epoch
            self._exchange(net)
        self.average_ = self.last_ = None

    def _add(self, net: Any) -> None:
        if len(net.history) >= self.first_:
            self.average_.update_parameters(_plain(net.module_))

    def _show(self, net: Any, batches: Iterable[Any]) -> None:
        """Put the average in the place of the weights once all rows of the epoch were taken."""
        if self.averaging.per == "epoch":
            self._add(net)
        self._exchange(net)
        if self.last_ is not None and self.averaging.refreshes:
            refresh_statistics(_plain(net.module_), batches)

    def _exchange(self, net: Any) -> None:
        if self.average_.n_averaged == 0:
            return
        module = _plain(net.module_)
        self.last_ = {key: value.clone() for key, value in module.state_dict().items()}
        module.load_state_dict(self.average_.module.state_dict())


def _plain(module: nn.Module) -> nn.Module:
    """Return the module itself where it was compiled."""
    return getattr(module, "_orig_mod", module)


def refresh_statistics(module: nn.Module, batches: Iterable[Any]) -> None:
    """Compute the moving statistics that move (those of frozen encoders do not) from ``batches``.

    ``torch.optim.swa_utils.update_bn`` would also reset those of frozen encoders.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
    moving = [layer for layer in layers if layer.training and layer.track_running_stats]
    if not moving:
        return
    with _even_mean(moving), torch.random.fork_rng(), torch.no_grad():
        for batch in batches:
            module(batch[0])


@contextmanager
def _even_mean(layers: list[_BatchNorm]) -> Iterator[None]:
    """Let the statistics begin anew and count all batches alike."""
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    yield
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
