import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone

from skfusion.blocks import Blocks, Ragged
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs import BlockUnion, SequenceStacker


@pytest.fixture
def visits():
    """Five lines of patients a and b, one of c; b's are not in the order of time."""
    return pd.DataFrame(
        {
            "patient": ["a", "b", "a", "b", "c", "b"],
            "date": pd.to_datetime(
                ["2024-01-01", "2024-03-05", "2024-01-03", "2024-03-01", "2024-02-01", "2024-03-02"]
            ),
            "pulse": [60.0, 70.0, np.nan, 80.0, 999.0, 90.0],
            "ward": ["x", "y", None, "x", "z", "x"],
        }
    )


def test_sequences_follow_time_and_carry_scaled_gaps(visits):
    stacker = SequenceStacker(visits, by="patient", time="date", values=["pulse"])
    sequences = stacker.fit_transform(["b", "a"])
    # Gaps of b: 1 and 3 days, of a: 2 days; their mean is 2 days.
    known = np.array([80.0, 90.0, 70.0, 60.0])
    scaled = (known - known.mean()) / known.std()
    assert sequences.dtype == np.float32
    expected_b = [[0, scaled[0], 0], [0.5, scaled[1], 0], [1.5, scaled[2], 0]]
    np.testing.assert_allclose(sequences[0], expected_b, rtol=1e-6)
    np.testing.assert_allclose(sequences[1], [[0, scaled[3], 0], [1, 0, 1]], rtol=1e-6)
    assert stacker.get_feature_names_out().tolist() == [
        "date since previous",
        "pulse",
        "pulse missing",
    ]


def test_categories_are_one_hot_and_new_or_missing_ones_zero(visits):
    stacker = SequenceStacker(visits, by="patient", time="date", values=["ward"])
    stacker.fit(["a", "b"])
    assert stacker.get_feature_names_out().tolist()[1:] == ["ward=x", "ward=y"]
    sequences = stacker.transform(["b", "a", "c"])
    assert sequences[0][:, 1:].tolist() == [[1, 0], [1, 0], [0, 1]]
    assert sequences[1][:, 1:].tolist() == [[1, 0], [0, 0]]
    assert sequences[2][:, 1:].tolist() == [[0, 0]]


def test_nothing_is_learned_from_keys_unseen_at_fit(visits):
    options = {"by": "patient", "time": "date"}
    with_c = SequenceStacker(visits, **options).fit(["a", "b"]).transform(["a"])
    without_c = visits[visits.patient != "c"]
    expected = SequenceStacker(without_c, **options).fit_transform(["a", "b"])[0]
    np.testing.assert_array_equal(with_c[0], expected)


def test_a_key_without_lines_is_an_empty_sequence_and_keys_may_repeat(visits):
    stacker = SequenceStacker(visits, by="patient", time="date")
    sequences = stacker.fit_transform(pd.Series(["a", "nobody", "b", "a"]))
    assert sequences.lengths.tolist() == [2, 0, 3, 2]
    np.testing.assert_array_equal(sequences[0], sequences[3])
    assert stacker.transform(["nobody", "nobody"]).shape == (2, None, 5)
    assert Blocks({"visits": sequences}).specs()["visits"].form == "sequence"


@pytest.mark.parametrize(
    "convert",
    [
        lambda dates: dates.dt.tz_localize("Europe/Madrid"),
        lambda dates: dates - dates.min(),
        lambda dates: (dates - dates.min()).dt.days,
        lambda dates: dates.astype("datetime64[s]"),
    ],
    ids=["zone", "durations", "numbers", "seconds"],
)
def test_times_of_every_kind_give_the_same_gaps(visits, convert):
    options = {"by": "patient", "time": "date"}
    expected = SequenceStacker(visits, **options).fit_transform(["a", "b"])
    other = visits.assign(date=convert(visits["date"]))
    found = SequenceStacker(other, **options).fit_transform(["a", "b"])
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-6)


