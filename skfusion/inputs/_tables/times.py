"""Datetimes and durations, which numpy turns into counts of nanoseconds without a word."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

import numpy as np
import pandas as pd

from skfusion.exceptions import BlockTypeError

__all__ = ["refuse_times"]


def refuse_times(X: object, who: str, names: list[Hashable] | None = None) -> None:
    """Raise ``BlockTypeError`` if a column holds datetimes or durations.

    Parameters
    ----------
    X : frame, column, array or list
        What is about to be read as numbers.
    who : str
        What would read it, such as "StandardScaler".
    names : list of hashable, default=None
        What the columns are called; None where X tells itself.
    """
    for position, (name, kind) in enumerate(_kinds(X)):
        if kind in _REPAIRS:
            called = name if names is None or position >= len(names) else names[position]
            what, repair = _REPAIRS[kind]
            raise BlockTypeError(
                f"column {called!r} holds {what}, of which {who} would make a count of "
                f"nanoseconds or the like. {repair}"
            )


_REPAIRS = {
    "M": (
        "datetimes",
        "Make numbers of it by skfusion.inputs.DateParts(), or leave it to BlockUnion().",
    ),
    "m": ("durations", "Convert it to a number: .dt.total_seconds()."),
}


def _kinds(X: object) -> Iterator[tuple[Hashable, str]]:
    if isinstance(X, pd.DataFrame):
        for position, (name, dtype) in enumerate(zip(X.columns, X.dtypes, strict=True)):
            kind = dtype.kind
            yield name, _of_objects(X.iloc[:, position]) if kind == "O" else kind
        return
    if isinstance(X, (list, tuple)):
        X = _as_array(X)
    if isinstance(X, pd.Series):
        yield X.name, _of_objects(X) if X.dtype.kind == "O" else X.dtype.kind
    elif isinstance(X, np.ndarray) and X.dtype.kind == "O" and X.ndim in (1, 2):
        for position, column in enumerate(X.reshape(len(X), -1).T):
            yield position, _of_objects(column)
    elif isinstance(X, np.ndarray):
        yield 0, X.dtype.kind


def _of_objects(cells: pd.Series | np.ndarray) -> str:
    return {
        "datetime64": "M",
        "datetime": "M",
        "date": "M",
        "timedelta64": "m",
        "timedelta": "m",
    }.get(pd.api.types.infer_dtype(cells, skipna=True), "O")


def _as_array(cells: list[object] | tuple[object, ...]) -> np.ndarray | None:
    try:
        return np.asarray(cells)
    except ValueError:  # rows of different length
        return None
