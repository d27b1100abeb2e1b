"""Lines of a long table, or items of arrays in cells, laid out row after row."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
import torch

from skfusion._checks import did_you_mean
from skfusion.blocks import Ragged
from skfusion.blocks._ragged import offsets_of
from skfusion.exceptions import BlockError, BlockTypeError, noted
from skfusion.inputs._arrays import array_of_cell, numbers_of_cell
from skfusion.inputs._sequences.times import times_of
from skfusion.inputs._tables.one_column import cells_of, column_of, row_name
from skfusion.inputs._tables.to_pandas import pandas_table, series_of
from skfusion.typing import XLike

if TYPE_CHECKING:
    import polars
    import pyarrow

__all__ = [
    "Lines",
    "TableLike",
    "check_columns",
    "check_key_kinds",
    "keys_of",
    "lines_of_cells",
    "lines_of_keys",
    "table_of",
]

Lines: TypeAlias = tuple[pd.DataFrame, np.ndarray, np.ndarray]
TableLike: TypeAlias = "pd.DataFrame | polars.DataFrame | pyarrow.Table | dict[str, object]"

_KINDS = {
    "boolean": "booleans",
    "date": "dates",
    "datetime": "dates",
    "datetime64": "dates",
    "decimal": "numbers",
    "floating": "numbers",
    "integer": "numbers",
    "mixed-integer-float": "numbers",
    "string": "texts",
}
_EXACT = 2**53  # floats hold larger integers only in part


def lines_of_keys(table: pd.DataFrame, by: str, time: str | None, X: XLike) -> Lines:
    """Return the lines of the keys ``X``, sorted by key and time.

    Also the offsets of each different key's lines, and the number of each row's key.
    """
    codes, keys = _factorize(X)
    _check_exact(keys, table[by])
    places = keys.get_indexer(pd.Index(table[by]))
    used = np.flatnonzero(places >= 0)
    order = [] if time is None else [times_of(table[time].iloc[used])]
    used = used[np.lexsort([*order, places[used]])]
    counts = np.bincount(places[used], minlength=len(keys))
    return table.iloc[used], offsets_of(counts), codes


def _factorize(X: XLike) -> tuple[np.ndarray, pd.Index]:
    """Return the number of each row's key, and the different keys."""
    keys = keys_of(X)
    try:
        codes, different = pd.factorize(keys)
    except TypeError as error:
        odd = next(row for row, key in enumerate(keys) if not isinstance(key, Hashable))
        raise BlockTypeError(
            f"SequenceStacker: {row_name(X, odd)} holds {keys.iloc[odd]!r:.60}, which is no key. "
            "Keys are numbers, texts or dates, one a row."
        ) from error
    return codes, pd.Index(different)


def lines_of_cells(X: XLike) -> Lines:
    """Return the items of the arrays or lists (time,) or (time, d) in the cells of ``X``."""
    items = Ragged.from_rows([_items(X, row, cell) for row, cell in enumerate(_cells(X))])
    _check_finite(X, items)
    values = items.values if items.ndim == 3 else items.values[:, None]
    names = [f"value{channel}" for channel in range(values.shape[1])]
    return pd.DataFrame(values, columns=names), items.offsets, np.arange(len(items))


def keys_of(X: XLike) -> pd.Series:
    """Return the keys ``X`` as a Series, none of them missing."""
    if isinstance(X, pd.MultiIndex):
        raise BlockTypeError(
            f"SequenceStacker takes one column of keys. Got a MultiIndex of {X.nlevels} levels. "
            "Join them to one column in both tables."
        )
    keys = series_of("keys", column_of(X, "SequenceStacker"))
    keys = pd.Series(
        array_of_cell(keys, None) if isinstance(keys, (np.ndarray, torch.Tensor)) else keys
    )
    missing = keys.isna().to_numpy()
    if missing.any():
        raise BlockError(
            f"SequenceStacker: {row_name(X, int(np.argmax(missing)))} has no key. Inside a "
            "BlockUnion such rows are left out; elsewhere drop them."
        )
    return keys


