"""Early stopping, with patience for a network that is still no better than the prior."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import torch

from skfusion._training._callbacks import OwnCallback
from skfusion._training._prior import prior_loss
from skfusion._training._rows import Rows

if TYPE_CHECKING:
    from skfusion._training._net import Net

__all__ = ["AT_CHANCE", "StopEarly"]

AT_CHANCE = 5  # times the patience, until the prior was beaten once
# Shares of the least loss by which the next one must be below it.
_GAIN, _GAIN_AT_CHANCE = 1e-4, 1e-2


class StopEarly(OwnCallback):
    """Stop after epochs without gain, with the best weights; rests while no row is held out.

    What is watched is the loss of the held-out rows, or the score that the run names.

    Until the prior was beaten once, a loss that stands still may be a plateau at the start, and
    there is ``AT_CHANCE`` times the patience, counted anew with each hundredth that is gained.

    Parameters
    ----------
    patience : int
        Epochs without gain to wait for.
    """

    kept = (
        "misses_",
        "least_",
        "best_epoch_",
        "best_weights_",
        "beaten_",
        "waits_",
        "marked_loss_",
    )

    best_weights_: dict[str, torch.Tensor] | None = None
    ended_ = False  # the training, for want of gain

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_train_begin(self, net: Net, X: tuple[Rows, Rows | None], **kwargs: Any) -> None:
        self.misses_ = self.best_epoch_ = self.waits_ = 0
        self.least_ = self.marked_loss_ = math.inf
        self.best_weights_, self.ended_ = None, False
        train, held_out = X
        self.prior_ = None if held_out is None else prior_loss(net, train, held_out)
        self.beaten_ = self.prior_ is None or not self.prior_.exists

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        loss = net.history[-1].get("valid_loss")
        if loss is None or not (net.run_ and net.run_.stops):
            return
        watched = loss if net.run_.score is None else -net.history[-1, "valid_score"]
        if _gained(watched, self.least_, _GAIN):
            self.misses_, self.least_ = 0, watched
            self.best_epoch_ = net.history[-1, "epoch"]
            self.best_weights_ = copy.deepcopy(net.module_.state_dict())
        else:
            self.misses_ += 1
        if self._waits(loss):
            return
        if self.misses_ >= self.patience:
            self.ended_ = True
            net.stop()

    def _waits(self, loss: float) -> bool:
        """Whether the prior may still be beaten."""
        if self.beaten_ or self.prior_ is None:
            return False
        if self.prior_.is_beaten_by(loss):
            self.beaten_, self.misses_ = True, 0
            return False
        if _gained(loss, self.marked_loss_, _GAIN_AT_CHANCE):
            self.waits_, self.marked_loss_ = 0, loss
        else:
            self.waits_ += 1
        return self.waits_ < AT_CHANCE * self.patience

    def on_train_end(self, net: Net, **kwargs: Any) -> None:
        if self.best_weights_ is not None and self.best_epoch_ != net.history[-1, "epoch"]:
            net.module_.load_state_dict(self.best_weights_)
        self.best_weights_ = None  # a copy of all weights, for which there is no use any more


def _gained(loss: float, least: float, share: float) -> bool:
    return least == math.inf or loss < least - share * abs(least)
