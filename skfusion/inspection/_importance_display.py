"""The picture of block importances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from skfusion._axes import axes_for, wrapped
from skfusion.inspection._importance import block_importance
from skfusion.typing import Scorer, SeedLike, WeightLike, XLike, YLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

__all__ = ["BlockImportanceDisplay"]

_AXIS = {
    "permute": "fall in score when the block's rows are shuffled",
    "drop": "fall in score when all rows lack the block",
    "shapley": "Shapley value: share in the score above that of the prior",
}


class BlockImportanceDisplay:
    """What each block is worth: a bar a block, and a dot a repeat where there are several.

    Parameters
    ----------
    importance : Bunch
        From :func:`block_importance`.

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
    >>> from skfusion.inspection import BlockImportanceDisplay
    >>> X = Blocks({"left": [[1.0], [-1.0]] * 30, "right": [[0.0], [0.0]] * 30})
    >>> model = FusionClassifier(lr=0.02, random_state=0).fit(X, ["yes", "no"] * 30)
    >>> display = BlockImportanceDisplay.from_estimator(model, X, ["yes", "no"] * 30)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['right', 'left']
    """

    def __init__(self, importance: Bunch) -> None:
        self.importance = importance

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: XLike,
        y: YLike,
        *,
        scoring: str | Scorer | None = None,
        method: str = "permute",
        n_repeats: int = 5,
        random_state: SeedLike = None,
        n_jobs: int | None = None,
        sample_weight: WeightLike | None = None,
        ax: Axes | None = None,
    ) -> BlockImportanceDisplay:
        """Measure and draw; the arguments are those of :func:`block_importance`."""
        importance = block_importance(
            estimator,
            X,
            y,
            scoring=scoring,
            method=method,
            n_repeats=n_repeats,
            random_state=random_state,
            n_jobs=n_jobs,
            sample_weight=sample_weight,
        )
        return cls(importance).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on ``ax``, or on a new figure; the block that is worth most is at the top."""
        found = self.importance
        order = np.argsort(found.importances_mean, kind="stable")
        ax = axes_for(ax, "BlockImportanceDisplay", 1.2 + 0.45 * len(order))
        places = np.arange(len(order))
        ax.barh(places, found.importances_mean[order], 0.5, color="tab:blue", alpha=0.6)
        n_repeats = found.importances.shape[1]
        if n_repeats > 1:
            dots = np.repeat(places, n_repeats)
            ax.plot(found.importances[order].ravel(), dots, "o", color="black", markersize=3)
        ax.set_yticks(places, [wrapped(found.names[i]) for i in order])
        ax.set_ylim(-0.6, len(order) - 0.4)
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set_xlabel(_AXIS[found.method])
        ax.set_title(f"score with all blocks: {found.score:.3f}", fontsize="medium")
        self.ax_, self.figure_ = ax, ax.figure
        return self
