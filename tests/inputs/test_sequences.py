"""SequenceStacker with keys, times, values and cells of every type."""

import datetime
from importlib.util import find_spec

import numpy as np
import pandas as pd
import polars
import pytest
import torch

from skfusion.blocks import Ragged
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs import SequenceStacker


def column(*values):
    cells = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        cells[row] = value
    return cells


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "key": [1, 2, 1, 2, 3],
            "day": [5.0, 1.0, 2.0, 4.0, 1.0],
            "pulse": [60.0, 70.0, np.nan, 80.0, 90.0],
            "ward": ["x", "y", "x", None, "y"],
        }
    )


@pytest.fixture
def stacker(table):
    return SequenceStacker(table, by="key", time="day").fit([1, 2])


@pytest.mark.parametrize(
    "keys",
    [
        [1, 2],
        [1.0, 2.0],
        np.array([1, 2], np.uint8),
        np.array([1, 2], ">i4"),
        pd.Series([1, 2], dtype="Int64"),
        pd.Series([1, 2], dtype="category"),
        pd.Series([1, 2.0], dtype=object),
    ],
    ids=lambda keys: str(getattr(keys, "dtype", keys)),
)
def test_keys_that_mean_the_same(stacker, keys):
    expected = stacker.transform([1, 2])
    np.testing.assert_array_equal(stacker.transform(keys).values, expected.values)
    assert expected.lengths.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        (["1", "2"], "texts"),
        (pd.Series(["1"], dtype="category"), "texts"),
        ([True, False], "booleans"),
        (pd.to_datetime(["2024-01-01"]), "dates"),
        (column(datetime.date(2024, 1, 1)), "dates"),
    ],
    ids=["text", "category", "boolean", "datetime", "date"],
)
def test_keys_of_another_kind_are_refused(table, stacker, keys, kind):
    message = f"the keys are {kind}, .*column 'key' of the long table holds numbers, such as 1"
    with pytest.raises(BlockTypeError, match=message):
        stacker.transform(keys)
    with pytest.raises(BlockError, match="none of . keys has a line"):
        SequenceStacker(table, by="key").fit(keys)


def test_keys_with_and_without_a_time_zone(table):
    dates = table.assign(key=pd.to_datetime("2024-01-01") + pd.to_timedelta(table["key"], "D"))
    fitted = SequenceStacker(dates, by="key").fit(dates["key"])
    with pytest.raises(BlockTypeError, match="the keys are dates of a time zone"):
        fitted.transform(dates["key"].dt.tz_localize("UTC"))


def test_integers_that_floats_cannot_tell_apart_are_refused(table):
    large = table.assign(key=table["key"] + 2**53)
    fitted = SequenceStacker(large, by="key").fit(large["key"])
    assert fitted.transform([2**53 + 1, 2**53 + 9]).lengths.tolist() == [2, 0]
    with pytest.raises(BlockError, match="floats, which do not hold integers from 2..53 on"):
        fitted.transform([float(2**53 + 2)])


def test_lines_in_any_order_give_the_same(table, stacker):
    expected = stacker.transform([2, 1])
    for seed in range(5):
        stacker.set_params(table=table.sample(frac=1, random_state=seed))
        np.testing.assert_array_equal(stacker.transform([2, 1]).values, expected.values)


def test_a_row_depends_on_no_other(stacker):
    together = stacker.transform([3, 1, 9, 2])
    for row, key in enumerate([3, 1, 9, 2]):
        np.testing.assert_array_equal(stacker.transform([key])[0], together[row])


def test_a_gap_does_not_depend_on_the_earliest_time():
    lines = pd.DataFrame({"key": [1, 1, 2], "at": pd.to_datetime([3, 7, -(10**18)], unit="ns")})
    fitted = SequenceStacker(lines, by="key", time="at").fit([1])
    assert fitted.gaps_.scale == pytest.approx(4e-9, rel=1e-9)
    np.testing.assert_array_equal(fitted.transform([1, 2])[0], fitted.transform([1])[0])


def test_lines_of_the_same_time_stay_in_their_order():
    lines = pd.DataFrame({"key": [1] * 4, "day": [2, 1, 2, 1], "pulse": [1.0, 2.0, 3.0, 4.0]})
    fitted = SequenceStacker(lines, by="key", time="day").fit([1])
    values = fitted.transform([1])[0]
    assert values[:, 0].tolist() == [0, 0, 3, 0]
    assert (np.diff(values[:, 1]) > 0).tolist() == [True, False, True]


