"""Input of ``fit`` and ``transform``, checked as scikit-learn does, seen as a table."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from skfusion.blocks import Blocks
from skfusion.blocks._kinds import is_mapping
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._tables.missing_rows import count_rows
from skfusion.inputs._tables.table import ArrayTable, FrameTable, NamedTable, Table
from skfusion.inputs._tables.to_pandas import pandas_table, rows_as_objects
from skfusion.typing import XLike, YLike

__all__ = ["check_target", "read_table"]


def read_table(union: BaseEstimator, X: XLike, reset: bool) -> Table:
    """Return the table of ``X`` and, where ``reset``, set the feature attributes of ``union``.

    Raises
    ------
    ValueError
        scikit-learn's own messages: no rows, no columns, 1-D, complex, infinite, another number
        of columns than at fit.
    BlockError
        For arrays of different length, or a dict or ``Blocks`` after a fit without names.
    """
    if isinstance(X, Blocks) or is_mapping(X):
        return _read_named(union, NamedTable(X), reset)
    frame = pandas_table(X)
    if isinstance(frame, pd.DataFrame):
        return _read_frame(union, FrameTable(frame, X), reset)
    return _read_array(union, X, reset)


def _read_named(union: BaseEstimator, table: NamedTable, reset: bool) -> NamedTable:
    if not reset and not hasattr(union, "feature_names_in_"):
        raise BlockError(
            f"BlockUnion was fitted on columns without names, and got {table.names!r}. "
            "Pass the same kind of input as at fit."
        )
    _check_names(table.keys)
    _check_size(table, union)
    if reset:
        names = pd.DataFrame(columns=table.names)
        validate_data(union, names, skip_check_array=True, reset=True)
    return table


def _check_names(names: Iterable[object]) -> None:
    for name in names:
        if not isinstance(name, str):
            raise BlockTypeError(
                f"the keys of a dict of arrays must be strings. Got {name!r}. Rename the key."
            )


def _read_frame(union: BaseEstimator, table: FrameTable, reset: bool) -> FrameTable:
    _check_size(table, union)
    by_name = table.names is not None and hasattr(union, "feature_names_in_")
    if reset or not by_name:
        validate_data(union, table.frame, skip_check_array=True, reset=reset)
    if not reset and table.names is None and hasattr(union, "feature_names_in_"):
        return FrameTable(table.frame.set_axis(union.feature_names_in_, axis=1), table.source)
    return table


def _check_size(table: Table, union: BaseEstimator) -> None:
    shape = (table.n_rows, table.n_columns)
    for count, what in zip(shape, ("sample", "feature"), strict=True):
        if count == 0:
            raise BlockError(
                f"Found array with 0 {what}(s) (shape={shape}) while a minimum of 1 is required "
                f"by {type(union).__name__}."
            )


def _read_array(union: BaseEstimator, X: XLike, reset: bool) -> ArrayTable:
    _check_kind(X)
    array = validate_data(
        union,
        rows_as_objects(X),
        accept_sparse="csr",
        dtype=None,
        ensure_all_finite="allow-nan",
        reset=reset,
    )
    names = None if reset else getattr(union, "feature_names_in_", None)
    return ArrayTable(array, None if names is None else list(names))


def _check_kind(X: XLike) -> None:
    n_axes = getattr(X, "ndim", 0)
    if n_axes > 2:
        raise BlockError(
            f"Found array with dim {n_axes}, while dim <= 2 is required by BlockUnion. "
            "Deeper arrays are blocks: pass a dict that names them, such as {'photo': array}."
        )


def check_target(table: Table, y: YLike | None) -> None:
    """Raise ``BlockError`` if there is a target, and not one per row."""
    if y is not None and count_rows(y) != table.n_rows:
        raise BlockError(
            f"X has {table.n_rows} rows and y has {count_rows(y)}. Give one target per row."
        )
