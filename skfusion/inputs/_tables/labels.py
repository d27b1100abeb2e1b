"""What a category is called: values that mean the same have one label, whatever their type."""

from __future__ import annotations

import datetime
import re
from collections.abc import Hashable, Iterable, Iterator, Mapping
from decimal import Decimal

import numpy as np
import pandas as pd

__all__ = ["Labels", "cells_of_column"]

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Labels:
    """Labels by cell, learned from the cells of a fit.

    - A number is its value: 1, 1.0, True and ``Decimal("1")`` are one category.
    - A text is its letters. Beside numbers it is the number that it spells, beside texts a number
      is the text that spells it: "1", "1.0" or "True". So codes that one file has as numbers and
      another as texts are the same.
    - Bytes are the text that they encode in UTF-8, a date is the moment at which it begins.

    A cell that was not learned is called as Python writes it.

    Parameters
    ----------
    cells : iterable of hashable
        Cells of the fit that are not missing.

    Examples
    --------
    >>> from skfusion.inputs._tables.labels import Labels
    >>> Labels([1, 2, "red"]).of([1.0, True, "2", "2.0", b"red", 7])
    ['1', '1', '2', '2', 'red', '7']
    """

    def __init__(self, cells: Iterable[Hashable]) -> None:
        self._learned: dict[Hashable, str] = {}
        # Equal cells of several types are called as the first in this order, so that the order of
        # rows does not matter.
        typed = dict.fromkeys((type(cell), cell) for cell in cells)
        for _, cell in sorted(typed, key=_rank):
            label = self._learned.setdefault(_key(cell), str(cell))
            self._learned.setdefault(label, label)

    def may_be_of(self, kind: str) -> bool:
        """Return whether a "number" or a "date" could be one that was learned."""
        if kind == "number":
            return any(map(_spells_number, self._learned.values()))
        return kind == "date" and any(map(_DATE.match, self._learned.values()))

    def of(self, cells: Iterable[Hashable]) -> list[str]:
        """Return the label of each cell.

        Raises
        ------
        TypeError
            If a cell is no value, but a list or an array.
        """
        return list(map(_Found(self._learned).__getitem__, cells))


class _Found(dict[Hashable, str]):
    """Labels of the cells of one column, each looked up once."""

    def __init__(self, learned: Mapping[Hashable, str]) -> None:
        super().__init__()
        self._learned = learned

    def __missing__(self, cell: Hashable) -> str:
        known = (self._learned[key] for key in _keys(cell) if key in self._learned)
        label = self[cell] = next(known, str(cell))
        return label


def _spells_number(label: str) -> bool:
    return label in ("True", "False") or _NUMBER.fullmatch(label) is not None


def cells_of_column(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells of a column as objects, and the mask of those that are missing."""
    dtype = column.dtype
    kind = dtype.categories.dtype if isinstance(dtype, pd.CategoricalDtype) else dtype
    if kind in (np.float16, np.float32):
        # As they are written: 0.1 in float32 is not the double 0.1, but means it.
        column = column.astype(kind).astype(str).astype(np.float64)
    cells = column.astype(object).to_numpy()
    return cells, pd.isna(cells)


def _keys(cell: Hashable) -> Iterator[Hashable]:
    """Yield what a cell may have been learned as, the likeliest first."""
    key = _key(cell)
    yield key
    if isinstance(key, str):
        if _NUMBER.fullmatch(key):
            yield float(key)
    elif isinstance(key, int | float):
        yield from _writings(key)
    elif isinstance(key, pd.Timestamp):
        yield str(key)
        if key == key.normalize():
            yield str(key.date())


def _writings(number: int | float) -> Iterator[str]:
    if float(number).is_integer():
        yield str(int(number))
    yield str(float(number))
    if number in (0, 1):
        yield str(bool(number))


def _key(cell: Hashable) -> Hashable:
    """Return a plain value that equals that of every cell which means the same."""
    if isinstance(cell, str):
        return str(cell)
    if isinstance(cell, bytes):
        return cell.decode("utf-8", "backslashreplace")
    if isinstance(cell, datetime.date | np.datetime64):
        return _moment(cell)
    if isinstance(cell, np.generic):
        return _key(float(str(cell))) if cell.dtype.kind == "f" else cell.item()
    if isinstance(cell, Decimal) and cell.is_finite():
        return int(cell) if cell == int(cell) else float(cell)
    return cell


def _moment(cell: datetime.date | np.datetime64) -> Hashable:
    try:
        return pd.Timestamp(cell)
    except (ValueError, OverflowError):  # a year that pandas does not know
        return cell


def _rank(typed: tuple[type, Hashable]) -> tuple[bool, bool, str]:
    kind, cell = typed
    return issubclass(kind, bool | np.bool_), not issubclass(kind, int | np.integer), str(cell)
