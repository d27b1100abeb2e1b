"""Which rows an index selects, as numpy understands it."""

from __future__ import annotations

import numpy as np

from skfusion.exceptions import BlockTypeError

__all__ = ["row_numbers", "row_part"]


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


def row_part(key: tuple[object, ...]) -> object:
    """Return the rows of ``blocks[rows, ...]`` and ``blocks[rows, :]``."""
    if len(key) == 2 and (key[1] is Ellipsis or _is_full_slice(key[1])):
        return key[0]
    raise BlockTypeError(
        f"Blocks are indexed by rows, blocks[rows], or by one name, blocks['name']. Got {key!r}. "
        "Use blocks.select([...]) to choose blocks."
    )


def _is_full_slice(key: object) -> bool:
    return isinstance(key, slice) and key == slice(None)
