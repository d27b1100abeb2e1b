"""DateParts: calendar parts of dates."""

import datetime
import warnings

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skfusion.exceptions import BlockError, BlockTypeError
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


# How dates are read


def column(*dates, **options):
    return pd.DataFrame({"due": pd.Series(list(dates), **options)})


def same(transformer, shown, *real):
    """Whether what is shown has the parts of the real dates."""
    return np.allclose(transformer.transform(shown), transformer.transform(column(*real)))


def stamps(*dates):
    return [pd.Timestamp(one) for one in dates]


@pytest.mark.parametrize(
    ("learned", "shown", "real"),
    [
        (["25/12/2024", "01/02/2025"], "03/04/2025", "2025-04-03"),
        (["12/25/2024", "01/02/2025"], "03/04/2025", "2025-03-04"),
        (["25.12.2024"], "3.4.2025", "2025-04-03"),
        (["25-12-2024 10:30"], "03-04-2025 22:15:30", "2025-04-03 22:15:30"),
        (["12/25/2024 01:00 PM"], "03/04/2025 12:00 AM", "2025-03-04"),
        (["2024-12-25"], "2025-04-03", "2025-04-03"),
        (["2024/12/25"], "2025/4/3", "2025-04-03"),
        (["25 Dec 2024"], "Apr 3, 2025", "2025-04-03"),
        (["25 December 2024"], "Thu, 03 Apr 2025 10:00:00", "2025-04-03 10:00"),
        (["20241225"], "20250403", "2025-04-03"),
        (["20241225"], "20250403T101530", "2025-04-03 10:15:30"),
        (["2024-12"], "April 2025", "2025-04-01"),
        (["2024-12-25T10:00:00.123"], "2025-04-03T09:08:07,5", "2025-04-03 09:08:07.5"),
        (["99-12-25", "99-12-31"], "01-02-03", "2001-02-03"),
        (["13-Jan-25"], "03-Apr-68", "2068-04-03"),
        (["13-Jan-25"], "03-Apr-69", "1969-04-03"),
        (["2024-12-25"], "2nd of January 2025", "2025-01-02"),
        (["25/12/2024", None, "2024-12-25", "Dec 25 2024"], "03/04/2025", "2025-04-03"),
    ],
)
def test_texts_are_read_as_was_learned(learned, shown, real):
    transformer = DateParts().fit(column(*learned))
    assert same(transformer, column(shown), pd.Timestamp(real))
    together = transformer.transform(column(shown, learned[0], learned[-1]))
    np.testing.assert_array_equal(together[:1], transformer.transform(column(shown)))


@pytest.mark.parametrize("dtype", [object, "string", "category", "str"])
def test_texts_of_all_types_of_pandas(dtype):
    transformer = DateParts().fit(column("25/12/2024", "13/01/2025", dtype=dtype))
    assert same(transformer, column("03/04/2025", dtype=dtype), pd.Timestamp("2025-04-03"))


def test_the_order_can_be_said():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transformer = DateParts(order="DMY").fit(column("03/04/2025"))
    assert same(transformer, column("03/04/2025"), pd.Timestamp("2025-04-03"))
    with pytest.raises(ValueError, match="order must be"):
        DateParts(order="day first").fit(column("03/04/2025"))


def test_an_order_that_no_date_tells_is_warned_of():
    with pytest.warns(
        UserWarning, match=r"column 'due': the order.*'03/04/2025' is read as 2025-03-04"
    ):
        transformer = DateParts().fit(column("03/03/2025", "03/04/2025"))
    assert same(transformer, column("05/04/2025"), pd.Timestamp("2025-05-04"))
    with pytest.warns(UserWarning, match=r"'25/12/24' is read as 2024-12-25, DMY"):
        DateParts().fit(column("25/12/24"))


@pytest.mark.parametrize(
    ("learned", "shown", "says"),
    [
        (["25/12/2024"], "12/25/2024", "The order at fit was DMY"),
        (["2024-12-25"], "03/04/2025", "No date of the fit tells its order"),
        (["25/12/2024"], "31/02/2025", "It is no date"),
        (["25/12/2024"], "soon", "It is no date"),
        (["25/12/2024"], "now", "It is no date"),
        (["25/12/2024"], "10:30", "It is no date"),
        (["25/12/2024"], "1712102400", "It is no date"),
        (["25/12/2024"], "2024-02-30", "It is no date"),
        (["25/12/2024"], "25 Dezember 2024", "It is no date"),
        (["25/12/2024"], "2024-12-25 25:00", "It is no date"),
        (["2024-12-25"], datetime.time(1), "which is no date"),
        (["2024-12-25"], 5.0, "which is no date"),
        (["2024-12-25"], datetime.timedelta(1), "which is no date"),
        (["2024-12-25"], "2024-12-25T10:00Z", "time zone"),
        (["2024-12-25T10:00Z"], "2024-12-25", "time zone"),
    ],
)
def test_what_cannot_be_read_is_refused_by_row(learned, shown, says):
    transformer = DateParts().fit(column(*learned))
    with pytest.raises((BlockError, BlockTypeError), match=f"column 'due', row 2.*{says}"):
        transformer.transform(column(None, learned[0], shown, dtype=object))


