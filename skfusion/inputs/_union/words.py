"""The words by which a user says what a column is, and what a column cannot be."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

from skfusion._checks import did_you_mean
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs._tables.table import Table
from skfusion.inputs._union.columns import shown_names
from skfusion.inputs._union.same_kinds import PLURALS, kind_of_values

__all__ = ["HELD", "WORDS", "Words", "check_word", "check_words", "column_words", "wants_default"]

Words: TypeAlias = Mapping[Hashable, str]

WORDS = ("number", "category", "boolean", "date", "text", "image", "audio", "array", "drop")

# By word, what the cells may be: "nothing" may be anything, "other" are objects such as paths.
_CELLS = {
    "number": {"number", "text", "nothing"},
    "category": {"number", "text", "date", "bytes", "other", "nothing"},
    "boolean": {"number", "nothing"},
    "date": {"date", "text", "nothing"},
    "text": {"text", "nothing"},
    "image": {"text", "array", "bytes", "other", "nothing"},
    "audio": {"text", "array", "bytes", "other", "nothing"},
    "array": {"array", "other", "nothing"},
}
# The same for arrays of two axes and more, which are blocks: by the number of axes.
_AXES = {"number": (2,), "boolean": (2,), "date": (2,), "image": (4,), "audio": (2,)}

HELD = {**PLURALS, "other": "cells of several kinds"}


def check_words(columns: object) -> dict[Hashable, str]:
    """Return the kinds that a user gave, by column.

    Raises
    ------
    ParameterError
        If ``columns`` is no dict, or a word is no kind; names the column.
    """
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        raise ParameterError(
            "columns must be None or a dict of column to kind, such as "
            f"{{'zip': 'category', 'id': 'drop'}}. Got {columns!r}."
        )
    for column, word in columns.items():
        if not isinstance(word, str) or word not in WORDS:
            raise ParameterError(
                f"columns: the kind of {column!r} must be one of {', '.join(map(repr, WORDS))}. "
                f"Got {word!r}. {did_you_mean(word, WORDS)}".rstrip()
            )
    return {column: str(word) for column, word in columns.items()}


def column_words(columns: object, table: Table) -> dict[Hashable, str]:
    """Return the checked words by key of the table.

    Raises
    ------
    BlockError
        For a column that the table does not have.
    """
    words = {}
    for column, word in check_words(columns).items():
        key = column
        if table.names is None and isinstance(column, int | np.integer):
            key = int(column) + (table.n_columns if column < 0 else 0)
        if key not in table.keys:
            near = did_you_mean(column, map(str, table.keys))
            raise BlockError(
                f"columns: there is no column {column!r}; the columns are "
                f"{shown_names(table.keys)}. {near}".rstrip()
            )
        words[key] = word
    return words


def wants_default(words: Words, named: Sequence[Hashable], has_default: bool) -> None:
    """Check that the columns with words are left to the default choice.

    Raises
    ------
    ParameterError
        If a column belongs to a block that is named, or to a remainder that chooses nothing.
    """
    for column, word in words.items():
        if column in named:
            raise ParameterError(
                f"columns={{{column!r}: {word!r}}} has no effect: a block in transformers takes "
                f"column {column!r}. Leave it out of one of them."
            )
        if not has_default:
            raise ParameterError(
                f"columns={{{column!r}: {word!r}}} has no effect: no column is left to the default "
                "choice. Set remainder='auto' to have it choose for the columns that no block "
                "names."
            )


def check_word(key: Hashable, word: str, value: object) -> None:
    """Check that a column can be what the user says.

    Raises
    ------
    BlockTypeError
        If not; names the column, what it holds and the repair.
    """
    if not isinstance(value, np.ndarray | pd.Series) or value.ndim > 1:
        _check_axes(key, word, value)
        return
    held = kind_of_values(value)
    if held not in _CELLS[word]:
        raise BlockTypeError(
            f"columns={{{key!r}: {word!r}}}: column {key!r} holds {HELD.get(held, held)}, which "
            f"cannot be read as {word}. {_repair(word, held)}"
        )
    if word == "boolean" and held == "number" and not _are_flags(pd.Series(value)):
        raise BlockTypeError(
            f"columns={{{key!r}: 'boolean'}}: column {key!r} holds other numbers than 0 and 1. "
            "Use 'number' or 'category'."
        )


def _check_axes(key: Hashable, word: str, value: object) -> None:
    shape = getattr(value, "shape", ())
    dtype = getattr(value, "dtype", None)
    is_bool = getattr(dtype, "kind", "") == "b"
    fits = word == "array" or (len(shape) in _AXES.get(word, ()) and is_bool == (word == "boolean"))
    if not fits:
        raise BlockTypeError(
            f"columns={{{key!r}: {word!r}}}: {key!r} is an array of shape {tuple(shape)}, which "
            f"cannot be read as {word}. Leave it out of columns, or name a transformer: "
            f"BlockUnion([('name', transformer, {key!r})], remainder='auto')."
        )


def _are_flags(column: pd.Series) -> bool:
    return bool(column.dropna().isin([0, 1]).all())


def _repair(word: str, held: str) -> str:
    if word == "text":
        return "Convert it: .astype(str)."
    if word == "boolean" and held == "text":
        return "Use 'category', or map its texts to True and False."
    if word == "date" and held == "number":
        return "Convert it: pd.to_datetime(column, unit=...)."
    return (
        f"Use one of {', '.join(repr(one) for one, cells in _CELLS.items() if held in cells)}."
        if (any(held in cells for cells in _CELLS.values()))
        else "Use 'drop', or convert it."
    )