def test_kinds_of_values():
    table = pd.DataFrame(
        {
            "key": [1, 1],
            "flag": [True, False],
            "count": pd.array([1, None], dtype="Int64"),
            "level": pd.Categorical(["lo", "hi"], categories=["lo", "hi", "never"]),
            "mixed": np.array([1, None], dtype=object),
            "same": [5.0, 5.0],
        }
    )
    stacker = SequenceStacker(table, by="key").fit([1])
    assert stacker.get_feature_names_out().tolist() == [
        "flag",
        "count",
        "count missing",
        "level=hi",
        "level=lo",
        "mixed",
        "mixed missing",
        "same",
    ]
    assert stacker.transform([1])[0].tolist() == [
        [1, 0, 0, 0, 1, 0, 0, 0],
        [-1, 0, 1, 1, 0, 0, 1, 0],
    ]


def test_max_length_keeps_the_last_lines_with_their_gaps(visits):
    options = {"by": "patient", "time": "date"}
    whole = SequenceStacker(visits, **options).fit_transform(["a", "nobody", "b"])
    cut = SequenceStacker(visits, **options, max_length=2).fit_transform(["a", "nobody", "b"])
    assert cut.lengths.tolist() == [2, 0, 2]
    np.testing.assert_array_equal(cut[2], whole[2][1:])


def test_max_categories_codes_the_most_frequent(visits):
    stacker = SequenceStacker(visits, by="patient", values=["ward"], max_categories=1)
    assert stacker.fit(["a", "b", "c"]).get_feature_names_out().tolist() == ["ward=x"]


def test_without_time_lines_keep_their_order(visits):
    stacker = SequenceStacker(visits, by="patient", values=["ward"]).fit(["b"])
    assert stacker.transform(["b"])[0].tolist() == [[0, 1], [1, 0], [1, 0]]


def test_another_table_at_transform(visits):
    stacker = SequenceStacker(visits, by="patient", time="date").fit(["a", "b"])
    expected = stacker.transform(["b"])[0]
    stacker.set_params(table=visits.replace({"patient": {"b": "new"}}))
    np.testing.assert_array_equal(stacker.transform(["new"])[0], expected)
    stacker.set_params(table=visits.drop(columns="ward"))
    with pytest.raises(BlockError, match="the long table has no column 'ward'"):
        stacker.transform(["a"])


def test_tables_of_other_kinds(visits):
    options = {"by": "patient", "time": "date"}
    expected = SequenceStacker(visits, **options).fit_transform(["a", "b"])
    as_dict = {name: visits[name].to_numpy() for name in visits}
    wards = ["x", "y", None, "x", "z", "x"]
    in_polars = pl.DataFrame({**as_dict, "ward": wards, "patient": list("ababcb")})
    for table in (as_dict, in_polars):
        found = SequenceStacker(table, **options).fit_transform(["a", "b"])
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-6)


def test_clones_share_the_table_and_pickles_predict(visits):
    stacker = clone(SequenceStacker(visits, by="patient", time="date"))
    assert stacker.table is visits
    again = pickle.loads(pickle.dumps(stacker.fit(["a", "b"])))
    np.testing.assert_array_equal(again.transform(["b"])[0], stacker.transform(["b"])[0])


def test_in_a_union_rows_without_a_key_are_missing(visits):
    union = BlockUnion([("visits", SequenceStacker(visits, by="patient", time="date"), "patient")])
    blocks = union.fit_transform(pd.DataFrame({"patient": ["a", None, "b"]}))
    assert blocks.missing("visits").tolist() == [False, True, False]
    assert blocks["visits"].lengths.tolist() == [2, 0, 3]