def test_two_orders_in_a_column_are_refused():
    X = column("2024-01-01", "25/12/2024", "01/02/2024", "12/25/2024")
    with pytest.raises(BlockError, match=r"row 1 holds '25/12/2024', row 3 holds '12/25/2024'"):
        DateParts().fit(X)


def test_rows_are_told_by_their_labels_too():
    X = column("2024-12-25", "soon").set_axis([7, 9])
    with pytest.raises(BlockError, match=r"column 'due', row 1 \(label 9\): 'soon'"):
        DateParts().fit(X)


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        [1712102400.0, 1712102401.0],
        [True, False],
        pd.to_timedelta([1, 2], unit="D"),
        pd.Series([1, None], dtype="Int64"),
        pd.Categorical([1, 2]),
    ],
    ids=["integers", "seconds", "booleans", "durations", "nullable", "categories of numbers"],
)
def test_numbers_are_no_dates(values):
    with pytest.raises(BlockTypeError, match="column 'due'"):
        DateParts().fit(pd.DataFrame({"due": values}))
    transformer = DateParts().fit(column(*stamps("2024-01-01")))
    with pytest.raises(BlockTypeError, match="column 'due'"):
        transformer.transform(pd.DataFrame({"due": values}))


# Time zones


def test_the_same_moment_in_another_zone_is_the_same():
    madrid = pd.Series(pd.date_range("2024-03-30", periods=60, freq="h", tz="Europe/Madrid"))
    transformer = DateParts().fit(madrid)
    expected = transformer.transform(madrid)
    for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
        np.testing.assert_array_equal(transformer.transform(madrid.dt.tz_convert(zone)), expected)
    cells = madrid.dt.tz_convert("UTC").astype(object)
    np.testing.assert_array_equal(transformer.transform(cells), expected)
    texts = madrid.map(lambda one: one.isoformat())
    np.testing.assert_array_equal(transformer.transform(texts), expected)


def test_offsets_that_change_with_summer_are_moments():
    X = column("2024-01-01 10:00+01:00", "2024-07-01 10:00+02:00")
    transformer = DateParts().fit(X)
    utc = column("2024-01-01T09:00Z", "2024-07-01T08:00Z")
    np.testing.assert_array_equal(transformer.transform(X), transformer.transform(utc))
    for row in (0, 1):
        np.testing.assert_array_equal(
            transformer.transform(X.iloc[[row]]), transformer.transform(X)[[row]]
        )


def test_one_offset_is_the_local_time():
    X = column("2024-01-01 10:00+05:00", "2024-07-01 11:00+05:00")
    np.testing.assert_allclose(
        DateParts().fit_transform(X), parts_of("2024-01-01 10:00", "2024-07-01 11:00")
    )


def test_a_column_with_and_without_zones_is_refused():
    with pytest.raises(BlockError, match="column 'due', row 1: .* time zone"):
        DateParts().fit(column("2024-01-01T10:00Z", "2024-01-01T10:00"))


@pytest.mark.parametrize("aware", [True, False])
def test_a_zone_that_came_or_went_is_refused(aware):
    plain = pd.Series(pd.to_datetime(["2024-01-01"]), name="due")
    zoned = plain.dt.tz_localize("Europe/Madrid")
    transformer = DateParts().fit(zoned if aware else plain)
    with pytest.raises(BlockError, match="column 'due' has dates with.* a time zone"):
        transformer.transform(plain if aware else zoned)


# Types


@pytest.mark.parametrize("unit", ["D", "h", "s", "ms", "us", "ns"])
def test_resolutions_are_the_same(unit):
    learned = np.array(["1969-07-20", "2024-02-29", "NaT", "1900-01-01"], dtype="M8[D]")
    expected = DateParts().fit(learned).transform(learned)
    transformer = DateParts().fit(learned.astype(f"M8[{unit}]"))
    np.testing.assert_array_equal(transformer.transform(learned.astype(f"M8[{unit}]")), expected)
    np.testing.assert_array_equal(
        transformer.transform(pd.Series(learned).astype(object)), expected
    )


