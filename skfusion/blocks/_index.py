"""Which rows an index selects, as numpy understands it."""

from __future__ import annotations

import numpy as np

from skfusion.exceptions import BlockTypeError

__all__ = ["row_numbers"]


def row_numbers(key: object, n: int) -> np.ndarray:
    """Return the rows that ``key`` selects of ``n``, as ints >= 0 in an array of its own.

    Parameters
    ----------
    key : int, slice, or array-like of int or of bool of shape (n,)
        What numpy takes for one axis.
    n : int
        Number of rows that there are.

    Raises
    ------
    IndexError
        If a row does not exist, or a mask has another length.
    BlockTypeError
        If ``key`` is something else.

    Examples
    --------
    >>> from skfusion.blocks._index import row_numbers
    >>> row_numbers([-1, 0], 3).tolist()
    [2, 0]
    """
    if isinstance(key, slice):
        return np.arange(n)[key]
    if isinstance(key, (int, np.integer)) and not isinstance(key, bool):
        key = [int(key)]
    rows = np.asarray(key)
    if rows.dtype == bool:
        if rows.shape != (n,):
            raise IndexError(f"a mask of rows must have shape ({n},). Got {rows.shape}.")
        return np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise BlockTypeError(
            f"rows are selected by a slice, a 1-D array of ints or a mask. Got {key!r}."
        )
    rows = rows.astype(np.intp)
    low, high = rows.min(initial=0), rows.max(initial=-1)
    if low < -n or high >= n:
        wrong = low if low < -n else high
        raise IndexError(f"row numbers must lie in [-{n}, {n}). Got {wrong}.")
    return np.where(rows < 0, rows + n, rows) if low < 0 else rows
