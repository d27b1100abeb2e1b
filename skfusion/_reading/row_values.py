"""Smallest and largest value of each row of a block."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skfusion.blocks import Ragged

__all__ = ["RowValues"]

_VALUES_AT_ONCE = 2**22


class RowValues:
    """Smallest and largest value of each row that has the block and holds anything.

    Parameters
    ----------
    block : ndarray or Ragged of n_rows rows
        Read some rows at a time, so that a memory map stays on disk.
    missing : ndarray of bool of shape (n_rows,), default=None
        Rows that lack the block.
    numbers : ndarray of int of shape (n_rows,), default=None
        What the user calls the rows; None for 0, 1, 2, ...

    Attributes
    ----------
    numbers : ndarray of int of shape (n_filled,)
        The rows that hold anything.
    low, high : ndarray of shape (n_filled,)
        One a row.
    """

    def __init__(
        self,
        block: np.ndarray | Ragged,
        missing: np.ndarray | None = None,
        numbers: np.ndarray | None = None,
    ) -> None:
        self._block = block
        self._filled = _lengths(block) > 0
        if missing is not None:
            self._filled &= ~missing
        rows = np.flatnonzero(self._filled)
        self.numbers = rows if numbers is None else numbers[rows]
        self.low, self.high = self._each(np.minimum), self._each(np.maximum)

    def fractional(self) -> np.ndarray:
        """Return which rows have values that are no whole numbers."""
        if self._block.dtype.kind != "f":
            return np.zeros(len(self.numbers), dtype=bool)
        return self._each(np.logical_or, _is_fraction)

    def _each(
        self, join: np.ufunc, of: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> np.ndarray:
        size = max(1, int(np.prod(self._block.shape[2:], dtype=np.int64)))
        step = max(1, _VALUES_AT_ONCE // (size * max(1, int(_lengths(self._block).max(initial=1)))))
        parts = [
            _of_rows(self._block[start : start + step], join, of)
            for start in range(0, len(self._block), step)
        ]
        return np.concatenate([np.empty(0, dtype=self._block.dtype), *parts])[: len(self._filled)][
            self._filled
        ]


def _lengths(block: np.ndarray | Ragged) -> np.ndarray:
    """Return how many items each row has, 0 where an item holds nothing."""
    empty = 0 in block.shape[2:]
    if isinstance(block, Ragged):
        return np.zeros_like(block.lengths) if empty else block.lengths
    return np.full(len(block), 0 if empty else block.shape[1])


def _of_rows(
    block: np.ndarray | Ragged, join: np.ufunc, of: Callable[[np.ndarray], np.ndarray] | None
) -> np.ndarray:
    """Return one value a row, joined from all of its values; 0 for a row without any."""
    lengths = _lengths(block)
    filled = lengths > 0
    if isinstance(block, Ragged):
        values = block.values[block.offsets[0] : block.offsets[-1]]
    else:
        values = np.asarray(block)
    if not filled.any():
        return np.zeros(len(lengths), dtype=values.dtype)
    items = values.reshape(len(values), -1)
    joined = join.reduce(items if of is None else of(items), axis=1)
    if isinstance(block, Ragged):
        starts = (block.offsets[:-1] - block.offsets[0])[filled]
        joined = join.reduceat(joined, starts)
    found = np.zeros(len(lengths), dtype=joined.dtype)
    found[filled] = joined
    return found


def _is_fraction(values: np.ndarray) -> np.ndarray:
    return values != np.floor(values)
