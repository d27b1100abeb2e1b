"""Smallest and largest value of each row of a block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

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
        self._block, self._missing, self._numbers = block, missing, numbers

    @cached_property
    def numbers(self) -> np.ndarray:
        rows = np.flatnonzero(self._filled)
        return rows if self._numbers is None else self._numbers[rows]

    @property
    def low(self) -> np.ndarray:
        return self._bounds[0]

    @property
    def high(self) -> np.ndarray:
        return self._bounds[1]

    @cached_property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        parts = [(_of_rows(chunk, np.minimum), _of_rows(chunk, np.maximum)) for chunk in self]
        if not parts:
            return np.empty(0), np.empty(0)
        low, high = (np.concatenate(each)[self._filled] for each in zip(*parts, strict=True))
        return low, high

    def rise_above(self, limit: float) -> bool:
        """Return whether any value, also in rows that lack the block, lies above ``limit``."""
        values = _values(self._block)
        return bool(values.size and values.max() > limit)

    def are_whole(self) -> bool:
        """Return whether all values are whole numbers; stops at the first rows that have others."""
        if self._block.dtype.kind != "f":
            return True
        start = 0
        for chunk in self:
            filled = self._filled[start : start + len(chunk)]
            if _of_rows(chunk, np.logical_or, _is_fraction)[filled].any():
                return False
            start += len(chunk)
        return True

    def fractional(self) -> np.ndarray:
        """Return which rows have values that are no whole numbers."""
        if self._block.dtype.kind != "f" or not len(self._block):
            return np.zeros(len(self.numbers), dtype=bool)
        parts = [_of_rows(chunk, np.logical_or, _is_fraction) for chunk in self]
        return np.concatenate(parts)[self._filled]

    @cached_property
    def _filled(self) -> np.ndarray:
        filled = _lengths(self._block) > 0
        return filled if self._missing is None else filled & ~self._missing

    def __iter__(self) -> Iterator[np.ndarray | Ragged]:
        """Yield the block, some rows at a time."""
        step = max(1, _VALUES_AT_ONCE // self._row_size())
        for start in range(0, len(self._block), step):
            yield self._block[start : start + step]

    def _row_size(self) -> int:
        """Return how many numbers the longest row has, at least 1."""
        lengths = _lengths(self._block).max(initial=1)
        return int(lengths * np.prod([size or 1 for size in self._block.shape[2:]]))


def _lengths(block: np.ndarray | Ragged) -> np.ndarray:
    """Return how many items each row has, 0 where an item holds nothing."""
    empty = 0 in block.shape[2:]
    if isinstance(block, Ragged):
        return np.zeros_like(block.lengths) if empty else block.lengths
    return np.full(len(block), 0 if empty else block.shape[1])


def _of_rows(
    block: np.ndarray | Ragged,
    join: np.ufunc,
    of: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
    """Return one value a row, joined from all of its values; 0 for a row without any."""
    lengths = _lengths(block)
    filled = lengths > 0
    values = _values(block)
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


def _values(block: np.ndarray | Ragged) -> np.ndarray:
    if isinstance(block, Ragged):
        return block.values[block.offsets[0] : block.offsets[-1]]
    return np.asarray(block)


def _is_fraction(values: np.ndarray) -> np.ndarray:
    return values != np.floor(values)
