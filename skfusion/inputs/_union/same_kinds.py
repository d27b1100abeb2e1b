"""Columns that are of another kind than at fit: refused, unless the transformer can mean both."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from skfusion.exceptions import BlockTypeError
from skfusion.inputs._images.frame_loader import FrameLoader
from skfusion.inputs._images.image_loader import ImageLoader
from skfusion.inputs._sequences.array_stacker import ArrayStacker
from skfusion.inputs._sequences.sequence_stacker import SequenceStacker
from skfusion.inputs._sound.logmel import LogMel
from skfusion.inputs._tables.cell_kinds import kind_of_cells
from skfusion.inputs._tables.dates import DateParts
from skfusion.inputs._tables.number_texts import NumberTexts
from skfusion.inputs._tables.plain import PlainLabels

__all__ = ["PLURALS", "first_step", "kind_of_values", "of_same_kinds"]

# By what a column was at fit: what it may be instead. Text for numbers is left to the transformer,
# which reads "1.5" and refuses "cheap". Of cells of several kinds the single cell is refused.
_INSTEAD = {
    "number": {"text"},
    "text": {"bytes"},
    "bytes": {"text"},
}
_ONE_AXIS = {"text", "bytes", "time"}
_WAS_ANYTHING = {"nothing", "other"}
_READ_CELLS_THEMSELVES = (ArrayStacker, FrameLoader, ImageLoader, LogMel, SequenceStacker)


def of_same_kinds(
    X: object, columns: list[Hashable], kinds: Mapping[Hashable, str], transformer: object
) -> object:
    """Return X, with NaN for dates that are all missing where numbers were at fit.

    Parameters
    ----------
    X : Series, frame, array or block
        The columns.
    columns : list of hashable
        What they are called.
    kinds : mapping of hashable to str
        Their kinds at fit, by name.
    transformer : estimator or "passthrough"
        What will get them.

    Raises
    ------
    BlockTypeError
        If a column is of another kind than it was at fit.
    """
    if not kinds or _all_numbers(X, kinds) or _reads_cells_itself(transformer):
        return X
    _check_not_deeper(X, columns, kinds)
    empty = []
    for position, (key, now) in enumerate(_kinds_now(X, columns)):
        was = kinds.get(key, "nothing")
        if now == "nothing" and was == "number":
            empty.append(position)
        if now != was and not _may_be(was, now, transformer, position):
            raise BlockTypeError(
                f"column {key!r} holds {PLURALS[now]}, and at fit it held {PLURALS[was]}. "
                f"{_REPAIRS.get(was, 'Pass what it held at fit.')}"
            )
    return _without_times(X, empty) if isinstance(X, pd.DataFrame) else X


def kind_of_values(values: object) -> str:
    """Return the kind of a column or an array; "other" for what is neither."""
    if isinstance(values, np.ndarray) and (values.ndim > 1 or values.dtype.kind != "O"):
        return _OF_DTYPE.get(values.dtype.kind, "other")
    if isinstance(values, np.ndarray | pd.Series):
        return kind_of_cells(pd.Series(values))
    return "other"


def _check_not_deeper(X: object, columns: list[Hashable], kinds: Mapping[Hashable, str]) -> None:
    """Raise ``BlockTypeError`` for arrays of several axes in place of a column of single cells."""
    shape: tuple[int | None, ...] = getattr(X, "shape", ())
    was = kinds.get(columns[0], "nothing")
    if len(columns) == 1 and len(shape) > 1 and shape[1] != 1 and was in _ONE_AXIS:
        raise BlockTypeError(
            f"column {columns[0]!r} holds an array of shape {shape}, and at fit it held "
            f"{PLURALS[was]}. Pass one of them in each row."
        )


def _without_times(X: pd.DataFrame, empty: list[int]) -> pd.DataFrame:
    times = [position for position in empty if X.dtypes.iloc[position].kind in "mMO"]
    if not times:
        return X
    kept = {i: np.nan if i in times else X.iloc[:, i].array for i in range(X.shape[1])}
    return pd.DataFrame(kept, index=X.index).set_axis(X.columns, axis=1)


def _all_numbers(X: object, kinds: Mapping[Hashable, str]) -> bool:
    """Whether all is as it most often is: numbers, where numbers were."""
    if isinstance(X, pd.DataFrame):
        found = {dtype.kind for dtype in set(X.dtypes.to_numpy())}
    else:
        found = {getattr(getattr(X, "dtype", None), "kind", "O")}
    return found <= set("fiub") and set(kinds.values()) <= {"number", "nothing"}


def _kinds_now(X: object, columns: list[Hashable]) -> Iterator[tuple[Hashable, str]]:
    if isinstance(X, pd.DataFrame) and X.shape[1] == len(columns):
        for position, key in enumerate(columns):
            yield key, kind_of_cells(X.iloc[:, position])
    elif isinstance(X, pd.Series):
        yield columns[0], kind_of_cells(X)
    elif isinstance(X, np.ndarray):
        is_table = X.dtype.kind == "O" and X.ndim == 2 and X.shape[1] == len(columns)
        for position, key in enumerate(columns):
            yield key, kind_of_cells(pd.Series(X[:, position])) if is_table else kind_of_values(X)


def _may_be(was: str, now: str, transformer: object, position: int) -> bool:
    if was in _WAS_ANYTHING or now in _WAS_ANYTHING or now in _INSTEAD.get(was, ()):
        return True
    first = first_step(transformer)
    if isinstance(first, DateParts):
        return {was, now} == {"text", "date"} or now == "number"  # it refuses them itself, better
    if isinstance(first, NumberTexts):
        return now == "number"
    if isinstance(first, PlainLabels):
        return first.labels_[position].may_be_of(now)
    # Who reads texts by code of his own may well read numbers too.
    return (was, now) == ("text", "number") and not _is_known(first)


def _is_known(transformer: object) -> bool:
    return type(transformer).__module__.partition(".")[0] in ("sklearn", "skfusion", "builtins")


def _reads_cells_itself(transformer: object) -> bool:
    return isinstance(first_step(transformer), _READ_CELLS_THEMSELVES)


def first_step(transformer: object) -> object:
    """Return the transformer, or the first step of a pipeline."""
    return first_step(transformer.steps[0][1]) if isinstance(transformer, Pipeline) else transformer


_OF_DTYPE = {
    "f": "number",
    "i": "number",
    "u": "number",
    "b": "number",
    "M": "date",
    "m": "duration",
    "S": "bytes",
    "U": "text",
}

PLURALS = {
    "array": "arrays or lists",
    "bytes": "bytes",
    "date": "dates",
    "duration": "durations",
    "number": "numbers",
    "text": "texts",
    "time": "times of the day",
}

_REPAIRS = {
    "text": "If they mean the same, convert the column: .astype(str).",
    "number": "If they mean the same, convert the column to numbers.",
    "date": "If they mean the same, convert the column: pd.to_datetime(column, unit=...).",
}
