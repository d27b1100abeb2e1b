"""Dates as calendar parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skfusion._checks import check_choice
from skfusion.inputs._tables.date_texts import ORDERS
from skfusion.inputs._tables.moments import Reading, learn_reading
from skfusion.inputs._tables.one_column import row_name
from skfusion.inputs._tables.to_pandas import pandas_table, series_of

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["DateParts"]


class DateParts(TransformerMixin, BaseEstimator):
    """Dates as numbers: the year, scaled, and the place in the month, week, year and day.

    What returns (month, day of the month, weekday, day of the year, hour) becomes the sine and
    cosine of its angle, so that December stands next to January. The hour is used where a date
    seen at fit has one.

    A row's date never depends on the rows beside it. How texts are read is learned from all rows
    of the fit, and kept.

    Parameters
    ----------
    order : {"auto", "DMY", "MDY", "YMD"}, default="auto"
        Order of day, month and year in texts such as "03/04/2025". "auto" is the one that suits
        all texts of the column at fit; where several do, the first of MDY, DMY, YMD, with a
        warning. Years that come first with four digits, and names of months, need no order.

    Attributes
    ----------
    readings_ : list of Reading
        By column, the ``order`` of its texts, and the time ``zone`` in which it is counted.
    year_mean_, year_scale_ : ndarray of shape (n_features_in_,)
        Mean and standard deviation of the years at fit.
    has_hour_ : ndarray of bool of shape (n_features_in_,)
        Whether the column held a time of day at fit.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Names of the columns, where they have names.

    Notes
    -----
    X is a column (n_rows,) or several (n_rows, n_columns) of datetimes, dates, periods (their
    first day) or texts, of the years 1 to 9999. The output is float64 of shape
    (n_rows, n_parts), with 9 or 11 parts a column. A missing date among several columns is zero
    in all of its parts.

    Dates with a time zone count in the local time of the zone at fit: the same moment in another
    zone is the same. Texts with several offsets (+01:00 in winter, +02:00 in summer) count in UTC.
    Years of two digits are those from 1969 to 2068.

    Texts are read in English, such as 2025-04-03, 2025-04-03T10:30:00Z, 03.04.2025 10:30,
    3 April 2025, Apr 3, 2025 10:30 PM, 20250403.

    Raises
    ------
    BlockError
        For texts that are no date, that stand in several orders, or in another than at fit, and
        for dates with and without a time zone; names the column and the row.
    BlockTypeError
        For numbers, durations and times, which are no dates.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion.inputs import DateParts
    >>> frame = pd.DataFrame({"day": pd.to_datetime(["2023-01-01", "2025-07-02"])})
    >>> parts = DateParts().fit(frame)
    >>> parts.get_feature_names_out()[:3].tolist()
    ['day_year', 'day_month_sin', 'day_month_cos']
    >>> parts.transform(frame)[:, 0].tolist()
    [-1.0, 1.0]
    """

    def __init__(self, order: str = "auto") -> None:
        self.order = order

    def fit(self, X: object, y: object = None) -> Self:
        """Learn how the dates of each column are read, and their years.

        Parameters
        ----------
        X : array, frame or list of shape (n_rows,) or (n_rows, n_columns)
            Dates.
        y : None
            Not used.

        Returns
        -------
        DateParts
            The transformer itself.
        """
        check_choice("order", self.order, ("auto", *ORDERS))
        frame = self._frame(X, reset=True)
        rows = partial(row_name, frame)
        readings = [learn_reading(column, self.order, rows) for column in _columns(frame)]
        dates = _local_times(frame, readings)
        years = [_year(column) for column in dates]
        self.year_mean_ = np.array([_over_valid(np.mean, year) for year in years])
        scale = np.array([_over_valid(np.std, year) for year in years])
        self.year_scale_ = np.where(scale > 0, scale, 1.0)
        self.has_hour_ = np.array([bool((_hour(column) > 0).any()) for column in dates])
        self.readings_ = readings
        return self

    def transform(self, X: object) -> np.ndarray:
        """Return the parts of the dates of X, float64 of shape (n_rows, n_parts)."""
        check_is_fitted(self, "has_hour_")
        dates = _local_times(self._frame(X, reset=False), self.readings_)
        return np.hstack([self._parts(position, dates[position]) for position in range(len(dates))])

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> np.ndarray:
        """Return the names of the parts, such as "day_year" and "day_month_sin"."""
        check_is_fitted(self, "has_hour_")
        names = input_features
        if names is None:
            default = [f"x{position}" for position in range(self.n_features_in_)]
            names = getattr(self, "feature_names_in_", default)
        return np.array(
            [
                f"{name}_{part}"
                for name, has_hour in zip(names, self.has_hour_, strict=True)
                for part in _part_names(has_hour)
            ],
            dtype=object,
        )

    def _frame(self, X: object, reset: bool) -> pd.DataFrame:
        frame = series_of("X", pandas_table(X))
        if not isinstance(frame, pd.DataFrame):
            # pandas would guess at the types of a list, by all of its rows.
            kind = object if isinstance(frame, (list, tuple)) else None
            frame = pd.DataFrame(cast("np.ndarray", frame), dtype=kind)
        validate_data(self, frame, skip_check_array=True, reset=reset)
        return frame

    def _parts(self, position: int, dates: np.ndarray) -> np.ndarray:
        parts = [(_year(dates) - self.year_mean_[position]) / self.year_scale_[position]]
        for angle in _angles(dates, bool(self.has_hour_[position])).values():
            parts += [np.sin(angle), np.cos(angle)]
        return np.nan_to_num(np.column_stack(parts), nan=0.0)


def _columns(frame: pd.DataFrame) -> list[pd.Series]:
    return [frame.iloc[:, position] for position in range(frame.shape[1])]


def _local_times(frame: pd.DataFrame, readings: list[Reading]) -> list[np.ndarray]:
    rows = partial(row_name, frame)
    pairs = zip(readings, _columns(frame), strict=True)
    return [reading.local_times(column, rows) for reading, column in pairs]


def _angles(dates: np.ndarray, has_hour: bool) -> dict[str, np.ndarray]:
    months, years = dates.astype("M8[M]"), dates.astype("M8[Y]")
    turns = {
        "month": (_count(months, years, "M8[M]") / 12),
        "day": _count(dates, months, "M8[D]") / _count(months + 1, months, "M8[D]"),
        "weekday": (_count(dates, np.datetime64(0, "D"), "M8[D]") + 3) % 7 / 7,
        "dayofyear": _count(dates, years, "M8[D]") / _count(years + 1, years, "M8[D]"),
    }
    if has_hour:
        turns["hour"] = _hour(dates) / 24
    return {name: 2 * np.pi * turn for name, turn in turns.items()}


def _year(dates: np.ndarray) -> np.ndarray:
    return _count(dates, np.datetime64(0, "Y"), "M8[Y]") + 1970


def _hour(dates: np.ndarray) -> np.ndarray:
    hours, days = dates.astype("M8[h]"), dates.astype("M8[D]")
    return _count(hours, days, "M8[h]") + _count(dates, hours, "M8[m]") / 60


def _count(until: np.ndarray, since: np.ndarray | np.datetime64, unit: str) -> np.ndarray:
    """Return how many units lie between, as floats, NaN where there is no date."""
    steps = until.astype(unit) - since.astype(unit)
    return np.where(np.isnat(steps), np.nan, steps.astype(np.int64))


def _part_names(has_hour: bool) -> list[str]:
    cycles = ["month", "day", "weekday", "dayofyear", *(["hour"] if has_hour else [])]
    return ["year", *(f"{cycle}_{wave}" for cycle in cycles for wave in ("sin", "cos"))]


def _over_valid(statistic: Callable[[np.ndarray], float], values: np.ndarray) -> float:
    valid = values[~np.isnan(values)]
    return float(statistic(valid)) if len(valid) else 0.0
