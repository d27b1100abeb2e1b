"""What to do about errors of transformers, whose words know of no block and no column."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator

import pandas as pd

from skfusion.exceptions import BlockError
from skfusion.inputs._union.columns import as_list
from skfusion.inputs._union.same_kinds import first_step, kind_of_values

__all__ = ["check_one_column_of_texts", "hint_of"]

_UNKNOWN = re.compile(r"Found unknown categories .* in column (\d+)")


def check_one_column_of_texts(transformer: object, columns: Hashable | list[Hashable]) -> None:
    """Raise ``BlockError`` if a vectorizer of texts would get a table: it reads the names alone."""
    if not isinstance(columns, list):
        return
    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

    first = first_step(transformer)
    # Where its fit is written: a user's subclass with a fit of its own may well read tables.
    written_in = getattr(getattr(type(first), "fit", None), "__module__", "").partition(".")[0]
    if isinstance(first, CountVectorizer | HashingVectorizer) and written_in == "sklearn":
        repair = (
            f"Write {columns[0]!r} for columns, not {columns!r}."
            if len(columns) == 1
            else f"Give each of {columns!r} a block of its own."
        )
        raise BlockError(f"{type(first).__name__} takes one column of texts. {repair}")


def hint_of(X: object, columns: Hashable | list[Hashable], said: str) -> str:
    """Return what to do about an error that says ``said``; "" where that is not known.

    Parameters
    ----------
    X : Series, frame, array or block
        The columns.
    columns : key or list of keys
        What they are called.
    said : str
        Text of the error.
    """
    if not isinstance(columns, list) and (
        "Expected 2D" in said or "Expected a 2-dimensional" in said
    ):
        return f"Write [{columns!r}] for columns, to give the transformer two dimensions."
    if "has no attribute 'lower'" in said:
        return _of_kind(
            X, columns, "number", "Convert it: .astype(str), or choose a transformer of numbers."
        )
    if "could not convert string to float" in said:
        return _of_kind(X, columns, "text", "Choose a transformer of texts or categories for it.")
    unknown = _UNKNOWN.search(said)
    if unknown is None or int(unknown[1]) >= len(as_list(columns)):
        return ""
    key = as_list(columns)[int(unknown[1])]
    return f"That is column {key!r}. Set handle_unknown to pass over what was not there at fit."


def _of_kind(X: object, columns: object, kind: str, repair: str) -> str:
    """Return which of the columns is of a kind, and the repair."""
    found = (key for key, column in _columns_of(X, columns) if kind_of_values(column) == kind)
    key = next(found, None)
    return "" if key is None else f"Column {key!r} holds {kind}s. {repair}"


def _columns_of(X: object, columns: object) -> Iterator[tuple[Hashable, object]]:
    keys = as_list(columns)
    if isinstance(X, pd.DataFrame) and X.shape[1] == len(keys):
        for position, key in enumerate(keys):
            yield key, X.iloc[:, position]
    elif len(keys) == 1:
        yield keys[0], X
