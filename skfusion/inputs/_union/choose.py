"""What ``BlockUnion()`` chooses for each column."""

from __future__ import annotations

import re
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.pipeline import make_pipeline

from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._sequences.array_stacker import ArrayStacker
from skfusion.inputs._tables.cell_kinds import cell_unlike_most, has_value
from skfusion.inputs._tables.dates import DateParts
from skfusion.inputs._tables.plain import PlainLabels, PlainNumbers
from skfusion.inputs._tables.table import ArrayTable, Table
from skfusion.inputs._union.columns import as_list, shown_names

__all__ = ["choose_transformers"]

_MANY_VALUES = 40
_WORDS_OF_A_TEXT = 3

_GROUPS = {"number": "numbers", "boolean": "booleans", "category": "categories", "date": "dates"}

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

# A block with one of these names could not be told from the estimator's own parameter in
# names such as optimizer__lr, so a column of that name gets a block of a slightly other name.
_RESERVED = frozenset(
    {
        "accumulate",
        "averaging",
        "batch_by_length",
        "batch_size",
        "block_dropout",
        "block_loss_weight",
        "callbacks",
        "checkpoint",
        "class_weight",
        "device",
        "dtype",
        "early_stopping",
        "encoders",
        "fusion",
        "gradient_clipping",
        "gradient_modulation",
        "head",
        "label_smoothing",
        "loss",
        "lr",
        "max_epochs",
        "memory",
        "missing",
        "n_iter_no_change",
        "n_jobs",
        "net_params",
        "optimizer",
        "precision",
        "random_state",
        "remainder",
        "schedule",
        "scoring",
        "target",
        "transformers",
        "validation_fraction",
        "validation_split",
        "verbose",
        "warm_start",
        "weight_decay",
    }
)


def choose_transformers(table: Table) -> list[tuple[str, Any, Any]]:
    """Return ``(name, transformer, columns)`` for all columns of ``table``.

    Numbers, booleans, categories and dates become one block each; texts, arrays in cells and the
    arrays of a dict one block a column. See ``BlockUnion`` for the rules.

    Raises
    ------
    BlockTypeError
        For a column that is none of these; the message names it and the repair.
    """
    if isinstance(table, ArrayTable) and _holds_only_numbers(table.source):
        return [_block_of_numbers(table)]
    kinds = _kinds_of_columns(table)
    groups = [
        (name, _transformer_of(kind, table, chosen), chosen)
        for kind, name in _GROUPS.items()
        if (chosen := [key for key in table.keys if kinds.get(key) == kind])
    ]
    return groups + _blocks_of_columns(table, kinds, {name for name, _, _ in groups})


def _kinds_of_columns(table: Table) -> dict[Any, str]:
    """Return the kind of each column that has a value.

    Columns without one count as numbers, all missing, where there are numbers.
    """
    kinds = {key: _kind_of(key, table.take(key)) for key in table.keys}
    if "number" in kinds.values():
        kinds = {key: "number" if kind == "empty" else kind for key, kind in kinds.items()}
    kinds = {key: kind for key, kind in kinds.items() if kind not in ("empty", "blank")}
    if not kinds:
        raise BlockError(
            f"none of the {table.n_columns} columns of X has a value: {shown_names(table.keys)}. "
            "There is nothing to learn from; were the columns read as intended?"
        )
    return kinds


def _block_of_numbers(table: ArrayTable) -> tuple[str, Any, Any]:
    if issparse(table.source):
        return "numbers", "passthrough", table.keys
    transformer = _numbers(plain=table.source.dtype.kind == "O" or _is_plain(table.source))
    return "numbers", transformer, table.keys


def _blocks_of_columns(
    table: Table, kinds: dict[Any, str], taken: set[str]
) -> list[tuple[str, Any, Any]]:
    blocks = []
    for key, kind in kinds.items():
        if kind not in _GROUPS:
            name = _unique_name(key, taken)
            taken = taken | {name}
            blocks.append((name, _transformer_of(kind, table, key), key))
    return blocks


def _transformer_of(kind: str, table: Table, columns: Any) -> Any:
    if kind in ("number", "numbers"):
        return _numbers(plain=all(_is_plain(table.take(key)) for key in as_list(columns)))
    return {
        "boolean": _booleans,
        "booleans": _booleans,
        "category": _categories,
        "cells": ArrayStacker,
        "date": DateParts,
        "dates": DateParts,
        "passthrough": lambda: "passthrough",
        "text": _text,
    }[kind]()