@pytest.mark.parametrize(
    "convert",
    [
        lambda days: pd.to_datetime("2024-01-01") + pd.to_timedelta(days, "D"),
        lambda days: pd.to_datetime("2024-01-01", utc=True) + pd.to_timedelta(days, "D"),
        lambda days: pd.to_timedelta(days, "D"),
        lambda days: days.astype("int16"),
        lambda days: days.astype("uint64"),
        lambda days: days.astype("Int64"),
        lambda days: days.astype("float32"),
    ],
    ids=["date", "zone", "duration", "int16", "uint64", "nullable", "float32"],
)
def test_times_of_every_type(table, stacker, convert):
    other = SequenceStacker(table.assign(day=convert(table["day"])), by="key", time="day")
    found = other.fit([1, 2]).transform([1, 2, 3])
    np.testing.assert_allclose(found.values, stacker.transform([1, 2, 3]).values, rtol=1e-6)


def test_times_of_another_kind_are_refused(table, stacker):
    dates = table.assign(day=pd.to_datetime(table["day"], unit="D"))
    with pytest.raises(BlockTypeError, match="'day' held numbers at fit, but now it is datetime64"):
        stacker.set_params(table=dates).transform([1])
    dated = SequenceStacker(dates, by="key", time="day").fit([1, 2])
    with pytest.raises(BlockTypeError, match="held dates or durations at fit, but now it is float"):
        dated.set_params(table=table).transform([1])
    endless = table.assign(day=[1.0, np.inf, 2.0, 3.0, 4.0])
    with pytest.raises(BlockError, match="time column 'day' is infinite in the line labelled 1"):
        SequenceStacker(endless, by="key", time="day").fit([1, 2])


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("pulse", ["60", "70", "x", "80", "90"], "'pulse' held numbers at fit, but now it is"),
        ("pulse", [60.0, "70", None, 80.0, 90.0], "held numbers at fit, .*such as '70'"),
        ("pulse", pd.to_datetime(["2024-01-01"] * 5), "held numbers at fit, but now .*datetime64"),
        ("pulse", [1j] * 5, "held numbers at fit, but now it is complex"),
        ("ward", [1, 2, 3, 4, 5], "'ward' held texts at fit, but now it is int64, such as 3"),
        ("ward", ["x", 2, None, "y", "y"], "'ward' held texts at fit"),
        ("ward", pd.to_datetime(["2024-01-01"] * 5), "'ward' held texts at fit"),
    ],
)
def test_columns_that_changed_their_kind_are_refused(table, stacker, name, values, message):
    stacker.set_params(table=table.assign(**{name: pd.Series(values)}))
    with pytest.raises(BlockTypeError, match=message):
        stacker.transform([1, 2])


def test_the_same_values_of_another_type(table, stacker):
    expected = stacker.transform([1, 2, 3])
    for name, kind in [
        ("pulse", "Float64"),
        ("pulse", object),
        ("pulse", np.float32),
        ("ward", "category"),
        ("ward", "string"),
        ("key", ">i4"),
        ("day", ">f8"),
        ("ward", object),
    ]:
        stacker.set_params(table=table.assign(**{name: table[name].astype(kind)}))
        found = stacker.transform([1, 2, 3])
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-6)
    nothing = table.assign(pulse=pd.Series([None] * 5, dtype=object), ward=None)
    assert np.isfinite(stacker.set_params(table=nothing).transform([1, 2]).values).all()


def test_numbers_and_texts_in_one_column_at_fit(table):
    mixed = table.assign(ward=pd.Series(["x", 2, "y", None, 3], dtype=object))
    with pytest.raises(BlockTypeError, match=r"column 'ward' holds numbers and texts.*astype\(str"):
        SequenceStacker(mixed, by="key").fit([1, 2])
    huge = table.assign(pulse=[1e300, -1e300, 1e300, 1e307, 1e308])
    with pytest.raises(BlockError, match="column 'pulse' holds numbers up to 1e.*too large"):
        SequenceStacker(huge, by="key").fit([1, 2])


@pytest.mark.parametrize(
    "cell",
    [
        [1.0, 2.0],
        (1, 2),
        np.array([1, 2], np.uint8),
        np.array([1, 2], ">f4"),
        np.array([1.0, 2.0], np.longdouble),
        np.array([1.0, 2.0], dtype=object),
        torch.tensor([1.0, 2.0], requires_grad=True),
        torch.tensor([1, 2]).bfloat16(),
        pd.Series([1, 2], dtype="Int64"),
        [torch.tensor(1.0), torch.tensor(2.0)],
    ],
    ids=lambda cell: type(cell).__name__,
)
def test_cells_of_all_makers_give_the_same(cell):
    fitted = SequenceStacker().fit([[0.0, 1.0, 5.0], [3.0]])
    expected = fitted.transform([[1.0, 2.0]])[0]
    np.testing.assert_array_equal(fitted.transform(column(cell, [3.0]))[0], expected)


