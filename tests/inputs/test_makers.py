"""Tables of all makers: one column in any of its forms gives the same blocks."""

import datetime
import decimal
import re

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from skfusion import FusionClassifier
from skfusion.blocks import Ragged
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs import BlockUnion

DAY = datetime.date(2024, 3, 4)
VALUES = {
    "price": [1.5, None, 3.0, 2.5],
    "count": [1, None, 3, 2],
    "ok": [True, None, False, False],
    "colour": ["red", None, "blue", "red"],
    "review": ["a very good one", None, "bad in each way", "what is one to say"],
    "when": [datetime.datetime(2024, 1, day, 5) for day in (1, 9, 17)] + [None],
    "day": [DAY, None, DAY.replace(month=7), DAY],
    "trace": [[1.0, 2.0], None, [3.0, 4.0], [0.0, 5.0]],
    "words": [[1, 2, 3], None, [4], []],
    "cost": [decimal.Decimal("1.5"), None, decimal.Decimal("2"), decimal.Decimal("0.5")],
}


def plain_frame():
    frame = pd.DataFrame({name: pd.Series(values) for name, values in VALUES.items()})
    return frame.astype({"ok": object, "colour": object, "review": object})


def as_polars():
    return polars.DataFrame(VALUES)


def as_arrow():
    return pyarrow.table(VALUES)


def as_batch():
    return as_arrow().to_batches()[0]


def as_pandas_of_arrow():
    return pd.DataFrame(
        {
            name: pd.Series(values, dtype=pd.ArrowDtype(pyarrow.array(values).type))
            for name, values in VALUES.items()
        }
    ).set_axis([3, 3, 1, 0])


def as_nullable():
    return plain_frame().astype(
        {"price": "Float64", "count": "Int64", "ok": "boolean", "colour": "string"}
    )


