"""X in other containers than tables, dicts and matrices: lists of texts or images, tensors, ..."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from os import PathLike

import numpy as np
import pandas as pd
import torch
from scipy.sparse import issparse

from skfusion.blocks import Blocks, Ragged
from skfusion.blocks._dense import plain_array
from skfusion.blocks._kinds import is_mapping
from skfusion.blocks._sparse import check_sparse
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._tables.to_pandas import series_of

__all__ = ["PLAIN_NAME", "in_known_container", "is_known"]

PLAIN_NAME = "X"

_KNOWN = (Blocks, Ragged, pd.DataFrame)


def is_known(X: object) -> bool:
    """Whether X is plainly blocks, told at the cost of a row."""
    if type(X) is np.ndarray:
        return X.ndim > 1 and X.dtype.kind in "fiub"
    return isinstance(X, Blocks | dict)


def in_known_container(X: object, column: str | None = None, arrays: bool = False) -> object:
    """Return X as a table, a dict, a matrix or blocks, where it is plain what is meant.

    Parameters
    ----------
    X : object
        What the user passed.
    column : str, default=None
        Name of the only column of the fit, if that was a table; None at fit.
    arrays : bool, default=False
        Whether that column holds arrays, so that a list in a list is no row of a matrix.

    Returns
    -------
    X : object
        Texts, and other things that are no numbers, become a table of one column; arrays of one
        shape one array; dicts a table.

    Raises
    ------
    BlockTypeError
        If X is no collection of rows; says how to make one.
    """
    if isinstance(X, _KNOWN) or is_mapping(X):
        return X
    if isinstance(X, np.ndarray) and not isinstance(X, np.ma.MaskedArray):
        return _of_array(X, column)
    if issparse(X):
        check_sparse(PLAIN_NAME, X)
        return X
    if isinstance(X, torch.Tensor):
        return plain_array(PLAIN_NAME, X)
    if isinstance(X, np.ma.MaskedArray):
        return _without_mask(X)
    if isinstance(X, list | tuple):
        return _of_list(X, column, arrays)
    series = series_of(PLAIN_NAME, X)
    if isinstance(series, pd.Series | pd.Index):
        name = getattr(X, "name", None)
        return _of_series(pd.Series(series), column or (name if isinstance(name, str) else None))
    _check_has_rows(X)
    return X


def _without_mask(array: np.ma.MaskedArray) -> np.ndarray:
    cells = np.ma.getmaskarray(array)
    if cells.any():
        row = int(np.argwhere(cells)[0][0]) if array.ndim else 0
        raise BlockError(
            f"X is a masked array, and values of row {row} are masked ({int(cells.sum())} masked "
            "values in all). Fill them with X.filled(value), or pass Blocks({'X': X}), where rows "
            "that are masked as a whole are missing."
        )
    return np.asarray(array.data)


def _of_array(array: np.ndarray, column: str | None) -> object:
    if array.dtype.kind in "mM" and array.ndim in (1, 2):
        return pd.DataFrame(array, columns=[column or PLAIN_NAME] if array.ndim == 1 else None)
    if array.dtype.kind in "OSU" and array.ndim == 1:
        return _of_list(array.tolist(), column)
    return array


def _of_series(series: pd.Series, column: str | None) -> object:
    if pd.api.types.is_numeric_dtype(series):  # scikit-learn says how it becomes a column
        return series
    if series.dtype == object:
        return _of_list(list(series), column)
    return series.to_frame(column or PLAIN_NAME)


def _of_list(cells: Sequence[object], column: str | None, arrays: bool = False) -> object:
    """Return a table of records or of one column, an array, or ``cells`` if they are numbers."""
    present = [cell for cell in cells if not _is_missing(cell)]
    if not any(map(_is_no_number, present)) and not arrays and _is_matrix(cells):
        return cells
    if all(isinstance(cell, Mapping) for cell in present):
        return pd.DataFrame(list(cells))
    if column is None and len(present) == len(cells):
        stacked = _stacked(present)
        if stacked is not None:
            return stacked
        _check_are_rows(present)
    objects = np.empty(len(cells), dtype=object)
    for row, cell in enumerate(cells):  # assigned at once, arrays of one shape would be spread
        objects[row] = cell
    name = column or PLAIN_NAME
    return pd.Series(objects, name=name).infer_objects().to_frame()


def _is_missing(cell: object) -> bool:
    return cell is None or cell is pd.NA or (isinstance(cell, float) and cell != cell)


def _is_no_number(cell: object) -> bool:
    """Whether a cell is neither a number nor a row of a matrix in nested lists."""
    return not isinstance(cell, int | float | complex | np.number | np.bool_ | list | tuple)


def _is_matrix(cells: Sequence[object]) -> bool:
    try:
        np.asarray(cells)
    except ValueError:  # rows of different length
        return False
    return True


def _check_are_rows(cells: Sequence[object]) -> None:
    """Raise an error if ``cells`` look like blocks: each an array with all rows in it."""
    kinds = (np.ndarray, torch.Tensor, pd.DataFrame)
    lengths = [cell.shape[0] for cell in cells if isinstance(cell, kinds) and cell.ndim > 1]
    if len(lengths) == len(cells) and len({*lengths}) == 1 and 1 < len(cells) < lengths[0]:
        raise BlockTypeError(
            f"X is a list of {len(cells)} arrays of {lengths[0]} rows each. Give each block a "
            'name: {"first": X[0], "second": X[1]}. If each is one row, bring them to one shape.'
        )


def _stacked(cells: Sequence[object]) -> np.ndarray | None:
    """Return arrays of one shape as one, and None for anything else."""
    if not all(isinstance(cell, np.ndarray | torch.Tensor) for cell in cells):
        return None
    arrays = [plain_array(f"{PLAIN_NAME}[{row}]", cell) for row, cell in enumerate(cells)]
    alike = {array.shape for array in arrays}
    return np.stack(arrays) if len(alike) == 1 else None


def _check_has_rows(X: object) -> None:
    if isinstance(X, str | bytes):
        raise BlockTypeError(
            "X is one text, and not a collection of rows. Pass a list of texts, or a table of "
            'them: pd.DataFrame({"text": [X]}).'
        )
    if isinstance(X, PathLike):
        raise BlockTypeError(
            "X is a path, and not a collection of rows. Read the file first, for instance with "
            "pd.read_csv(X) or np.load(X)."
        )
    if isinstance(X, Iterator | Set):
        what = "can be read only once" if isinstance(X, Iterator) else "has no order"
        raise BlockTypeError(f"X is a {type(X).__name__}, which {what}. Pass list(X).")
    parts = ("__array__", "columns", "shape", "to_numpy", "__array_interface__")
    if isinstance(X, int | float):
        raise BlockTypeError(
            "X is a single number, and not a collection of rows. Pass one row as a matrix, [[X]]."
        )
    if not any(hasattr(X, part) for part in parts):
        raise BlockTypeError(
            f"X is a {type(X).__name__}. Pass a DataFrame, a dict that names arrays, Blocks, or an "
            "array with a row for each sample."
        )
