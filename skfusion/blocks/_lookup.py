"""A block whose rows look up their things in a table, where each thing is kept once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeGuard

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import issparse

from skfusion.blocks._dense import has_mask, split_mask
from skfusion.blocks._index import row_numbers
from skfusion.blocks._kinds import Block, LazyBlock
from skfusion.blocks._lookup_keys import Keys, checked_keys, checked_weights, kept_items
from skfusion.blocks._ragged import Ragged, offsets_of
from skfusion.blocks._rows import as_block, cut_rows, n_rows, packed, unpacked
from skfusion.exceptions import BlockError, BlockTypeError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Lookup", "is_lazy"]


class Lookup:
    """Rows that hold keys into a table of things: 12,000 ratings of 1,002 posters.

    Each distinct thing of a batch is read and encoded once, however many rows hold it; by an
    encoder that is frozen each thing is encoded once a fit. An encoder sees things, not rows: what
    fits the table fits the block, and an estimator that was fitted on a lookup predicts from rows
    that are written out as well (and the other way round).

    With a *history*, several keys a row, the encoded things of a row are averaged, by weight where
    there are weights. A fusion that takes tokens sees each thing of a history as one token, times
    its weight over the mean of its row's weights. The order within a history plays no part.

    Immutable. Selecting rows selects keys; all selections share the table.

    Parameters
    ----------
    keys : array of int of shape (n_rows,), or Ragged of int
        Row numbers of ``table``, -1 for a row that has no thing; a ``Ragged`` for histories.
    table : array, csr matrix, Ragged or lazy block of n_things rows
        The things. Things that a ``MaskedBlock`` marks as missing are in no row.
    weights : Ragged of float, default=None
        Of the things of each history, >= 0, in any unit. Things of weight 0 are left out.

    Attributes
    ----------
    missing : ndarray of bool of shape (n_rows,)
        Rows without a thing; ``Blocks`` marks them as missing.

    Raises
    ------
    BlockError
        If the table is empty, a key is not in it, or weights do not fit; names row and key.
    BlockTypeError
        If keys are no integers, or the table is no block.

    Notes
    -----
    A thing that many rows of a batch hold is encoded once, with one draw of dropout or augmentation
    for all of them, and counts once in the statistics of a BatchNorm.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionRegressor
    >>> from skfusion.blocks import Lookup, Ragged
    >>> rng = np.random.default_rng(0)
    >>> posters = rng.integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    >>> poster = Lookup(rng.integers(0, 20, 300), posters)
    >>> poster
    Lookup(300 rows of 20 things, shape=(300, 16, 16, 3), dtype=uint8)
    >>> seen = Ragged.from_rows([rng.integers(0, 20, 1 + row % 4) for row in range(300)])
    >>> X = {"poster": poster, "seen": Lookup(seen, posters)}
    >>> FusionRegressor(max_epochs=2).fit(X, rng.normal(size=300)).predict(X).shape
    (300,)
    """

    __slots__ = ("keys", "table", "weights")

    keys: Keys
    table: Block
    weights: Ragged | None

    def __init__(self, keys: object, table: object, weights: Ragged | None = None) -> None:
        table, gone = _checked_table(table)
        keys = checked_keys(keys, n_rows(table))
        weights = checked_weights(weights, keys)
        if isinstance(keys, Ragged):
            kept = np.ones(len(keys.values), bool) if gone is None else ~gone[keys.values]
            kept = kept if weights is None else kept & (weights.values > 0)
            keys, weights = kept_items(keys, weights, kept)
        elif gone is not None:
            keys = np.where((keys >= 0) & ~gone[keys], keys, -1)
        self._assign(keys, table, weights)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """``(n_rows, *shape of a thing)``."""
        return (len(self.keys), *self.table.shape[1:])

    @property
    def ndim(self) -> int:
        return int(self.table.ndim)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.table.dtype)

    @property
    def missing(self) -> np.ndarray:
        return self.keys.lengths == 0 if isinstance(self.keys, Ragged) else self.keys < 0

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, rows: slice | ArrayLike) -> Lookup:
        """Return the selected rows, which share the table."""
        rows = rows if isinstance(rows, slice) else row_numbers(rows, len(self))
        return self._like(self.keys[rows], None if self.weights is None else self.weights[rows])

    def __repr__(self) -> str:
        of = f"{len(self):,} rows of {n_rows(self.table):,} things"
        return f"Lookup({of}, shape={self.shape}, dtype={self.dtype})"

    def __reduce__(self) -> tuple[object, ...]:
        keys = self.keys if isinstance(self.keys, Ragged) else np.asarray(self.keys)
        return _restore, (keys, packed(self.table), self.weights)

    def distinct(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the distinct keys (n_distinct,), and where among them each key stands (n_keys,).

        Examples
        --------
        >>> import numpy as np
        >>> from skfusion.blocks import Lookup
        >>> Lookup([3, 1, 3], np.eye(4)).distinct()
        (array([1, 3]), array([1, 0, 1]))
        """
        keys, places = np.unique(self._items, return_inverse=True)
        return keys, places.reshape(-1)  # numpy 2.0 gives the inverse another shape

    def shares(self) -> np.ndarray | None:
        """Return what each thing of a history counts, summing to 1 in each row; None if all alike.

        Examples
        --------
        >>> from skfusion.blocks import Lookup, Ragged
        >>> seen, stars = Ragged.from_rows([[0, 2], [1]]), Ragged.from_rows([[1.0, 3.0], [5.0]])
        >>> Lookup(seen, [[1.0], [2.0], [3.0]], stars).shares().tolist()
        [0.25, 0.75, 1.0]
        """
        if self.weights is None:
            return None
        filled = self.weights[~self.missing]
        weights, starts, lengths = filled.values, filled.offsets[:-1], filled.lengths
        if len(weights) == 0:
            return weights
        # The sum of huge weights may be infinite.
        weights = weights / np.repeat(np.maximum.reduceat(weights, starts), lengths)
        return weights / np.repeat(np.add.reduceat(weights, starts), lengths)

    def used(self) -> np.ndarray:
        """Return which things of the table some row holds, bool of shape (n_things,)."""
        used = np.zeros(n_rows(self.table), dtype=bool)
        used[self._items] = True
        return used

    def things(self, keys: np.ndarray) -> Block:
        """Return the things of ``keys``; those of a lazy table are read."""
        return cut_rows(self.table, keys)

    def with_table(self, table: Block) -> Lookup:
        """Return the same rows of another table of as many things."""
        return self if table is self.table else _plain(self.keys, table, self.weights)

    def spread(self, present: np.ndarray) -> Lookup:
        """Return these rows at the True places of ``present``; the others have no thing."""
        if isinstance(self.keys, Ragged):
            offsets = self.keys.offsets[offsets_of(present)]
            weights = None if self.weights is None else Ragged(self.weights.values, offsets)
            return self._like(Ragged(self.keys.values, offsets), weights)
        keys = np.full(len(present), -1)
        keys[present] = self.keys
        return self._like(keys, None)

    @property
    def _items(self) -> np.ndarray:
        """The keys of all rows, one row after the other, without those that stand for none."""
        if isinstance(self.keys, Ragged):
            return self.keys.values[self.keys.offsets[0] : self.keys.offsets[-1]]
        return self.keys[self.keys >= 0]

    def _like(self, keys: Keys, weights: Ragged | None) -> Lookup:
        return _plain(keys, self.table, weights)

    def _assign(self, keys: Keys, table: Block, weights: Ragged | None) -> Self:
        self.keys, self.table, self.weights = keys, table, weights
        return self


def is_lazy(block: Block) -> TypeGuard[LazyBlock]:
    """Return whether the rows of ``block`` are read when they are asked for."""
    return not (isinstance(block, (np.ndarray, Ragged, Lookup)) or issparse(block))


def _plain(keys: Keys, table: Block, weights: Ragged | None) -> Lookup:
    return object.__new__(Lookup)._assign(keys, table, weights)


def _restore(keys: Keys, pack: object, weights: Ragged | None) -> Lookup:
    return _plain(keys, unpacked(pack), weights)


def _checked_table(table: object) -> tuple[Block, np.ndarray | None]:
    """Return the table as a block, and which of its things are missing."""
    gone = None
    if has_mask(table):
        table, gone = split_mask("of a Lookup's table", table, None)
    if isinstance(table, Lookup):
        raise BlockTypeError(
            "Lookup: the table is a Lookup itself. Give its table, and keys into that: "
            "Lookup(inner.keys[keys], inner.table)."
        )
    block = as_block("of a Lookup's table", table)
    if n_rows(block) == 0:
        raise BlockError("Lookup: the table is empty. Give a table of one thing or more.")
    return block, gone
