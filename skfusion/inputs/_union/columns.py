"""Which columns a block is made of: by name, position, slice, mask or callable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from skfusion._checks import check_choice, did_you_mean
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._tables.table import Table
from skfusion.inputs._union.steps import Steps

__all__ = ["as_list", "complete", "resolve_columns", "shown_names"]


def resolve_columns(block: str, columns: Any, table: Table) -> Any:
    """Return ``columns`` as one key of the table or a list of keys.

    One name or position stays one key, so that the transformer receives a 1-D column; all else
    becomes a list, so that it receives two dimensions.

    Raises
    ------
    BlockError
        For a column that does not exist.
    BlockTypeError
        For a selection that is none of those known.
    """
    if callable(columns):
        columns = columns(table.source)
    if isinstance(columns, slice):
        return table.keys[_slice_of_positions(block, columns, table)]
    if isinstance(columns, (str, int, np.integer)) and not isinstance(columns, bool):
        return _resolve_one(block, columns, table)
    if isinstance(columns, Iterable):
        return _resolve_many(block, list(columns), table)
    raise _unknown_selection(block, columns)


def as_list(columns: Any) -> list[Any]:
    """Return resolved columns as a list."""
    return columns if isinstance(columns, list) else [columns]


def complete(table: Table, steps: Steps, missing: str) -> Table:
    """Return a later table with all columns that the blocks were fitted on.

    With ``missing="allow"`` a block may lack all of its columns; they are then empty.

    Raises
    ------
    BlockError
        For any other column that is not there.
    """
    check_choice("missing", missing, ("error", "allow"))
    if table.names is None:
        return table
    gone: list[str] = []
    for name, _, columns in steps:
        absent = [one for one in as_list(columns) if isinstance(one, str) and one not in table.keys]
        whole = len(absent) == len(as_list(columns))
        if absent and not (whole and missing == "allow"):
            raise _column_missing(name, absent[0], whole, table.names)
        gone += absent
    return table.with_empty(gone) if gone else table


def _column_missing(block: str, column: str, whole: bool, names: list[str]) -> BlockError:
    repair = (
        ' Use missing="allow" to go without the block.'
        if whole
        else f" Pass it too; if it is not known as None: X.assign(**{{{column!r}: None}})."
    )
    return BlockError(
        f"column {column!r}, from which block {block!r} is made, is missing; the columns "
        f"are {shown_names(names)}. {did_you_mean(column, names)}".rstrip()
        + repair
    )


def _resolve_one(block: str, column: Any, table: Table) -> Any:
    if isinstance(column, str):
        return _resolve_name(block, column, table)
    if not -table.n_columns <= column < table.n_columns:
        raise BlockError(
            f"block {block!r}: there is no column {column}; X has {table.n_columns} columns, "
            f"numbered from 0 to {table.n_columns - 1}."
        )
    return table.keys[int(column)]


def _resolve_name(block: str, column: str, table: Table) -> str:
    if table.names is None:
        raise BlockError(
            f"block {block!r}: column {column!r} is chosen by name, but the columns of X have no "
            "names. Pass a DataFrame or a dict of arrays, or choose columns by number."
        )
    if column not in table.names:
        raise BlockError(
            f"block {block!r}: there is no column {column!r}; the columns are "
            f"{shown_names(table.names)}. {did_you_mean(column, table.names)}".rstrip()
        )
    return column


def _resolve_many(block: str, columns: list[Any], table: Table) -> list[Any]:
    if columns and all(isinstance(column, (bool, np.bool_)) for column in columns):
        if len(columns) != table.n_columns:
            raise BlockError(
                f"block {block!r}: the mask of columns has {len(columns)} entries, but X has "
                f"{table.n_columns} columns. Give one True or False per column."
            )
        return [key for key, chosen in zip(table.keys, columns, strict=True) if chosen]
    for column in columns:
        if not isinstance(column, (str, int, np.integer)) or isinstance(column, bool):
            raise _unknown_selection(block, columns)
    return [_resolve_one(block, column, table) for column in columns]


def _slice_of_positions(block: str, columns: slice, table: Table) -> slice:
    start, stop = columns.start, columns.stop
    if isinstance(start, str):
        start = table.keys.index(_resolve_name(block, start, table))
    if isinstance(stop, str):
        # As in pandas and in ColumnTransformer, the last name belongs to the slice.
        stop = table.keys.index(_resolve_name(block, stop, table)) + 1
    return slice(start, stop, columns.step)


def _unknown_selection(block: str, columns: Any) -> BlockTypeError:
    return BlockTypeError(
        f"block {block!r}: columns must be a name, a position, a list of either, a slice, a mask "
        f"or a callable that returns one of these. Got {columns!r}."
    )


def shown_names(names: list[Any]) -> str:
    """Return the first names, and how many more there are."""
    shown = ", ".join(map(repr, names[:20]))
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"
