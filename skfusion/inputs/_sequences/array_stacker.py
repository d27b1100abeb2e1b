"""Arrays in the cells of a column as one array, or as rows of different length."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skfusion.blocks import Ragged
from skfusion.blocks._dense import are_whole
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs._arrays import array_of_cell
from skfusion.inputs._no_set_output import NO_SET_OUTPUT
from skfusion.inputs._sequences.vector_range import VectorRange
from skfusion.inputs._tables.one_column import cells_of, row_name
from skfusion.typing import XLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ArrayStacker"]

# An embedding has a row for each id up to the largest.
_LARGEST_ID = 2**24 - 1

WantedType: TypeAlias = "np.dtype | type | str"


class ArrayStacker(TransformerMixin, BaseEstimator, **NO_SET_OUTPUT):
    """A column that holds an array in each cell, as one block.

    Arrays of one shape are stacked, (n_rows, *shape). Arrays that differ in length become a
    ``Ragged``; integers of different length are token ids, and ids that fit did not see share
    the last id.

    A cell holds an array, a tensor or nested lists of numbers. Numbers of another type than at fit
    are taken where they are the same numbers; images, clips and sequences keep the type in which
    they come, as bytes, from 0 to 255, and floats are on different scales.

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
    range_ : VectorRange or None
        Range of the values where cells are vectors. A row that can only be on another scale, as a
        flattened image of 0 to 255 among those of 0 to 1, is refused.

    Raises
    ------
    BlockError
        If arrays differ in more than their length, or from the arrays at fit, or if one would
        take more than 1 GiB.
    BlockTypeError
        If a cell is no array of real numbers, holds fractions where fit saw integers, or bytes
        among rows of floats.

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

    def __init__(self, dtype: WantedType | None = None) -> None:
        self.dtype = dtype

    def fit(self, X: XLike, y: object = None) -> Self:
        """Learn shape and type of the arrays in ``X``."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X: XLike, y: object = None) -> np.ndarray | Ragged:
        """Fit and return the arrays of ``X`` as one block, reading them once."""
        self._check_dtype()
        arrays = self._read(X)
        self._learn(X, arrays)
        block = self._stack(X, arrays)
        self.range_ = None
        if isinstance(block, np.ndarray) and block.ndim == 2:
            self.range_ = VectorRange.of(block)
        return block

    def transform(self, X: XLike) -> np.ndarray | Ragged:
        """Return the arrays of ``X`` as one block."""
        check_is_fitted(self, "shape_")
        block = self._stack(X, self._read(X))
        if self.range_ is not None and isinstance(block, np.ndarray):
            self.range_.check(X, block)
        return block

    def _check_dtype(self) -> None:
        kind: str
        try:
            kind = "f" if self.dtype is None else np.dtype(self.dtype).kind
        except TypeError:
            kind = "O"
        if kind not in "fiub":
            raise ParameterError(
                "dtype must be a type of real numbers, such as 'float32', or None. "
                f"Got {self.dtype!r}."
            )

    def _read(self, X: XLike) -> list[np.ndarray]:
        return [_array_of(X, row, cell, self.dtype) for row, cell in enumerate(_cells(X))]

    def _learn(self, X: XLike, arrays: list[np.ndarray]) -> None:
        if not arrays:
            raise BlockError("ArrayStacker.fit needs at least one row. Got none.")
        filled = [array for array in arrays if array.size]
        if not filled:
            raise BlockError(f"ArrayStacker: all {len(arrays)} cells are empty at fit.")
        self.shape_ = _common_shape(X, arrays)
        self.dtype_ = np.result_type(*{array.dtype for array in filled})
        if len(self.shape_) > 1:
            _check_one_scale(X, arrays)
        is_tokens = self.shape_ == (None,) and self.dtype_.kind in "iu"
        self.n_tokens_ = _count_ids(X, arrays) if is_tokens else None

    def _stack(self, X: XLike, arrays: list[np.ndarray]) -> np.ndarray | Ragged:
        arrays = [self._alike(X, row, array) for row, array in enumerate(arrays)]
        if len(self.shape_) > 1:
            _check_one_scale(X, arrays)
        if None in self.shape_:
            return Ragged.from_rows(arrays, n_tokens=self.n_tokens_)
        if not arrays:
            return np.empty((0, *_sizes(self.shape_)), self.dtype_)
        try:
            return np.stack(arrays)
        except MemoryError as error:
            raise BlockError(
                f"ArrayStacker: {len(arrays):,} arrays of shape {self.shape_} do not fit into "
                "memory together. Fit on fewer rows, or on smaller arrays."
            ) from error

    def _alike(self, X: XLike, row: int, array: np.ndarray) -> np.ndarray:
        """Return ``array`` in the shape learned at fit, and in the type where values allow it."""
        if array.size == 0 and self.shape_[0] is None:
            return np.empty((0, *_sizes(self.shape_[1:])), self.dtype_)
        fits = [seen in (None, size) for seen, size in zip(self.shape_, array.shape, strict=False)]
        if array.ndim != len(self.shape_) or not all(fits):
            raise BlockError(
                f"{row_name(X, row)} holds an array of shape {array.shape}, but the arrays at fit "
                f"had the shape {self.shape_}. Bring all arrays to one shape before."
            )
        if array.dtype == self.dtype_:
            return self._known_ids(array)
        cast = _cast(array, self.dtype_)
        if cast is None:
            raise BlockTypeError(
                f"{row_name(X, row)} holds values of type {array.dtype}, but the arrays at fit "
                f"were {self.dtype_}. Convert the arrays, or set dtype on ArrayStacker."
            )
        return self._known_ids(cast)

    def _known_ids(self, array: np.ndarray) -> np.ndarray:
        """Return ids with those that fit did not see as the last one; other values as they are."""
        if self.n_tokens_ is None:
            return array
        unseen = (array < 0) | (array >= self.n_tokens_)
        return (
            np.where(unseen, self.n_tokens_ - 1, array).astype(np.int64) if unseen.any() else array
        )


def _cells(X: XLike) -> list[object]:
    """Return the cells of a column, or the rows of an array of numbers."""
    if isinstance(X, (Ragged, torch.Tensor)) or (isinstance(X, np.ndarray) and X.dtype != object):
        return list(X)
    return cells_of(X, "ArrayStacker")


def _sizes(shape: tuple[int | None, ...]) -> tuple[int, ...]:
    return tuple(size or 0 for size in shape)


def _array_of(X: XLike, row: int, cell: object, dtype: WantedType | None) -> np.ndarray:
    try:
        array = array_of_cell(cell)
    except BlockError as error:
        raise BlockError(f"{row_name(X, row)}: {error}.") from error
    except (TypeError, ValueError, RuntimeError) as error:
        raise _no_array(X, row, cell) from error
    if array.ndim == 0 or (array.dtype.kind not in "fiub" and array.size):
        raise _no_array(X, row, cell)
    if dtype is None or not array.size:
        return array if dtype is None else np.empty(array.shape, dtype)
    wanted = np.dtype(dtype)
    if wanted.kind in "iu" and array.dtype.kind == "f" and not are_whole(array):
        raise BlockTypeError(
            f"{row_name(X, row)} holds fractions or NaN, which dtype={wanted.name!r} cannot hold. "
            "Set a floating dtype on ArrayStacker."
        )
    return array.astype(wanted, copy=False)


def _cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray | None:
    """Return ``array`` in the type of the fit; where that changed its values, in its own.

    None for fractions where fit saw integers. Bytes and booleans among arrays of two or more axes
    are on a scale of their own, which whoever reads the block knows from their type.
    """
    is_scaled = array.ndim > 1 and (array.dtype.kind == "b" or array.dtype == np.uint8)
    if array.dtype.kind == "f" and dtype.kind != "f":
        if array.ndim > 1 and (dtype == np.uint8 or dtype.kind == "b"):
            return array
        return array.astype(np.int64) if are_whole(array) else None
    if array.dtype.kind == "b" and not is_scaled:
        return array.astype(dtype)
    if dtype.kind == "f" and not is_scaled:
        return array.astype(np.promote_types(dtype, np.float32), copy=False)
    return array


def _check_one_scale(X: XLike, arrays: list[np.ndarray]) -> None:
    """Raise where bytes or booleans, which are on a scale of their own, stand among others."""
    first: dict[str, int] = {}
    for row, array in enumerate(arrays):
        if array.size:
            kind = "bytes" if array.dtype == np.uint8 else array.dtype.kind
            first.setdefault(kind, row)
    if ("bytes" in first and "f" in first) or ("b" in first and len(first) > 1):
        odd = first["b"] if "b" in first else first["bytes"]
        other = next(row for kind, row in first.items() if row != odd)
        raise BlockTypeError(
            f"{row_name(X, odd)} holds {arrays[odd].dtype}, but {row_name(X, other)} holds "
            f"{arrays[other].dtype}, which may be on another scale. Bring all arrays to one type."
        )


def _no_array(X: XLike, row: int, cell: object) -> BlockTypeError:
    return BlockTypeError(
        f"{row_name(X, row)} holds {cell!r:.60} ({type(cell).__name__}), which is no array of real "
        "numbers. Each cell must be an array, or nested lists, of numbers; join lists of words to "
        "a text."
    )


def _common_shape(X: XLike, arrays: list[np.ndarray]) -> tuple[int | None, ...]:
    first = next(array.shape for array in arrays if array.size)
    for row, array in enumerate(arrays):
        if array.size and array.shape[1:] != first[1:]:
            raise BlockError(
                f"{row_name(X, row)} holds an array of shape {array.shape}, others the shape "
                f"{first}. Only the first axis, the length, may differ; bring images to one size "
                "before."
            )
        if not array.size and len(first) == 3:
            raise BlockError(
                f"{row_name(X, row)} holds an image without pixels, of shape {array.shape}. "
                "Replace it by None, which is a missing block, or leave the row out."
            )
    if len({array.shape for array in arrays}) == 1:
        return first
    return _ragged_shape(first)


def _ragged_shape(first: tuple[int, ...]) -> tuple[int | None, ...]:
    if len(first) == 3:
        raise BlockError(
            f"images must have one size; here their height differs (one is {first[0]} x "
            f"{first[1]}). Bring them to one size before."
        )
    return (None, *first[1:])


def _count_ids(X: XLike, arrays: list[np.ndarray]) -> int:
    for row, array in enumerate(arrays):
        wrong = array[(array < 0) | (array > _LARGEST_ID)]
        if wrong.size:
            raise BlockError(
                f"{row_name(X, row)}: {wrong[0]} is no token id. Ids are 0 and above, and below "
                f"{_LARGEST_ID + 1:,}; for a series of integers use "
                'ArrayStacker(dtype="float32").'
            )
    return 2 + max((int(array.max()) for array in arrays if array.size), default=0)
