"""Dates as calendar parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

__all__ = ["DateParts"]


class DateParts(TransformerMixin, BaseEstimator):
    """Dates as numbers: the year, scaled, and the place in the month, week, year and day.

    What returns (month, day of the month, weekday, day of the year, hour) becomes the sine and
    cosine of its angle, so that December stands next to January. The hour is used where a date
    seen at fit has one. Dates with a time zone count in their own local time.

    Attributes
    ----------
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
    X is a column (n_rows,) or several (n_rows, n_columns) of datetimes, dates or strings that
    pandas reads as dates. The output is float64 of shape (n_rows, n_parts), with 9 or 11 parts a
    column. A missing date among several columns is zero in all of its parts.

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

    def fit(self, X: Any, y: Any = None) -> DateParts:
        dates = self._read(X, reset=True)
        years = [column.dt.year.to_numpy(dtype=float) for column in dates]
        self.year_mean_ = np.array([_over_valid(np.mean, year) for year in years])
        scale = np.array([_over_valid(np.std, year) for year in years])
        self.year_scale_ = np.where(scale > 0, scale, 1.0)
        self.has_hour_ = np.array([bool((_hour(column) > 0).any()) for column in dates])
        return self

    def transform(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "has_hour_")
        dates = self._read(X, reset=False)
        return np.hstack([self._parts(position, dates[position]) for position in range(len(dates))])

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
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

    def _read(self, X: Any, reset: bool) -> list[pd.Series]:
        frame = X if isinstance(X, pd.DataFrame) else pd.DataFrame(X)
        validate_data(self, frame, skip_check_array=True, reset=reset)
        return [pd.to_datetime(frame.iloc[:, i]) for i in range(frame.shape[1])]

    def _parts(self, position: int, dates: pd.Series) -> np.ndarray:
        year = dates.dt.year.to_numpy(dtype=float)
        parts = [(year - self.year_mean_[position]) / self.year_scale_[position]]
        for angle in _angles(dates, bool(self.has_hour_[position])).values():
            parts += [np.sin(angle), np.cos(angle)]
        return np.nan_to_num(np.column_stack(parts), nan=0.0)


def _angles(dates: pd.Series, has_hour: bool) -> dict[str, np.ndarray]:
    parts = dates.dt
    turns = {
        "month": (parts.month - 1) / 12,
        "day": (parts.day - 1) / parts.days_in_month,
        "weekday": parts.day_of_week / 7,
        "dayofyear": (parts.day_of_year - 1) / (365 + parts.is_leap_year),
    }
    if has_hour:
        turns["hour"] = _hour(dates) / 24
    return {name: 2 * np.pi * turn.to_numpy(dtype=float) for name, turn in turns.items()}


def _hour(dates: pd.Series) -> pd.Series:
    return dates.dt.hour + dates.dt.minute / 60


def _part_names(has_hour: bool) -> list[str]:
    cycles = ["month", "day", "weekday", "dayofyear", *(["hour"] if has_hour else [])]
    return ["year", *(f"{cycle}_{wave}" for cycle in cycles for wave in ("sin", "cos"))]


def _over_valid(statistic: Any, values: np.ndarray) -> float:
    valid = values[~np.isnan(values)]
    return float(statistic(valid)) if len(valid) else 0.0
