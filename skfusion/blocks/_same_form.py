"""Rows of a block that are like those of the fit, or an error that says how they become so."""

from __future__ import annotations

from skfusion.blocks._spec import BlockSpec
from skfusion.exceptions import BlockError

__all__ = ["check_same_form"]


def check_same_form(fitted: BlockSpec, spec: BlockSpec) -> None:
    """Raise ``BlockError`` unless form and shape of a row are those of the fit.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.blocks import spec_of
    >>> from skfusion.blocks._same_form import check_same_form
    >>> fitted = spec_of("photo", np.zeros((2, 8, 8, 3)))
    >>> check_same_form(fitted, spec_of("photo", np.zeros((5, 8, 8, 3))))
    """
    if (fitted.form, fitted.shape) != (spec.form, spec.shape):
        raise BlockError(
            f"block {spec.name!r} has rows of form {spec.form!r} and shape {spec.shape}, but at "
            f"fit they had form {fitted.form!r} and shape {fitted.shape}.{_repair(fitted, spec)}"
        )


def _repair(fitted: BlockSpec, spec: BlockSpec) -> str:
    """Return how one shape becomes the other, where that is plain."""
    was, now = fitted.shape, spec.shape
    if len(was) == len(now) and was != now:
        for source, target in ((-3, -1), (-1, -3)):
            if len(now) >= 3 and _moved(now, source, target) == was:
                axis = f"{source}, {target}"
                first = "first" if source == -3 else "last"
                return (
                    f" Its channels come {first} now: np.moveaxis(X, {axis}); of arrays in cells "
                    f"[np.moveaxis(cell, {axis}) for cell in X]."
                )
    if was == (*now, 1):
        return " One axis is gone: X[..., None]."
    return " Prepare X as it was at fit."


def _moved(shape: tuple[int | None, ...], source: int, target: int) -> tuple[int | None, ...]:
    axes = list(shape)
    axes.insert(len(shape) + target, axes.pop(source))
    return tuple(axes)
