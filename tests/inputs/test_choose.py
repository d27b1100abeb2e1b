"""What BlockUnion() chooses, column by column."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars
import pytest
from scipy import sparse

from skfusion import (
    FusionClassifier,
    FusionGenerator,
    FusionMultiTask,
    FusionRegressor,
)
from skfusion.blocks import Blocks, Ragged
from skfusion.exceptions import BlockTypeError
from skfusion.inputs import ArrayStacker, BlockUnion, DateParts
from skfusion.inputs._union.choose import RESERVED
from skfusion.inputs._union.recipes import RECIPES


def cells(*values):
    column = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        column[row] = value
    return column


def chosen(X):
    return {name: columns for name, _, columns in BlockUnion().fit(X).transformers_}


@pytest.mark.parametrize(
    ("column", "block"),
    [
        ([1.0, 2.5, np.nan], "numbers"),
        ([1, 2, 3], "numbers"),
        (pd.array([1, None, 3], dtype="Int64"), "numbers"),
        (cells(1, None, 2.5), "numbers"),
        (cells(1, pd.NA, 3), "numbers"),
        (cells(decimal.Decimal("1.5"), decimal.Decimal("2"), None), "numbers"),
        ([True, False, True], "booleans"),
        (pd.array([True, None, False], dtype="boolean"), "booleans"),
        (cells(True, None, False), "booleans"),
        (["a", "b", "a"], "categories"),
        (pd.array(["a", None, "b"], dtype="string"), "categories"),
        (pd.Categorical([3, 1, 3]), "categories"),
        (pd.to_datetime(["2024-01-01", None, "2024-05-01"]), "dates"),
        (pd.date_range("2024-01-01", periods=3, tz="Europe/Madrid"), "dates"),
        (pd.period_range("2024-01", periods=3, freq="M"), "dates"),
        (cells(datetime.date(2024, 1, 1), None, datetime.date(2024, 1, 2)), "dates"),
        (["one two three", "four five six", "seven eight nine"], "column"),
        (cells(np.zeros(3), np.ones(3), np.ones(3)), "column"),
        (cells([1, 2], [3], [4, 5, 6]), "column"),
    ],
)
def test_block_of_a_column(column, block):
    frame = pd.DataFrame({"column": column, "other": [1.0, 2.0, 4.0]})
    union = BlockUnion().fit(frame)
    where = {name: columns for name, _, columns in union.transformers_}
    assert "column" in np.atleast_1d(where[block]).tolist()
    blocks = union.transform(frame)
    for name in blocks.names:
        values = blocks[name]
        values = values.values if isinstance(values, Ragged) else values
        values = values.data if sparse.issparse(values) else values
        assert np.isfinite(values).all()


def test_numbers_are_imputed_by_the_median_and_scaled():
    frame = pd.DataFrame({"a": [1.0, 2.0, np.nan, 6.0], "b": [0.0, 0.0, 1.0, 1.0]})
    block = BlockUnion(dtype="float64").fit_transform(frame)["numbers"]
    filled = np.array([1.0, 2.0, 2.0, 6.0])
    np.testing.assert_allclose(block[:, 0], (filled - filled.mean()) / filled.std())


def test_a_numeric_column_without_values_is_kept():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [np.nan, np.nan], "c": [None, None]})
    assert BlockUnion().fit_transform(frame)["numbers"].shape == (2, 3)


def test_booleans_are_zero_and_one_and_filled_by_the_most_frequent():
    frame = pd.DataFrame(
        {"a": pd.array([True, None, True, False], dtype="boolean"), "b": [True, False, True, True]}
    )
    block = BlockUnion().fit_transform(frame)["booleans"]
    assert block.tolist() == [[1, 1], [1, 0], [1, 1], [0, 1]]


def test_an_unseen_category_goes_on():
    union = BlockUnion().fit(pd.DataFrame({"colour": ["red", "blue", "red"]}))
    block = union.transform(pd.DataFrame({"colour": ["green", "blue"]}))["categories"]
    assert block.toarray().tolist() == [[0, 0], [1, 0]]
    assert union.get_feature_names_out().tolist() == [
        "categories__colour_blue",
        "categories__colour_red",
    ]


@pytest.mark.parametrize(
    ("n_values", "times", "block"),
    [(20, 1, "categories"), (41, 1, "code"), (41, 2, "categories"), (300, 3, "categories")],
)
def test_words_that_seldom_repeat_are_text(n_values, times, block):
    frame = pd.DataFrame({"code": [f"v{i}" for i in range(n_values)] * times})
    assert list(chosen(frame)) == [block]


@pytest.mark.parametrize(
    ("texts", "block"),
    [
        (["a b c", "d e f", "a b c"], "text"),
        (["a b c", "d e f", "a b c", "d e f"], "categories"),
        (["a b", "c d", "e f"], "categories"),
    ],
)
def test_sentences_that_seldom_repeat_are_text(texts, block):
    assert list(chosen(pd.DataFrame({"text": texts}))) == [block]


def test_text_of_single_characters_and_signs_has_a_vocabulary():
    texts = [f"! ? {chr(0x1F600 + i)}" for i in range(50)]
    assert BlockUnion().fit_transform(pd.DataFrame({"emoji": texts}))["emoji"].shape == (50, 52)


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("My review: text", "My_review_text"),
        ("a__b.c", "a_b_c"),
        ("_x_", "x"),
        ("...", "block"),
        ("reseña", "reseña"),
        ("device", "device_block"),
        ("verbose", "verbose_block"),
        ("numbers", "numbers_2"),
    ],
)
def test_names_of_texts_are_valid_and_unique(column, name):
    frame = pd.DataFrame({column: [f"text number {i}" for i in range(5)], "a": range(5)})
    assert list(chosen(frame)) == ["numbers", name]


def test_columns_whose_names_become_one_are_told_apart():
    texts = [f"text number {i}" for i in range(5)]
    assert list(chosen(pd.DataFrame({"a b": texts, "a-b": texts}))) == ["a_b", "a_b_2"]


def test_dict_of_arrays():
    X = {
        "price": np.arange(6.0),
        "stars": [1, 2, 3, 1, 2, 3],
        "vector": np.arange(12.0).reshape(6, 2),
        "flags": np.zeros((6, 2), dtype=bool),
        "frame": pd.DataFrame({"a": pd.array([1, None] * 3, dtype="Int64"), "b": 1.5}),
        "photo": np.zeros((6, 4, 4, 3), np.uint8),
        "sparse": sparse.csr_matrix(np.eye(6)),
        "tokens": Ragged.from_rows([[1, 2]] * 6),
        "colour": np.array(["a", "b"] * 3),
        "when": np.array(["2024-01-01"] * 6, dtype="datetime64[D]"),
    }
    union = BlockUnion()
    blocks = union.fit_transform(X)
    assert {name: spec.form for name, spec in blocks.specs().items()} == {
        "numbers": "vector",
        "categories": "csr",
        "dates": "vector",
        "vector": "vector",
        "flags": "vector",
        "frame": "vector",
        "photo": "image",
        "sparse": "csr",
        "tokens": "tokens",
    }
    np.testing.assert_allclose(blocks["vector"].mean(axis=0), 0, atol=1e-6)
    assert union.named_transformers_["photo"] == "passthrough"
    assert np.shares_memory(blocks["photo"], X["photo"])


def test_blocks_pass_in_their_forms():
    X = Blocks(
        {"a": np.arange(8.0).reshape(4, 2), "photo": np.zeros((4, 3, 3, 1), np.uint8)},
        missing={"photo": [True, False, False, False]},
    )
    blocks = BlockUnion().fit_transform(X)
    assert blocks.names == ("a", "photo") and blocks.missing("photo").sum() == 1


def test_plain_arrays_become_one_block():
    X = np.arange(8.0).reshape(4, 2)
    assert chosen(X) == {"numbers": [0, 1]}
    assert chosen(X.astype(object)) == {"numbers": [0, 1]}
    assert chosen(sparse.csr_matrix(X)) == {"numbers": [0, 1]}


def test_array_and_list_of_mixed_objects_are_looked_at_by_column():
    rows = [["red", 1.0, True], ["blue", 2.0, False], ["red", None, True]]
    expected = {"numbers": [1], "booleans": [2], "categories": [0]}
    assert chosen(np.array(rows, dtype=object)) == chosen(rows) == expected


def test_polars_columns():
    frame = polars.DataFrame(
        {
            "price": [1.0, None, 3.0],
            "ok": [True, None, False],
            "day": [datetime.date(2024, 1, 1), None, datetime.date(2024, 1, 3)],
            "list": [[1, 2], [3], None],
            "colour": polars.Series(["a", "b", "a"], dtype=polars.Categorical),
            "text": ["one two three", "four five six", None],
        }
    )
    union = BlockUnion()
    blocks = union.fit_transform(frame)
    names = ("numbers", "booleans", "categories", "dates", "list", "text")
    assert blocks.names == names
    assert [blocks.missing(name) is None for name in names] == [False, False, True] + [False] * 3
    assert blocks.missing("text").tolist() == [False, False, True]
    assert blocks["list"][0].tolist() == [1, 2]


def test_transformers_are_public_ones():
    frame = pd.DataFrame({"when": pd.date_range("2024", periods=3), "x": cells(*np.eye(3))})
    union = BlockUnion().fit(frame)
    assert isinstance(union.named_transformers_["dates"], DateParts)
    assert isinstance(union.named_transformers_["x"], ArrayStacker)


def test_a_union_of_numbers_is_an_array():
    X = np.arange(8.0).reshape(4, 2)
    array = np.asarray(BlockUnion().fit_transform(X))
    np.testing.assert_allclose(array, (X - X.mean(axis=0)) / X.std(axis=0), rtol=1e-6)


@pytest.mark.parametrize(
    ("column", "match"),
    [
        (pd.to_timedelta([1, 2, 3], unit="D"), r"column 'x' holds .*total_seconds"),
        ([datetime.time(1), datetime.time(2), None], r"column 'x' holds time .*time.hour"),
        ([b"a", b"b", b"c"], r"column 'x' holds bytes.*decode"),
        ([1j, 2j, 3j], r"column 'x' holds .*real and the imaginary"),
        (cells("a", 1, 2), r"column 'x' holds .*astype\(str\)"),
        (cells({"a": 1}, {"a": 2}, {}), r"column 'x' holds dict .*Convert it to numbers"),
    ],
)
def test_other_columns_are_named_with_the_repair(column, match):
    with pytest.raises(BlockTypeError, match=match):
        BlockUnion().fit(pd.DataFrame({"x": column, "y": [1.0, 2.0, 3.0]}))


def test_matrix_of_text_in_a_dict():
    with pytest.raises(BlockTypeError, match="column 'x' holds"):
        BlockUnion().fit({"x": np.array([["a", "b"], ["c", "d"]])})


def test_no_block_can_be_taken_for_a_parameter():
    kinds = (FusionClassifier, FusionGenerator, FusionMultiTask, FusionRegressor)
    estimators = {name for kind in kinds for name in kind().get_params(False)}
    assert estimators | (set(BlockUnion().get_params(False)) - set(RECIPES)) == RESERVED
