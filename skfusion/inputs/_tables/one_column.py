"""The cells of one column, whatever the column came in."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from scipy.sparse import issparse

from skfusion.exceptions import BlockError, BlockTypeError

__all__ = ["cells_of", "column_of", "describe_cell", "first_bad_row", "row_name"]


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
    labels = getattr(X, "index", None)
    if labels is None or callable(labels):
        return f"row {row}"
    label = labels[row : row + 1].tolist()[0]
    return f"row {row}" if label == row else f"row {row} (label {label!r})"


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
