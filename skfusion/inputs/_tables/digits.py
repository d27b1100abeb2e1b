"""Whole numbers that are too large for float32: ids, Unix seconds."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import cast

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, issparse

from skfusion._warn import warn_user
from skfusion.blocks import Block, Ragged
from skfusion.blocks._dense import are_whole

__all__ = ["check_digits", "check_scaled_digits"]

_LIMIT = 2**24  # from here on float32 has no odd numbers
_SHOWN = 5

Range = tuple[float, float]


def check_digits(block: str, values: Block, names: Sequence[Hashable]) -> None:
    """Warn if float32 cannot tell whole numbers of ``values`` from their neighbours.

    Parameters
    ----------
    block : str
        Name of the block.
    values : array, csr matrix, Ragged or lazy block
        Before they become float32. Lazy blocks are not looked at.
    names : sequence of hashable
        What the columns are called, if there are as many.
    """
    stored = _stored(values)
    if stored is None or not _may_be_large(stored):
        return
    if stored.ndim != 2 or stored.shape[1] != len(names):
        stored, names = stored.reshape(-1, 1), [None]
    ranges = ((name, _lossy_range(stored[:, i])) for i, name in enumerate(names))
    _warn(block, {name: span for name, span in ranges if span is not None})


def check_scaled_digits(
    block: str, source: object, values: Block, names: Sequence[Hashable]
) -> None:
    """Warn if whole numbers of ``source`` lie too far apart for float32, also where scaled.

    Parameters
    ----------
    block : str
        Name of the block.
    source : Series, frame or array of shape (n_rows,) or (n_rows, n_columns)
        What the block was made of.
    values : array of shape (n_rows, n_columns)
        What was made of it; anything of another shape is not looked at.
    names : sequence of hashable
        What the columns are called.
    """
    if not isinstance(values, np.ndarray) or values.ndim != 2 or values.dtype.kind != "f":
        return
    columns = _columns(source)
    if len(columns) != values.shape[1] or len(columns) != len(names):
        return
    found = {}
    for position, column in enumerate(columns):
        span = _far_apart(column)
        if span is not None and not _are_whole(values[:, position]):
            found[names[position]] = span
    _warn(block, found)


def _stored(values: Block) -> np.ndarray | None:
    if isinstance(values, Ragged):
        return values.values if values.dtype.kind == "f" else None
    if isinstance(values, np.ndarray):
        return values
    return np.asarray(cast(csr_array, values).data) if issparse(values) else None


def _may_be_large(values: np.ndarray) -> bool:
    if values.size == 0 or values.dtype.kind not in "iuf" or values.dtype.itemsize < 4:
        return False
    if values.dtype == np.float32 or (values.dtype.kind != "f" and values.ndim >= 4):
        return False
    low, high = _range(values)
    return max(high, -low) > _LIMIT


def _range(values: np.ndarray) -> Range:
    """Return the least and the largest number; those that are NaN do not count."""
    return float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))


def _lossy_range(values: np.ndarray) -> Range | None:
    finite = values[np.isfinite(values)]
    changed = finite.astype(np.float32).astype(np.longdouble) != finite
    if not changed.any() or not _are_whole(finite):
        return None
    return _range(finite)


def _far_apart(column: pd.Series | np.ndarray) -> Range | None:
    numbers = _numbers(column)
    if numbers is None or numbers.size == 0:
        return None
    low, high = _range(numbers)
    is_far = np.isfinite(high - low) and high - low > _LIMIT
    return (low, high) if is_far and _are_whole(numbers) else None


def _numbers(column: pd.Series | np.ndarray) -> np.ndarray | None:
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "iuf":
        return np.asarray(column) if dtype.itemsize >= 4 else None
    series = pd.Series(column)
    if pd.api.types.is_numeric_dtype(dtype) and dtype.kind in "iuf":
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    if dtype.kind == "O" and pd.api.types.infer_dtype(series, skipna=True) in _WHOLE_OBJECTS:
        return np.asarray(pd.to_numeric(series, errors="coerce"), dtype=np.float64)
    return None


_WHOLE_OBJECTS = {"integer", "mixed-integer-float", "floating", "decimal"}


def _are_whole(values: np.ndarray) -> bool:
    return values.dtype.kind != "f" or are_whole(values[np.isfinite(values)])


def _columns(source: object) -> list[pd.Series | np.ndarray]:
    if isinstance(source, pd.DataFrame):
        return [source.iloc[:, position] for position in range(source.shape[1])]
    if isinstance(source, np.ndarray) and source.ndim == 2:
        return list(source.T)
    return [source] if isinstance(source, pd.Series) else []


def _warn(block: str, ranges: Mapping[Hashable, Range]) -> None:
    if not ranges:
        return
    shown = [
        ("" if name is None else f"column {name!r}, ") + f"{low:.0f} to {high:.0f}"
        for name, (low, high) in list(ranges.items())[:_SHOWN]
    ]
    warn_user(
        f"block {block!r}: whole numbers ({'; '.join(shown)}) lose their last digits in float32. "
        "Leave ids out, or make them categories: .astype(str). Make dates of Unix seconds: "
        "pd.to_datetime(column, unit='s'). BlockUnion(dtype='float64') keeps all digits.",
        UserWarning,
    )
