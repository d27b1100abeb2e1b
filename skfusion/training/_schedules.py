"""The learning rate over the steps of a fit."""

from __future__ import annotations

import math

from sklearn.base import BaseEstimator
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR, ReduceLROnPlateau

from skfusion._checks import check_int, check_real
from skfusion.exceptions import ParameterError

__all__ = ["Cosine", "OneCycle", "Plateau", "Schedule"]


class Schedule(BaseEstimator):
    """Base of all schedules: ``build`` returns one of torch's own schedulers.

    It multiplies the rates that the groups of the optimiser have, so that encoders with a
    ``lr_scale`` keep their proportion.

    Examples
    --------
    >>> from torch.optim.lr_scheduler import ExponentialLR
    >>> from skfusion.training import Schedule
    >>> class Halving(Schedule):
    ...     def build(self, optimizer, n_steps):
    ...         return ExponentialLR(optimizer, gamma=0.5 ** (1 / n_steps))
    """

    per = "step"  # "epoch": steps at the end of each epoch, and is given its loss

    def check(self) -> None:
        """Raise ``ParameterError`` for parameters out of range."""

    def build(self, optimizer: Optimizer, n_steps: int) -> LRScheduler:
        """Return a new scheduler for a fit of ``n_steps`` steps of the optimiser, at most."""
        raise NotImplementedError


class Cosine(Schedule):
    """Linear warm-up, then half a cosine down (Loshchilov and Hutter, 2017, without restarts).

    Parameters
    ----------
    warmup : float, default=0.05
        Share of the steps in which the rate rises to ``lr``.
    floor : float, default=0.0
        Share of ``lr`` that is left in the end.

    Examples
    --------
    >>> from skfusion import FusionClassifier
    >>> from skfusion.training import Cosine
    >>> model = FusionClassifier(schedule=Cosine(warmup=0.1))
    >>> model.set_params(schedule__warmup=0.2).schedule
    Cosine(warmup=0.2)
    """

    def __init__(self, warmup: float = 0.05, floor: float = 0.0) -> None:
        self.warmup = warmup
        self.floor = floor

    def check(self) -> None:
        _check_warmup(self.warmup)
        check_real("floor", self.floor, 0, 1)

    def build(self, optimizer: Optimizer, n_steps: int) -> LRScheduler:
        n_rising = round(self.warmup * n_steps)

        def factor(step: int) -> float:
            if step < n_rising:
                return (step + 1) / (n_rising + 1)
            done = (step - n_rising) / max(1, n_steps - n_rising)
            return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * min(1.0, done))) / 2

        return LambdaLR(optimizer, factor)


class OneCycle(Schedule):
    """One rise to ``lr`` and one fall to nearly nothing (Smith and Topin, 2018).

    The momentum of the optimiser, if it has one, falls while the rate rises, and rises while it
    falls.

    Parameters
    ----------
    warmup : float, default=0.3
        Share of the steps in which the rate rises.
    start : float, default=0.04
        Share of ``lr`` to start from.

    Examples
    --------
    >>> from skfusion import FusionClassifier
    >>> from skfusion.training import OneCycle
    >>> FusionClassifier(lr=0.01, schedule=OneCycle(warmup=0.2)).get_params()["schedule__warmup"]
    0.2
    """

    def __init__(self, warmup: float = 0.3, start: float = 0.04) -> None:
        self.warmup = warmup
        self.start = start

    def check(self) -> None:
        _check_warmup(self.warmup)
        if check_real("start", self.start, 0, 1) == 0:
            raise ParameterError("start must be > 0. Got 0. The default is 0.04.")

    def build(self, optimizer: Optimizer, n_steps: int) -> LRScheduler:
        momentum = optimizer.defaults.get("momentum") or "betas" in optimizer.defaults
        rises = self.warmup * n_steps > 1  # else torch divides by the 0 steps of the rise
        return OneCycleLR(
            optimizer,
            max_lr=[group["lr"] for group in optimizer.param_groups],
            total_steps=max(2, n_steps),
            pct_start=float(self.warmup) if rises else 0.0,
            div_factor=1 / self.start,
            cycle_momentum=bool(momentum),
        )


class Plateau(Schedule):
    """A lower rate each time that the loss has stopped to fall.

    The loss is that of the held-out rows, or of the training rows where none are held out. With
    early stopping, ``patience`` has to be less than ``n_iter_no_change`` to have an effect.

    Parameters
    ----------
    factor : float, default=0.1
        Factor on the rate, less than 1.
    patience : int, default=3
        Epochs without gain after which the rate is lowered.

    Examples
    --------
    >>> from skfusion import FusionRegressor
    >>> from skfusion.training import Plateau
    >>> FusionRegressor(schedule=Plateau(factor=0.5), early_stopping=True).schedule.factor
    0.5
    """

    per = "epoch"

    def __init__(self, factor: float = 0.1, patience: int = 3) -> None:
        self.factor = factor
        self.patience = patience

    def check(self) -> None:
        check_int("patience", self.patience)
        if check_real("factor", self.factor, 0, 1) == 1:
            raise ParameterError("factor must be < 1. Got 1. Use schedule=None for a constant lr.")

    def build(self, optimizer: Optimizer, n_steps: int) -> LRScheduler:
        # torch counts the epochs that it puts up with, and acts in the one after them.
        return ReduceLROnPlateau(optimizer, factor=self.factor, patience=self.patience - 1)


def _check_warmup(warmup: object) -> None:
    if check_real("warmup", warmup, 0, 1) == 1:
        raise ParameterError(
            "warmup must be less than 1: it is a share of the steps of the fit. Got 1. "
            "The default of Cosine is 0.05."
        )
