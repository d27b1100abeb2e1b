"""The picture of an ablation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from skfusion._axes import axes_for, wrapped
from skfusion.inspection._ablation import ablation
from skfusion.inspection._variants import Operators
from skfusion.inspection._verdicts import BEST
from skfusion.typing import ArrayLike, CVLike, Scorer, XLike, YLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

__all__ = ["AblationDisplay"]

_INCHES = 0.32  # of a variant whose label is one line
_COLOURS = {"fusion helped": "tab:green", "fusion hurt": "tab:red", "worse": "tab:red"}


class AblationDisplay:
    """Difference of each variant to the best single block, with its 95 % confidence interval.

    Green is better and red is worse, each beyond chance after correction for the number of
    tests; grey is not told apart. The interval is of one test, so that a grey one may miss zero.
    Beside each variant stands its mean score.

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
    "difference in score to 'left' alone, with its 95 % interval"
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: XLike,
        y: YLike,
        *,
        cv: CVLike = None,
        scoring: str | Scorer | None = None,
        operators: Operators = ("early", "concat", "gated", "late"),
        groups: ArrayLike | None = None,
        alpha: float = 0.05,
        n_jobs: int | None = None,
        ax: Axes | None = None,
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

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on ``ax``, or on a new figure; variants from top to bottom as in the table."""
        labels = [wrapped(f"{row.variant}  {row.mean:.3f}") for row in self.table.itertuples()]
        edges = _edges(labels)
        ax = axes_for(ax, "AblationDisplay", 1.4 - _INCHES * edges[-1])
        places = (edges[:-1] + edges[1:]) / 2
        for i, place in enumerate(places):
            low, high, difference = self.table[["low", "high", "difference"]].to_numpy()[i]
            colour = _colour(str(self.table["verdict"].iloc[i]))
            ax.plot([low, high], [place, place], color=colour)
            ax.plot(difference, place, "o", color=colour)
        ax.set_yticks(places, labels)
        ax.locator_params(axis="x", nbins=6)  # numbers of three places fit beside each other
        ax.set_ylim(edges[-1] - 0.2, edges[0] + 0.2)
        ax.axvline(0, color="black", linewidth=0.8)
        self._separate_kinds(ax, edges)
        ax.set_ylabel("variant, mean score")
        ax.set_xlabel(wrapped(self._meaning(), 60))
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _meaning(self) -> str:
        best = self.table.loc[self.table["verdict"] == BEST, "variant"].iloc[0]
        doubt = ", with its 95 % interval" if (self.table["n_folds"] > 1).any() else ""
        return f"difference in score to {best!r} alone{doubt}"

    def _separate_kinds(self, ax: Axes, edges: np.ndarray) -> None:
        kinds = self.table["kind"].where(~self.table["kind"].str.endswith("fusion"), "fusion")
        for i in np.flatnonzero(kinds[1:].to_numpy() != kinds[:-1].to_numpy()):
            ax.axhline(edges[i + 1], color="black", linewidth=0.5, linestyle=":")


def _edges(labels: list[str]) -> np.ndarray:
    """Return where each variant begins and ends, from 0 downwards; one line of label is 1 high."""
    heights = [0.4 + 0.6 * (label.count("\n") + 1) for label in labels]
    return -np.cumsum([0.0, *heights])


def _colour(verdict: str) -> str:
    return next((_COLOURS[start] for start in _COLOURS if verdict.startswith(start)), "tab:gray")
