"""What one call of ``fit`` or ``partial_fit`` is to do, and the rows that it learns from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skfusion._estimators._arguments import Arguments
from skfusion._estimators._recipes import same
from skfusion._estimators._scoring import HeldOut
from skfusion._estimators._state import FittedState, Prior
from skfusion._training import Rows
from skfusion.blocks import Blocks
from skfusion.targets import Coding, PlainY
from skfusion.typing import ArrayLike, ValidationData, WeightLike, XLike, YLike

__all__ = ["Call", "FitData", "TrainingData"]


@dataclass(frozen=True)
class FitData:
    """What ``fit`` or ``partial_fit`` is given."""

    X: XLike
    y: YLike
    sample_weight: WeightLike | None = None
    groups: np.ndarray | None = None
    validation: ValidationData | None = None


@dataclass(frozen=True)
class Call:
    """What one call of ``fit`` or ``partial_fit`` is to do.

    Parameters
    ----------
    owner : type
        Class of the estimator.
    arguments : Arguments
        Those of the estimator.
    params : mapping of str to object
        The same as the user gave them, those of recipes included.
    before : FittedState or None
        What is gone on from.
    whole : bool
        Whether all rows and all epochs are given; else it is one epoch over some of the rows.
    classes : array-like of shape (n_classes,) or None
        Labels that will ever come.
    """

    owner: type[BaseEstimator]
    arguments: Arguments
    params: Mapping[str, object]
    before: FittedState | None
    whole: bool = True
    classes: ArrayLike | None = None

    @property
    def n_epochs(self) -> int:
        return self.arguments.training.max_epochs if self.whole else 1

    @property
    def prior_before(self) -> Prior | None:
        """The prior that the rows of this call add to: a whole fit begins anew."""
        return None if self.before is None or self.whole else self.before.prior

    def draw_seed(self) -> int:
        """Return an int that all randomness follows from: that of before, if it is the same."""
        random_state = self.arguments.random_state
        if self.before is not None and same(self.before.arguments.random_state, random_state):
            return self.before.seed
        return int(check_random_state(random_state).randint(2**31 - 1))


@dataclass(frozen=True)
class TrainingData:
    """What is learned from: rows of a weight above 0, and y in the user's terms and as codes."""

    blocks: Blocks
    y: PlainY
    target: Coding
    rows: Rows
    groups: np.ndarray | None = None  # (n_rows,)
    held_out: HeldOut | None = None  # those that the user gave
    kept: np.ndarray | None = None  # which rows of X these are; None: all
    n_given: int = 0  # rows of X
