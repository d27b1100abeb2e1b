"""Columns of a long table as channels of sequences: scaled numbers, coded categories."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from skfusion.exceptions import BlockError, BlockTypeError

__all__ = ["Categories", "Gaps", "Numbers", "learn_channel", "seconds_of"]


_NUMERIC = ("integer", "floating", "mixed-integer-float", "decimal")


@dataclass(frozen=True)
class Numbers:
    """Standardised values, 0 (the mean) where one is missing; then 1 where one is missing.

    The second channel is there only if a value was missing at fit.
    """

    name: str
    mean: float
    scale: float
    indicated: bool

    @property
    def names(self) -> list[str]:
        return [self.name, f"{self.name} missing"] if self.indicated else [self.name]

    def encode(self, column: pd.Series) -> np.ndarray:
        values = _finite_or_nan(column)
        missing = np.isnan(values)
        scaled = np.where(missing, 0.0, (values - self.mean) / self.scale)
        return np.column_stack([scaled, missing] if self.indicated else [scaled])


@dataclass(frozen=True)
class Categories:
    """One channel per category seen at fit; all zero for a missing or new one."""

    name: str
    values: tuple[Any, ...]

    @property
    def names(self) -> list[str]:
        return [f"{self.name}={value}" for value in self.values]

    def encode(self, column: pd.Series) -> np.ndarray:
        codes = pd.Index(self.values, dtype=object).get_indexer(column.astype(object))
        return (codes[:, None] == np.arange(len(self.values))).astype(np.float64)


@dataclass(frozen=True)
class Gaps:
    """Time since the row's previous line, 0 for its first, in units of the mean gap at fit."""

    name: str
    scale: float

    @property
    def names(self) -> list[str]:
        return [f"{self.name} since previous"]

    def encode(self, column: np.ndarray) -> np.ndarray:
        return (column / self.scale)[:, None]


def learn_channel(name: str, column: pd.Series, max_categories: int) -> Numbers | Categories:
    """Return the channels of a column as its values at fit want them."""
    if column.dtype == object and types.infer_dtype(column, skipna=True) in _NUMERIC:
        column = column.astype(np.float64)
    if types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype):
        return _learn_numbers(name, column)
    if isinstance(column.dtype, pd.CategoricalDtype) or column.dtype.kind in "OUT":
        counts = _count_categories(column)
        chosen = counts[counts > 0].index[:max_categories].tolist()
        return Categories(name, tuple(sorted(chosen, key=str)))
    raise BlockTypeError(
        f"SequenceStacker: column {name!r} has dtype {column.dtype}. Values are numbers, booleans, "
        "strings or categories; turn dates into numbers, or name the column in time=."
    )


def _count_categories(column: pd.Series) -> pd.Series:
    kinds = set(map(type, column)) if column.dtype == object else set()
    unfit = [kind for kind in kinds if not issubclass(kind, Hashable)]
    if unfit:
        raise BlockTypeError(
            f"SequenceStacker: column {column.name!r} holds {unfit[0].__name__} in its cells. "
            "Values are numbers, booleans, strings or categories, one a cell."
        )
    return column.value_counts()


def _learn_numbers(name: str, column: pd.Series) -> Numbers:
    values = _finite_or_nan(column)
    known = values[~np.isnan(values)]
    mean, scale = (known.mean(), known.std()) if len(known) else (0.0, 1.0)
    return Numbers(name, float(mean), float(scale) or 1.0, len(known) < len(values))


def _finite_or_nan(column: pd.Series) -> np.ndarray:
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(np.isinf(values))
    if len(bad):
        raise BlockError(
            f"SequenceStacker: column {column.name!r} is infinite in the line labelled "
            f"{column.index[bad[0]]!r}. Replace infinite values by NaN or by a bound."
        )
    return values


def seconds_of(column: pd.Series) -> np.ndarray:
    """Return times as floats: dates and durations in seconds, numbers as they are."""
    if column.isna().any():
        label = column.index[column.isna().to_numpy()][0]
        raise BlockError(
            f"SequenceStacker: the time column {column.name!r} is missing in the line labelled "
            f"{label!r}. Lines without a time have no place in a sequence; drop them."
        )
    if types.is_datetime64_any_dtype(column.dtype):
        column = column - column.min()
    if types.is_timedelta64_dtype(column.dtype):
        return column.dt.total_seconds().to_numpy(dtype=np.float64)
    if types.is_numeric_dtype(column.dtype):
        return column.to_numpy(dtype=np.float64)
    raise BlockTypeError(
        f"SequenceStacker: the time column {column.name!r} has dtype {column.dtype}. Times are "
        "dates, durations or numbers; convert text with pandas.to_datetime."
    )
