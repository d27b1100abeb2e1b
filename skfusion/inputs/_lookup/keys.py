"""Keys of rows, and of histories in cells, as row numbers of a table."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import chain
from typing import TypeAlias

import numpy as np
import pandas as pd

from skfusion.blocks import Ragged
from skfusion.blocks._ragged import offsets_of
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._tables.one_column import cells_of, row_name

__all__ = ["Column", "Finder", "check_distinct", "is_history", "weights_of"]

_NESTED = (list, tuple, np.ndarray, pd.Series)
_SHOWN = 3

Column: TypeAlias = pd.Series


def is_history(column: Column) -> bool:
    """Return whether the cells of a column hold several keys each."""
    return column.dtype == object and any(isinstance(cell, _NESTED) for cell in column)


def check_distinct(index: pd.Index) -> None:
    """Raise ``BlockError`` unless each key of a table is there, and there once."""
    if len(index) == 0:
        raise BlockError("LookupTable: the table is empty. Give a table of one thing or more.")
    if isinstance(index, pd.MultiIndex):
        raise BlockTypeError(
            f"LookupTable: the index of the table has {index.nlevels} levels, and a key is one "
            "value. Join them to one, in the table and in the column of keys."
        )
    if index.hasnans:
        place = int(index.isna().argmax())
        raise BlockError(
            f"LookupTable: row {place} of the table has no key. Leave the row out, or give it one."
        )
    if index.has_duplicates:
        key = index[index.duplicated()].tolist()[0]
        raise BlockError(
            f"LookupTable: the table has the key {key!r} more than once. Each key names one thing: "
            "drop the other rows, table[~table.index.duplicated()]."
        )


class Finder:
    """Finds keys in the index of a table.

    Parameters
    ----------
    index : Index of n_things keys
        Each names the thing of its place.
    raises : bool
        Whether a key that is not there is an error; else it is -1, or left out of a history.
    """

    def __init__(self, index: pd.Index, raises: bool) -> None:
        self._index, self._raises = index, raises

    def one_a_row(self, column: Column) -> np.ndarray:
        """Return the number of each row's thing, shape (n_rows,), -1 for a row without a key."""
        numbers = self._find(column, column)
        unknown = (numbers < 0) & column.notna().to_numpy()
        if self._raises and unknown.any():
            row = int(unknown.argmax())
            raise self._unknown(column, row, column.iloc[row])
        return numbers

    def histories(self, column: Column, weights: Ragged | None) -> tuple[Ragged, Ragged | None]:
        """Return the numbers of each row's things, and the weights of those that are known."""
        cells = [_keys_of_cell(column, row, cell) for row, cell in enumerate(column)]
        keys = list(chain.from_iterable(cells))
        offsets = offsets_of(list(map(len, cells)))
        numbers = self._find(_series(keys), column)
        known = numbers >= 0
        if self._raises and not known.all():
            item = int((~known).argmax())
            row = int(np.searchsorted(offsets, item, side="right")) - 1
            raise self._unknown(column, row, keys[item])
        rows = np.repeat(np.arange(len(cells)), np.diff(offsets))[known]
        if weights is not None:
            _check_lengths(column, np.diff(offsets), weights)
        left = offsets_of(np.bincount(rows, minlength=len(cells)))
        found = Ragged(numbers[known], left)
        return found, None if weights is None else Ragged(weights.values[known], left)

    def _find(self, keys: pd.Series, column: Column) -> np.ndarray:
        try:
            numbers = self._index.get_indexer(pd.Index(keys))
        except TypeError as error:
            odd = next((key for key in keys if not isinstance(key, Hashable)), None)
            raise BlockTypeError(
                f"LookupTable: {_named(column)} holds {odd!r:.60}, which is no key. Keys are "
                "numbers, texts or dates, one a row, or lists of such."
            ) from error
        return np.asarray(numbers, dtype=np.int64)

    def _unknown(self, column: Column, row: int, key: object) -> BlockError:
        known = self._index[:_SHOWN].tolist()
        key = key.item() if isinstance(key, np.generic) else key
        more = ", ..." if len(self._index) > _SHOWN else ""
        kinds = type(known[0]).__name__, type(key).__name__
        types = "" if kinds[0] == kinds[1] else f" ({kinds[0]}, and this one is {kinds[1]})"
        return BlockError(
            f"LookupTable: {row_name(column, row)}, {_named(column)}: the key {key!r} is not in "
            f"the table of {len(self._index):,} things, whose keys are "
            f"{', '.join(map(repr, known))}{more}{types}. Add it to the table, or have what is "
            'not there missing: on_unknown="missing".'
        )


def weights_of(column: Column) -> Ragged:
    """Return the weights in the cells of a column, each finite and not negative."""
    rows = [_weights_of_cell(column, row, cell) for row, cell in enumerate(column)]
    weights = Ragged.from_rows(rows, dtype=np.float64)
    wrong = ~(np.isfinite(weights.values) & (weights.values >= 0))
    if wrong.any():
        item = int(wrong.argmax())
        row = int(np.searchsorted(weights.offsets, item, side="right")) - 1
        raise BlockError(
            f"LookupTable: {row_name(column, row)}, {_named(column)} holds the weight "
            f"{weights.values[item]}. Weights are finite and not negative; 0 leaves a thing out."
        )
    return weights


def _weights_of_cell(column: Column, row: int, cell: object) -> np.ndarray:
    if _is_missing(cell):
        return np.empty(0)
    try:
        weights = np.asarray(cell, dtype=np.float64)
    except (TypeError, ValueError):
        weights = np.empty(())
    if weights.ndim == 1:
        return weights
    raise BlockTypeError(
        f"LookupTable: {row_name(column, row)}, {_named(column)} holds {cell!r:.60}. Weights are "
        "lists of numbers, one for each key."
    )


def _keys_of_cell(column: Column, row: int, cell: object) -> Sequence[object]:
    if isinstance(cell, _NESTED):
        return cells_of(cell, "LookupTable") if hasattr(cell, "tolist") else [*cell]
    if _is_missing(cell):
        return []
    raise BlockTypeError(
        f"LookupTable: {row_name(column, row)}, {_named(column)} holds {cell!r:.60}, but other "
        "rows hold lists of keys. A history of one thing is a list of one key."
    )


def _check_lengths(column: Column, lengths: np.ndarray, weights: Ragged) -> None:
    differing = lengths != weights.lengths
    if differing.any():
        row = int(differing.argmax())
        raise BlockError(
            f"LookupTable: {row_name(column, row)}, {_named(column)} has {lengths[row]} keys and "
            f"{weights.lengths[row]} weights. Give one weight for each key."
        )


def _is_missing(cell: object) -> bool:
    return cell is None or cell is pd.NA or cell is pd.NaT or (cell != cell) is True


def _series(keys: list[object]) -> pd.Series:
    objects = np.empty(len(keys), dtype=object)
    objects[:] = keys
    return pd.Series(objects).infer_objects()


def _named(column: Column) -> str:
    return "the column" if column.name is None else f"column {column.name!r}"
