"""Arrays and tensors in cells as pixels: channels last, 8 bits."""

from __future__ import annotations

import numpy as np
import torch

from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._arrays import array_of_cell

__all__ = ["as_pixels", "check_pixels", "size_of_pixels"]

_LAST = (1, 2, 3, 4)
_FIRST = (1, 3, 4)


def check_pixels(height: int, width: int, max_pixels: int) -> None:
    """Raise for an image without pixels, or with too many."""
    if not height or not width:
        raise BlockError(f"it has no pixels ({height} x {width})")
    if height * width > max_pixels:
        raise BlockError(
            f"it is too large: {width:,} x {height:,} pixels, and max_pixels is {max_pixels:,}"
        )


def size_of_pixels(cell: np.ndarray | torch.Tensor) -> tuple[int, int]:
    """Return height and width, from the shape alone."""
    shape = tuple(cell.shape)
    if _is_channels_first(cell):
        return shape[1], shape[2]
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in _LAST):
        return shape[0], shape[1]
    raise _no_image(cell)


def as_pixels(cell: np.ndarray | torch.Tensor) -> np.ndarray:
    """Return uint8 (height, width) or (height, width, channels) with 2 to 4 channels.

    Tensors have their channels first where both first and last axis could be channels, arrays
    have them last.
    """
    if isinstance(cell, np.ma.MaskedArray) and np.ma.is_masked(cell):
        raise BlockError("it has masked pixels; say what they are, as by array.filled(0)")
    array = array_of_cell(cell)
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    elif array.dtype == np.uint16:
        array = (array // 257).astype(np.uint8)
    if array.dtype != np.uint8:
        raise _no_image(cell)
    if _is_channels_first(cell):
        array = np.moveaxis(array, 0, -1)
    return array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array


def _is_channels_first(cell: np.ndarray | torch.Tensor) -> bool:
    shape = tuple(cell.shape)
    if len(shape) != 3 or shape[0] not in _FIRST:
        return False
    return isinstance(cell, torch.Tensor) or shape[2] not in _LAST


def _no_image(cell: np.ndarray | torch.Tensor) -> BlockTypeError:
    return BlockTypeError(
        "an array in a cell is an image (height, width[, channels]) of uint8, uint16 or bool. "
        f"Got shape {tuple(cell.shape)}, dtype {cell.dtype}. For floats from 0 to 1 write "
        "(255 * array).astype('uint8')"
    )