def table_of(table: TableLike) -> pd.DataFrame:
    """Return the long table as a pandas frame."""
    if not isinstance(table, pd.DataFrame):
        with noted("SequenceStacker: table"):
            table = pd.DataFrame(table) if isinstance(table, dict) else pandas_table(table)
    if isinstance(table, pd.DataFrame):
        return _native(table)
    raise BlockTypeError(
        "SequenceStacker: table must be a DataFrame or a dict of columns. "
        f"Got {type(table).__name__}."
    )


def _native(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its columns in native byte order, which pandas can sort and find."""
    swapped = {
        name: dtype.newbyteorder("=")
        for name, dtype in table.dtypes.items()
        if isinstance(dtype, np.dtype) and not dtype.isnative
    }
    return table.astype(swapped) if swapped else table


def check_columns(table: pd.DataFrame, names: Iterable[str]) -> None:
    """Raise if the long table lacks one of the columns."""
    if not table.columns.is_unique:
        twice = table.columns[table.columns.duplicated()].tolist()[0]
        raise BlockError(
            f"SequenceStacker: the long table has several columns {twice!r}. Rename or drop "
            "all but one."
        )
    for name in names:
        if name not in table.columns:
            hint = did_you_mean(name, [str(column) for column in table.columns])
            raise BlockError(
                f"SequenceStacker: the long table has no column {name!r}; it has "
                f"{', '.join(map(repr, table.columns))}. {hint}".rstrip()
            )


def check_key_kinds(X: XLike, column: pd.Series) -> None:
    """Raise if no key could ever be found in ``column``, which holds another kind of values."""
    keys = keys_of(X)
    kinds = _kind_of(keys), _kind_of(column)
    if None not in kinds and kinds[0] != kinds[1]:
        raise BlockTypeError(
            f"SequenceStacker: the keys are {kinds[0]}, such as {keys.tolist()[0]!r}, but column "
            f"{column.name!r} of the long table holds {kinds[1]}, such as "
            f"{column.tolist()[0]!r}, and none can be found. Convert one of them, "
            "such as by .astype(str)."
        )


def _kind_of(column: pd.Series) -> str | None:
    """Return the kind of values that a column holds; None if it is empty or holds several."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.cat.categories.to_series()
    kind = _KINDS.get(pd.api.types.infer_dtype(column, skipna=True))
    is_zoned = kind == "dates" and getattr(column.dtype, "tz", None) is not None
    return "dates of a time zone" if is_zoned else kind


def _check_exact(keys: pd.Index, column: pd.Series) -> None:
    """Raise where integers would be compared as floats that stand for several of them."""
    kinds = {getattr(keys.dtype, "kind", "O"), getattr(column.dtype, "kind", "O")}
    if "f" not in kinds or not kinds & set("iu"):
        return
    largest = max(np.abs(keys.to_numpy()).max(), column.abs().max())
    if largest >= _EXACT:
        raise BlockError(
            f"SequenceStacker: keys run to {largest:.17g}, and some are floats, which do not hold "
            f"integers from 2**53 on. Convert keys and column {column.name!r} to integers."
        )


def _cells(X: XLike) -> Ragged | list[object]:
    return X if isinstance(X, Ragged) else cells_of(X, "SequenceStacker")


def _items(X: XLike, row: int, cell: object) -> np.ndarray:
    """Return the items in a cell, float64 (time,) or (time, d), NaN where one is missing."""
    try:
        items = numbers_of_cell(cell)
        if not items.ndim:
            raise TypeError("a single value")
    except BlockError as error:
        raise BlockError(f"SequenceStacker: {row_name(X, row)}: {error}.") from error
    except (TypeError, ValueError, RuntimeError) as error:
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


def _check_finite(X: XLike, items: Ragged) -> None:
    endless = np.isinf(items.values)
    if endless.any():
        row = int(np.searchsorted(items.offsets, np.argwhere(endless)[0, 0], side="right")) - 1
        raise BlockError(
            f"SequenceStacker: {row_name(X, row)} is infinite. Replace infinite values by NaN or "
            "by a bound."
        )
