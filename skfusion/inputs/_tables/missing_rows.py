"""Which rows lack their source, and cutting what remains."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from skfusion.blocks import Ragged
from skfusion.blocks._rows import cut_rows

__all__ = ["count_rows", "missing_rows", "present_metadata", "present_rows"]


def missing_rows(value: Any) -> np.ndarray | None:
    """Return the mask of rows in which every cell is None, NaN, NaT or NA; None where no row is.

    Sparse matrices, ``Ragged`` and lazy blocks have no missing cells.
    """
    if isinstance(value, pd.Series):
        return _or_none(value.isna().to_numpy(dtype=bool))
    if isinstance(value, pd.DataFrame):
        return _missing_in_frame(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "fcOmM" and value.size:
        return _missing_in_array(value)
    return None


def _missing_in_frame(frame: pd.DataFrame) -> np.ndarray | None:
    mask: np.ndarray = np.ones(len(frame), dtype=bool)
    for position in range(frame.shape[1]):
        mask &= frame.iloc[:, position].isna().to_numpy(dtype=bool)
        if not mask.any():
            return None
    return mask


def _missing_in_array(array: np.ndarray) -> np.ndarray | None:
    # Reading the first cell of each row spares a pass over the whole of a memory-mapped video.
    mask = np.asarray(pd.isna(array[(slice(None),) + (0,) * (array.ndim - 1)]))
    rows = np.flatnonzero(mask)
    if array.ndim > 1 and len(rows):
        cells = np.asarray(pd.isna(array[rows]))
        mask[rows] = cells.reshape(len(rows), -1).all(axis=1)
    return _or_none(mask)


def _or_none(mask: np.ndarray) -> np.ndarray | None:
    return mask if mask.any() else None


def present_rows(value: Any, present: np.ndarray) -> Any:
    """Return the rows of ``value``, a frame, column, array or block, where ``present`` is True."""
    if isinstance(value, (pd.Series, pd.DataFrame)):
        return value[present]
    if isinstance(value, (list, tuple)):
        return [item for item, keep in zip(value, present, strict=True) if keep]
    if isinstance(value, (np.ndarray, Ragged)) or issparse(value):
        return cut_rows(value, np.flatnonzero(present))
    return value[np.flatnonzero(present)]


def present_metadata(params: dict[str, Any], present: np.ndarray) -> dict[str, Any]:
    """Return ``params`` with those that hold one value a row cut like the rows."""
    return {
        name: present_rows(value, present) if _is_per_row(value, len(present)) else value
        for name, value in params.items()
    }


def _is_per_row(value: Any, n_rows: int) -> bool:
    if isinstance(value, (str, bytes, dict)):
        return False
    if hasattr(value, "shape"):
        return bool(len(value.shape)) and value.shape[0] == n_rows
    return isinstance(value, (list, tuple)) and len(value) == n_rows


def count_rows(value: Any) -> int:
    """Return the number of rows (``len`` of a sparse matrix is an error)."""
    if hasattr(value, "shape"):
        return int(value.shape[0])
    return len(value) if hasattr(value, "__len__") else len(np.asarray(value))
