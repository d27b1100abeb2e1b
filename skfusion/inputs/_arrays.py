"""What a cell holds as a numpy array: lists, tensors, masked arrays and odd types too."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from numbers import Real

import numpy as np
import pandas as pd
import torch

from skfusion.exceptions import BlockError

__all__ = ["MAX_BYTES", "array_of_cell", "check_bytes", "numbers_of_cell"]

MAX_BYTES = 2**30
_PLAIN = (float, int, str, np.generic)
_NESTED = (np.ndarray, list, tuple)


def array_of_cell(cell: object, max_bytes: int | None = MAX_BYTES) -> np.ndarray:
    """Return the array, tensor or nested list in a cell as an array in native byte order.

    Masked values become NaN, bfloat16 and long double the nearest type that all libraries know.
    Nothing is copied where the cell is an ordinary array.

    Raises
    ------
    BlockError
        If the array takes more than ``max_bytes``, as one made by ``numpy.broadcast_to`` may.
    TypeError, ValueError, RuntimeError
        If the cell is no array, as a list whose parts differ in length.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.inputs._arrays import array_of_cell
    >>> array_of_cell(np.ma.array([1, 2], mask=[False, True])).tolist()
    [1.0, nan]
    """
    array = cell if type(cell) is np.ndarray else _converted(cell, max_bytes)
    if max_bytes is not None and array.nbytes > max_bytes:
        check_bytes(array.nbytes, max_bytes)
    kind = array.dtype.kind
    if kind == "O" and array.ndim == 1 and array.size and isinstance(array[0], _NESTED):
        return array_of_cell(array.tolist(), max_bytes)  # as files of Parquet have lists of lists
    if kind == "f" and array.itemsize > 8:
        return array.astype(np.float64)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def numbers_of_cell(cell: object) -> np.ndarray:
    """Return what a cell holds as float64, NaN where a value of it is missing.

    Raises
    ------
    BlockError, TypeError, ValueError, RuntimeError
        As ``array_of_cell``; and TypeError for strings, dates and complex numbers, which numpy
        would convert.

    Examples
    --------
    >>> from skfusion.inputs._arrays import numbers_of_cell
    >>> numbers_of_cell([1, None, 2.5]).tolist()
    [1.0, nan, 2.5]
    """
    if type(cell) is np.ndarray and cell.dtype == np.float64 and cell.nbytes <= MAX_BYTES:
        return cell  # the usual case, a million times
    array = array_of_cell(cell)
    if array.itemsize < 8:
        check_bytes(8 * array.size, MAX_BYTES)
    if array.dtype == object:
        missing = pd.isna(array)
        array = np.where(missing, np.nan, array)
        if not all(isinstance(value, (Real, Decimal)) for value in array.flat):
            raise TypeError("not all values are numbers")
    elif array.dtype.kind not in "fiub":
        raise TypeError(f"{array.dtype} is no type of numbers")
    return array.astype(np.float64, copy=False)


def check_bytes(n_bytes: int, max_bytes: int | None, repair: str = "") -> None:
    """Raise if what a cell holds takes more than ``max_bytes`` bytes of memory."""
    if max_bytes is not None and n_bytes > max_bytes:
        raise BlockError(
            f"it takes {n_bytes:,} bytes of memory, and at most {max_bytes:,} are taken for one "
            f"row{repair}"
        )


def _of_tensor(tensor: torch.Tensor, max_bytes: int | None) -> np.ndarray:
    check_bytes(tensor.numel() * tensor.element_size(), max_bytes)
    tensor = tensor.detach().to_dense() if tensor.layout is not torch.strided else tensor.detach()
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    return tensor.cpu().resolve_conj().resolve_neg().numpy()


def _of_masked(array: np.ma.MaskedArray) -> np.ndarray:
    if not np.ma.is_masked(array):
        return np.asarray(array)
    kind = array.dtype if array.dtype.kind == "f" else np.dtype(np.float64)
    floats: np.ndarray = np.array(array.data, dtype=kind)
    floats[np.ma.getmaskarray(array)] = np.nan
    return floats


def _converted(cell: object, max_bytes: int | None) -> np.ndarray:
    """Return what is no plain array as one."""
    if isinstance(cell, (list, tuple)):
        if _needs_care(cell):
            parts = [array_of_cell(part, max_bytes) for part in cell]
            check_bytes(sum(part.nbytes for part in parts), max_bytes)
            return np.asarray(parts)
        return np.asarray(cell)
    if isinstance(cell, torch.Tensor):
        return _of_tensor(cell, max_bytes)
    if isinstance(cell, np.ma.MaskedArray):
        check_bytes(cell.size * cell.itemsize, max_bytes)
        return _of_masked(cell)
    return np.asarray(cell)


def _needs_care(cell: Sequence[object]) -> bool:
    """Return whether a list holds arrays or tensors, to be looked at before numpy joins them."""
    first = cell[0] if cell else 0.0
    if isinstance(first, (list, tuple)):
        return _needs_care(first)
    if isinstance(first, _PLAIN):
        return False
    return any(issubclass(kind, (torch.Tensor, np.ndarray)) for kind in set(map(type, cell)))