@pytest.mark.parametrize(
    "values",
    [
        [datetime.date(1, 1, 1), datetime.date(9999, 12, 31)],
        [datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)],
        ["0001-01-01", "9999-12-31"],
        ["01/01/0001", "31/12/9999"],
        np.array(["0001-01-01", "9999-12-31"], dtype="M8[D]"),
        pd.Series(np.array(["0001-01-01", "9999-12-31"], dtype="M8[s]")),
    ],
    ids=["dates", "datetimes", "texts", "ordered texts", "days", "seconds"],
)
def test_first_and_last_years(values):
    names = DateParts().fit(values).get_feature_names_out()
    parts = pd.DataFrame(DateParts().fit_transform(values), columns=names)
    assert parts.iloc[:, 0].tolist() == [-1.0, 1.0]
    np.testing.assert_allclose(parts.iloc[:, 2], [1.0, np.cos(2 * np.pi * 11 / 12)])


@pytest.mark.parametrize("date", ["300000-01-01", "-300000-01-01"])
def test_a_date_that_is_too_far_away(date):
    with pytest.raises(BlockError, match="row 1.*cannot be read as a date"):
        DateParts().fit(np.array(["2024-01-01", date], dtype="M8[D]"))


def test_periods_are_their_first_day():
    periods = pd.Series(pd.period_range("2024-01", periods=3, freq="M"))
    transformer = DateParts().fit(periods)
    first = pd.Series(pd.date_range("2024-01-01", periods=3, freq="MS"))
    np.testing.assert_array_equal(transformer.transform(periods), transformer.transform(first))
    np.testing.assert_array_equal(
        transformer.transform(periods.astype(object)), transformer.transform(first)
    )


def test_dates_of_several_types_in_one_column():
    cells = [
        "2024-01-02",
        datetime.date(2024, 1, 2),
        datetime.datetime(2024, 1, 2),
        np.datetime64("2024-01-02"),
        pd.Timestamp("2024-01-02"),
        pd.Period("2024-01-02", "D"),
        None,
        np.nan,
        pd.NaT,
    ]
    parts = DateParts().fit_transform(column(*cells, dtype=object))
    assert (parts[:6] == parts[0]).all() and (parts[6:] == 0).all()


def test_dates_of_other_libraries():
    expected = DateParts().fit_transform(column(*stamps("2024-01-02", "2025-05-03")))
    dates = polars.DataFrame({"due": [datetime.date(2024, 1, 2), datetime.date(2025, 5, 3)]})
    np.testing.assert_array_equal(DateParts().fit_transform(dates), expected)
    times = dates.with_columns(polars.col("due").cast(polars.Datetime("ms")))
    np.testing.assert_array_equal(DateParts().fit_transform(times), expected)
    np.testing.assert_array_equal(DateParts().fit_transform(times["due"]), expected)


@pytest.mark.parametrize("kind", ["date32", "date64", "timestamp[s]", "timestamp[ns]"])
def test_dates_of_arrow(kind):
    table = pyarrow.table({"due": [datetime.date(2024, 1, 2), None, datetime.date(2025, 5, 3)]})
    table = table.set_column(0, "due", table["due"].cast(pyarrow.type_for_alias(kind)))
    expected = DateParts().fit_transform(column(*stamps("2024-01-02", None, "2025-05-03")))
    np.testing.assert_array_equal(DateParts().fit_transform(table), expected)
    pandas = table.to_pandas(types_mapper=pd.ArrowDtype)
    np.testing.assert_array_equal(DateParts().fit_transform(pandas), expected)


def test_a_list_is_read_cell_by_cell():
    np.testing.assert_array_equal(
        DateParts().fit_transform(["2024-01-02", datetime.date(2025, 5, 3)]),
        DateParts().fit_transform(column(*stamps("2024-01-02", "2025-05-03"))),
    )


DATES = st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)
)
FORMATS = ["%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d %B %Y %H:%M:%S", "%A, %d %b %Y %H:%M:%S"]


@given(st.lists(DATES, min_size=1, max_size=8), st.data())
def test_any_date_in_any_way_of_writing_is_that_date(moments, data):
    texts = [
        moment.strftime(data.draw(st.sampled_from(FORMATS)).replace("%Y", f"{moment.year:04d}"))
        for moment in moments
    ]
    transformer = DateParts(order="DMY").fit(column(*moments, dtype=object))
    transformer.readings_ = DateParts(order="DMY").fit(column(*texts)).readings_
    expected = transformer.transform(column(*moments, dtype=object))
    np.testing.assert_array_equal(transformer.transform(column(*texts)), expected)
    row = data.draw(st.integers(0, len(texts) - 1))
    np.testing.assert_array_equal(transformer.transform(column(texts[row])), expected[[row]])
