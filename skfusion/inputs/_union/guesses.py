"""Columns that may be something else than they are taken for: warned of, with the word to say."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from skfusion._warn import warn_user
from skfusion.exceptions import ColumnKindWarning
from skfusion.inputs._tables.date_texts import orders_of, written
from skfusion.inputs._tables.number_texts import spells_number
from skfusion.inputs._tables.table import Table
from skfusion.inputs._union.kinds import Kind

__all__ = ["Guess", "guess_of", "warn_of_guesses"]

_SAMPLE = 200
_FEW_ROWS = 20

_IMAGES = re.compile(r"\S.*\.(png|jpe?g|gif|bmp|tiff?|webp|ppm)", re.IGNORECASE)
_SOUND = re.compile(r"\S.*\.(wav|wave)", re.IGNORECASE)
_CODE_NAMES = frozenset(
    {"zip", "zipcode", "postcode", "postal", "postalcode", "plz", "zcta", "fips"}
)
_ID_NAMES = frozenset({"id", "uid", "uuid", "guid"})
_CODE_DIGITS = 5


class Guess(NamedTuple):
    """What a column looks like, and the word by which the user says that it is that."""

    looks_like: str
    word: str


def warn_of_guesses(
    table: Table, kinds: Mapping[Hashable, Kind], said: Mapping[Hashable, str]
) -> None:
    """Warn of each column that looks like something else; not of those whose kind the user said."""
    for key, kind in kinds.items():
        if key in said or kind.name not in ("number", "text", "category"):
            continue
        guess = guess_of(key, kind.name, table.take(key))
        if guess is not None:
            warn_user(
                f"column {key!r} looks like {guess.looks_like}, and is read as {kind.name}. Say "
                f"columns={{{key!r}: {guess.word!r}}} to BlockUnion or the estimator if it is, "
                f"or {{{key!r}: {kind.name!r}}} to keep it so.",
                ColumnKindWarning,
            )
        elif kind.doubt:
            warn_user(
                f"column {key!r} is read as {kind.name}, but other rows of it, such as those of "
                f"another fold, may be taken for {kind.doubt}: it has {kind.why}. Say columns="
                f"{{{key!r}: {kind.name!r}}} to BlockUnion or the estimator to keep it so, or "
                f"{{{key!r}: {kind.doubt!r}}}.",
                ColumnKindWarning,
            )


def guess_of(key: Hashable, kind: str, value: object) -> Guess | None:
    """Return what a column of such a kind looks like, if it is something else."""
    if not isinstance(value, np.ndarray | pd.Series) or value.ndim != 1:
        return None
    column = pd.Series(value)
    if isinstance(column.dtype, pd.CategoricalDtype) or len(column) < 2:
        return None
    return _guess_of_numbers(key, column) if kind == "number" else _guess_of_texts(kind, column)


# Numbers that may be codes


def _guess_of_numbers(key: Hashable, column: pd.Series) -> Guess | None:
    if not pd.api.types.is_integer_dtype(column.dtype):
        return None
    names = _parts(key)
    if names & _CODE_NAMES:
        return Guess("postal codes or the like, which are no quantities", "category")
    if not isinstance(column.dtype, np.dtype) or len(column) < _FEW_ROWS:
        return None
    numbers = column.to_numpy()
    if names & _ID_NAMES and len(np.unique(numbers)) == len(numbers):
        return Guess("an identifier, with another value in each row", "drop")
    return Guess("codes, which are no quantities", "category") if _are_codes(numbers) else None


def _parts(key: Hashable) -> set[str]:
    words = re.findall(r"[A-Z]?[a-z]+|[A-Z]+", str(key))
    return {word.lower() for word in [*words, str(key)]}


def _are_codes(numbers: np.ndarray) -> bool:
    """Whether there are few numbers, far apart, of as many digits, and none of them is round."""
    low, high = int(numbers.min()), int(numbers.max())
    if low < 10 ** (_CODE_DIGITS - 1) or len(str(low)) != len(str(high)):
        return False
    distinct = np.unique(numbers)
    few = 2 < len(distinct) <= len(numbers) / 3 and len(distinct) < (high - low) / 100
    return bool(few and np.gcd.reduce(distinct) < 5 and not _are_days(distinct))


def _are_days(distinct: np.ndarray) -> bool:
    days = pd.to_datetime(pd.Series(distinct).astype(str), format="%Y%m%d", errors="coerce")
    return bool(days.notna().all())


# Texts that may be something else


def _guess_of_texts(kind: str, column: pd.Series) -> Guess | None:
    texts = _texts(column)
    if len(texts) < 2:
        return None
    shown = f"(such as {texts[0]!r:.40})"
    if all(map(_IMAGES.fullmatch, texts)):
        return Guess(f"paths of images {shown}", "image")
    if all(map(_SOUND.fullmatch, texts)):
        return Guess(f"paths of sound {shown}", "audio")
    if _are_dates(texts):
        return Guess(f"dates written as text {shown}", "date")
    if spells_number(texts):
        return (
            None
            if _may_be_labels(kind, texts)
            else Guess(f"numbers written as text {shown}", "number")
        )
    if kind == "text" and _are_identifiers(column, texts):
        return Guess(f"an identifier, with another value in each row {shown}", "drop")
    return None


def _texts(column: pd.Series) -> list[str]:
    """Return some of the different texts; none where a cell is no text, or is empty."""
    distinct = column.dropna().head(10 * _SAMPLE).drop_duplicates().head(_SAMPLE).tolist()
    are_texts = all(isinstance(cell, str) and cell.strip() for cell in distinct)
    return [cell.strip() for cell in distinct] if are_texts else []


def _are_dates(texts: list[str]) -> bool:
    if any(text.isdecimal() or not any(map(str.isdigit, text)) for text in texts):
        return False
    if written(texts[0]) is None:
        return False
    found = [date for date in map(written, texts) if date is not None]
    ordered = [date for date in found if date.is_ordered]
    are_real = all(date.read("YMD") is not None for date in ordered) and bool(orders_of(found))
    return are_real and len(found) == len(texts)


def _may_be_labels(kind: str, texts: list[str]) -> bool:
    """Whether numbers as texts are categories that repeat, "1" and "2", and may be codes."""
    return kind == "category" and all(text.isdecimal() for text in texts)


def _are_identifiers(column: pd.Series, texts: list[str]) -> bool:
    # A word of letters alone may be a word: who gives a word a row may well mean text.
    if not all(len(text.split()) == 1 and any(map(str.isdigit, text)) for text in texts):
        return False
    present = column.dropna()
    return len(present) >= _FEW_ROWS and present.nunique() == len(present)
