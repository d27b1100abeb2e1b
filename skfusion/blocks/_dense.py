"""Arrays of all makers as plain arrays of numbers: tensors, nullable columns, objects, masks."""

from __future__ import annotations

from typing import Protocol, TypeGuard

import numpy as np
import pandas as pd
import torch

from skfusion.blocks._agreement import check_numeric
from skfusion.blocks._masked import MaskedBlock
from skfusion.exceptions import BlockError, BlockTypeError

__all__ = [
    "are_whole",
    "has_mask",
    "holds_numbers",
    "is_array_like",
    "numeric_array",
    "plain_array",
    "split_mask",
]


def are_whole(values: np.ndarray) -> bool:
    """Whether all values are finite and without a fraction."""
    return bool(np.all(np.isfinite(values) & (values == np.floor(values))))


def is_array_like(value: object) -> bool:
    """Whether numpy can make an array of ``value`` at once; lazy blocks are read later."""
    kinds = (np.ndarray, list, tuple)
    parts = ("__array__", "__dataframe__", "to_numpy")
    return isinstance(value, kinds) or any(hasattr(value, part) for part in parts)


def numeric_array(name: str, value: object) -> np.ndarray:
    """Return ``value`` as an array of numbers, without a copy where it is one.

    Raises
    ------
    BlockTypeError
        If it holds anything but real numbers and booleans.
    BlockError
        If cells of a masked array are masked.
    """
    array = plain_array(name, value)
    if array.dtype == object and holds_numbers(array):
        array = array.astype(bool if isinstance(array.flat[0], (bool, np.bool_)) else np.float64)
    return check_numeric(name, array)


def has_mask(value: object) -> TypeGuard[MaskedBlock | np.ma.MaskedArray]:
    """Whether ``value`` says itself which of its rows, or values, are missing."""
    return isinstance(value, MaskedBlock | np.ma.MaskedArray)


def split_mask(
    name: str, value: MaskedBlock | np.ma.MaskedArray, missing: np.ndarray | None
) -> tuple[object, np.ndarray]:
    """Return a block without its mask, and the mask of rows that lack it.

    Rows of a masked array that are masked as a whole are missing; ``missing`` is what is known of
    them already.

    Raises
    ------
    BlockError
        If only some values of a row are masked.
    """
    block, found = (
        (value.block, np.asarray(value.missing))
        if isinstance(value, MaskedBlock)
        else _split_cells(name, value, missing)
    )
    if missing is None or missing.shape != found.shape:  # another shape is refused later
        return block, found if missing is None else missing
    return block, found | missing


def _split_cells(
    name: str, array: np.ma.MaskedArray, missing: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    cells = np.ma.getmaskarray(array)
    by_row = cells.reshape(len(array) if array.ndim else 1, -1)
    rows = by_row.all(axis=1)
    some = by_row.any(axis=1) & ~rows
    if missing is not None and missing.shape == some.shape:
        some &= ~missing
    if some.any():
        row = int(some.argmax())
        raise BlockError(
            f"block {name!r}, row {row}: {int(by_row[row].sum())} of its {by_row.shape[1]} values "
            f"are masked ({int(some.sum())} such rows). A row has its block or lacks it as a "
            "whole: fill the values with array.filled(value), or mask the whole row."
        )
    return np.asarray(array.data), np.asarray(rows)


def plain_array(name: str, value: object) -> np.ndarray:
    """Return ``value`` as a plain array of whatever it holds; a memory map stays one.

    Raises
    ------
    BlockError
        If values of a masked array are masked.
    BlockTypeError
        If it is a list of rows of different length, or a tensor that is sparse or without data.

    Examples
    --------
    >>> import torch
    >>> from skfusion.blocks._dense import plain_array
    >>> plain_array("price", torch.ones(2, requires_grad=True))
    array([1., 1.], dtype=float32)
    """
    if isinstance(value, np.memmap):
        return value
    if isinstance(value, np.ma.MaskedArray):
        block, rows = _split_cells(name, value, None)
        if rows.any():
            raise BlockError(
                f"block {name!r}, row {int(rows.argmax())} is masked. Mark it as missing in "
                "Blocks(..., missing={name: mask})."
            )
        return block
    if isinstance(value, torch.Tensor):
        return _tensor_as_array(name, value)
    if hasattr(value, "to_numpy"):
        return _column_as_array(value)
    if isinstance(value, list | tuple) and any(isinstance(row, torch.Tensor) for row in value):
        value = [plain_array(name, row) for row in value]
    try:
        return np.asarray(value)
    except ValueError as error:
        raise BlockTypeError(
            f"block {name!r} is a list whose rows differ in length. "
            "Use Ragged.from_rows(rows) for rows of different length."
        ) from error


def _tensor_as_array(name: str, tensor: torch.Tensor) -> np.ndarray:
    if tensor.layout is not torch.strided or tensor.is_meta:
        kind = "without data" if tensor.is_meta else f"of layout {tensor.layout}"
        raise BlockTypeError(
            f"block {name!r} is a torch tensor {kind}. Pass a dense tensor with data, or a scipy "
            "csr matrix."
        )
    tensor = tensor.detach().resolve_conj().resolve_neg().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


class _Column(Protocol):
    def to_numpy(self) -> np.ndarray: ...


def _column_as_array(value: _Column) -> np.ndarray:
    """Nullable types of pandas become floats where a value is missing, else what they hold."""
    array = np.asarray(value.to_numpy())
    if array.dtype == object and isinstance(value, pd.Series | pd.DataFrame):
        kinds = {getattr(kind, "kind", "O") for kind in np.atleast_1d(np.array(_dtypes(value)))}
        if kinds <= set("fiub"):
            return value.to_numpy(dtype=np.float64, na_value=np.nan)
    return array


def _dtypes(value: pd.Series | pd.DataFrame) -> list[object]:
    return list(value.dtypes) if isinstance(value, pd.DataFrame) else [value.dtype]


def holds_numbers(array: np.ndarray) -> bool:
    """Whether all that an array holds are real numbers or booleans, be they objects.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.blocks._dense import holds_numbers
    >>> holds_numbers(np.array([1, 2.5], dtype=object)), holds_numbers(np.array([1, None]))
    (True, False)
    """
    if array.dtype != object:
        return array.dtype.kind in "fiub"
    known = ("integer", "floating", "mixed-integer-float", "decimal", "boolean")
    return pd.api.types.infer_dtype(array.ravel(), skipna=False) in known
