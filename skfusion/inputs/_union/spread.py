"""Rows of a block among those that lack it."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import issparse

from skfusion.blocks import Lookup, Ragged
from skfusion.blocks._rows import scatter_rows

__all__ = ["SpreadRows", "spread_rows"]


def spread_rows(block: Any, present: np.ndarray) -> Any:
    """Spread ``block`` over the True places of ``present``; a lazy block stays lazy."""
    if isinstance(block, (np.ndarray, Ragged)) or issparse(block):
        return scatter_rows(block, present)
    if isinstance(block, Lookup):
        return block.spread(present)
    return SpreadRows(block, present)


class SpreadRows:
    """A lazy block with rows in between that are zero.

    Parameters
    ----------
    block : lazy block of n_present rows
        Read when rows are asked for.
    present : ndarray of bool of shape (n_rows,)
        True where a row is the next row of ``block``.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.inputs._union.spread import SpreadRows
    >>> rows = SpreadRows(np.array([[5], [6]]), np.array([True, False, True]))
    >>> rows[np.array([2, 1])].tolist()
    [[6], [0]]
    """

    def __init__(self, block: Any, present: np.ndarray) -> None:
        self._block = block
        self._places = np.where(present, np.cumsum(present) - 1, -1)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self._places), *self._block.shape[1:]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self._block.dtype)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Return the rows of a slice or an array of row numbers."""
        places = self._places[rows]
        values = np.zeros((len(places), *self.shape[1:]), dtype=self.dtype)
        found = places >= 0
        if found.any():
            values[found] = self._block[places[found]]
        return values

    def prefetch(self, rows: np.ndarray) -> None:
        """Let the lazy block begin with ``rows``, where it can."""
        places = self._places[rows]
        if hasattr(self._block, "prefetch") and (places >= 0).any():
            self._block.prefetch(places[places >= 0])

    def __repr__(self) -> str:
        return f"SpreadRows({self._block!r}, {len(self)} rows)"