# scikit-learn's transformers are imported where they are used: they bring half of it along, which
# `import skfusion` need not wait for.


def _numbers(plain: bool = True) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    steps = (SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    return make_pipeline(*steps) if plain else make_pipeline(PlainNumbers(), *steps)


def _booleans() -> Any:
    from sklearn.impute import SimpleImputer

    return make_pipeline(
        PlainNumbers(), SimpleImputer(strategy="most_frequent", keep_empty_features=True)
    )


def _categories() -> Any:
    from sklearn.preprocessing import OneHotEncoder

    return make_pipeline(PlainLabels(), OneHotEncoder(handle_unknown="ignore", dtype=np.float32))


def _text() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    # Single characters and signs count as words: a column of them must not leave no vocabulary.
    return TfidfVectorizer(token_pattern=r"(?u)\w+|[^\w\s]+", dtype=np.float32)


# What a column is


def _kind_of(key: Any, value: Any) -> str:
    if not isinstance(value, (np.ndarray, pd.Series, pd.DataFrame)) or value.ndim > 2:
        return "passthrough"
    if value.ndim == 1:
        return _kind_of_column(key, pd.Series(value))
    kinds = {dtype.kind for dtype in getattr(value, "dtypes", [getattr(value, "dtype", None)])}
    if kinds <= set("fiub"):
        return "booleans" if kinds == {"b"} else "numbers"
    if kinds == {"M"}:
        return "dates"
    raise _no_transformer(key, "mixed", value)


def _kind_of_column(key: Any, column: pd.Series) -> str:
    if not has_value(column):
        return "empty"
    kind = _kind_by_dtype(column) or _kind_by_values(column)
    if kind is None:
        raise _no_transformer(key, _inferred(column), column.dropna().iloc[0], _odd_cell(column))
    return _text_or_category(column.dropna()) if kind == "text" else kind


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
        return "cells" if any(np.size(cell) for cell in present) else "blank"
    kind = _INFERRED.get(_inferred(present))
    return "number" if kind is None and all(map(_is_real, present)) else kind


def _inferred(column: pd.Series) -> str:
    return pd.api.types.infer_dtype(column, skipna=True)


def _text_or_category(present: pd.Series) -> str:
    """Return "text" for many different values, or for sentences that seldom repeat."""
    n_distinct = present.nunique()
    if n_distinct > _MANY_VALUES:
        return "text" if present.str.strip().any() else "blank"
    n_words = np.mean([len(str(cell).split()) for cell in present])
    rarely_repeats = n_distinct > len(present) / 2
    return "text" if n_words >= _WORDS_OF_A_TEXT and rarely_repeats else "category"


def _is_array(cell: Any) -> bool:
    if isinstance(cell, (np.ndarray, list, tuple)):
        return True
    has_interface = hasattr(cell, "__array__") or hasattr(cell, "__array_interface__")
    return has_interface and not isinstance(cell, np.generic)


def _is_real(cell: Any) -> bool:
    return isinstance(cell, Real | Decimal) and not isinstance(cell, bool | np.bool_)


def _is_plain(values: Any) -> bool:
    """Return whether ``values`` are numbers of numpy's own types, and some in each column."""
    if not _is_numeric(values):
        return False
    if isinstance(values, pd.Series):
        return has_value(values)
    return values.dtype.kind != "f" or not np.isnan(values).all(axis=0).any()


def _is_numeric(values: Any) -> bool:
    """Return whether ``values`` are numbers of numpy's own types."""
    dtype = getattr(values, "dtype", None)
    return isinstance(dtype, np.dtype) and dtype.kind in "fiu"


def _holds_only_numbers(array: Any) -> bool:
    """Return whether no column has to be looked at: numbers, or objects of no known other kind.

    What is neither number, text, date nor array is left to scikit-learn, which says what is wrong.
    """
    if _is_numeric(array) or issparse(array):
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
    return BlockTypeError(
        f"column {key!r} holds {type(cell).__name__} ({inferred}; such as {cell!r:.60}), for which "
        f"BlockUnion() has no transformer.{odd} {repair} Or name one: "
        f"BlockUnion([('name', transformer, {key!r})])."
    )


# What a block is called


def _unique_name(key: Any, taken: set[str]) -> str:
    stem = re.sub(r"[\W_]+", "_", key if isinstance(key, str) else f"x{key}").strip("_")
    stem = f"{stem}_block" if stem in _RESERVED else stem or "block"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    return name
