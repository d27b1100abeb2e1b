"""The picture of an ablation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skfusion.inspection._ablation import ablation
from skfusion.inspection._axes import axes_for
from skfusion.inspection._variants import Operators
from skfusion.inspection._verdicts import BEST

__all__ = ["AblationDisplay"]

_COLOURS = {"fusion helped": "tab:green", "fusion hurt": "tab:red", "worse": "tab:red"}


class AblationDisplay:
    """Difference of each variant to the best single block, with its 95 % confidence interval.

    Green is better and red is worse, each beyond chance after correction for the number of
    tests; grey is not told apart. The interval is of one test, so that a grey one may miss zero.

    Parameters
    ----------
    table : DataFrame
        From :func:`ablation`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import Blocks, FusionClassifier
    >>> from skfusion.inspection import AblationDisplay, ablation
    >>> X = Blocks({"left": [[1.0], [-1.0]] * 30, "right": [[0.0], [0.0]] * 30})
    >>> model = FusionClassifier(max_epochs=5, lr=0.02, random_state=0)
    >>> table = ablation(model, X, ["yes", "no"] * 30, operators=["late"])
    >>> display = AblationDisplay(table).plot()
    >>> display.ax_.get_xlabel()
    "difference in score to 'left' alone"
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        cv: Any = None,
        scoring: Any = None,
        operators: Operators = ("early", "concat", "gated", "late"),
        groups: Any = None,
        alpha: float = 0.05,
        n_jobs: int | None = None,
        ax: Any = None,
    ) -> AblationDisplay:
        """Compare and draw; the arguments are those of :func:`ablation`."""
        table = ablation(
            estimator,
            X,
            y,
            cv=cv,
            scoring=scoring,
            operators=operators,
            groups=groups,
            alpha=alpha,
            n_jobs=n_jobs,
        )
        return cls(table).plot(ax)

    def plot(self, ax: Any = None) -> AblationDisplay:
        """Draw on ``ax``, or on a new figure; variants from top to bottom as in the table."""
        table = self.table
        ax = axes_for(ax, "AblationDisplay", 1.4 + 0.32 * len(table))
        places = np.arange(len(table))[::-1]
        for place, row in zip(places, table.itertuples(), strict=True):
            colour = _colour(str(row.verdict))
            ax.plot([row.low, row.high], [place, place], color=colour)
            ax.plot(row.difference, place, "o", color=colour)
        labels = [f"{row.variant}  {row.mean:.3f}" for row in table.itertuples()]
        ax.set_yticks(places, labels)
        ax.set_ylim(-0.7, len(table) - 0.3)
        ax.axvline(0, color="black", linewidth=0.8)
        self._separate_kinds(ax)
        best = table.loc[table["verdict"] == BEST, "variant"].iloc[0]
        ax.set_xlabel(f"difference in score to {best!r} alone")
        ax.set_title("mean score, difference and its 95 % interval", fontsize="medium")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _separate_kinds(self, ax: Any) -> None:
        kinds = self.table["kind"].where(~self.table["kind"].str.endswith("fusion"), "fusion")
        for i in np.flatnonzero(kinds[1:].to_numpy() != kinds[:-1].to_numpy()):
            ax.axhline(len(kinds) - i - 1.5, color="black", linewidth=0.5, linestyle=":")


def _colour(verdict: str) -> str:
    return next((_COLOURS[start] for start in _COLOURS if verdict.startswith(start)), "tab:gray")
