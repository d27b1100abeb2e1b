"""The container that carries several inputs through scikit-learn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import EllipsisType
from typing import Any, TypeAlias, TypeGuard, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from scipy import sparse

from skfusion._checks import did_you_mean
from skfusion.blocks._agreement import check_block_name, check_mask, common_length
from skfusion.blocks._dense import has_mask, split_mask
from skfusion.blocks._index import row_numbers, row_part
from skfusion.blocks._kinds import Block
from skfusion.blocks._lookup import Lookup, is_lazy
from skfusion.blocks._masked import MaskedBlock
from skfusion.blocks._matrix import (
    check_dense,
    check_two_dimensional,
    copied_as_asked,
    is_dense_matrix,
    side_by_side,
)
from skfusion.blocks._ragged import Ragged
from skfusion.blocks._rows import LazyRows, as_block, cut_rows, n_rows, packed, unpacked
from skfusion.blocks._shared_tables import SharedTables
from skfusion.blocks._spec import BlockSpec, form_of, spec_of
from skfusion.exceptions import BlockTypeError

__all__ = ["Blocks"]

_Rows: TypeAlias = slice | ArrayLike
_Masks: TypeAlias = Mapping[str, ArrayLike]


class Blocks:
    """Named blocks with one row count, which scikit-learn can index, split, hash and pickle.

    An immutable value, not a dict. Selecting rows keeps the row numbers; a block is cut when it
    is asked for, so that cross-validation copies nothing that is not used.

    Parameters
    ----------
    blocks : mapping of str to array
        Each a 2-D to 5-D array or tensor (memory maps included), a scipy sparse matrix, a
        ``Ragged``, a ``Lookup``, or a lazy block. A 1-D array becomes one column. Rows of a masked
        array that are masked as a whole are missing.
    missing : mapping of str to array of bool of shape (n_rows,), default=None
        True where a row lacks the block. What the block holds there is never read.

    Attributes
    ----------
    names : tuple of str
        Names of the blocks, in order.
    shape : tuple of int
        ``(n_rows, n_blocks)``; where the blocks convert to one array (all dense and 2-D), the shape
        of that array, so that scikit-learn's own estimators count its columns.

    Raises
    ------
    BlockError
        For an invalid name, blocks of different length, a mask of another length.
    BlockTypeError
        For a block that is not numeric.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from skfusion.blocks import Blocks
    >>> X = Blocks({"text": csr_array(np.eye(4)), "photo": np.zeros((4, 8, 8, 3), np.uint8)},
    ...            missing={"photo": [False, True, False, False]})
    >>> X
    Blocks(4 rows)
      text   csr     (4, 4)        float64
      photo  image   (4, 8, 8, 3)  uint8    1 missing
    >>> X[[0, 1]]["text"].shape
    (2, 4)
    """

    __slots__ = ("_blocks", "_missing", "_n", "_rows")

    _blocks: dict[str, Block]
    _missing: dict[str, np.ndarray]
    _rows: np.ndarray | None
    _n: int

    def __init__(self, blocks: Mapping[str, object], missing: _Masks | None = None) -> None:
        if not isinstance(blocks, Mapping) or sparse.issparse(blocks):
            raise BlockTypeError(
                f"Blocks takes a mapping of names to arrays. Got {type(blocks).__name__}. "
                'Write Blocks({"X": array}) for a single array.'
            )
        for name in blocks:
            check_block_name(name)
        given = {name: np.asarray(mask) for name, mask in (missing or {}).items()}
        arrays = {}
        for name, value in blocks.items():
            if has_mask(value):
                value, given[name] = split_mask(name, value, given.get(name))
            if isinstance(value, Lookup) and value.missing.any():
                found = MaskedBlock(value, value.missing)
                value, given[name] = split_mask(name, found, given.get(name))
            arrays[name] = as_block(name, value)
        n = common_length({name: n_rows(block) for name, block in arrays.items()})
        masks = {name: check_mask(name, mask, arrays, n) for name, mask in given.items()}
        self._assign(arrays, {name: mask for name, mask in masks.items() if mask.any()}, None, n)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._blocks)

    @property
    def shape(self) -> tuple[int, int]:
        blocks = self._blocks
        if all(is_dense_matrix(block, name) for name, block in blocks.items()):
            return self._n, sum(int(block.shape[1] or 0) for block in blocks.values())
        return self._n, len(blocks)

    @property
    def ndim(self) -> int:
        return 2

    def __len__(self) -> int:
        return self._n

    def __contains__(self, name: object) -> bool:
        return name in self._blocks

    __iter__ = None  # rows or names? Neither is obvious, so neither is offered.

    @overload
    def __getitem__(self, key: str) -> Any: ...

    @overload
    def __getitem__(self, key: _Rows | tuple[_Rows, EllipsisType | slice]) -> Blocks: ...

    def __getitem__(self, key: object) -> Any:
        """Return the block called ``key``, or the ``Blocks`` of the rows that ``key`` selects."""
        if isinstance(key, str):
            return self._block(key)
        if isinstance(key, tuple):
            key = row_part(key)
        if isinstance(key, slice) and key.step in (None, 1):
            return self._slice(key)
        return self.take(row_numbers(key, self._n))

    def missing(self, name: str) -> np.ndarray | None:
        """Return the mask of rows that lack block ``name``, or None where no row does."""
        mask = self._missing.get(self._known(name))
        if mask is None or self._rows is None:
            return mask
        mask = mask[self._rows]
        return mask if mask.any() else None

    def is_lookup(self, name: str) -> bool:
        """Return whether block ``name`` is a ``Lookup``, without cutting its rows."""
        return isinstance(self._blocks[self._known(name)], Lookup)

    def lengths(self) -> np.ndarray | None:
        """Return how many items the ragged blocks of each row have, or None without such blocks.

        Examples
        --------
        >>> from skfusion.blocks import Blocks, Ragged
        >>> words = Ragged.from_rows([[3, 1, 2], [4]])
        >>> Blocks({"words": words}).lengths().tolist()
        [3, 1]
        """
        rows = self._base_rows()
        ragged = [block for block in self._blocks.values() if isinstance(block, Ragged)]
        return sum(block.lengths[rows] for block in ragged) if ragged else None

    def select(self, names: Iterable[str]) -> Blocks:
        """Return the ``Blocks`` with just the blocks called ``names``, in that order.

        Examples
        --------
        >>> import numpy as np
        >>> from skfusion.blocks import Blocks
        >>> Blocks({"a": np.zeros((2, 1)), "b": np.ones((2, 3))}).select(["b"]).names
        ('b',)
        """
        if isinstance(names, str):
            names = [names]
        blocks = {name: self._blocks[self._known(name)] for name in names}
        masks = {name: mask for name, mask in self._missing.items() if name in blocks}
        return self._like(blocks, masks, self._rows, self._n)

    def take(self, rows: np.ndarray) -> Blocks:
        """Return the ``Blocks`` of ``rows``, an array of row numbers that are known to be valid.

        What training uses for every batch; ``blocks[rows]`` is the same with checks.

        Examples
        --------
        >>> import numpy as np
        >>> from skfusion.blocks import Blocks
        >>> Blocks({"a": np.arange(4.0)}).take(np.array([3, 1]))["a"].ravel().tolist()
        [3.0, 1.0]
        """
        base = rows if self._rows is None else self._rows[rows]
        return self._like(self._blocks, self._missing, base, len(rows))

    def prefetch(self) -> None:
        """Tell the lazy blocks that these rows are asked for soon, so that they can begin.

        Examples
        --------
        >>> import numpy as np
        >>> from skfusion import Blocks
        >>> from skfusion.inputs import ImageLoader
        >>> photos = ImageLoader(lazy=True).fit_transform([np.zeros((8, 6, 3), np.uint8)] * 5)
        >>> rows = Blocks({"photo": photos})[[3, 1]]
        >>> rows.prefetch()
        >>> rows["photo"].shape
        (2, 8, 6, 3)
        """
        self.shared_tables().prefetch()
        for name, block in self._blocks.items():
            if hasattr(block, "prefetch"):
                block.prefetch(self._rows_having(name))

    def shared_tables(self) -> SharedTables:
        """Return the lazy tables of the lookups among the blocks."""
        lookups = ((name, one) for name, one in self._blocks.items() if isinstance(one, Lookup))
        return SharedTables(one[self._rows_having(name)] for name, one in lookups)

    def assign(self, blocks: Mapping[str, object], missing: _Masks | None = None) -> Blocks:
        """Return these blocks with others added or exchanged, and masks for them.

        Without a mask an exchanged block keeps its own.

        Examples
        --------
        >>> import numpy as np
        >>> from skfusion.blocks import Blocks
        >>> X = Blocks({"a": np.zeros((2, 1)), "b": np.ones((2, 3))})
        >>> X.assign({"a": np.full((2, 4), 7.0), "c": np.zeros((2, 2))}).names
        ('a', 'b', 'c')
        """
        masks = {name: mask for name in self._missing if (mask := self.missing(name)) is not None}
        kept = {name: self._parcel(name) for name in self._blocks if name not in blocks}
        names = dict.fromkeys([*self._blocks, *blocks])
        merged = {**kept, **blocks}
        return Blocks({name: merged[name] for name in names}, {**masks, **(missing or {})})

    def specs(self) -> dict[str, BlockSpec]:
        """Return the ``BlockSpec`` of each block."""
        return {name: spec_of(name, block) for name, block in self._blocks.items()}

    def astype(self, dtype: DTypeLike) -> Blocks:
        """Return the blocks with floating values of ``dtype``; integers stay as they are."""
        blocks = {
            name: block.astype(dtype, copy=False) if _is_eager_float(block) else block
            for name, block in self._blocks.items()
        }
        return self._like(blocks, self._missing, self._rows, self._n)

    def row_major(self) -> Blocks:
        """Return the blocks with the numbers of a row side by side in memory.

        Frames and some transformers lay them column by column, where cutting rows is slow.

        Examples
        --------
        >>> import numpy as np
        >>> from skfusion.blocks import Blocks
        >>> Blocks({"a": np.asfortranarray(np.eye(3))}).row_major()["a"].flags.c_contiguous
        True
        """
        blocks = {
            name: np.ascontiguousarray(block) if isinstance(block, np.ndarray) else block
            for name, block in self._blocks.items()
        }
        return self._like(blocks, self._missing, self._rows, self._n)

    def hstack(self) -> np.ndarray | sparse.csr_array:
        """Return the blocks side by side as one 2-D matrix for scikit-learn's own estimators.

        csr where at least one block is csr, else an ndarray. Rows that lack a block are zero
        there.

        Raises
        ------
        BlockTypeError
            If a block is not 2-D; the message names it.

        Examples
        --------
        >>> import numpy as np
        >>> from scipy.sparse import csr_array
        >>> from skfusion.blocks import Blocks
        >>> Blocks({"text": csr_array(np.eye(2)), "facts": np.ones((2, 3))}).hstack().shape
        (2, 5)
        """
        check_two_dimensional(self._blocks, "hstack() makes one 2-D matrix")
        return side_by_side([(self._block(name), self.missing(name)) for name in self._blocks])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        check_dense(self._blocks)
        array = self.hstack()
        array = array if dtype is None else array.astype(dtype, copy=False)
        return copied_as_asked(array, list(self._blocks.values()), copy)

    def __repr__(self) -> str:
        table = [self._describe(name) for name in self._blocks]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            for row in table
        ]
        return "\n  ".join([f"Blocks({self._n:,} rows)", *(line.rstrip() for line in lines)])

    def __reduce__(self) -> tuple[object, ...]:
        blocks = tuple((name, packed(self._parcel(name))) for name in self._blocks)
        masks = tuple((name, self.missing(name)) for name in self._missing)
        return _restore, (blocks, tuple((name, mask) for name, mask in masks if mask is not None))

    # How rows are cut

    def _block(self, name: str) -> Any:
        block = self._blocks[self._known(name)]
        return block if self._rows is None else cut_rows(block, self._rows)

    def _rows_having(self, name: str) -> np.ndarray:
        rows, missing = self._base_rows(), self.missing(name)
        return rows if missing is None else rows[~missing]

    def _base_rows(self) -> np.ndarray:
        return np.arange(self._n) if self._rows is None else self._rows

    def _parcel(self, name: str) -> Block:
        """Return the block as it travels: only the chosen rows, and those of lazy blocks unread."""
        block = self._blocks[name]
        if self._rows is not None and is_lazy(block):
            return LazyRows(block, self._rows)
        return self._block(name)

    def _slice(self, rows: slice) -> Blocks:
        start, stop, _ = rows.indices(self._n)
        stop = max(start, stop)
        if self._rows is not None:
            return self._like(self._blocks, self._missing, self._rows[start:stop], stop - start)
        if any(map(is_lazy, self._blocks.values())):
            return self.take(np.arange(start, stop))
        blocks = {name: cut_rows(block, slice(start, stop)) for name, block in self._blocks.items()}
        masks = {name: mask[start:stop] for name, mask in self._missing.items()}
        masks = {name: mask for name, mask in masks.items() if mask.any()}
        return self._like(blocks, masks, None, stop - start)

    def _known(self, name: str) -> str:
        if name not in self._blocks:
            raise KeyError(
                f"no block {name!r}; the blocks are {', '.join(map(repr, self._blocks))}. "
                f"{did_you_mean(name, self._blocks)}".rstrip()
            )
        return name

    def _describe(self, name: str) -> tuple[str, ...]:
        block, mask = self._blocks[name], self.missing(name)
        shape = "(" + ", ".join(map(str, (self._n, *block.shape[1:]))) + ")"
        missing = "" if mask is None else f"{int(mask.sum()):,} missing"
        of = f"of {n_rows(block.table):,} things" if isinstance(block, Lookup) else ""
        notes = ", ".join(filter(None, (of, missing)))
        return name, form_of(block, name).ljust(6), shape, str(block.dtype), notes

    def _like(
        self,
        blocks: dict[str, Block],
        missing: dict[str, np.ndarray],
        rows: np.ndarray | None,
        n: int,
    ) -> Blocks:
        other = object.__new__(Blocks)
        other._assign(blocks, missing, rows, n)
        return other

    def _assign(
        self,
        blocks: dict[str, Block],
        missing: dict[str, np.ndarray],
        rows: np.ndarray | None,
        n: int,
    ) -> None:
        self._blocks, self._missing, self._rows, self._n = blocks, missing, rows, n


def _is_eager_float(block: Block) -> TypeGuard[np.ndarray]:
    return hasattr(block, "astype") and np.dtype(block.dtype).kind == "f"


def _restore(
    blocks: tuple[tuple[str, object], ...], missing: tuple[tuple[str, np.ndarray], ...]
) -> Blocks:
    return Blocks({name: unpacked(pack) for name, pack in blocks}, dict(missing))