def test_values_that_are_missing_in_cells():
    fitted = SequenceStacker().fit([[1.0, np.nan, 5.0], [3.0]])
    for cell in (
        [1.0, np.nan],
        [1.0, None],
        [1, pd.NA],
        np.ma.array([1, 7], mask=[False, True]),
        pd.Series([1, None], dtype="Int64"),
    ):
        found = fitted.transform(column(cell, [3.0]))[0]
        np.testing.assert_array_equal(found, fitted.transform([[1.0, np.nan]])[0])


@pytest.mark.parametrize(
    ("cell", "error", "message"),
    [
        (["1", "2"], BlockTypeError, "no array of numbers"),
        ("12", BlockTypeError, "no array of numbers"),
        ([1.0, "2"], BlockTypeError, "no array of numbers"),
        ([b"1"], BlockTypeError, "no array of numbers"),
        (np.array(["2024-01-01"], "M8[ns]"), BlockTypeError, "no array of numbers"),
        (np.array([5], "m8[s]"), BlockTypeError, "no array of numbers"),
        ([1j], BlockTypeError, "no array of numbers"),
        ([[1.0], [1.0, 2.0]], BlockTypeError, "no array of numbers"),
        (5.0, BlockTypeError, "no array of numbers"),
        (None, BlockTypeError, "no array of numbers"),
        (np.nan, BlockTypeError, "no array of numbers"),
        (np.zeros((2, 2, 2)), BlockError, r"has shape \(2, 2, 2\)"),
        ([1.0, np.inf], BlockError, "is infinite"),
        (np.broadcast_to(1.0, 10**10), BlockError, "it takes 80,000,000,000 bytes"),
        (np.broadcast_to(np.uint8(1), 10**9), BlockError, "it takes 8,000,000,000 bytes"),
    ],
)
def test_cells_that_are_no_sequences_are_refused_by_row(cell, error, message):
    fitted = SequenceStacker().fit([[1.0, 2.0]])
    for call in (SequenceStacker().fit, fitted.transform):
        with pytest.raises(error, match=f"SequenceStacker: row 1 .label 'b'.:? .*{message}"):
            call(pd.Series(column([1.0], cell), index=["a", "b"]))


def test_empty_and_short_sequences():
    fitted = SequenceStacker().fit(column([1.0], [], np.zeros((0,))))
    found = fitted.transform(column([], [2.0], []))
    assert isinstance(found, Ragged)
    assert found.lengths.tolist() == [0, 1, 0]
    assert np.isfinite(found.values).all()
    with pytest.raises(BlockError, match="all 2 sequences are empty at fit"):
        SequenceStacker().fit(column([], []))


def in_polars(table):
    wards = [None if pd.isna(ward) else ward for ward in table["ward"]]
    return polars.DataFrame({**{name: table[name].to_numpy() for name in table}, "ward": wards})


def in_arrow(table):
    return in_polars(table).to_arrow()


def in_arrow_types(table):
    return in_arrow(table).to_pandas(types_mapper=pd.ArrowDtype)


@pytest.mark.parametrize(
    "convert", [in_polars, *[in_arrow, in_arrow_types][: 2 * bool(find_spec("pyarrow"))]]
)
def test_tables_and_keys_of_other_libraries(table, stacker, convert):
    other = convert(table)
    keys = other["key"]
    expected = stacker.transform(table["key"])
    for found in (
        stacker.set_params(table=other).transform(keys),
        SequenceStacker(other, by="key", time="day").fit([1, 2]).transform(keys),
    ):
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-6)
    lazy = in_polars(table).lazy()
    with pytest.raises(BlockTypeError, match=r"SequenceStacker: table: .*LazyFrame.*\.collect\(\)"):
        SequenceStacker(lazy, by="key").fit([1])


def test_keys_that_are_none(table, stacker):
    for call in (stacker.transform, SequenceStacker(table, by="key").fit):
        with pytest.raises(BlockTypeError, match=r"row 1 holds \[2\], which is no key"):
            call(column(1, [2]))
    with pytest.raises(BlockTypeError, match="one column of keys. Got a MultiIndex of 2 levels"):
        stacker.transform(pd.MultiIndex.from_tuples([(1, 2)]))
    with pytest.raises(ParameterError, match=r"by must be the name of one column. Got \['key'\]"):
        SequenceStacker(table, by=["key"]).fit([1])


def test_two_columns_of_one_name_are_refused(table):
    double = pd.concat([table, table[["ward"]]], axis=1)
    with pytest.raises(BlockError, match="several columns 'ward'. Rename or drop all but one"):
        SequenceStacker(double, by="key").fit([1])
