"""Frames of random columns in random types: valid blocks and labels, or an error with a column."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pyarrow
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skfusion import FusionClassifier
from skfusion.blocks import Ragged
from skfusion.inputs import BlockUnion

NAMES = ["cost", "a text", "x-1", "día"]
WORDS = ["good", "bad", "thing", "is", "red", "blue", "1", "?", "", " "]


def numbers(low=-(10**6), high=10**6):
    return st.integers(low, high) | st.floats(-1e6, 1e6, width=32).map(float)


DATES = st.datetimes(datetime.datetime(1980, 1, 1), datetime.datetime(2060, 1, 1))
TEXTS = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
VECTORS = st.lists(st.floats(-9, 9, width=16), min_size=2, max_size=2)

# What the cells of a column are, and the types that it may come in.
FAMILIES = {
    "integers": (
        st.integers(-5, 5),
        ["int64", "Int8", "float32", "category", "int8[pyarrow]", object],
    ),
    "numbers": (numbers(), ["float64", "Float64", "category", "double[pyarrow]", object]),
    "large": (st.integers(-(2**70), 2**70), [object, "category"]),
    "decimals": (numbers().map(str).map(decimal.Decimal), [object]),
    "flags": (st.booleans(), ["bool", "boolean", "bool[pyarrow]", "int8", "category", object]),
    "texts": (TEXTS, [object, "string", "category", "string[pyarrow]"]),
    "letters": (st.sampled_from("abc"), [object, "string", "category", "string[pyarrow]"]),
    "dates": (DATES, ["datetime64[ns]", "timestamp[us][pyarrow]", object]),
    "days": (DATES.map(datetime.datetime.date), [object]),
    "vectors": (VECTORS, [object, pd.ArrowDtype(pyarrow.list_(pyarrow.float32()))]),
    "series": (st.lists(st.integers(0, 9), max_size=3), [object]),
    "arrays": (VECTORS.map(np.array), [object]),
    "durations": (st.timedeltas(), [object]),
    "bytes": (st.binary(max_size=3), [object]),
    "records": (st.dictionaries(st.sampled_from("ab"), st.integers(), max_size=2), [object]),
    "anything": (
        st.integers() | TEXTS | st.booleans() | st.floats() | st.binary(max_size=2) | VECTORS,
        [object],
    ),
}
MISSING = st.sampled_from([None, np.nan, pd.NA, pd.NaT])


@st.composite
def columns(draw, n_rows):
    """One column, in a type that holds its cells, or as objects where that type cannot."""
    cells, types = FAMILIES[draw(st.sampled_from(sorted(FAMILIES)))]
    some_missing = draw(st.sampled_from([False, False, True]))
    values = [
        draw(MISSING) if some_missing and draw(st.booleans()) else draw(cells)
        for _ in range(n_rows)
    ]
    column = np.empty(n_rows, dtype=object)
    for row, value in enumerate(values):
        column[row] = value
    try:
        return pd.Series(column, dtype=object).astype(draw(st.sampled_from(types)))
    except (TypeError, ValueError, OverflowError, NotImplementedError):
        return pd.Series(column, dtype=object)


@st.composite
def frames(draw):
    n_rows = draw(st.integers(2, 9))
    n_columns = draw(st.integers(1, 4))
    return pd.DataFrame({name: draw(columns(n_rows)) for name in NAMES[:n_columns]})


def says_a_column(error, frame):
    return any(repr(name) in str(error) for name in frame.columns)


def rows_of(block):
    if isinstance(block, Ragged):
        return [row.tolist() for row in block]
    return (block.toarray() if sparse.issparse(block) else block).tolist()


def assert_rows_equal(part, whole, rows):
    assert part.names == whole.names
    for name in whole.names:
        expected = [rows_of(whole[name])[row] for row in rows]
        missing = [whole.missing(name), part.missing(name)]
        lacking, found = (np.zeros(len(rows), bool) if mask is None else mask for mask in missing)
        lacking = lacking[rows] if missing[0] is not None else lacking
        np.testing.assert_array_equal(found, lacking)
        assert rows_of(part[name]) == expected, name


@given(frame=frames(), data=st.data())
def test_rows_are_transformed_on_their_own(frame, data):
    try:
        union = BlockUnion().fit(frame)
        whole = union.transform(frame)
    except (ValueError, TypeError) as error:
        assert says_a_column(error, frame), error
        return
    for name in whole.names:
        assert np.isfinite(np.concatenate([np.ravel(row) for row in rows_of(whole[name])])).all()
    rows = data.draw(st.lists(st.integers(0, len(frame) - 1), min_size=1, max_size=9))
    assert_rows_equal(union.transform(frame.iloc[rows]), whole, rows)


@given(learned=frames(), shown=frames())
def test_other_columns_than_at_fit_are_read_or_refused_by_name(learned, shown):
    try:
        union = BlockUnion().fit(learned)
    except (ValueError, TypeError):
        return
    try:
        blocks = union.transform(shown)
    except (ValueError, TypeError) as error:
        assert says_a_column(error, learned), error
        return
    assert {name: spec.shape for name, spec in blocks.specs().items()} == {
        name: spec.shape for name, spec in union.specs_.items()
    }


@settings(max_examples=settings.default.max_examples // 5)
@given(frame=frames())
def test_labels_are_valid_or_an_error_names_a_column(frame):
    y = np.arange(len(frame)) % 2
    try:
        model = FusionClassifier(max_epochs=1, random_state=0).fit(frame, y)
        labels = model.predict(frame)
    except (ValueError, TypeError) as error:
        numeric = "one matrix of numbers" in str(error) or "'X'" in str(error)
        assert numeric or says_a_column(error, frame) or "lacks every block" in str(error), error
        return
    assert set(labels) <= {0, 1} and len(labels) == len(frame)
