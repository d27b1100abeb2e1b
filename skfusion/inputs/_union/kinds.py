"""What a column is, told by its type and its values."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from skfusion.exceptions import BlockTypeError
from skfusion.inputs._tables.cell_kinds import cell_unlike_most, has_value
from skfusion.inputs._union.text_or_category import tendency_of

__all__ = ["Kind", "holds_only_numbers", "is_numeric", "kind_of"]

_SAMPLE = 1000
_FEW_VALUES = 8  # of 9 values, one fold in 50,000 has none


@dataclass(frozen=True)
class Kind:
    """What a column was taken for.

    Parameters
    ----------
    name : str
        The kind.
    why : str
        What tells it.
    doubt : str, default=""
        What other rows of the column might be taken for.
    is_empty : bool, default=False
        Whether the column has no value.
    """

    name: str
    why: str
    doubt: str = ""
    is_empty: bool = False


_INFERRED = {
    "boolean": "boolean",
    "date": "date",
    "datetime": "date",
    "datetime64": "date",
    "period": "date",
    "decimal": "number",
    "floating": "number",
    "integer": "number",
    "mixed-integer-float": "number",
    "string": "text",
}

_REPAIRS = {
    "bytes": "Decode it: .str.decode('utf-8').",
    "complex": "Take the real and the imaginary part as two columns.",
    "mixed-integer": "Convert it to one type, such as .astype(str).",
    "time": "Convert it to hours: [time.hour + time.minute / 60 for time in column].",
    "timedelta": "Convert it to a number: .dt.total_seconds().",
    "timedelta64": "Convert it to a number: .dt.total_seconds().",
}


def kind_of(key: Hashable, value: Any) -> Kind:
    """Return what a column, or an array of a dict, is.

    Columns are a "number", "boolean", "category", "date", "text" or "array"; "empty" or "blank"
    where there is nothing in them. Arrays are "numbers", "booleans", "dates" or a "passthrough".

    Raises
    ------
    BlockTypeError
        If it is nothing that is known; names the column, and the repair.
    """
    if not isinstance(value, np.ndarray | pd.Series | pd.DataFrame) or value.ndim > 2:
        return Kind("passthrough", f"a block of shape {getattr(value, 'shape', '?')}")
    if value.ndim == 1:
        return _kind_of_column(key, pd.Series(value))
    kinds = {dtype.kind for dtype in getattr(value, "dtypes", [getattr(value, "dtype", None)])}
    why = f"{value.shape[1]} columns side by side"
    if kinds <= set("fiub"):
        return Kind("booleans" if kinds == {"b"} else "numbers", why)
    if kinds == {"M"}:
        return Kind("dates", why)
    raise _no_transformer(key, "mixed", value)


def _kind_of_column(key: Hashable, column: pd.Series) -> Kind:
    if not has_value(column):
        return Kind(_kind_by_dtype(column) or "empty", "no value", is_empty=True)
    kind = _kind_by_dtype(column) or _kind_by_values(column)
    if kind is None:
        raise _no_transformer(key, _inferred(column), column.dropna().iloc[0], _odd_cell(column))
    found = _text_or_category(column.dropna()) if kind == "text" else Kind(kind, _why(kind, column))
    return replace(found, doubt="empty") if _may_be_empty(column) else found


def _may_be_empty(column: pd.Series) -> bool:
    """Whether the rows of a fold, 70 % of all, may be those without a value."""
    n_left_out = len(column) - int(0.7 * len(column))
    return int(column.notna().sum()) <= min(_FEW_VALUES, n_left_out)


def _why(kind: str, column: pd.Series) -> str:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return f"{len(column.dtype.categories):,} categories"
    if kind == "blank":
        return "nothing in its arrays"
    return "arrays in its cells" if kind == "array" else f"{column.dtype} values"


def _kind_by_dtype(column: pd.Series) -> str | None:
    types = pd.api.types
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "category"
    if types.is_bool_dtype(column.dtype):
        return "boolean"
    if types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype):
        return "number"
    is_date = types.is_datetime64_any_dtype(column.dtype) or isinstance(
        column.dtype, pd.PeriodDtype
    )
    return "date" if is_date else None


def _kind_by_values(column: pd.Series) -> str | None:
    present = column.dropna()
    if present.empty:
        return "number"
    if present.dtype == object and all(map(_is_array, present)):
        return "array" if any(np.size(cell) for cell in present) else "blank"
    kind = _INFERRED.get(_inferred(present))
    return "number" if kind is None and all(map(_is_real, present)) else kind


def _inferred(column: pd.Series) -> str:
    return pd.api.types.infer_dtype(column, skipna=True)


def _text_or_category(present: pd.Series) -> Kind:
    """Return "text" for sentences, and for words that seldom repeat; else "category"."""
    tendency = tendency_of(present)
    if tendency.to_text > 0 and not present.str.strip().ne("").any():
        return Kind("blank", "nothing but space")
    n_words = float(np.mean([len(str(cell).split()) for cell in _sample(present)]))
    why = f"{present.nunique():,} different values, {n_words:.0f} words on average"
    kind, other = ("text", "category") if tendency.to_text > 0 else ("category", "text")
    why = why.replace(", 1 words", ", 1 word")
    return Kind(kind, why, "" if tendency.is_sure else other)


def _sample(present: pd.Series) -> pd.Series:
    return present if len(present) <= _SAMPLE else present.iloc[:: len(present) // _SAMPLE]


def _is_real(cell: object) -> bool:
    return isinstance(cell, Real | Decimal) and not isinstance(cell, bool | np.bool_)


def _is_array(cell: Any) -> bool:
    if isinstance(cell, (np.ndarray, list, tuple)):
        return True
    has_interface = hasattr(cell, "__array__") or hasattr(cell, "__array_interface__")
    return has_interface and not isinstance(cell, np.generic)


def is_numeric(values: Any) -> bool:
    """Return whether ``values`` are numbers of numpy's own types."""
    dtype = getattr(values, "dtype", None)
    return isinstance(dtype, np.dtype) and dtype.kind in "fiu"


def holds_only_numbers(array: Any) -> bool:
    """Return whether no column has to be looked at: numbers, or objects of no known other kind.

    What is neither number, text, date nor array is left to scikit-learn, which says what is wrong.
    """
    if is_numeric(array) or issparse(array):
        return True
    if array.dtype.kind != "O":
        return False
    columns = (pd.Series(array[:, position]) for position in range(array.shape[1]))
    return all(_kind_by_values(column) in ("number", None) for column in columns)


def _odd_cell(column: pd.Series) -> str:
    odd = cell_unlike_most(column)
    return "" if odd is None else f" Most of its cells are of another kind: {odd}."


def _no_transformer(key: Any, inferred: str, cell: Any, odd: str = "") -> BlockTypeError:
    repair = _REPAIRS.get(inferred, "Convert it to numbers, text, dates or arrays.")
    if odd.endswith("no number."):
        number = f"pd.to_numeric(X[{key!r}], errors='coerce')"
        repair = f"Make such cells missing: {number}; or all of them texts: .astype(str)."
    return BlockTypeError(
        f"column {key!r} holds {type(cell).__name__} ({inferred}; such as {cell!r:.60}), for which "
        f"BlockUnion() has no transformer.{odd} {repair} Or name one: "
        f"BlockUnion([('name', transformer, {key!r})])."
    )