class Stream:
    """A table that only speaks the protocol of Arrow."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Interchange:
    """A frame that only speaks the protocol of data frames."""

    def __init__(self, frame):
        self.frame = frame

    def __dataframe__(self, nan_as_null=False, allow_copy=True):
        return self.frame.__dataframe__(nan_as_null, allow_copy)


def dense(block):
    if isinstance(block, Ragged):
        return block.pad()[0]
    return block.toarray() if sparse.issparse(block) else block


def assert_same_blocks(found, expected):
    assert found.specs() == expected.specs()
    for name in expected.names:
        np.testing.assert_array_equal(dense(found[name]), dense(expected[name]), err_msg=name)
        assert str(found.missing(name)) == str(expected.missing(name))


@pytest.mark.parametrize(
    "make",
    [as_polars, as_arrow, as_batch, as_pandas_of_arrow, as_nullable],
    ids=lambda f: f.__name__,
)
def test_tables_of_all_makers_give_the_same_blocks(make):
    union = BlockUnion().fit(plain_frame())
    expected = union.transform(plain_frame())
    assert expected.names[:4] == ("numbers", "booleans", "categories", "dates")
    assert_same_blocks(union.transform(make()), expected)
    assert_same_blocks(BlockUnion().fit_transform(make()), expected)


def test_tables_known_by_a_protocol_alone():
    union = BlockUnion().fit(plain_frame())
    assert_same_blocks(union.transform(Stream(as_arrow())), union.transform(plain_frame()))
    few = as_arrow().select(["price", "count"])
    learned = BlockUnion().fit(few)
    assert_same_blocks(learned.transform(Interchange(few)), learned.transform(few))


@pytest.mark.parametrize("make", [as_polars, as_arrow, as_batch, as_pandas_of_arrow])
def test_an_estimator_takes_tables_of_all_makers(make):
    y = [0, 1, 0, 1]
    model = FusionClassifier(max_epochs=1, random_state=0).fit(make(), y)
    expected = FusionClassifier(max_epochs=1, random_state=0).fit(plain_frame(), y)
    np.testing.assert_array_equal(model.predict_proba(make()), model.predict_proba(plain_frame()))
    np.testing.assert_array_equal(
        model.predict_proba(make()), expected.predict_proba(plain_frame())
    )
    assert list(model.feature_names_in_) == list(VALUES)


def test_a_matrix_of_numbers_of_any_maker():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [1, 0, 1, 0]})
    model = FusionClassifier(max_epochs=1, random_state=0).fit(X, [0, 1, 0, 1])
    assert model.union_ is None
    others = [X.astype("Float64"), X.astype("Sparse[float]"), polars.DataFrame(X.to_dict("list"))]
    others += [pyarrow.table(X.to_dict("list")), X.convert_dtypes(dtype_backend="pyarrow")]
    for other in others:
        np.testing.assert_allclose(model.predict_proba(other), model.predict_proba(X), rtol=1e-6)


FORMS = ["object", "string", "category", "str"]


def forms_of(values):
    """One column of texts in all its forms."""
    yield from (pd.Series(values, dtype=object).astype(form) for form in FORMS[:3])
    yield polars.Series(values)
    yield polars.Series(values, dtype=polars.Categorical)
    yield polars.Series(values, dtype=polars.Enum(["blue", "red", "green"]))
    for kind in (
        pyarrow.string(),
        pyarrow.large_string(),
        pyarrow.dictionary(pyarrow.int8(), pyarrow.string()),
    ):
        yield pd.Series(values, dtype=pd.ArrowDtype(kind))
        yield (
            pyarrow.array(values).cast(kind)
            if kind != pyarrow.large_string()
            else pyarrow.array(values)
        )


def test_forms_of_a_column_of_categories_in_a_dict():
    values = ["red", "blue", None, "red"]
    union = BlockUnion().fit({"colour": values, "n": np.arange(4.0)})
    expected = union.transform({"colour": values, "n": np.arange(4.0)})
    for form in forms_of(values):
        X = {"colour": form, "n": np.arange(4.0)}
        assert_same_blocks(union.transform(X), expected)
        assert_same_blocks(BlockUnion().fit_transform(X), expected)


def test_transformers_of_ones_own_see_plain_columns():
    union = BlockUnion(
        [
            ("text", CountVectorizer(), "review"),
            ("colour", OneHotEncoder(sparse_output=False), ["colour", "ok"]),
            ("facts", SimpleImputer(), ["price", "count"]),
        ]
    )
    expected = union.fit_transform(as_nullable())
    for make in (as_arrow, as_polars, as_pandas_of_arrow):
        found = union.fit_transform(make())
        np.testing.assert_array_equal(found["facts"], expected["facts"])
        np.testing.assert_array_equal(dense(found["text"]), dense(expected["text"]))
        assert found["colour"].shape == expected["colour"].shape


def test_lists_of_lists_are_steps_of_vectors():
    steps = [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]], [[7.0, 8.0]] * 3]
    column = pd.Series(steps, dtype=pd.ArrowDtype(pyarrow.array(steps).type))
    for X in (
        pd.DataFrame({"x": column}),
        pyarrow.table({"x": steps}),
        polars.DataFrame({"x": steps}),
    ):
        assert BlockUnion().fit_transform(X)["x"].shape == (3, None, 2)


def test_sparse_columns_among_texts():
    frame = plain_frame()[["review", "price"]].fillna({"price": 0.0, "review": "none at all now"})
    wide = frame.astype({"price": pd.SparseDtype(float, 0.0)})
    assert_same_blocks(BlockUnion().fit_transform(wide), BlockUnion().fit_transform(frame))


def test_times_of_polars_are_told_in_their_zone():
    utc = pd.date_range("2024-01-01 23:00", periods=3, tz="UTC")
    local = pd.DataFrame({"when": utc.tz_convert("Asia/Tokyo")})
    of_polars = polars.DataFrame({"when": utc.tz_localize(None).to_numpy()}).with_columns(
        polars.col("when").dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Tokyo")
    )
    union = BlockUnion().fit(local)
    assert_same_blocks(union.transform(of_polars), union.transform(local))


class Frame:
    """A frame of a library that computes when it is told to."""

    columns = ("a", "b")

    def compute(self):
        raise AssertionError("never called")


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (polars.DataFrame(VALUES).lazy(), r"LazyFrame.* Call .collect\(\)"),
        (Frame(), r"Frame, whose rows are not in memory. Call .compute\(\)"),
    ],
)
def test_tables_that_are_not_there_yet(X, match):
    with pytest.raises(BlockTypeError, match=match):
        BlockUnion().fit(X)
    with pytest.raises(BlockTypeError, match=match):
        FusionClassifier().fit(X, [0, 1, 0, 1])
    model = FusionClassifier(max_epochs=1).fit(plain_frame(), [0, 1, 0, 1])
    with pytest.raises(BlockTypeError, match=match):
        model.predict(X)


@pytest.mark.parametrize("kind", ["struct", "binary", "duration[s]", "time64[us]"])
def test_types_of_arrow_without_a_transformer_name_their_column(kind):
    values = {
        "struct": [{"a": 1}, {"a": 2}],
        "binary": [b"a", b"b"],
        "duration[s]": [datetime.timedelta(1), datetime.timedelta(2)],
        "time64[us]": [datetime.time(1), datetime.time(2)],
    }[kind]
    for X in (
        pyarrow.table({"x": values, "y": [1.0, 2.0]}),
        polars.DataFrame({"x": values, "y": [1.0, 2.0]}),
    ):
        with pytest.raises(BlockTypeError, match=r"column 'x' holds"):
            FusionClassifier().fit(X, [0, 1])


def mixed():
    return pd.DataFrame(
        {
            "memo": [f"thing number {row} is here" for row in range(4)],
            "cost": [1.5, 2.0, 3.0, 0.5],
            "ok": [True, False, False, True],
        }
    )


@pytest.mark.parametrize(
    "rows",
    [
        lambda X: X.to_numpy(dtype=object),
        lambda X: X.to_numpy(dtype=object).tolist(),
        lambda X: X.set_axis([5, 6, 7], axis=1),
        lambda X: X.set_axis(pd.MultiIndex.from_product([["a"], [1, 2, 3]]), axis=1),
        lambda X: X[["ok", "memo", "cost"]],
        lambda X: X.assign(more=object(), and_more=np.nan),
        lambda X: X.set_axis([0, 0, 0, 0]),
        lambda X: X.set_axis(pd.MultiIndex.from_arrays([[1, 1, 2, 2], list("abab")])),
        lambda X: {name: list(X[name]) for name in X},
    ],
)
def test_rows_without_names_by_position_and_columns_by_name(rows):
    model = FusionClassifier(max_epochs=1, random_state=0).fit(mixed(), [0, 1, 0, 1])
    expected = model.predict_proba(mixed())
    np.testing.assert_array_equal(model.predict_proba(rows(mixed())), expected)


@pytest.mark.parametrize(
    "names",
    [[0, 1, 2], pd.MultiIndex.from_product([["a"], [1, 2, 3]]), [np.nan, 1, 2], [True, 5, 7]],
)
def test_names_that_are_no_strings(names):
    X = mixed().set_axis(names, axis=1)
    model = FusionClassifier(max_epochs=1, random_state=0).fit(X, [0, 1, 0, 1])
    expected = FusionClassifier(max_epochs=1, random_state=0).fit(mixed(), [0, 1, 0, 1])
    shown = [one.predict_proba(table) for one, table in ((model, X), (expected, mixed()))]
    np.testing.assert_array_equal(*shown)


@pytest.mark.parametrize("names", [["a", "a", "b"], [0, 0, 1], [("a", 1), ("a", 1), ("b", 1)]])
def test_a_name_that_comes_twice(names):
    twice = re.escape(repr(names[0]))
    match = rf"column {twice} occurs more than once.*X\.loc\[:, ~X\.columns\.duplicated\(\)\]"
    for columns in (mixed(), mixed().assign(memo=1.0)):
        X = columns.set_axis(pd.Index(names), axis=1)
        with pytest.raises(BlockError, match=match):
            FusionClassifier().fit(X, [0, 1, 0, 1])
        with pytest.raises(BlockError, match=match):
            BlockUnion().fit(X)


def test_na_in_arrays_of_objects():
    rows = np.array([["a", 1, pd.NA], [pd.NA, None, 2.0], ["b", 3, 1.0]], dtype=object)
    blocks = BlockUnion().fit_transform(rows)
    plain = np.array([["a", 1, np.nan], [None, None, 2.0], ["b", 3, 1.0]], dtype=object)
    assert_same_blocks(blocks, BlockUnion().fit_transform(plain))


def test_a_structured_array_is_a_table():
    table = pd.DataFrame({"c": ["a", "b", "a", "c"], "n": [1.5, 2, 3, 4], "k": [1, 2, 3, 4]})
    records = table.to_records(index=False)
    model = FusionClassifier(max_epochs=1, random_state=0).fit(records, [0, 1, 0, 1])
    assert model.feature_names_in_.tolist() == ["c", "n", "k"]
    np.testing.assert_array_equal(model.predict_proba(records), model.predict_proba(table))


@pytest.mark.parametrize("chunked", [False, True])
def test_an_arrow_array_of_texts_is_a_column(chunked):
    texts = ["red", "blue", "red", "blue"]
    X = pyarrow.chunked_array([texts]) if chunked else pyarrow.array(texts)
    model = FusionClassifier(max_epochs=1, random_state=0).fit(X, [0, 1, 0, 1])
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(texts))


def test_a_reader_of_arrow_is_not_read_twice():
    table = pyarrow.table({"colour": ["red", "blue"], "n": [1.0, 2.0]})
    with pytest.raises(BlockTypeError, match=r"RecordBatchReader, .* Call .read_all\(\)"):
        FusionClassifier(max_epochs=1).fit(table.to_reader(), [0, 1])
