"""Errors that single cells cause: which column, which row, and what is there."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from skfusion.exceptions import BlockError, BlockTypeError, SkfusionError
from skfusion.inputs._tables.cell_kinds import (
    cell_unlike_most,
    find_odd_cell,
    may_hold_others,
)
from skfusion.inputs._tables.one_column import row_name
from skfusion.inputs._tables.table import ArrayTable, FrameTable, Table
from skfusion.inputs._union.columns import as_list
from skfusion.inputs._union.same_kinds import kind_of_values
from skfusion.inputs._union.steps import Steps

__all__ = ["explained", "learn_kinds", "numbers_as_learned"]

_REPAIR = "Convert such cells, or make them None."


def learn_kinds(table: Table, steps: Steps) -> dict[Hashable, str]:
    """Return what the cells are of each column that the blocks are made of."""
    keys = dict.fromkeys(key for _, _, columns in steps for key in as_list(columns))
    if isinstance(table, ArrayTable) and table.source.dtype.kind != "O":
        return dict.fromkeys(keys, kind_of_values(table.source))
    known = _kinds_of_numbers(table)
    return {key: known.get(key) or kind_of_values(table.take(key)) for key in keys}


def _kinds_of_numbers(table: Table) -> dict[Hashable, str]:
    """Return the kinds of the columns of a frame that are numbers to numpy, at the cost of one."""
    if not isinstance(table, FrameTable):
        return {}
    dtypes = enumerate(table.frame.dtypes)
    numbers = [i for i, one in dtypes if isinstance(one, np.dtype) and one.kind in "iufb"]
    present = table.frame.iloc[:, numbers].notna().any().to_numpy()
    return {
        table.keys[position]: "number" if has_value else "nothing"
        for position, has_value in zip(numbers, present, strict=True)
    }


def explained(
    X: object, columns: object, kinds: Mapping[Hashable, str]
) -> AbstractContextManager[None]:
    """Raise an error that names the cell where a transformer fails on a cell of another type.

    Parameters
    ----------
    X : Series, frame, array or block
        Rows of the columns, those that are missing included.
    columns : str, int or list
        Keys of the columns.
    kinds : mapping of key to str
        What the cells were at fit; during the fit nothing, then most cells of a column decide.
    """
    return _Explained(X, columns, kinds)


@dataclass
class _Explained(AbstractContextManager[None]):
    X: object
    columns: object
    kinds: Mapping[Hashable, str]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, SkfusionError):
            return  # it says itself what is wrong
        if isinstance(error, (AttributeError, TypeError, ValueError)):
            odd = _odd_cell(self.X, self.columns, self.kinds)
            if odd:
                cls = BlockError if isinstance(error, ValueError) else BlockTypeError
                raise cls(f"{odd} ({error})") from error


Column = TypeVar("Column")


def numbers_as_learned(X: Column, columns: object, kinds: Mapping[Hashable, str]) -> Column:
    """Return X with the numbers that texts spell, in columns that held numbers at fit.

    Texts that spell no number stay: the transformer fails, which is ``explained``.

    Raises
    ------
    BlockTypeError
        For dates, durations and bytes, which would become numbers without a word.
    """
    made = {}
    for position, key, column in _columns_of_objects(X, columns):
        if kinds.get(key) == "number" and may_hold_others(column, "number"):
            odd = find_odd_cell(column.rename(str(key)), "quantity")
            if odd is not None:
                raise BlockTypeError(f"{odd}. At fit this column held numbers. {_REPAIR}")
            numbers = _spelled(column)
            if numbers is not None:
                made[position] = numbers
    return _with_columns(X, made) if made else X


def _spelled(column: pd.Series) -> pd.Series | None:
    """Return the numbers of a column of texts, None where some spell none."""
    try:
        numbers = pd.to_numeric(column)
    except (ValueError, TypeError):
        return None
    # pandas takes an empty text for a missing number; nobody said that it is.
    return None if numbers.dtype.kind == "c" or (column == "").any() else numbers


def _columns_of_objects(X: object, columns: object) -> Iterator[tuple[int, Hashable, pd.Series]]:
    """Yield position, key and column of those that may hold anything; arrays are scikit-learn's."""
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind == "O":
        X = pd.Series(X)
    if isinstance(X, pd.Series) and X.dtype.kind == "O":
        yield 0, as_list(columns)[0], X
    elif isinstance(X, pd.DataFrame):
        keys = as_list(columns)
        for position, dtype in enumerate(X.dtypes):
            if dtype.kind == "O" and len(keys) == X.shape[1]:
                yield position, keys[position], X.iloc[:, position]


def _with_columns(X: Any, made: Mapping[int, pd.Series]) -> Any:
    if not isinstance(X, pd.DataFrame):
        return made[0] if isinstance(X, pd.Series) else made[0].to_numpy()
    X = X.copy(deep=False)
    for position, column in made.items():
        X.isetitem(position, column)
    return X


def _odd_cell(X: object, columns: object, kinds: Mapping[Hashable, str]) -> str:
    for key, column in _columns_of(X, columns):
        column = column.rename(str(key))
        odd = find_odd_cell(column, kinds[key]) if key in kinds else cell_unlike_most(column)
        if odd is not None:
            others = f"At fit this column held {kinds[key]}s." if key in kinds else "Most are not."
            return f"{odd}. {others} {_REPAIR}"
    return _infinite_cell(X, columns)


def _infinite_cell(X: object, columns: object) -> str:
    for key, column in _columns_of(X, columns):
        cells = column.astype(object)
        if len(rows := np.flatnonzero(cells.isin([np.inf, -np.inf]))):
            where = row_name(column, int(rows[0]))
            return f"column {str(key)!r}, {where} is infinite. Replace it by NaN or by a bound."
    return ""


def _columns_of(X: object, columns: object) -> Iterator[tuple[Hashable, pd.Series]]:
    keys = as_list(columns)
    if isinstance(X, np.ndarray) and X.ndim <= 2 and X.dtype.kind in "fO":
        X = pd.DataFrame(X)
    if isinstance(X, pd.Series):
        X = X.to_frame()
    if isinstance(X, pd.DataFrame) and len(keys) == X.shape[1]:
        for position, key in enumerate(keys):
            yield key, X.iloc[:, position]
