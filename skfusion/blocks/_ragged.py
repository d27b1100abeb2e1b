"""Rows of different length, kept as one array of values and the offsets between rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from skfusion._checks import check_int
from skfusion.blocks._dense import are_whole, plain_array
from skfusion.blocks._index import row_numbers
from skfusion.exceptions import BlockError

__all__ = ["Ragged", "gather_runs", "offsets_of"]


class Ragged:
    """Rows of different length: token ids, sequences, waveforms, clips.

    Immutable. Selecting rows copies the chosen values only; a slice of rows is a view.

    Parameters
    ----------
    values : ndarray of shape (n_items, ...)
        The items of all rows, one row after the other.
    offsets : ndarray of shape (n_rows + 1,)
        Row ``i`` is ``values[offsets[i]:offsets[i + 1]]``.
    n_tokens : int or None, default=None
        Size of the vocabulary where the items are token ids.

    Raises
    ------
    BlockError
        If the offsets are negative, decrease, or run past the values; if values are masked.
    ParameterError
        If ``n_tokens`` is not an int of 1 or more.

    Examples
    --------
    >>> from skfusion.blocks import Ragged
    >>> words = Ragged.from_rows([[4, 7, 2], [], [5]])
    >>> len(words), words.lengths.tolist(), words[0].tolist()
    (3, [3, 0, 1], [4, 7, 2])
    >>> values, mask = words[[0, 2]].pad()
    >>> values.tolist(), mask.tolist()
    ([[4, 7, 2], [5, 0, 0]], [[True, True, True], [True, False, False]])
    """

    __slots__ = ("n_tokens", "offsets", "values")

    values: np.ndarray
    offsets: np.ndarray
    n_tokens: int | None

    def __init__(self, values: object, offsets: object, n_tokens: int | None = None) -> None:
        values, offsets = plain_array("of a Ragged", values), _checked_offsets(offsets)
        if values.ndim == 0:
            raise BlockError(f"Ragged: values must be an array of items. Got {values!r}.")
        if offsets[-1] > len(values):
            raise BlockError(
                f"Ragged: offsets run to {offsets[-1]}, but there are {len(values)} values."
            )
        if n_tokens is not None:
            n_tokens = check_int("n_tokens", n_tokens)
        self._assign(values, offsets, n_tokens)

    @classmethod
    def from_rows(
        cls, rows: Sequence[object], dtype: DTypeLike | None = None, n_tokens: int | None = None
    ) -> Ragged:
        """Make a ``Ragged`` from a sequence of arrays (or lists) whose items have one shape."""
        arrays = [np.asarray(row, dtype=dtype) for row in rows]
        _check_items_alike(arrays)
        offsets = offsets_of([len(array) for array in arrays])
        filled = [array for array in arrays if len(array)]
        values = np.concatenate(filled) if filled else _no_items(arrays, dtype, n_tokens)
        return cls(values, offsets, n_tokens)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """``(n_rows, None, *item_shape)``: the length of a row is not fixed."""
        return (len(self), None, *self.values.shape[1:])

    @property
    def ndim(self) -> int:
        return self.values.ndim + 1

    @property
    def dtype(self) -> np.dtype:
        return self.values.dtype

    @property
    def lengths(self) -> np.ndarray:
        """Number of items of each row."""
        return np.diff(self.offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, rows: int | np.integer) -> np.ndarray: ...

    @overload
    def __getitem__(self, rows: slice | ArrayLike) -> Ragged: ...

    def __getitem__(self, rows: object) -> np.ndarray | Ragged:
        """Row ``rows`` as an array if it is an int, else a ``Ragged`` of the selected rows."""
        if isinstance(rows, (int, np.integer)) and not isinstance(rows, bool):
            row = range(len(self))[rows]
            return self.values[self.offsets[row] : self.offsets[row + 1]]
        if isinstance(rows, slice) and rows.step in (None, 1):
            start, stop, _ = rows.indices(len(self))
            return self._like(self.values, self.offsets[start : max(start, stop) + 1])
        offsets, positions = gather_runs(self.offsets, row_numbers(rows, len(self)))
        return self._like(self.values[positions], offsets)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[row] for row in range(len(self)))

    def __repr__(self) -> str:
        return f"Ragged(shape={self.shape}, dtype={self.dtype}, items={self.lengths.sum()})"

    def __reduce__(self) -> tuple[object, ...]:
        start, stop = self.offsets[0], self.offsets[-1]
        values = np.ascontiguousarray(self.values[start:stop])
        return Ragged, (values, self.offsets - start, self.n_tokens)

    def astype(self, dtype: DTypeLike, copy: bool = False) -> Ragged:
        """Return the same rows with values of ``dtype``; no copy where nothing changes."""
        return self._like(self.values.astype(dtype, copy=copy), self.offsets)

    def pad(self) -> tuple[np.ndarray, np.ndarray]:
        """Return values (n_rows, longest, ...), zero behind each row's end, and a mask.

        The mask (n_rows, longest) is True where a value belongs to its row. ``longest`` is at
        least 1, so that a batch of empty rows is still an array that networks take.
        """
        lengths = self.lengths
        mask = np.arange(max(1, lengths.max(initial=0))) < lengths[:, None]
        padded = np.zeros((*mask.shape, *self.values.shape[1:]), dtype=self.dtype)
        padded[mask] = self.values[self.offsets[0] : self.offsets[-1]]
        return padded, mask

    def _like(self, values: np.ndarray, offsets: np.ndarray) -> Ragged:
        ragged = object.__new__(Ragged)
        ragged._assign(values, offsets, self.n_tokens)
        return ragged

    def _assign(self, values: np.ndarray, offsets: np.ndarray, n_tokens: int | None) -> None:
        self.values, self.offsets, self.n_tokens = values, offsets, n_tokens


def _checked_offsets(given: object) -> np.ndarray:
    offsets = plain_array("of offsets", given)
    whole = offsets.dtype.kind in "iu" or (offsets.dtype.kind == "f" and are_whole(offsets))
    if (
        offsets.ndim != 1
        or len(offsets) == 0
        or not whole
        or offsets[0] < 0
        or np.any(offsets[1:] < offsets[:-1])
    ):
        raise BlockError(
            "Ragged: offsets must be 1-D, whole, start at 0 or above and never decrease. "
            f"Got {given!r}. Use Ragged.from_rows to make them from a list of rows."
        )
    return offsets.astype(np.int64, copy=False)


def _check_items_alike(arrays: list[np.ndarray]) -> None:
    first = next((array for array in arrays if array.ndim and len(array)), None)
    for i, array in enumerate(arrays):
        if array.ndim == 0:
            raise BlockError(
                f"Ragged: row {i} is a single value, {array!r}. Each row is a sequence of items; "
                "a row of one item is [item]."
            )
        if first is not None and len(array) and array.shape[1:] != first.shape[1:]:
            raise BlockError(
                f"Ragged: row {i} has items of shape {array.shape[1:]}, but the first filled "
                f"row has items of shape {first.shape[1:]}. All items must be alike."
            )


def _no_items(
    arrays: list[np.ndarray], dtype: DTypeLike | None, n_tokens: int | None
) -> np.ndarray:
    item_shape = max((array.shape[1:] for array in arrays), key=len, default=())
    return np.empty((0, *item_shape), dtype=dtype or (np.int64 if n_tokens else np.float32))


def offsets_of(lengths: Sequence[int] | np.ndarray, dtype: DTypeLike = np.int64) -> np.ndarray:
    """Return where rows of these ``lengths`` (n_rows,) start and end, shape (n_rows + 1,).

    Examples
    --------
    >>> from skfusion.blocks._ragged import offsets_of
    >>> offsets_of([3, 0, 1]).tolist()
    [0, 3, 3, 4]
    """
    offsets = np.zeros(len(lengths) + 1, dtype=dtype)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def gather_runs(offsets: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets of the chosen ``rows`` and the positions of their items.

    Works on ``Ragged.offsets`` and on a csr ``indptr`` alike, without a loop over rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.blocks._ragged import gather_runs
    >>> offsets, positions = gather_runs(np.array([0, 2, 2, 5]), np.array([2, 0]))
    >>> offsets.tolist(), positions.tolist()
    ([0, 3, 5], [2, 3, 4, 0, 1])
    """
    starts = offsets[rows]
    lengths = offsets[rows + 1] - starts
    chosen = offsets_of(lengths, _offset_dtype(offsets, lengths))
    positions = np.repeat(starts - chosen[:-1], lengths)
    positions += np.arange(len(positions), dtype=positions.dtype)
    return chosen, positions


def _offset_dtype(offsets: np.ndarray, lengths: np.ndarray) -> np.dtype:
    """Return the dtype of ``offsets``, or int64 where rows taken often outgrow 32 bits."""
    n_items = lengths.sum(dtype=np.int64)
    return offsets.dtype if n_items <= np.iinfo(offsets.dtype).max else np.dtype(np.int64)
