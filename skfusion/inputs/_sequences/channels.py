"""Columns of a long table as channels of sequences: scaled numbers, coded categories."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd
from pandas.api import types

from skfusion.exceptions import BlockError, BlockTypeError

__all__ = ["Categories", "Numbers", "learn_channel"]


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
        if _holds_numbers(column, ("boolean",)):
            values = _finite_or_nan(column)
        elif column.isna().all():
            values = np.full(len(column), np.nan)
        else:
            raise _other_kind(self.name, column, _odd_cell(column), "numbers")
        missing = np.isnan(values)
        scaled = np.where(missing, 0.0, (values - self.mean) / self.scale)
        return np.column_stack([scaled, missing] if self.indicated else [scaled])


@dataclass(frozen=True)
class Categories:
    """One channel per category seen at fit; all zero for a missing or new one."""

    name: str
    values: tuple[Hashable, ...]

    @property
    def names(self) -> list[str]:
        return [f"{self.name}={value}" for value in self.values]

    def encode(self, column: pd.Series) -> np.ndarray:
        self._check_kind(column)
        codes = pd.Index(self.values, dtype=object).get_indexer(pd.Index(column.astype(object)))
        return (codes[:, None] == np.arange(len(self.values))).astype(np.float64)

    def _check_kind(self, column: pd.Series) -> None:
        """Raise where no value could be known, because all are of another kind than at fit."""
        known = {isinstance(value, str) for value in self.values}
        shown = _are_texts(column)
        if len(known) == 1 and shown and shown != known:
            learned = "texts" if True in known else "categories that are no texts"
            raise _other_kind(self.name, column, column.dropna().tolist()[0], learned)


def learn_channel(name: str, column: pd.Series, max_categories: int) -> Numbers | Categories:
    """Return the channels of a column as its values at fit want them."""
    if _holds_numbers(column):
        return _learn_numbers(name, column)
    if column.dtype == object and types.infer_dtype(column, skipna=True).startswith("mixed-int"):
        raise BlockTypeError(
            f"SequenceStacker: column {name!r} holds numbers and texts. Convert it to one type, "
            "such as .astype(str) for categories or pandas.to_numeric for numbers."
        )
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
    with np.errstate(over="ignore", invalid="ignore"):
        mean, scale = (known.mean(), known.std()) if len(known) else (0.0, 1.0)
    if not np.isfinite([mean, scale]).all():
        raise BlockError(
            f"SequenceStacker: column {name!r} holds numbers up to {np.abs(known).max():g}, too "
            "large to be standardised. Take logarithms, or replace them."
        )
    return Numbers(name, float(mean), float(scale) or 1.0, len(known) < len(values))


def _are_texts(column: pd.Series) -> set[bool]:
    """Return whether values are texts, {True, False} where only some are; empty for none."""
    values = column.dropna()
    if isinstance(column.dtype, pd.CategoricalDtype):
        values = pd.Series(values.unique().tolist(), dtype=object)
    if values.dtype == object:
        return {issubclass(kind, str) for kind in set(map(type, values))}
    return {values.dtype.kind in "OUT"} if len(values) else set()


def _holds_numbers(column: pd.Series, further: tuple[str, ...] = ()) -> bool:
    if column.dtype == object:
        return types.infer_dtype(column, skipna=True) in (*_NUMERIC, *further)
    return types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype)


def _finite_or_nan(column: pd.Series) -> np.ndarray:
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(np.isinf(values))
    if len(bad):
        raise BlockError(
            f"SequenceStacker: column {column.name!r} is infinite in the line labelled "
            f"{column.index[bad[0]]!r}. Replace infinite values by NaN or by a bound."
        )
    return values


def _odd_cell(column: pd.Series) -> object:
    """Return the first cell that is no number, to be shown."""
    present = column.dropna().tolist()
    return next((cell for cell in present if not isinstance(cell, Real)), present[0])


def _other_kind(name: str, column: pd.Series, cell: object, learned: str) -> BlockTypeError:
    return BlockTypeError(
        f"SequenceStacker: column {name!r} held {learned} at fit, but now it is {column.dtype}, "
        f"such as {cell!r:.60}. Convert it to what it was."
    )
