"""The average of the weights over the course of a whole fit.

It rests in ``partial_fit``, which does not know which rows are yet to come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel

from skfusion._training._callbacks import OwnCallback
from skfusion._training._rows import TrainingBatch
from skfusion._training._torch_state import random_state_kept
from skfusion.training import Averaging

if TYPE_CHECKING:
    from skfusion._training._net import Net

__all__ = ["Average", "plain_module"]

Module = TypeVar("Module", bound=nn.Module)


class Average(OwnCallback):
    """Average the weights, and show the average from the end of an epoch to the next.

    Held-out rows, early stopping and the user's callbacks thereby see what will predict, while the
    steps of the next epoch go on from the weights that the last one left.
    """

    kept = ("average_", "first_", "last_")

    def __init__(self, averaging: Averaging) -> None:
        self.averaging = averaging
        self.average_: AveragedModel | None = None
        self.last_: dict[str, torch.Tensor] | None = None  # the weights while the average is shown

    def on_train_begin(self, net: Net, **kwargs: Any) -> None:
        self.average_ = self.last_ = None
        if net.run_ is None or not net.run_.whole:
            return
        self.average_ = self.averaging.build(plain_module(net.module_))
        self.first_ = len(net.history) + self.averaging.first_epoch(net.max_epochs)

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        if self.last_ is not None:
            plain_module(net.module_).load_state_dict(self.last_)
            self.last_ = None

    def on_train_end(self, net: Net, **kwargs: Any) -> None:
        self.average_ = self.last_ = None

    def on_step_end(self, net: Net) -> None:
        if self.average_ is not None and self.averaging.per == "step":
            self._add(net)

    def _add(self, net: Net) -> None:
        assert self.average_ is not None
        if len(net.history) >= self.first_:
            self.average_.update_parameters(plain_module(net.module_))

    def on_rows_end(self, net: Net, batches: Iterable[TrainingBatch]) -> None:
        """Put the average in the place of the weights once all rows of the epoch were taken."""
        if self.average_ is None:
            return
        if self.averaging.per == "epoch":
            self._add(net)
        self._exchange(net)
        if self.last_ is not None and self.averaging.refreshes:
            refresh_statistics(plain_module(net.module_), batches, net.placement)

    def _exchange(self, net: Net) -> None:
        if self.average_ is None or self.average_.n_averaged == 0:
            return
        module = plain_module(net.module_)
        self.last_ = {key: value.clone() for key, value in module.state_dict().items()}
        module.load_state_dict(self.average_.module.state_dict())


def plain_module(module: Module) -> Module:
    """Return the module itself where it was compiled."""
    plain: Module = getattr(module, "_orig_mod", module)
    return plain


def refresh_statistics(
    module: nn.Module, batches: Iterable[TrainingBatch], device: torch.device
) -> None:
    """Compute the moving statistics that move (those of frozen encoders do not) from ``batches``.

    ``torch.optim.swa_utils.update_bn`` would also reset those of frozen encoders.
    """
    layers = [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]
    moving = [layer for layer in layers if layer.training and layer.track_running_stats]
    if not moving:
        return
    with _even_mean(moving), random_state_kept(device), torch.no_grad():
        for batch in batches:
            module(batch[0])


@contextmanager
def _even_mean(layers: list[_BatchNorm]) -> Iterator[None]:
    """Let the statistics begin anew and count all batches alike."""
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
