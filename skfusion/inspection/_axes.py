"""Where a display draws."""

from __future__ import annotations

from typing import Any

from skfusion._optional import import_optional

__all__ = ["axes_for"]


def axes_for(ax: Any, what: str, height: float = 4.0) -> Any:
    """Return ``ax``, or the axes of a new figure of ``height`` inches; ``what`` is to be drawn."""
    pyplot = import_optional("matplotlib.pyplot", what, "plots")
    if ax is not None:
        return ax
    _, ax = pyplot.subplots(figsize=(7.0, height), layout="constrained")
    return ax