@pytest.mark.parametrize("width", [None, 2])
def test_arrays_in_cells_are_standardised(width):
    rng = np.random.default_rng(0)
    shape = () if width is None else (width,)
    cells = [rng.normal(3, 2, (length, *shape)) for length in (4, 0, 2)]
    cells[0][0] = np.nan
    values = np.concatenate(cells).reshape(6, -1)
    stacker = SequenceStacker().fit(cells)
    sequences = stacker.transform([*cells, cells[2].tolist()])
    assert sequences.lengths.tolist() == [4, 0, 2, 2]
    scaled = (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)
    np.testing.assert_allclose(sequences[2][:, ::2], scaled[4:], rtol=1e-5)
    np.testing.assert_array_equal(sequences[0][:, 1::2], np.isnan(values[:4]))
    assert stacker.transform([[], []]).shape == (2, None, 2 * (width or 1))
    assert stacker.transform(Ragged.from_rows(cells))[0].shape == (4, 2 * (width or 1))


@pytest.mark.parametrize(
    ("options", "keys", "message"),
    [
        ({"by": "pacient"}, ["a"], "no column 'pacient'.*Did you mean 'patient'"),
        ({"by": "patient", "values": ["weight"]}, ["a"], "no column 'weight'"),
        ({"by": "patient"}, [1, 2], "none of 2 keys has a line .* such as 1; column 'patient'"),
        ({"by": "patient"}, ["a", None], "row 1 has no key"),
        ({"by": "patient"}, [], "at least one row"),
    ],
)
def test_wrong_columns_and_keys(visits, options, keys, message):
    with pytest.raises(BlockError, match=message):
        SequenceStacker(visits, **options).fit(keys)


def test_wrong_values_name_column_and_line(visits):
    by_patient = {"by": "patient", "time": "date"}
    endless = visits.assign(pulse=[1, 2, np.inf, 4, 5, 6]).set_axis(list("uvwxyz"))
    with pytest.raises(BlockError, match="column 'pulse' is infinite in the line labelled 'w'"):
        SequenceStacker(endless, **by_patient).fit(["a"])
    timeless = visits.assign(date=visits["date"].where(visits.index != 2))
    with pytest.raises(BlockError, match="time column 'date' is missing in the line labelled 2"):
        SequenceStacker(timeless, **by_patient).fit(["a"])
    written = visits.assign(date=visits["date"].astype(str))
    with pytest.raises(BlockTypeError, match="convert text with pandas.to_datetime"):
        SequenceStacker(written, **by_patient).fit(["a"])
    with pytest.raises(BlockTypeError, match="column 'date' has dtype datetime64"):
        SequenceStacker(visits, by="patient").fit(["a"])
    listed = visits.assign(ward=[[1]] * 6)
    with pytest.raises(BlockTypeError, match="column 'ward' holds list in its cells"):
        SequenceStacker(listed, **by_patient).fit(["a"])


def test_wrong_arguments(visits):
    with pytest.raises(ParameterError, match="table and by belong together"):
        SequenceStacker(visits).fit(["a"])
    with pytest.raises(ParameterError, match=r"Write \['pulse'\]"):
        SequenceStacker(visits, by="patient", values="pulse").fit(["a"])
    with pytest.raises(ParameterError, match="no column to use"):
        SequenceStacker(visits, by="patient", values=[]).fit(["a"])
    with pytest.raises(ParameterError, match="max_length must be an int >= 1"):
        SequenceStacker(visits, by="patient", max_length=0).fit(["a"])
    with pytest.raises(BlockTypeError, match="table must be a DataFrame or a dict"):
        SequenceStacker([1, 2], by="patient").fit(["a"])


def test_wrong_cells():
    with pytest.raises(BlockTypeError, match="row 1 holds 'a'.*Give table= and by="):
        SequenceStacker().fit([[1.0], "a"])
    with pytest.raises(BlockError, match=r"row 0 has shape \(1, 1, 1\)"):
        SequenceStacker().fit([[[[1.0]]]])
    with pytest.raises(BlockError, match="have 1 values, but those at fit had 2"):
        SequenceStacker().fit([[[1.0, 2.0]]]).transform([[1.0]])
