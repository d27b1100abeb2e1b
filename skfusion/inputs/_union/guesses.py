"""Columns that may be something else than they are taken for: warned of, with the word to say."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from skfusion._warn import warn_user
from skfusion.exceptions import ColumnKindWarning
from skfusion.inputs._tables.cell_kinds import is_number
from skfusion.inputs._tables.date_texts import orders_of, written
from skfusion.inputs._tables.number_texts import spells_number
from skfusion.inputs._tables.one_column import row_name
from skfusion.inputs._tables.table import Table
from skfusion.inputs._union.kinds import Kind

__all__ = ["Guess", "guess_of", "warn_of_empty", "warn_of_guesses"]

_SAMPLE = 200
_FEW_ROWS = 20

_IMAGES = re.compile(r"\S.*\.(png|jpe?g|gif|bmp|tiff?|webp|ppm)", re.IGNORECASE)
_SOUND = re.compile(r"\S.*\.(wav|wave)", re.IGNORECASE)
_CODE_NAMES = frozenset(
    {"zip", "zipcode", "postcode", "postal", "postalcode", "plz", "zcta", "fips"}
)
_ID_NAMES = frozenset({"id", "uid", "uuid", "guid"})
_CODE_DIGITS = 5
_ODD = 0.15  # share of the different cells that may be something else
_FEW_WITH_ODD = 5  # dates or numbers that there must be at least if one of the cells is none
_MOST_LABELS = 30  # different whole numbers, written as text, that may be names of categories


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
            warn_user(_doubt(key, kind), ColumnKindWarning)


def _doubt(key: Hashable, kind: Kind) -> str:
    if kind.doubt == "empty":
        return (
            f"column {key!r} has so few values that other rows of it, such as those of another "
            "fold, may have none: nothing is learned of it there. Say columns="
            f"{{{key!r}: 'drop'}} to BlockUnion or the estimator to leave it out, or "
            f"{{{key!r}: {kind.name!r}}} to keep it."
        )
    return (
        f"column {key!r} is read as {kind.name}, but other rows of it, such as those of another "
        f"fold, may be taken for {kind.doubt}: it has {kind.why}. Say columns="
        f"{{{key!r}: {kind.name!r}}} to BlockUnion or the estimator to keep it so, or "
        f"{{{key!r}: {kind.doubt!r}}}."
    )


def warn_of_empty(
    table: Table, kinds: Mapping[Hashable, Kind], said: Mapping[Hashable, str]
) -> None:
    """Warn of each column without a value; not of those whose kind the user said."""
    for key, kind in kinds.items():
        if kind.is_empty and key not in said:
            warn_user(
                f"column {key!r} has no value in {table.n_rows} rows: nothing is learned of it, "
                f"nor of what it may hold later. Say columns={{{key!r}: 'drop'}} to leave it out.",
                ColumnKindWarning,
            )


def guess_of(key: Hashable, kind: str, value: object) -> Guess | None:
    """Return what a column of such a kind looks like, if it is something else."""
    if not isinstance(value, np.ndarray | pd.Series) or value.ndim != 1:
        return None
    column = pd.Series(value, name=key)
    if isinstance(column.dtype, pd.CategoricalDtype) or len(column) < 2:
        return None
    return _guess_of_numbers(key, column) if kind == "number" else _guess_of_texts(kind, column)


# Numbers that may be codes


def _guess_of_numbers(key: Hashable, column: pd.Series) -> Guess | None:
    if not pd.api.types.is_integer_dtype(column.dtype):
        return None
    names = _parts(key)
    if names & _CODE_NAMES:
        return Guess("postal codes or the like, whose differences mean nothing", "category")
    if not isinstance(column.dtype, np.dtype) or len(column) < _FEW_ROWS:
        return None
    numbers = column.to_numpy()
    if names & _ID_NAMES and len(np.unique(numbers)) == len(numbers):
        return Guess("an identifier, with another value in each row", "drop")
    return (
        Guess("codes, whose differences mean nothing", "category") if _are_codes(numbers) else None
    )


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
    cells = _distinct(column)
    texts = [cell.strip() for cell in cells if isinstance(cell, str) and cell.strip()]
    if len(texts) < 2:
        return None
    shown = f"(such as {texts[0]!r:.40})"
    if len(texts) == len(cells) and all(map(_IMAGES.fullmatch, texts)):
        return Guess(f"paths of images {shown}", "image")
    if len(texts) == len(cells) and all(map(_SOUND.fullmatch, texts)):
        return Guess(f"paths of sound {shown}", "audio")
    if dates := _nearly_all(_is_date, texts, cells):
        return _guess_of_written("date", dates, cells, column)
    numbers = _nearly_all(_is_number, texts, cells)
    if numbers and spells_number(numbers):
        if _may_be_labels(kind, numbers):
            return None
        return _guess_of_written("number", numbers, cells, column)
    if len(texts) == len(cells) and kind == "text" and _are_identifiers(column, texts):
        return Guess(f"an identifier, with another value in each row {shown}", "drop")
    return None


def _distinct(column: pd.Series) -> list[object]:
    """Return some of the different cells that are not missing."""
    return list(column.dropna().head(10 * _SAMPLE).drop_duplicates().head(_SAMPLE))


def _nearly_all(
    is_one: Callable[[str], bool], texts: list[str], cells: list[object]
) -> list[str] | None:
    """Return the texts that are of a kind, if most of the different cells are."""
    found = list(filter(is_one, texts))
    n_odd = len(cells) - len(found)
    return found if len(found) > 1 and n_odd <= max(1, len(cells) * _ODD) else None


def _guess_of_written(
    word: str, found: list[str], cells: list[object], column: pd.Series
) -> Guess | None:
    """Return the guess that texts are dates or numbers, and which cell is none."""
    shown = f"{word}s written as text (such as {found[0]!r:.40})"
    known = set(found)
    odd = next((cell for cell in cells if str(cell).strip() not in known), None)
    if odd is None:
        return Guess(shown, word)
    if len(found) < _FEW_WITH_ODD:
        return None
    row = int(np.flatnonzero(_is_cell(column, odd))[0])
    repair = f"make such cells None{_coerced(word, column.name, found)}"
    return Guess(f"{shown}, but for {row_name(column, row)}, {odd!r:.40} ({repair})", word)


def _is_cell(column: pd.Series, odd: object) -> np.ndarray:
    return np.array([type(cell) is type(odd) and cell == odd for cell in column])


def _coerced(word: str, name: Hashable, found: list[str]) -> str:
    """Return the line of pandas that makes all other cells missing, where it reads the rest."""
    to = {"date": "to_datetime", "number": "to_numeric"}[word]
    is_plain = word == "number" and all(map(is_number, found))
    return f": pd.{to}(X[{name!r}], errors='coerce')" if is_plain else ""


def _is_date(text: str) -> bool:
    if text.isdecimal() or not any(map(str.isdigit, text)):
        return False
    date = written(text)
    if date is None or date.is_ordered:
        return date is not None and date.read("YMD") is not None
    return bool(orders_of([date]))


def _is_number(text: str) -> bool:
    return spells_number([text])


def _may_be_labels(kind: str, texts: list[str]) -> bool:
    """Whether numbers as texts are categories that repeat, "1" and "2", and may be codes."""
    if kind != "category" or not all(text.isdecimal() for text in texts):
        return False
    are_codes = any(len(text) > 1 and text.startswith("0") for text in texts)
    return are_codes or len(texts) <= _MOST_LABELS


def _are_identifiers(column: pd.Series, texts: list[str]) -> bool:
    # A word of letters alone may be a word: who gives a word a row may well mean text.
    if not all(len(text.split()) == 1 and any(map(str.isdigit, text)) for text in texts):
        return False
    present = column.dropna()
    return len(present) >= _FEW_ROWS and present.nunique() == len(present)
