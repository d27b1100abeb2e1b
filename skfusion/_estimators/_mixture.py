"""What a fit has beside its networks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skfusion._linear import LinearModel

__all__ = ["HeldOutOutputs", "Mixture", "told"]


@dataclass(frozen=True, eq=False)
class HeldOutOutputs:
    """Outputs for rows by members that were not trained on them.

    Parameters
    ----------
    outputs : ndarray of shape (n_rows, *shape)
        One row for each of X; NaN where no member held it out.
    score : float or None
        What the estimator's ``score`` is on them.
    of : str
        A word for the rows and for who held them out, by which a fit that goes on knows them again.
    """

    outputs: np.ndarray
    score: float | None
    of: str


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


def told(n_members: int, mixture: Mixture) -> str:
    """Return in a line what predicts, and how good it is on rows that it did not learn."""
    networks = "1 network" if n_members == 1 else f"mean of {n_members} networks"
    linear = f" and a linear model ({mixture.share:.0%})" if mixture.linear is not None else ""
    if mixture.held_out is None or mixture.held_out.score is None:
        return f"fitted: {networks}{linear}"
    return f"fitted: {networks}{linear}; score on held-out rows {mixture.held_out.score:.3f}"
