"""The times of lines: dates, durations or numbers, and the gaps between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api import types

from skfusion.exceptions import BlockError, BlockTypeError

__all__ = ["Gaps", "learn_gaps", "times_of"]


@dataclass(frozen=True)
class Gaps:
    """Time since the row's previous line, 0 for its first, in units of the mean gap at fit.

    Parameters
    ----------
    name : str
        Column of times.
    scale : float
        The mean gap, in seconds where times are dates or durations.
    are_numbers : bool
        Whether times are plain numbers.
    """

    name: str
    scale: float
    are_numbers: bool

    @property
    def names(self) -> list[str]:
        return [f"{self.name} since previous"]

    def encode(self, column: pd.Series, offsets: np.ndarray) -> np.ndarray:
        """Return the gaps, float64 (n_lines, 1), of lines in the order of key and time."""
        times = times_of(column)
        if (times.dtype.kind not in "mM") != self.are_numbers:
            learned = "numbers" if self.are_numbers else "dates or durations"
            raise BlockTypeError(
                f"SequenceStacker: the time column {self.name!r} held {learned} at fit, but now it "
                f"is {column.dtype}. Convert it to what it was."
            )
        return (_gaps(times, offsets) / self.scale)[:, None]


def learn_gaps(name: str, column: pd.Series, offsets: np.ndarray) -> Gaps:
    """Return the coder of the time column."""
    times = times_of(column)
    gaps = _gaps(times, offsets)
    n_gaps = len(gaps) - np.count_nonzero(np.diff(offsets))
    scale = float(gaps.sum() / n_gaps) if gaps.any() else 1.0
    return Gaps(name, scale, times.dtype.kind not in "mM")


def times_of(column: pd.Series) -> np.ndarray:
    """Return times as datetime64 (UTC), timedelta64, int64 or float64."""
    if column.isna().any():
        label = column.index[column.isna().to_numpy()][0]
        raise BlockError(
            f"SequenceStacker: the time column {column.name!r} is missing in the line labelled "
            f"{label!r}. Lines without a time have no place in a sequence; drop them."
        )
    kind = getattr(column.dtype, "kind", "O")
    if kind == "M":
        dates = pd.DatetimeIndex(column)
        return (dates if dates.tz is None else dates.tz_convert(None)).to_numpy()
    if kind == "m":
        return pd.TimedeltaIndex(column).to_numpy()
    if kind in "iub":
        return column.to_numpy(dtype=np.int64)
    if types.is_numeric_dtype(column.dtype) and kind != "c":
        return _finite(column)
    raise BlockTypeError(
        f"SequenceStacker: the time column {column.name!r} has dtype {column.dtype}. Times are "
        "dates, durations or numbers; convert text with pandas.to_datetime."
    )


def _finite(column: pd.Series) -> np.ndarray:
    times = column.to_numpy(dtype=np.float64)
    endless = np.flatnonzero(np.isinf(times))
    if len(endless):
        raise BlockError(
            f"SequenceStacker: the time column {column.name!r} is infinite in the line labelled "
            f"{column.index[endless[0]]!r}. Drop such lines."
        )
    return times


def _gaps(times: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return the time since the previous line of the same key, 0 for its first line."""
    gaps = np.diff(times, prepend=times[:1])
    seconds = gaps / np.timedelta64(1, "s") if gaps.dtype.kind == "m" else gaps.astype(np.float64)
    starts = offsets[:-1]
    seconds[starts[starts < len(seconds)]] = 0.0
    return seconds
