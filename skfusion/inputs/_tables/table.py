"""One view of what users hold: frames, dicts of arrays, arrays, sparse matrices, Blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse

from skfusion.blocks import Blocks
from skfusion.blocks._dense import holds_numbers
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._arrays import array_of_cell
from skfusion.inputs._tables.missing_rows import missing_rows
from skfusion.inputs._tables.to_pandas import cells_array, plain_cells, series_of

__all__ = ["ArrayTable", "FrameTable", "NamedTable", "Table"]


class Table:
    """Columns that are taken by name, or by position where they have no names.

    Attributes
    ----------
    source : object
        What the user passed; callables that choose columns receive it.
    names : list of str or None
        Names of the columns.
    n_rows, n_columns : int
        Size.
    """

    source: Any
    names: list[str] | None
    n_rows: int
    n_columns: int

    @property
    def keys(self) -> list[Any]:
        """Names of the columns, or their positions where they have no names."""
        return self.names if self.names is not None else list(range(self.n_columns))

    def take(self, columns: Any) -> Any:
        """Return one column, 1-D, for a name or position; 2-D for a list of them."""
        raise NotImplementedError

    def with_empty(self, names: list[str]) -> Table:
        """Return the table with further columns that hold nothing."""
        raise NotImplementedError

    def missing(self, columns: Any, taken: Any) -> np.ndarray | None:
        """Return the mask of rows without any value in ``columns``, which ``take`` returned."""
        return missing_rows(taken)


class FrameTable(Table):
    """Columns of a pandas frame; ``source`` is the frame of another library that it was."""

    def __init__(self, frame: pd.DataFrame, source: Any = None) -> None:
        self.frame, self.source = frame, frame if source is None else source
        self.n_rows, self.n_columns = frame.shape
        labels = list(frame.columns)
        self.names = labels if labels and all(isinstance(name, str) for name in labels) else None

    def take(self, columns: Any) -> Any:
        """Return a Series for a name or position, a frame for a list of them."""
        if isinstance(columns, str):
            return self.frame[columns]
        if isinstance(columns, int):
            return self.frame.iloc[:, columns]
        if columns == self.keys:
            return self.frame
        return self.frame[columns] if isinstance(columns[0], str) else self.frame.iloc[:, columns]

    def with_empty(self, names: list[str]) -> FrameTable:
        return FrameTable(self.frame.assign(**dict.fromkeys(names)), self.source)


class NamedTable(Table):
    """The arrays of a dict, or of ``Blocks``; a name stands for the whole array."""

    def __init__(self, source: Any) -> None:
        self.source = source
        if isinstance(source, Blocks):
            self.names, self.n_rows = list(source.names), len(source)
            self._values: dict[str, Any] | None = None
        else:
            self._values = {name: _as_values(name, value) for name, value in source.items()}
            self.names = list(self._values)
            self.n_rows = _common_length(self._values)
        self.n_columns = len(self.names)

    def take(self, columns: Any) -> Any:
        """Return the array itself for a name; for a list of names the arrays side by side."""
        if isinstance(columns, str):
            return self.source[columns] if self._values is None else self._values[columns]
        if len(columns) == 1 or self._values is not None:
            return _side_by_side({name: self.take(name) for name in columns})
        masks = {name: self.source.missing(name) for name in columns}
        return _side_by_side({name: _without(self.take(name), masks[name]) for name in columns})

    def with_empty(self, names: list[str]) -> NamedTable:
        if self._values is not None:
            nothing = np.full(self.n_rows, None, dtype=object)
            return NamedTable({**self.source, **dict.fromkeys(names, nothing)})
        blocks = {name: np.zeros((self.n_rows, 1)) for name in names}
        masks = {name: np.ones(self.n_rows, dtype=bool) for name in names}
        return NamedTable(self.source.assign(blocks, masks))

    def missing(self, columns: Any, taken: Any) -> np.ndarray | None:
        """Return the rows that ``Blocks`` mark as missing, or that hold no value."""
        masks = [missing_rows(taken), self._marked(columns)]
        known = [mask for mask in masks if mask is not None]
        return np.logical_or.reduce(known) if known else None

    def _marked(self, columns: Any) -> np.ndarray | None:
        if self._values is not None:
            return None
        names = [columns] if isinstance(columns, str) else columns
        masks = [self.source.missing(name) for name in names]
        return None if any(mask is None for mask in masks) else np.logical_and.reduce(masks)


class ArrayTable(Table):
    """Columns of a 2-D array or a sparse matrix."""

    def __init__(self, array: Any, names: list[str] | None = None) -> None:
        self.source, self.names = array, names
        self.n_rows, self.n_columns = array.shape

    def take(self, columns: Any) -> Any:
        """Return a 1-D array (of a sparse matrix one column), or the columns of a list."""
        if isinstance(columns, (str, int)):
            position = self._position(columns)
            return self.source[:, [position] if sparse.issparse(self.source) else position]
        positions = [self._position(column) for column in columns]
        return (
            self.source if positions == list(range(self.n_columns)) else self.source[:, positions]
        )

    def _position(self, column: Any) -> int:
        return self.names.index(column) if isinstance(column, str) and self.names else int(column)


def _as_values(name: Any, value: Any) -> Any:
    """Return ``value`` as something with rows: Series, frame, array, sparse matrix, block."""
    value = series_of(name, value)
    if isinstance(value, (list, tuple)):
        value = _array_of(value)
    if isinstance(value, torch.Tensor | np.ma.MaskedArray):
        value = array_of_cell(value, max_bytes=None)
    if isinstance(value, np.ndarray) and value.dtype == object:
        value = _plain_objects(value)
    if not hasattr(value, "shape") or len(value.shape) == 0:
        raise BlockTypeError(
            f"{name!r} is a {type(value).__name__}, which has no rows. Each entry of the dict "
            "must be an array, a Series, a sparse matrix or a Ragged with one row per sample."
        )
    if isinstance(value, np.ndarray) and value.dtype.kind in "US":
        return value.astype(object)
    return value


def _plain_objects(array: np.ndarray) -> np.ndarray:
    if array.ndim == 1:
        return plain_cells(array)
    return array.astype(np.float64) if holds_numbers(array) else array


def _array_of(values: Any) -> np.ndarray:
    try:
        array = np.asarray(values)
    except ValueError:
        return cells_array(values)
    mixed = array.dtype.kind in "US" and not all(isinstance(value, str) for value in values)
    return cells_array(values) if mixed else array


def _side_by_side(arrays: dict[str, Any]) -> Any:
    if all(len(array.shape) == 1 for array in arrays.values()):
        columns = {name: pd.Series(array) for name, array in arrays.items()}
        return pd.DataFrame({name: column.array for name, column in columns.items()})
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    for name, array in arrays.items():
        if len(array.shape) > 2 or None in array.shape:
            raise BlockError(
                f"{name!r} has {len(array.shape)} axes and cannot stand beside other columns. "
                f"Give it a block of its own, with the name {name!r} in place of a list."
            )
    parts = [array if sparse.issparse(array) else _two_d(array) for array in arrays.values()]
    if any(sparse.issparse(part) for part in parts):
        return sparse.hstack(parts, format="csr")
    return np.hstack(parts)


def _without(block: Any, missing: np.ndarray | None) -> Any:
    """Return ``block`` with NaN, in a sparse matrix nothing, in the rows that lack it."""
    if missing is None or block.ndim != 2:
        return block
    if sparse.issparse(block):
        return sparse.diags((~missing).astype(block.dtype)) @ block
    return np.where(missing[:, None], np.nan, block)


def _two_d(array: Any) -> np.ndarray:
    array = np.asarray(array)
    return array[:, None] if array.ndim == 1 else array


def _common_length(values: Mapping[str, Any]) -> int:
    lengths = {name: value.shape[0] for name, value in values.items()}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise BlockError(
            f"all entries of the dict must have the same number of rows: {counts}. "
            "Fill rows that lack an entry with NaN or None: they are marked as missing."
        )
    return next(iter(lengths.values()), 0)
