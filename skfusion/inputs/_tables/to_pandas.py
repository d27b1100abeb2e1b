"""Tables and columns of other libraries, and of pandas' own many types, as plain pandas ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from skfusion._optional import import_optional
from skfusion.exceptions import BlockError, BlockTypeError

if TYPE_CHECKING:
    import polars
    import pyarrow

__all__ = [
    "cells_array",
    "comes_from",
    "pandas_table",
    "plain_cells",
    "plain_column",
    "plain_frame",
    "rows_as_objects",
    "series_of",
]


def pandas_table(X: object) -> object:
    """Return X as a pandas frame of plain columns where it is a table, else X itself.

    Raises
    ------
    BlockTypeError
        If the rows are not in memory; the message names the call that fetches them. If a column
        is of a type that pandas has no form for; the message names the column.
    """
    if isinstance(X, pd.DataFrame):
        _check_unique(X.columns)
        return plain_frame(X)
    if isinstance(X, np.ndarray) and X.dtype.names is not None:
        return plain_frame(pd.DataFrame(X))
    if isinstance(X, np.ndarray | pd.Series | list | tuple | dict) or comes_from(
        "polars", X, "Series"
    ):
        return X
    if comes_from("polars", X, "DataFrame"):
        return _frame_of_polars(cast("polars.DataFrame", X))
    if comes_from("polars", X, "LazyFrame"):
        raise BlockTypeError("X is a LazyFrame, which has no rows yet. Call .collect().")
    return _frame_of_interface(X)


def comes_from(library: str, value: object, kind: str = "") -> bool:
    """Whether ``value`` is of that library, and of the class called ``kind`` if one is given."""
    made_by = type(value).__module__.partition(".")[0]
    return made_by == library and kind in ("", type(value).__name__)


def series_of(name: object, values: object) -> object:
    """Return a column of polars, Arrow or pandas as a plain Series; anything else as it is."""
    if isinstance(values, pd.api.extensions.ExtensionArray | pd.Index):
        values = pd.Series(values)
    if isinstance(values, pd.Series):
        return plain_column(values)
    if isinstance(values, pd.DataFrame):
        return plain_frame(values)
    if comes_from("polars", values, "Series"):
        return _series_of_polars(cast("polars.Series", values))
    if comes_from("pyarrow", values) and hasattr(values, "to_pandas"):
        return _series_of_arrow(name, values)
    return values


# pandas


def plain_frame(frame: pd.DataFrame) -> pd.DataFrame:
    """Return ``frame`` with plain columns; the frame itself where all are plain already."""
    plain = {}
    for position, dtype in enumerate(frame.dtypes):
        if not isinstance(dtype, np.dtype) or dtype.kind == "O":
            column = frame.iloc[:, position]
            made = plain_column(column)
            if made is not column:
                plain[position] = made
    if not plain:
        return frame
    columns = {i: plain.get(i, frame.iloc[:, i]).array for i in range(frame.shape[1])}
    all_plain = pd.DataFrame(columns, index=frame.index, copy=False)
    all_plain.columns = frame.columns
    return all_plain


def plain_column(column: pd.Series) -> pd.Series:
    """Return a column in the plain form of its values; the column itself where it has that form.

    Arrow types become numpy's, dictionaries categories, lists arrays in cells, objects that are all
    numbers numbers. Where a value is missing, nullable numbers become floats and other nullable
    columns objects, with NaN.
    """
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        return _column_of_objects(column) if dtype.kind == "O" else column
    if isinstance(dtype, pd.ArrowDtype):
        made = _series_of_arrow(
            column.name, import_optional("pyarrow", "Arrow").array(column.array)
        )
        return pd.Series(made.array, index=column.index, name=column.name, copy=False)
    if isinstance(dtype, pd.SparseDtype):
        is_matrix = dtype.kind in "iufb" and dtype.fill_value == 0
        return column if is_matrix else pd.Series(column.array.to_dense(), column.index)
    if getattr(dtype, "na_value", None) is not pd.NA:
        return column
    if not column.isna().any():
        if dtype.kind not in "iufb":
            return column
        numbers = column.to_numpy(dtype=getattr(dtype, "numpy_dtype", None))
        return pd.Series(numbers, index=column.index, name=column.name, copy=False)
    if dtype.kind in "iuf":
        return column.astype(np.float64)
    cells = column.to_numpy(dtype=object, na_value=np.nan)
    return pd.Series(cells, index=column.index, name=column.name, dtype=object)


def _column_of_objects(column: pd.Series) -> pd.Series:
    cells = column.to_numpy()
    known = plain_cells(cells)
    if known is cells:
        return column
    return pd.Series(known, index=column.index, name=column.name, dtype=known.dtype)


_NUMBERS = frozenset({"integer", "floating", "mixed-integer-float", "decimal", "boolean"})
_WHOLE_IN_FLOATS = 2**53


def plain_cells(cells: np.ndarray) -> np.ndarray:
    """Return objects (n,) that are all numbers as numbers, others with NaN for ``pd.NA``."""
    inferred = pd.api.types.infer_dtype(cells, skipna=True)
    numbers = _numbers_of(cells, inferred) if inferred in _NUMBERS else None
    return _without_na(cells) if numbers is None else numbers


def _numbers_of(cells: np.ndarray, inferred: str) -> np.ndarray | None:
    """Return the numbers, with NaN where one is missing; None where they would not be the same."""
    missing = pd.isna(cells)
    if missing.any():
        if inferred == "boolean":
            return None
    elif inferred in ("integer", "boolean"):
        whole = np.array(cells.tolist())
        return whole if whole.dtype.kind in "iub" else None
    if not {np.float16, np.float32}.isdisjoint(map(type, cells)):  # they mean what they show
        return None
    try:
        numbers = np.where(missing, np.nan, cells).astype(np.float64)
    except OverflowError:
        return None
    has_ids = inferred != "floating" and (np.abs(numbers[~missing]) >= _WHOLE_IN_FLOATS).any()
    return None if has_ids else numbers


def _without_na(cells: np.ndarray) -> np.ndarray:
    """Return the cells with NaN for ``pd.NA``, which most code cannot compare."""
    missing = np.argwhere(pd.isna(cells))
    unknown = [place for place in map(tuple, missing) if cells[place] is pd.NA]
    if not unknown:
        return cells
    cells = cells.copy()
    for place in unknown:
        cells[place] = np.nan
    return cells


def _check_unique(names: pd.Index) -> None:
    if not names.is_unique:
        twice = names[names.duplicated()].tolist()[0]
        raise BlockError(
            f"column {twice!r} occurs more than once. Columns are chosen by name, so each needs "
            "its own; rename one of them, or drop those that come again: "
            "X.loc[:, ~X.columns.duplicated()]."
        )


# Arrow

_NESTED = ("list", "large_list", "fixed_size_list", "list_view", "large_list_view")


def _frame_of_arrow(table: pyarrow.Table) -> pd.DataFrame:
    names: list[str] = table.column_names
    _check_unique(pd.Index(names))
    columns = [_series_of_arrow(name, table.column(i)) for i, name in enumerate(names)]
    frame = pd.DataFrame(dict(enumerate(columns)))
    frame.columns = pd.Index(names, dtype=object)
    return frame


def _series_of_arrow(name: object, values: pyarrow.ChunkedArray) -> pd.Series:
    kind = values.type
    try:
        if str(kind).startswith("decimal"):
            values = values.cast("float64")
        if _is_list_of_lists(kind):
            return pd.Series(cells_array(values.to_pylist()))
        made = pd.Series(values.to_pandas())
    except (ValueError, TypeError, NotImplementedError) as error:
        raise BlockTypeError(
            f"column {name!r} has the Arrow type {kind}, which pandas has no form for ({error}). "
            "Cast it to another type before: column.cast(type)."
        ) from error
    return plain_column(made)


def _is_list_of_lists(kind: pyarrow.DataType) -> bool:
    inner = getattr(kind, "value_type", None)
    return _is_list(kind) and _is_list(inner)


def _is_list(kind: pyarrow.DataType) -> bool:
    return str(kind).partition("<")[0] in _NESTED


# polars


def _frame_of_polars(frame: polars.DataFrame) -> pd.DataFrame:
    columns = {name: frame[name] for name in frame.columns}
    return pd.DataFrame({name: _series_of_polars(column) for name, column in columns.items()})


def _series_of_polars(series: polars.Series) -> pd.Series:
    """Return a polars column as a pandas one, without the need of pyarrow."""
    kind = type(series.dtype).__name__
    if kind in ("List", "Array", "Struct", "Object"):
        return pd.Series(cells_array(series.to_list()))
    if kind in ("Int128", "UInt128", "Decimal"):
        return pd.Series(series.cast(float).to_numpy())
    made: pd.Series = pd.Series(series.to_numpy())
    if kind in ("Categorical", "Enum"):
        return made.astype("category")
    zone = getattr(series.dtype, "time_zone", None)
    return made.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else made


# Others

_FETCH = ("collect", "compute", "toPandas", "to_pandas")


def _frame_of_interface(X: object) -> object:
    """Return a table that speaks a protocol of data frames as a pandas frame, else X itself."""
    if comes_from("pyarrow", X) and hasattr(X, "to_pandas") and not hasattr(X, "schema"):
        return X  # an array, which is a column
    if comes_from("pyarrow", X, "RecordBatchReader"):
        raise BlockTypeError(
            "X is a RecordBatchReader, which can be read only once. Call .read_all()."
        )
    if hasattr(X, "__arrow_c_stream__") or comes_from("pyarrow", X, "RecordBatch"):
        arrow = import_optional("pyarrow", "reading a table of Arrow")
        batch = comes_from("pyarrow", X, "RecordBatch")
        return _frame_of_arrow(arrow.Table.from_batches([X]) if batch else arrow.table(X))
    if hasattr(X, "__dataframe__"):
        interchange = import_optional("pyarrow.interchange", "reading a frame of another library")
        return _frame_of_arrow(interchange.from_dataframe(X))
    for call in _FETCH:
        if hasattr(X, "columns") and callable(getattr(X, call, None)):
            raise BlockTypeError(
                f"X is a {type(X).__module__.partition('.')[0]} {type(X).__name__}, whose rows "
                f"are not in memory. Call .{call}()."
            )
    return X


def rows_as_objects(X: object) -> object:
    """Return nested lists that hold text as objects: numpy would turn their numbers into text.

    In an array of objects ``pd.NA`` becomes NaN, which scikit-learn's checks can compare.
    """
    if isinstance(X, list | tuple) and X and isinstance(X[0], list | tuple):
        has_text = any(isinstance(cell, str) for row in X for cell in row)
        X = np.asarray(X, dtype=object) if has_text else X
    if isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim == 2:
        return _without_na(X)
    return X


def cells_array(values: Sequence[object]) -> np.ndarray:
    """Return a 1-D array of objects, one a cell, whatever the cells are."""
    cells = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        cells[row] = value
    return cells
