"""Numbers that are written as texts: "12.5", "1,200", "12 EUR"."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from skfusion.exceptions import BlockError
from skfusion.inputs._tables.one_column import row_name
from skfusion.inputs._tables.plain import PlainNumbers, plain_floats

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["NumberTexts", "number_and_unit", "spells_number"]

_WRITTEN = re.compile(
    r"(?P<before>[^\W\d_]{1,5}|[$€£¥₹%])?\s*"
    r"(?P<number>[+-]?(?:\d[\d.,]*|[.,]\d+)(?:[eE][+-]?\d+)?)"
    r"\s*(?P<after>[^\W\d_]{1,12}(?:/[^\W\d_]{1,5})?|[$€£¥₹%])?"
)
_GROUPS = {
    ",": re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?"),
    ".": re.compile(r"[+-]?\d{1,3}(\.\d{3}){2,}(,\d+)?|[+-]?\d{1,3}(\.\d{3})+,\d+"),
}
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WITH_COMMA = re.compile(r"[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?")


class NumberTexts(PlainNumbers):
    """Numbers and texts that spell numbers as float64, NaN where a cell is missing.

    A comma before other than three digits, or behind a point, marks decimals for the whole column
    ("12,5", "1.200,50"), else thousands ("1,200"). A unit or currency is passed over; it must be
    one and the same in all rows, since 12 EUR and 12 USD are not equal.

    Attributes
    ----------
    decimal_ : list of str
        By column, the sign before decimals: "." or ",".
    unit_ : list of str
        By column, the unit of its texts; empty where they have none.

    Raises
    ------
    BlockError
        For a text that spells no number, and one with another unit; names column and row.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion.inputs._tables.number_texts import NumberTexts
    >>> frame = pd.DataFrame({"price": ["1,200 EUR", None, "12.5 EUR"]})
    >>> NumberTexts().fit_transform(frame).tolist()
    [[1200.0], [nan], [12.5]]
    """

    def fit(self, X: object, y: object = None) -> Self:
        super().fit(X)
        self.decimal_, self.unit_ = [], []
        frame = self._read(X)
        for position in range(frame.shape[1]):
            texts = [cell for cell in _cells(frame.iloc[:, position]) if isinstance(cell, str)]
            self.decimal_.append(_decimal_of(texts))
            self.unit_.append(next((unit for unit in map(_unit_of, texts) if unit), ""))
        return self

    def transform(self, X: object) -> np.ndarray:
        frame = self._read(X)
        spelled = frame.copy(deep=False)
        for position, name in enumerate(frame.columns):
            column = frame.iloc[:, position]
            if column.dtype.kind not in "fiub" and not self.without_value_[position]:
                cells = self._floats(position, name, column)
                spelled.isetitem(position, pd.Series(cells, index=frame.index, dtype=object).array)
        return plain_floats(spelled, self.without_value_)

    def _floats(self, position: int, name: Hashable, column: pd.Series) -> list[object]:
        cells = _cells(column)
        for row, cell in enumerate(cells):
            if isinstance(cell, str):
                found = number_and_unit(cell, self.decimal_[position])
                if found is None or found[1] not in ("", self.unit_[position]):
                    unit = self.unit_[position]
                    known = f" in {unit}" if unit and found is not None else ""
                    raise BlockError(
                        f"column {name!r}, {row_name(column, row)} is {cell!r:.60}, which is no "
                        f"number{known}. Make it a number, or None; or choose another kind, such "
                        f"as columns={{{name!r}: 'text'}}."
                    )
                cells[row] = found[0]
        return cells


def spells_number(texts: Iterable[str]) -> bool:
    """Whether all texts are numbers, of one unit at most.

    Examples
    --------
    >>> from skfusion.inputs._tables.number_texts import spells_number
    >>> spells_number(["12.5", "1,200"]), spells_number(["12 EUR", "3 EUR"]), spells_number(["A4"])
    (True, True, False)
    """
    texts = list(texts)
    decimal = _decimal_of(texts)
    found = [number_and_unit(text, decimal) for text in texts]
    units = {one[1] for one in found if one is not None} - {""}
    return bool(found) and None not in found and len(units) <= 1


def number_and_unit(text: str, decimal: str = ".") -> tuple[float, str] | None:
    """Return the number that a text spells, and its unit; None if it spells none."""
    match = _WRITTEN.fullmatch(text.strip())
    if match is None or (match["before"] and match["after"]):
        return None
    number, unit = match["number"], match["before"] or match["after"] or ""
    if unit and match["before"] and unit.isalpha() and " " not in text.strip():
        return None  # a code such as A4
    thousands = "." if decimal == "," else ","
    if _GROUPS[thousands].fullmatch(number):
        number = number.replace(thousands, "")
    elif decimal == "." and not _PLAIN.fullmatch(number):
        return None
    if decimal == "," and not (_WITH_COMMA.fullmatch(number) or _PLAIN.fullmatch(number)):
        return None
    return float(number.replace(",", ".")), unit


def _decimal_of(texts: list[str]) -> str:
    for text in texts:
        match = _WRITTEN.fullmatch(text.strip()) if "," in text else None
        if match is not None and not _GROUPS[","].fullmatch(match["number"]):
            return ","
    return "."


def _unit_of(text: str) -> str:
    match = _WRITTEN.fullmatch(text.strip())
    return (match["before"] or match["after"] or "") if match else ""


def _cells(column: pd.Series) -> list[object]:
    return column.astype(object).tolist()
