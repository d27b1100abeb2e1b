"""What the cells of a column are, and which cell is something else."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable
from typing import cast

import numpy as np
import pandas as pd

from skfusion.inputs._tables.one_column import row_name

__all__ = [
    "cell_unlike_most",
    "find_odd_cell",
    "has_value",
    "is_number",
    "kind_of_cells",
    "may_hold_others",
    "not_finite_cell",
]

_OF_INFERRED = {
    "string": "text",
    "integer": "number",
    "floating": "number",
    "mixed-integer-float": "number",
    "decimal": "number",
    "boolean": "number",
    "date": "date",
    "datetime": "date",
    "datetime64": "date",
    "period": "date",
    "timedelta": "duration",
    "timedelta64": "duration",
    "time": "time",
    "bytes": "bytes",
    "empty": "nothing",
}

_OF_DTYPE = {"f": "number", "M": "date", "m": "duration"}


def kind_of_cells(column: pd.Series) -> str:
    """Return what all cells are.

    That is "number", "text", "date", "duration", "time", "bytes", "array", "nothing" or "other".
    Cells that are missing do not count; booleans count as numbers, lists as arrays.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion.inputs._tables.cell_kinds import kind_of_cells
    >>> kind_of_cells(pd.Series(["a", None])), kind_of_cells(pd.Series([True, False]))
    ('text', 'number')
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        is_empty = not column.notna().any()
        return "nothing" if is_empty else kind_of_cells(pd.Series(dtype.categories))
    if isinstance(dtype, np.dtype) and dtype.kind in "iub":
        return "number"
    if dtype.kind in _OF_DTYPE:
        return _OF_DTYPE[dtype.kind] if has_value(column) else "nothing"
    kind = _OF_INFERRED.get(_inferred(column), "other")
    return "array" if kind == "other" and _starts_with_array(column) else kind


def _starts_with_array(column: pd.Series) -> bool:
    position = int(column.notna().to_numpy().argmax())
    return isinstance(column.iloc[position], _TYPES["array"])


def has_value(column: pd.Series) -> bool:
    """Whether a cell of the column is not missing; seldom more than the first is looked at."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iubf":
        values = column.to_numpy()
        return bool((values[:1] == values[:1]).any() or (values == values).any())  # NaN is not
    return bool(column.notna().any())


def may_hold_others(column: pd.Series, kind: str) -> bool:
    """Whether some cells may not be of ``kind``, told at the cost of a pass over the types."""
    return column.dtype.kind == "O" and _OF_INFERRED.get(_inferred(column)) not in (kind, "nothing")


def find_odd_cell(column: pd.Series, kind: str) -> str | None:
    """Return the first cell that is not of ``kind``, and its row; None if all are.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion.inputs._tables.cell_kinds import find_odd_cell
    >>> find_odd_cell(pd.Series(["a", None, 5], name="memo"), "text")
    "column 'memo', row 2 is 5 (int), no text"
    """
    fits = _IS.get(kind)
    return None if fits is None else _first(column, kind, lambda cell: not fits(cell))


def cell_unlike_most(column: pd.Series) -> str | None:
    """Return the first cell that is not of the kind of most cells, and its row; None if all are."""
    cells = column.astype(object).to_numpy()
    counts = Counter(map(_kind_of_cell, cells[~pd.isna(cells)]))
    if len(counts) < 2:
        return None
    most = counts.most_common(1)[0][0]
    return _first(column, most, lambda cell: _kind_of_cell(cell) != most)


def not_finite_cell(column: pd.Series) -> str | None:
    """Return the first cell of numbers that is missing or infinite, and its row; None if none is.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion.inputs._tables.cell_kinds import not_finite_cell
    >>> not_finite_cell(pd.Series([1.5, None], name="cost"))
    "column 'cost', row 1 is missing"
    """
    cells = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    rows = np.flatnonzero(~np.isfinite(cells))
    if not len(rows):
        return None
    what = "missing" if np.isnan(cells[rows[0]]) else "infinite"
    return f"column {column.name!r}, {row_name(column, int(rows[0]))} is {what}"


def is_number(cell: object) -> bool:
    """Whether a cell can be read as a number, be it written as text."""
    if isinstance(cell, (np.ndarray, *_SILENT)):
        return False
    try:
        float(cast("str", cell))
    except (TypeError, ValueError):
        return False
    return True


def _first(column: pd.Series, kind: str, is_odd: Callable[[object], bool]) -> str | None:
    cells = column.astype(object).to_numpy()
    for row in np.flatnonzero(~pd.isna(cells)):
        cell = cells[row]
        if is_odd(cell):
            what = f"{cell!r:.60} ({type(cell).__name__})"
            return f"column {column.name!r}, {row_name(column, int(row))} is {what}, no {kind}"
    return None


def _inferred(column: pd.Series) -> str:
    kind = pd.api.types.infer_dtype(column, skipna=True)
    # Of the values that stand for a missing one, pandas takes NaT for a date, and for a mixture
    # among texts.
    is_told_by_nat = kind == "mixed" or kind.startswith(("datetime", "timedelta"))
    return pd.api.types.infer_dtype(column[column.notna()]) if is_told_by_nat else kind


def _kind_of_cell(cell: object) -> str:
    for kind, types in _TYPES.items():
        if isinstance(cell, types):
            return kind
    return "number" if is_number(cell) else type(cell).__name__


_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "boolean": (bool, np.bool_),
    "date": (datetime.date, np.datetime64),
    "array": (np.ndarray, list, tuple),
}

# numpy makes numbers of them, but not such as anybody means.
_SILENT = (np.datetime64, np.timedelta64, bytes)

_IS: dict[str, Callable[[object], bool]] = {
    "text": lambda cell: isinstance(cell, str),
    "number": is_number,
    "quantity": lambda cell: not isinstance(cell, _SILENT),
}
