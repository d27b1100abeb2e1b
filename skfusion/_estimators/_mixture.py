"""What a fit has beside its networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skfusion._linear import LinearModel

__all__ = ["HeldOutOutputs", "Mixture"]


@dataclass(frozen=True, eq=False)
class HeldOutOutputs:
    """Outputs for rows by members that were not trained on them.

    Parameters
    ----------
    outputs : ndarray of shape (n_rows, *shape)
        One row for each of X; NaN where no member held it out.
    score : float or None
        What the estimator's ``score`` is on them.
    """

    outputs: np.ndarray
    score: float | None


@dataclass(frozen=True, eq=False)
class Mixture:
    """What is beside the networks.

    Parameters
    ----------
    linear : LinearModel or None
        The linear member.
    share : float
        How much it counts; the networks count the rest, all alike.
    temperature : float
        What the mixed scores are divided by.
    held_out : HeldOutOutputs or None
        What all say of rows that they did not learn.
    """

    linear: LinearModel | None = None
    share: float = 0.0
    temperature: float = 1.0
    held_out: HeldOutOutputs | None = None
