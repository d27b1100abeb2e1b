"""Shapes of blocks that cannot be meant."""

from __future__ import annotations

from collections.abc import Mapping

from skfusion._warn import warn_user
from skfusion.blocks import BlockSpec
from skfusion.exceptions import BlockError

__all__ = ["check_not_empty", "warn_of_channels"]

_CHANNELS = (1, 3, 4)


def check_not_empty(specs: Mapping[str, BlockSpec]) -> None:
    """Raise ``BlockError`` if the rows of a block hold nothing."""
    for spec in specs.values():
        if 0 in spec.shape:
            raise BlockError(
                f"block {spec.name!r} has rows of shape {spec.shape}, which hold nothing to learn "
                "from. Leave it out."
            )


def warn_of_channels(specs: Mapping[str, BlockSpec]) -> None:
    """Warn of images and clips that look as if their channels came first."""
    for spec in specs.values():
        axis = channels_axis(spec.shape) if spec.form in ("image", "video") else None
        if axis is not None:
            warn_user(
                f"block {spec.name!r} has {spec.form}s of shape {spec.shape}, which are read with "
                f"their channels last: {spec.shape[-1]} of them. If yours come first, turn them "
                f"before fit and predict: np.moveaxis(X, {axis + 1}, -1); of arrays in cells "
                f"[np.moveaxis(cell, {axis}, -1) for cell in X].",
                UserWarning,
            )


def channels_axis(shape: tuple[int | None, ...]) -> int | None:
    """Return the axis of a row where channels are likely, if that is not the last one."""
    if shape[-1] is None or shape[-1] <= max(_CHANNELS):
        return None
    for axis in range(len(shape) - 3, -1, -1):
        others = [size for place, size in enumerate(shape) if place != axis and size is not None]
        if shape[axis] in _CHANNELS and min(others[-2:]) > max(_CHANNELS):
            return axis
    return None
