"""The cells of one column, whatever the column came in."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from scipy.sparse import issparse

from skfusion.exceptions import BlockError, BlockTypeError

if TYPE_CHECKING:
    from collections.abc import Sized

__all__ = [
    "RowsAmongAll",
    "cells_of",
    "column_of",
    "describe_cell",
    "first_bad_row",
    "row_name",
]


# Inside a union: by row that a transformer sees, the row of the whole table.
_ROWS: ContextVar[np.ndarray | None] = ContextVar("rows", default=None)


class RowsAmongAll(AbstractContextManager[None]):
    """Have ``row_name`` count the rows that are present by their number among all.

    Parameters
    ----------
    present : ndarray of bool of shape (n_rows,) or None
        Rows that a transformer sees; None if it sees all.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.inputs._tables.one_column import row_name, RowsAmongAll
    >>> with RowsAmongAll(np.array([True, False, True])):
    ...     print(row_name(["a", "b"], 1))
    row 2
    """

    # A class, not a generator: contextlib sets attributes on errors, and some of them are frozen.

    def __init__(self, present: np.ndarray | None) -> None:
        self.present = present

    def __enter__(self) -> None:
        rows = _ROWS.get()
        if self.present is not None:  # of a union in a union: of the rows that the outer one shows
            is_nested = rows is not None and len(rows) == len(self.present)
            outer = rows if is_nested and rows is not None else np.arange(len(self.present))
            rows = outer[self.present]
        self._token = _ROWS.set(rows)

    def __exit__(self, *error: object) -> None:
        _ROWS.reset(self._token)


def column_of(X: Any, who: str) -> Any:
    """Return ``X``, a Series, list, array or a frame of one column, without its second axis."""
    if isinstance(X, (str, bytes)) or issparse(X) or not hasattr(X, "__len__"):
        raise BlockTypeError(
            f"{who} takes one column: a list, a Series or an array of cells. "
            f"Got {type(X).__name__}. Wrap a single cell in a list."
        )
    if getattr(X, "ndim", 1) == 2 or hasattr(X, "columns"):
        return _only_column(X, who)
    return X


def cells_of(X: Any, who: str) -> list[Any]:
    """Return the cells of ``X`` as a list; an array of 3 or more axes has one cell a row."""
    column = column_of(X, who)
    if getattr(column, "ndim", 1) > 1:
        return list(column)
    for convert in ("tolist", "to_list"):
        if hasattr(column, convert):
            return getattr(column, convert)()
    return list(column)


def row_name(X: Any, row: int) -> str:
    """Return ``row 3``, and the label of that row where ``X`` is a pandas object with labels.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion.inputs._tables.one_column import row_name
    >>> row_name(["a", "b"], 1), row_name(pd.Series(["a", "b"], index=[7, 9]), 1)
    ('row 1', 'row 1 (label 9)')
    """
    labels, number = getattr(X, "index", None), _number_among_all(X, row)
    if labels is None or callable(labels):
        return f"row {number}"
    label = labels[row : row + 1].tolist()[0]
    return f"row {number}" if label == number else f"row {number} (label {label!r})"


def _number_among_all(X: object, row: int) -> int:
    rows = _ROWS.get()
    shape = getattr(X, "shape", None)
    n_rows = shape[0] if shape else len(cast("Sized", X))
    return row if rows is None or len(rows) != n_rows else int(rows[row])


def describe_cell(cell: object) -> str:
    """Return what an error message calls the cell.

    Examples
    --------
    >>> from skfusion.inputs._tables.one_column import describe_cell
    >>> describe_cell("cat.png"), describe_cell(b"1234")
    ("'cat.png'", '4 bytes')
    """
    if isinstance(cell, (str, os.PathLike)):
        return repr(str(cell))
    if isinstance(cell, (bytes, bytearray, memoryview)):
        return f"{len(cell):,} bytes"
    if isinstance(cell, np.ndarray):
        return f"array of shape {cell.shape}"
    if isinstance(cell, (list, tuple)):
        return f"list of {len(cell)} items"
    return type(cell).__name__


def first_bad_row(cells: list[Any], types: tuple[type, ...]) -> int | None:
    """Return the first row whose cell is of none of ``types``, or None."""
    if all(issubclass(kind, types) for kind in set(map(type, cells))):
        return None
    return next(row for row, cell in enumerate(cells) if not isinstance(cell, types))


def _only_column(X: Any, who: str) -> Any:
    if X.shape[1] != 1:
        raise BlockError(
            f"{who} takes one column. Got {X.shape[1]}, shape {tuple(X.shape)}. "
            "Give each column a transformer of its own."
        )
    if hasattr(X, "iloc"):
        return X.iloc[:, 0]
    return (X.to_numpy() if hasattr(X, "to_numpy") else X)[:, 0]
