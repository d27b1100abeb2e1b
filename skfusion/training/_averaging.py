"""Averages of the weights over the steps of a fit."""

from __future__ import annotations

from typing import TypeAlias

import torch
from sklearn.base import BaseEstimator
from torch import nn
from torch.optim.swa_utils import AveragedModel

from skfusion._checks import check_real
from skfusion.exceptions import ParameterError

_Tensors: TypeAlias = tuple[torch.Tensor, ...] | list[torch.Tensor]

__all__ = ["EMA", "SWA", "Averaging"]


class Averaging(BaseEstimator):
    """Base of all averages; one of your own overrides ``share``.

    Examples
    --------
    >>> from skfusion.training import Averaging
    >>> class Halves(Averaging):
    ...     def share(self, n_averaged):
    ...         return 0.5
    """

    per = "step"  # "epoch": averaged at the end of each epoch
    refreshes = False  # whether moving statistics are computed anew, instead of averaged

    def check(self) -> None:
        """Raise ``ParameterError`` for parameters out of range."""

    def first_epoch(self, max_epochs: int) -> int:
        """Return the epoch, from 1, whose weights are the first to be averaged."""
        return 1

    def share(self, n_averaged: int) -> float:
        """Return the share of the new weights in the average that has ``n_averaged`` already."""
        raise NotImplementedError

    def build(self, module: nn.Module) -> AveragedModel:
        """Return torch's average of weights and moving statistics, begun with ``module``."""

        def average(averaged: _Tensors, current: _Tensors, n_averaged: torch.Tensor | int) -> None:
            with torch.no_grad():
                if averaged[0].is_floating_point():
                    torch._foreach_lerp_(averaged, current, self.share(int(n_averaged)))
                else:  # counters and indices have no mean
                    torch._foreach_copy_(averaged, current)

        return AveragedModel(module, multi_avg_fn=average, use_buffers=not self.refreshes)


class EMA(Averaging):
    """Exponential moving average, after each step; smooths out the noise of the last steps.

    Moving statistics of normalisation layers are averaged as the weights are.

    NOTE[DIFF] Early on the decay is ``(1 + t) / (10 + t)`` after ``t`` steps, so that a short fit
    is not dominated by its first weights.

    Parameters
    ----------
    decay : float, default=0.999
        Share of the average that is kept in a step.

    Examples
    --------
    >>> from skfusion import FusionClassifier
    >>> from skfusion.training import EMA
    >>> FusionClassifier(averaging=EMA(decay=0.99)).set_params(averaging__decay=0.9).averaging
    EMA(decay=0.9)
    """

    def __init__(self, decay: float = 0.999) -> None:
        self.decay = decay

    def check(self) -> None:
        if check_real("decay", self.decay, 0, 1) == 1:
            raise ParameterError("decay must be < 1: with 1 nothing would ever be averaged. Got 1.")

    def share(self, n_averaged: int) -> float:
        return 1 - min(self.decay, (1 + n_averaged) / (10 + n_averaged))


class SWA(Averaging):
    """Even mean of the weights after each of the last epochs (Izmailov et al., 2018).

    Goes well with a constant rate that is rather high. Moving statistics of normalisation layers
    are computed anew for the averaged weights, in one more pass over the rows per epoch.

    Parameters
    ----------
    start : float, default=0.75
        Share of ``max_epochs`` before the first epoch that is averaged. Until then, and in a fit
        that stops before, the weights are those of the last step.

    Examples
    --------
    >>> from skfusion import FusionClassifier
    >>> from skfusion.training import SWA
    >>> FusionClassifier(averaging=SWA(start=0.5), max_epochs=40).averaging.first_epoch(40)
    21
    """

    per = "epoch"
    refreshes = True

    def __init__(self, start: float = 0.75) -> None:
        self.start = start

    def check(self) -> None:
        if check_real("start", self.start, 0, 1) == 1:
            raise ParameterError(
                "start must be less than 1: it is a share of max_epochs. Got 1. "
                "Use averaging=None for no average."
            )

    def first_epoch(self, max_epochs: int) -> int:
        return 1 + int(self.start * max_epochs)

    def share(self, n_averaged: int) -> float:
        return 1 / (n_averaged + 1)
