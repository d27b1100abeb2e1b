"""DateParts: calendar parts of dates."""

import datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skfusion.inputs import DateParts


def parts_of(*dates, **options):
    frame = pd.DataFrame({"d": pd.to_datetime(list(dates), **options)})
    transformer = DateParts().fit(frame)
    names = transformer.get_feature_names_out()
    return pd.DataFrame(transformer.transform(frame), columns=names)


def test_parts_of_a_known_day():
    # 2024-03-06 was a Wednesday, the 66th day of a leap year; March has 31 days.
    parts = parts_of("2024-03-06 06:00").iloc[0]
    turns = {"month": 2 / 12, "day": 5 / 31, "weekday": 2 / 7, "dayofyear": 65 / 366, "hour": 0.25}
    for name, turn in turns.items():
        assert parts[f"d_{name}_sin"] == pytest.approx(np.sin(2 * np.pi * turn))
        assert parts[f"d_{name}_cos"] == pytest.approx(np.cos(2 * np.pi * turn))
    assert parts["d_year"] == 0.0


def test_year_is_scaled():
    years = parts_of("2020-01-01", "2022-01-01", "2024-01-01")["d_year"]
    expected = np.array([-2.0, 0.0, 2.0]) / np.sqrt(8 / 3)
    np.testing.assert_allclose(years, expected)


def test_december_is_next_to_january():
    parts = parts_of("2023-12-31", "2024-01-01", "2024-07-01").drop(columns="d_year").to_numpy()
    near, far = np.linalg.norm(parts[0] - parts[1]), np.linalg.norm(parts[1] - parts[2])
    assert near < far


@pytest.mark.parametrize(("date", "has_hour"), [("2024-01-01", False), ("2024-01-01 07:30", True)])
def test_hour_only_where_there_is_one(date, has_hour):
    assert ("d_hour_sin" in parts_of("2024-05-01", date, format="ISO8601")) is has_hour


def test_missing_dates_are_zero():
    parts = parts_of("2024-01-01", None, "2025-01-01")
    assert (parts.iloc[1] == 0).all() and np.isfinite(parts.to_numpy()).all()


def test_a_column_without_dates_is_zero():
    assert (parts_of(None, None).to_numpy() == 0).all()


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([datetime.date(2024, 1, 2), datetime.date(2024, 5, 3)], name="d", dtype=object),
        pd.Series(["2024-01-02", "2024-05-03"], name="d"),
        np.array(["2024-01-02", "2024-05-03"], dtype="datetime64[D]"),
        np.array([["2024-01-02"], ["2024-05-03"]], dtype="datetime64[s]"),
        pd.Series(pd.to_datetime(["2024-01-02", "2024-05-03"]).tz_localize("Europe/Madrid")),
    ],
)
def test_kinds_of_dates_give_the_same_parts(column):
    expected = parts_of("2024-01-02", "2024-05-03").to_numpy()
    np.testing.assert_allclose(DateParts().fit_transform(column), expected)


def test_several_columns_and_names_without_names():
    X = np.array([["2024-01-02", "2020-01-01"]], dtype="datetime64[D]")
    transformer = DateParts().fit(X)
    assert transformer.transform(X).shape == (1, 18)
    assert transformer.get_feature_names_out()[9] == "x1_year"
    assert transformer.get_feature_names_out(["a", "b"])[0] == "a_year"


def test_other_columns_than_at_fit():
    transformer = DateParts().fit(pd.DataFrame({"d": pd.to_datetime(["2024-01-02"])}))
    with pytest.raises(ValueError, match="feature names should match"):
        transformer.transform(pd.DataFrame({"e": pd.to_datetime(["2024-01-02"])}))


def test_transform_before_fit():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        clone(DateParts()).transform(pd.DataFrame({"d": pd.to_datetime(["2024-01-02"])}))
