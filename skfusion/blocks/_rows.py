"""Rows of one block: coming in, cut out, scattered back among missing ones."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from scipy.sparse import csr_array, issparse

from skfusion.blocks._agreement import check_n_tokens, check_numeric
from skfusion.blocks._dense import is_array_like, numeric_array
from skfusion.blocks._kinds import Block, LazyBlock, is_csr
from skfusion.blocks._ragged import Ragged, gather_runs, offsets_of
from skfusion.blocks._sparse import as_csr
from skfusion.exceptions import BlockError, BlockTypeError

__all__ = ["LazyRows", "as_block", "cut_rows", "n_rows", "packed", "scatter_rows", "unpacked"]


class LazyRows:
    """Chosen rows of a lazy block: a lazy block itself, so that they travel unread."""

    __slots__ = ("_block", "_rows")

    def __init__(self, block: LazyBlock, rows: np.ndarray) -> None:
        self._block, self._rows = block, rows

    @property
    def shape(self) -> tuple[int | None, ...]:
        return (len(self), *self._block.shape[1:])

    @property
    def ndim(self) -> int:
        return int(self._block.ndim)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self._block.dtype)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray | Ragged:
        return self._block[self._rows[rows]]

    def prefetch(self, rows: np.ndarray) -> None:
        """Let the lazy block begin with ``rows``, where it can."""
        if hasattr(self._block, "prefetch"):
            self._block.prefetch(self._rows[rows])


def as_block(name: str, value: object) -> Block:
    """Return ``value`` as a block: csr, ndarray, ``Ragged``, or unchanged if it is lazy.

    A lazy block is any object with ``shape``, ``ndim``, ``dtype``, ``__len__`` and a
    ``__getitem__`` that takes a slice or an array of row numbers and returns an ndarray. If it has
    a method ``prefetch``, that is told an array of row numbers which are asked for soon.

    Examples
    --------
    >>> from skfusion.blocks._rows import as_block
    >>> as_block("price", [3.5, 4.0]).shape
    (2, 1)
    """
    if type(value) is np.ndarray and value.dtype.kind in "fiub":
        return _check_axes(name, value)
    if issparse(value):
        return as_csr(name, value)
    if isinstance(value, Ragged):
        return _count_ids(name, check_numeric(name, value))
    if is_array_like(value):
        return _check_axes(name, numeric_array(name, value))
    if all(hasattr(value, part) for part in ("shape", "ndim", "dtype", "__getitem__", "__len__")):
        return check_numeric(name, value)
    raise BlockTypeError(
        f"block {name!r} is a {type(value).__name__}. A block is an array, a scipy sparse matrix, "
        "a Ragged, or a lazy block with shape, ndim, dtype and rows by number."
    )


def _check_axes(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim == 1:
        return array[:, None]
    if not 2 <= array.ndim <= 5:
        raise BlockError(
            f"block {name!r} has {array.ndim} axes, shape {array.shape}. A block has 2 (vectors), "
            "3 (sequences), 4 (images) or 5 (videos)."
        )
    return array


def _count_ids(name: str, block: Ragged) -> Ragged:
    """Fix the size of the vocabulary, so that every selection of rows has the same one."""
    if block.ndim != 2 or block.dtype.kind not in "iu":
        return block
    if block.n_tokens is not None:
        check_n_tokens(name, block.n_tokens)
        return block
    ids = block.values[block.offsets[0] : block.offsets[-1]]
    return Ragged(block.values, block.offsets, check_n_tokens(name, int(ids.max(initial=0)) + 1))


def n_rows(block: Block) -> int:
    """Return the number of rows (``len`` of a sparse matrix is an error)."""
    return cast(int, block.shape[0])


def cut_rows(block: Block, rows: slice | np.ndarray) -> Block:
    """Return the chosen ``rows``, an int array or a slice of step 1; a slice is a view.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.blocks._rows import cut_rows
    >>> cut_rows(np.array([[1], [2], [3]]), np.array([2, 0])).tolist()
    [[3], [1]]
    """
    if is_csr(block):
        return _cut_csr(block, rows)
    if isinstance(block, np.ndarray) and isinstance(rows, np.ndarray):
        # take() of a memory map claims to be one, and would hash unlike the same rows in memory.
        block = np.asarray(block)
        # take() copies the whole of what is not laid out row by row.
        return block.take(rows, axis=0) if block.flags.c_contiguous else block[rows]
    return block[rows]


def _cut_csr(block: csr_array, rows: slice | np.ndarray) -> csr_array:
    if isinstance(rows, slice):
        start, stop, _ = rows.indices(block.shape[0])
        indptr = block.indptr[start : max(start, stop) + 1]
        items = slice(indptr[0], indptr[-1])
        parts = block.data[items], block.indices[items], indptr - indptr[0]
    else:
        indptr, positions = gather_runs(block.indptr, rows)
        parts = block.data.take(positions), block.indices.take(positions), indptr
    return type(block)(parts, shape=(len(indptr) - 1, block.shape[1]), copy=False)


def scatter_rows(block: Block, present: np.ndarray) -> Block:
    """Spread the rows of ``block`` over the True places of ``present``; the others are empty.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.blocks._rows import scatter_rows
    >>> scatter_rows(np.array([[5], [6]]), np.array([True, False, True])).tolist()
    [[5], [0], [6]]
    """
    if is_csr(block):
        indptr = _spread_offsets(block.indptr, present)
        shape = len(present), block.shape[1]
        return type(block)((block.data, block.indices, indptr), shape=shape)
    if isinstance(block, Ragged):
        return Ragged(block.values, _spread_offsets(block.offsets, present), block.n_tokens)
    spread = np.zeros((len(present), *block.shape[1:]), dtype=block.dtype)
    spread[present] = block[:]
    return spread


def _spread_offsets(offsets: np.ndarray, present: np.ndarray) -> np.ndarray:
    return offsets[offsets_of(present)]


def packed(block: Block) -> object:
    """Return what hashes alike where values are alike: csr without its cached flags, no maps."""
    if not is_csr(block):
        return np.asarray(block) if isinstance(block, np.memmap) else block
    return type(block), block.data, block.indices, block.indptr, *block.shape


def unpacked(pack: object) -> Any:
    """Return the block that ``packed`` made ``pack`` of."""
    if not isinstance(pack, tuple):
        return pack
    return pack[0](tuple(pack[1:4]), shape=tuple(pack[4:]), copy=False)
