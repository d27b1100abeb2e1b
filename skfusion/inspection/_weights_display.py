"""The picture of gates and attention."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from skfusion._axes import axes_for, wrapped
from skfusion._checks import check_choice
from skfusion._estimators._fitted import indexed_like
from skfusion.exceptions import ParameterError
from skfusion.inspection._splitting import allow_missing, final_step, split_off
from skfusion.typing import XLike

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

__all__ = ["WeightsDisplay"]


class WeightsDisplay:
    """How much each block counts in each row: gates or attention, where the fusion has them.

    Weights say where the network looked, not what a block is worth; :func:`block_importance` does.

    Parameters
    ----------
    weights : DataFrame of shape (n_rows, n_blocks)
        Weight of each block in each row, as ``explain`` of a fusion estimator returns it.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion.inspection import WeightsDisplay
    >>> weights = pd.DataFrame({"text": [0.2, 0.7, 0.4], "photo": [0.8, 0.3, 0.6]})
    >>> display = WeightsDisplay(weights).plot(kind="rows")
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['text', 'photo']
    """

    def __init__(self, weights: pd.DataFrame) -> None:
        self.weights = weights

    @classmethod
    def from_estimator(
        cls, estimator: BaseEstimator, X: XLike, *, kind: str = "box", ax: Axes | None = None
    ) -> WeightsDisplay:
        """Ask a fitted estimator, a pipeline that ends in one, or a search for its weights.

        Parameters
        ----------
        estimator : fitted estimator
            One with ``explain``, a pipeline that ends in one, or a fitted search over one of them.
        X : Blocks, or whatever ``estimator`` takes, of n_rows rows
            Rows.
        kind : {"box", "rows"}, default="box"
            How to draw, as in ``plot``.
        ax : matplotlib Axes or None, default=None
            Where to draw; None makes a new figure.

        Returns
        -------
        display : WeightsDisplay
            The display, drawn.

        Raises
        ------
        ParameterError
            If the estimator explains nothing.
        """
        if not hasattr(final_step(estimator), "explain"):
            raise ParameterError(
                f"{type(final_step(estimator)).__name__} has no explain(X) with weights of the "
                'blocks. Use a fusion estimator with fusion="gated" or another that weighs blocks.'
            )
        learner, blocks = split_off(estimator, X)
        weights = indexed_like(X, allow_missing(learner).explain(blocks))
        return cls(weights).plot(ax, kind=kind)

    def plot(self, ax: Axes | None = None, *, kind: str = "box") -> Self:
        """Draw on ``ax``, or on a new figure.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            Where to draw.
        kind : {"box", "rows"}, default="box"
            A box a block with the spread over rows, the first block at the top, or a column a
            row, in the order of the first block's weight. Rows without any block have no weights.

        Returns
        -------
        self : WeightsDisplay
            This display.
        """
        draw = _KINDS[check_choice("kind", kind, _KINDS)]
        ax = axes_for(ax, "WeightsDisplay", 1.2 + 0.45 * self.weights.shape[1])
        draw(ax, self.weights)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _draw_boxes(ax: Axes, weights: pd.DataFrame) -> None:
    places = np.arange(weights.shape[1])[::-1]
    values = [weights[name].dropna().to_numpy() for name in weights]
    draw = functools.partial(ax.boxplot, values, positions=places)
    # matplotlib 3.10 renamed what lays boxes down, and warns of the old name.
    if "orientation" in inspect.signature(ax.boxplot).parameters:
        draw(orientation="horizontal")
    else:
        draw(vert=False)
    ax.set_yticks(places, _names(weights))
    ax.set_xlim(left=0)
    ax.set_xlabel("weight of the block in a row")


def _names(weights: pd.DataFrame) -> list[str]:
    return [wrapped(str(name)) for name in weights]


def _draw_rows(ax: Axes, weights: pd.DataFrame) -> None:
    order = np.argsort(weights.iloc[:, 0].to_numpy(), kind="stable")
    values = weights.to_numpy()[order].T
    image = ax.imshow(values, aspect="auto", vmin=0, cmap="viridis", interpolation="nearest")
    ax.set_yticks(range(len(values)), _names(weights))
    ax.set_xlabel(f"rows, by the weight of {weights.columns[0]!r}")
    ax.figure.colorbar(image, ax=ax, label="weight")


_KINDS = {"box": _draw_boxes, "rows": _draw_rows}
