"""Lines of a long table, or items of arrays in cells, laid out row after row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from skfusion._checks import did_you_mean
from skfusion.blocks import Ragged
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._sequences.channels import seconds_of
from skfusion.inputs._tables.one_column import cells_of, column_of, row_name

__all__ = ["Lines", "check_columns", "keys_of", "lines_of_cells", "lines_of_keys", "table_of"]

Lines = tuple[pd.DataFrame, np.ndarray, np.ndarray]


def lines_of_keys(table: pd.DataFrame, by: Any, time: str | None, X: Any) -> Lines:
    """Return the lines of the keys ``X``, sorted by key and time.

    Also the offsets of each different key's lines, and the number of each row's key.
    """
    codes, keys = pd.factorize(keys_of(X))
    places = pd.Index(keys).get_indexer(table[by])
    used = np.flatnonzero(places >= 0)
    order = [] if time is None else [seconds_of(table[time].iloc[used])]
    used = used[np.lexsort([*order, places[used]])]
    counts = np.bincount(places[used], minlength=len(keys))
    return table.iloc[used], np.concatenate([[0], np.cumsum(counts)]), codes


def lines_of_cells(X: Any) -> Lines:
    """Return the items of the arrays or lists (time,) or (time, d) in the cells of ``X``."""
    items = Ragged.from_rows([_items(X, row, cell) for row, cell in enumerate(_cells(X))])
    values = items.values if items.ndim == 3 else items.values[:, None]
    names = [f"value{channel}" for channel in range(values.shape[1])]
    return pd.DataFrame(values, columns=names), items.offsets, np.arange(len(items))


def keys_of(X: Any) -> pd.Series:
    """Return the keys ``X`` as a Series, none of them missing."""
    keys = pd.Series(column_of(X, "SequenceStacker"))
    missing = keys.isna().to_numpy()
    if missing.any():
        raise BlockError(
            f"SequenceStacker: {row_name(X, int(np.argmax(missing)))} has no key. Inside a "
            "BlockUnion such rows are left out; elsewhere drop them."
        )
    return keys


def table_of(table: Any) -> pd.DataFrame:
    """Return the long table as a pandas frame."""
    if isinstance(table, pd.DataFrame):
        return table
    if hasattr(table, "columns") and hasattr(table, "get_column"):
        return pd.DataFrame({name: table.get_column(name).to_numpy() for name in table.columns})
    if isinstance(table, dict):
        return pd.DataFrame(table)
    raise BlockTypeError(
        "SequenceStacker: table must be a DataFrame or a dict of columns. "
        f"Got {type(table).__name__}."
    )


def check_columns(table: pd.DataFrame, names: Iterable[Any]) -> None:
    """Raise if the long table lacks one of the columns."""
    for name in names:
        if name not in table.columns:
            hint = did_you_mean(name, [str(column) for column in table.columns])
            raise BlockError(
                f"SequenceStacker: the long table has no column {name!r}; it has "
                f"{', '.join(map(repr, table.columns))}. {hint}".rstrip()
            )


def _cells(X: Any) -> Any:
    return X if isinstance(X, Ragged) else cells_of(X, "SequenceStacker")


def _items(X: Any, row: int, cell: Any) -> np.ndarray:
    try:
        items = np.asarray(cell, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BlockTypeError(
            f"SequenceStacker: {row_name(X, row)} holds {cell!r:.60}, no array of numbers. Give "
            "table= and by= if the cells are keys of a long table."
        ) from error
    if items.ndim not in (1, 2):
        raise BlockError(
            f"SequenceStacker: {row_name(X, row)} has shape {items.shape}. A sequence in a cell is "
            "(time,) or (time, d)."
        )
    return items
