"""The picture of scores while blocks go missing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
from sklearn.base import BaseEstimator

from skfusion._axes import add_legend, axes_for, legend_height
from skfusion.inspection._missing_curve import ONE_AT_RANDOM, missing_curve
from skfusion.typing import Scorer, SeedLike, WeightLike, XLike, YLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

__all__ = ["MissingCurveDisplay"]


class MissingCurveDisplay:
    """Score against the share of rows that lack a block: a curve a block.

    Parameters
    ----------
    curve : DataFrame
        From :func:`missing_curve`.

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
    >>> from skfusion.inspection import MissingCurveDisplay
    >>> X = Blocks({"left": [[1.0], [-1.0]] * 30, "right": [[0.0], [0.0]] * 30})
    >>> model = FusionClassifier(lr=0.02, random_state=0).fit(X, ["yes", "no"] * 30)
    >>> display = MissingCurveDisplay.from_estimator(
    ...     model, X, ["yes", "no"] * 30, shares=[0, 0.5], n_repeats=2, random_state=0)
    >>> [line.get_label() for line in display.ax_.get_lines()]
    ['left', 'right', 'one block at random']
    """

    def __init__(self, curve: pd.DataFrame) -> None:
        self.curve = curve

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: XLike,
        y: YLike,
        *,
        blocks: Sequence[str] | None = None,
        shares: Sequence[float] = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0),
        scoring: str | Scorer | None = None,
        n_repeats: int = 5,
        random_state: SeedLike = None,
        n_jobs: int | None = None,
        sample_weight: WeightLike | None = None,
        ax: Axes | None = None,
    ) -> MissingCurveDisplay:
        """Measure and draw; the arguments are those of :func:`missing_curve`."""
        curve = missing_curve(
            estimator,
            X,
            y,
            blocks=blocks,
            shares=shares,
            scoring=scoring,
            n_repeats=n_repeats,
            random_state=random_state,
            n_jobs=n_jobs,
            sample_weight=sample_weight,
        )
        return cls(curve).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on ``ax``, or on a new figure; bands are plus and minus one standard deviation."""
        height = 4.0 + legend_height(self.curve["block"].unique().tolist())
        ax = axes_for(ax, "MissingCurveDisplay", height)
        for name, part in self.curve.groupby("block", sort=False):
            part = part.sort_values("share")
            style = "--" if name == ONE_AT_RANDOM else "-"
            (line,) = ax.plot(part["share"], part["mean"], style, marker="o", label=name)
            low, high = part["mean"] - part["std"], part["mean"] + part["std"]
            ax.fill_between(part["share"], low, high, color=line.get_color(), alpha=0.15)
        ax.set_xlabel("share of the rows that lack the block")
        ax.set_ylabel("score")
        add_legend(ax, title="missing")
        self.ax_, self.figure_ = ax, ax.figure
        return self
