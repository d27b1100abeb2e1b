"""Where a display draws, and how it writes names and curves beside it."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from skfusion._optional import import_optional

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["add_legend", "axes_for", "legend_height", "wrapped"]

_MOST_INSIDE = 4  # curves; the legend of more would hide them
_WIDTH = 34  # characters of a name on one line


def axes_for(ax: Axes | None, what: str, height: float = 4.0) -> Axes:
    """Return ``ax``, or the axes of a new figure of ``height`` inches; ``what`` is to be drawn."""
    pyplot = import_optional("matplotlib.pyplot", what, "plots")
    if ax is not None:
        return ax
    _, ax = pyplot.subplots(figsize=(7.0, height), layout="constrained")
    return ax


def wrapped(text: str, width: int = _WIDTH) -> str:
    r"""Return ``text`` in lines of at most ``width`` characters.

    Examples
    --------
    >>> from skfusion._axes import wrapped
    >>> wrapped("Gated(width=4)  0.913", width=16)
    'Gated(width=4)\n0.913'
    """
    return textwrap.fill(text, width, break_on_hyphens=False)


def add_legend(ax: Axes, title: str | None = None) -> None:
    """Name the curves of ``ax``: inside of it, or above where they are many."""
    names = ax.get_legend_handles_labels()[1]
    if len(names) <= _MOST_INSIDE:
        ax.legend(title=title)
        return
    # Above and not beside, where a second axis may stand.
    place, n_columns = (0.0, 1.02), _n_columns(names)
    ax.legend(
        title=title, ncols=n_columns, loc="lower left", bbox_to_anchor=place, borderaxespad=0.0
    )


def legend_height(names: Sequence[str]) -> float:
    """Return the inches that a legend of curves called ``names`` takes above the axes."""
    if len(names) <= _MOST_INSIDE:
        return 0.0
    return 0.22 * (1 + math.ceil(len(names) / _n_columns(names)))


def _n_columns(names: Sequence[str]) -> int:
    return 2 if max(map(len, names)) <= _WIDTH else 1
