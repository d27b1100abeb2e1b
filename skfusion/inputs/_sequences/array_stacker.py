"""Arrays in the cells of a column as one array, or as rows of different length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skfusion.blocks import Ragged
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._no_set_output import NO_SET_OUTPUT

__all__ = ["ArrayStacker"]


class ArrayStacker(TransformerMixin, BaseEstimator, **NO_SET_OUTPUT):
    """A column that holds an array in each cell, as one block.

    Arrays of one shape are stacked, (n_rows, *shape). Arrays that differ in length become a
    ``Ragged``; integers of different length are token ids, and ids that fit did not see share
    the last id.

    Parameters
    ----------
    dtype : dtype, default=None
        Type of the values; None keeps the type of the arrays. A floating type turns integers
        of different length from tokens into a waveform.

    Attributes
    ----------
    shape_ : tuple of int or None
        Shape of a cell; None stands for a length that differs.
    dtype_ : numpy.dtype
        Type of the values.
    n_tokens_ : int or None
        Number of ids, that for unseen ones included, where cells are tokens.

    Raises
    ------
    BlockError
        If arrays differ in more than their length, or from the arrays at fit.
    BlockTypeError
        If a cell is no array of real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.inputs import ArrayStacker
    >>> column = np.empty(2, dtype=object)
    >>> column[:] = [np.zeros((5, 2)), np.zeros((7, 2))]
    >>> ArrayStacker().fit_transform(column).shape
    (2, None, 2)
    >>> ArrayStacker().fit_transform([[1.0, 2.0], [3.0, 4.0]]).shape
    (2, 2)
    """

    def __init__(self, dtype: Any = None) -> None:
        self.dtype = dtype

    def fit(self, X: Any, y: Any = None) -> ArrayStacker:
        self._learn(_arrays_of(X, self.dtype))
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        arrays = _arrays_of(X, self.dtype)
        self._learn(arrays)
        return self._stack(arrays)

    def transform(self, X: Any) -> Any:
        check_is_fitted(self, "shape_")
        return self._stack(_arrays_of(X, self.dtype))

    def _learn(self, arrays: list[np.ndarray]) -> None:
        self.shape_ = _common_shape(arrays)
        self.dtype_ = np.result_type(*{array.dtype for array in arrays if array.size} or [float])
        is_tokens = self.shape_ == (None,) and self.dtype_.kind in "iu"
        self.n_tokens_ = _count_ids(arrays) if is_tokens else None

    def _stack(self, arrays: list[np.ndarray]) -> Any:
        arrays = [self._alike(row, array) for row, array in enumerate(arrays)]
        if None not in self.shape_:
            return np.stack(arrays)
        if self.n_tokens_ is not None:
            arrays = [_known_ids(array, self.n_tokens_) for array in arrays]
        return Ragged.from_rows(arrays, n_tokens=self.n_tokens_)

    def _alike(self, row: int, array: np.ndarray) -> np.ndarray:
        """Return ``array`` in the shape and type learned at fit."""
        if array.size == 0 and self.shape_[0] is None:
            return array.astype(self.dtype_).reshape(0, *self.shape_[1:])
        fits = [seen in (None, size) for seen, size in zip(self.shape_, array.shape, strict=False)]
        if array.ndim != len(self.shape_) or not all(fits):
            raise BlockError(
                f"row {row} holds an array of shape {array.shape}, but the arrays at fit had the "
                f"shape {self.shape_}. Bring all arrays to one shape before."
            )
        if not np.can_cast(array.dtype, self.dtype_, "same_kind"):
            raise BlockTypeError(
                f"row {row} holds values of type {array.dtype}, but the arrays at fit were "
                f"{self.dtype_}. Convert the arrays, or set dtype on ArrayStacker."
            )
        return array.astype(self.dtype_, copy=False)


def _arrays_of(X: Any, dtype: Any) -> list[np.ndarray]:
    if isinstance(X, pd.DataFrame) or (isinstance(X, np.ndarray) and X.dtype == object):
        X = _only_column(X)
    return [_array_of(row, cell, dtype) for row, cell in enumerate(X)]


def _only_column(X: Any) -> Any:
    if X.ndim == 2 and X.shape[1] != 1:
        raise BlockError(
            f"ArrayStacker takes one column. Got {X.shape[1]}. Give each column a block of its own."
        )
    return np.asarray(X, dtype=object)[:, 0] if X.ndim == 2 else X


def _array_of(row: int, cell: Any, dtype: Any) -> np.ndarray:
    try:
        array = np.asarray(cell, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise _no_array(row, cell) from error
    if array.ndim == 0 or (array.dtype.kind not in "fiub" and array.size):
        raise _no_array(row, cell)
    return array


def _no_array(row: int, cell: Any) -> BlockTypeError:
    return BlockTypeError(
        f"row {row} holds {cell!r:.60} ({type(cell).__name__}), which is no array of real numbers. "
        "Each cell must be an array, or nested lists, of numbers; join lists of words to a text."
    )


def _common_shape(arrays: list[np.ndarray]) -> tuple[int | None, ...]:
    filled = [array for array in arrays if array.size] or arrays
    first = filled[0].shape
    for row, array in enumerate(arrays):
        if array.size and array.shape[1:] != first[1:]:
            raise BlockError(
                f"row {row} holds an array of shape {array.shape}, others the shape {first}. Only "
                "the first axis, the length, may differ; bring images to one size before."
            )
    if first[0] and len({array.shape for array in arrays}) == 1:
        return first
    return _ragged_shape(first)


def _ragged_shape(first: tuple[int, ...]) -> tuple[int | None, ...]:
    if len(first) == 3:
        raise BlockError(
            f"images must have one size; here their height differs (one is {first[0]} x "
            f"{first[1]}). Bring them to one size before."
        )
    return (None, *first[1:])


def _count_ids(arrays: list[np.ndarray]) -> int:
    for row, array in enumerate(arrays):
        if array.size and array.min() < 0:
            raise BlockError(
                f"row {row}: {array.min()} is no token id. Ids are 0 and above; for a series of "
                'integers use ArrayStacker(dtype="float32").'
            )
    return 2 + max((int(array.max()) for array in arrays if array.size), default=0)


def _known_ids(array: np.ndarray, n_tokens: int) -> np.ndarray:
    unseen = (array < 0) | (array >= n_tokens)
    return np.where(unseen, n_tokens - 1, array).astype(np.int64) if unseen.any() else array
