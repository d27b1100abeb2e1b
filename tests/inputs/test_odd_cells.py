"""Cells of another type than the others: missing by a rule, or refused by column and row."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skfusion import FusionClassifier
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs import BlockUnion, ImageLoader, SentenceEmbedding, Tokenizer

N = 20
Y = np.arange(N) % 2


def frame():
    return pd.DataFrame(
        {
            "memo": pd.Series([f"thing number {row} is here" for row in range(N)], dtype=object),
            "cost": np.arange(N, dtype=float),
            "depot": pd.Series(["a", "b"] * (N // 2), dtype=object),
            "flag": pd.Series([True, False] * (N // 2)),
        }
    )


def with_cell(column, cell, row=3, X=None):
    X = (frame() if X is None else X).copy()
    cells = X[column].astype(object).to_numpy().copy()
    cells[row] = cell
    return X.assign(**{column: pd.Series(cells, dtype=object, index=X.index)})


MISSING = {
    "None": None,
    "NaN": np.nan,
    "NA": pd.NA,
    "NaT": pd.NaT,
    "Decimal": decimal.Decimal("NaN"),
}


@pytest.fixture(scope="module")
def fitted():
    return FusionClassifier(max_epochs=1, random_state=0).fit(frame(), Y)


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("column", list(frame()))
def test_what_stands_for_a_missing_value(fitted, column, missing):
    shown = fitted.predict_proba(with_cell(column, MISSING[missing]))
    np.testing.assert_array_equal(shown, fitted.predict_proba(with_cell(column, None)))
    learned = [
        FusionClassifier(max_epochs=1, random_state=0).fit(with_cell(column, cell), Y)
        for cell in (MISSING[missing], None)
    ]
    probabilities = [model.predict_proba(frame()) for model in learned]
    np.testing.assert_array_equal(*probabilities)


NO_TEXT = [5, 2.5, True, ["a"], np.zeros(2), {"a": 1}, datetime.date(2024, 1, 1), {1}, object(), 1j]
NO_NUMBER = [
    "text",
    "",
    b"5",
    [1],
    np.zeros(2),
    {"a": 1},
    pd.Timestamp("2024-01-01"),
    np.datetime64("2024-01-01"),
    pd.Timedelta(1),
    1j,
    object(),
]


@pytest.mark.parametrize("cell", NO_TEXT, ids=lambda cell: type(cell).__name__)
def test_no_text_among_texts(fitted, cell):
    with pytest.raises(
        BlockTypeError, match=r"column 'memo', row 3 is .*, no text. At fit .* texts"
    ):
        fitted.predict(with_cell("memo", cell))
    with pytest.raises(BlockTypeError, match=r"column 'memo' holds .*column 'memo', row 3 is"):
        FusionClassifier().fit(with_cell("memo", cell), Y)


@pytest.mark.parametrize("cell", NO_NUMBER, ids=lambda cell: type(cell).__name__)
@pytest.mark.parametrize("column", ["cost", "flag"])
def test_no_number_among_numbers(fitted, column, cell):
    said = f"column '{column}', row 3 is .*, no (number|quantity)|column '{column}' .* in row 3"
    with pytest.raises((BlockError, BlockTypeError), match=said):
        fitted.predict(with_cell(column, cell))
    with pytest.raises(
        BlockTypeError, match=f"column '{column}' holds .*column '{column}', row 3 is"
    ):
        FusionClassifier().fit(with_cell(column, cell), Y)


@pytest.mark.parametrize("cell", ["2.5", "1e3", 7, decimal.Decimal("2.5"), True])
def test_numbers_in_any_writing_are_numbers(fitted, cell):
    expected = fitted.predict_proba(with_cell("cost", float(cell)))
    np.testing.assert_array_equal(fitted.predict_proba(with_cell("cost", cell)), expected)


@pytest.mark.parametrize("column", ["cost", "flag"])
def test_an_infinite_number_is_refused_by_row(fitted, column):
    with pytest.raises(
        BlockError, match=f"column '{column}', row 3 is infinite.*contains infinity"
    ):
        fitted.predict(with_cell(column, np.inf))
    with pytest.raises(BlockError, match="column 'cost', row 3 is infinite"):
        FusionClassifier().fit(with_cell("cost", -np.inf), Y)


@pytest.mark.parametrize("cell", [5, 2.5, b"a", datetime.date(2024, 1, 1), True, np.inf, object()])
def test_any_value_is_a_category(fitted, cell):
    assert len(fitted.predict(with_cell("depot", cell))) == N


def test_texts_with_any_missing_value_were_texts():
    texts = pd.Series([*frame()["memo"][:-4], "", None, pd.NaT, np.nan], dtype=object)
    union = BlockUnion().fit(frame().assign(memo=texts))
    with pytest.raises(BlockTypeError, match=r"column 'memo', row 0 is 0 \(int\), no text"):
        union.transform(frame()[:2].assign(memo=pd.Series([0, "0,"], dtype=object)))


class Lengths:
    def encode(self, texts):
        return np.array([[len(text), 1.0] for text in texts])


TEXT = [
    TfidfVectorizer(),
    CountVectorizer(),
    HashingVectorizer(n_features=8),
    Tokenizer(),
    SentenceEmbedding(Lengths()),
]


@pytest.mark.parametrize("transformer", TEXT, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("cell", [5, ["a"], datetime.date(2024, 1, 1)], ids=repr)
@pytest.mark.parametrize("maker", ["frame", "dict"])
def test_text_transformers_of_ones_own(transformer, cell, maker):
    union = BlockUnion([("text", transformer, "memo")])
    as_table = {"frame": lambda X: X, "dict": lambda X: {"memo": list(X["memo"])}}[maker]
    bad = with_cell("memo", cell, X=with_cell("memo", None, row=1))
    for call in (union.fit_transform, union.fit(as_table(frame())).transform):
        with pytest.raises(BlockTypeError, match=r"in block 'text' \(columns 'memo'\).*row 3\b"):
            call(as_table(bad))


def test_scalers_and_coders_of_ones_own():
    union = BlockUnion(
        [
            ("facts", StandardScaler(), ["cost", "flag"]),
            ("filled", SimpleImputer(), ["cost"]),
            ("coded", OneHotEncoder(handle_unknown="ignore"), ["depot"]),
        ]
    ).fit(frame())
    for name, columns in (("facts", "'cost', 'flag'"), ("filled", "'cost'")):
        alone = BlockUnion([step for step in union.transformers if step[0] == name])
        for call in (alone.fit_transform, alone.fit(frame()).transform):
            with pytest.raises(
                (BlockError, BlockTypeError),
                match=rf"in block '{name}' \(columns {columns}\).*column 'cost', row 3 is 'x'",
            ):
                call(with_cell("cost", "x"))
    with pytest.raises(BlockTypeError, match="column 'depot', row 3 is 5"):
        union.fit(with_cell("depot", 5))


def test_rows_are_counted_with_those_that_are_missing():
    X = with_cell("memo", 5, row=7, X=with_cell("memo", None, row=2)).set_axis(
        list("abcdefghijklmnopqrst")
    )
    with pytest.raises(BlockTypeError, match=r"row 7 \(label 'h'\) is 5"):
        BlockUnion([("text", Tokenizer(), "memo")]).fit(X)
    with pytest.raises(BlockTypeError, match=r"row 7 \(label 'h'\) is 5"):
        BlockUnion([("text", TfidfVectorizer(), "memo")]).fit(X)


def test_only_the_row_of_a_message_is_counted_anew():
    X = pd.DataFrame({"memo": [None, ["see row 0"], "so it is"]}, index=[5, 1, 0])
    with pytest.raises(BlockTypeError, match=r"row 1 is \['see row 0'\], no text"):
        BlockUnion([("text", Tokenizer(), "memo")]).fit(X)
    X = pd.DataFrame({"photo": [None, 7]})
    with pytest.raises(BlockTypeError, match="ImageLoader: row 1: "):
        BlockUnion([("photo", ImageLoader((4, 4)), "photo")]).fit(X)


def test_rows_are_counted_through_a_union_in_a_union():
    X = pd.DataFrame({"memo": [None, "so", None, "it", 5]})
    inner = BlockUnion([("text", Tokenizer(), "memo")])
    within = make_pipeline(FunctionTransformer(lambda texts: {"memo": list(texts)}), inner)
    for memo in (X["memo"], [None, "so", "it", None, 5]):
        union = BlockUnion([("outer", within, "memo")])
        with pytest.raises(BlockTypeError, match="Tokenizer: row 4 is 5, no text"):
            union.fit(pd.DataFrame({"memo": memo}))


def test_another_number_than_0_and_1_is_no_boolean(fitted):
    said = "column 'flag', row 3 is 7, and at fit it held booleans. Give True, False, 1, 0 or None"
    for X in (with_cell("flag", 7), frame().assign(flag=[1, 0, 1, *[7.0] * (N - 3)])):
        with pytest.raises(BlockError, match=said):
            fitted.predict(X)
    own = BlockUnion(booleans=SimpleImputer(strategy="most_frequent")).fit(frame())
    with pytest.raises(BlockError, match="in block 'booleans' .*row 3 is 7"):
        own.transform(with_cell("flag", 7))


def test_an_odd_cell_among_numbers_can_be_made_missing():
    X = with_cell("cost", "?")
    repair = r"pd.to_numeric\(X\['cost'\], errors='coerce'\)"
    with pytest.raises(BlockTypeError, match=f"row 3 is '\\?' .*Make such cells missing: {repair}"):
        BlockUnion().fit(X)
    X["cost"] = pd.to_numeric(X["cost"], errors="coerce")
    assert BlockUnion().fit(X).kinds_["cost"] == "number"


@pytest.mark.parametrize(
    ("transformer", "columns", "shown", "says"),
    [
        (TfidfVectorizer(), "cost", {}, "Column 'cost' holds numbers"),
        (make_pipeline(StandardScaler()), ["cost", "memo"], {}, "Column 'memo' holds texts"),
        (OneHotEncoder(), ["flag", "depot"], {"depot": "z"}, "column 1 .*That is column 'depot'"),
        (StandardScaler(), "cost", {}, r"Write \['cost'\] for columns"),
        (TfidfVectorizer(), ["memo"], {}, r"Write 'memo' for columns, not \['memo'\]"),
        (HashingVectorizer(), ["memo", "depot"], {}, "Give each of .* a block of its own"),
    ],
)
def test_errors_of_scikit_learn_name_the_column(transformer, columns, shown, says):
    union = BlockUnion([("part", transformer, columns)])
    with pytest.raises((AttributeError, ValueError), match=f"in block 'part' .*{says}"):
        union.fit(frame()).transform(frame().assign(**shown))


def test_what_is_to_be_done_for_a_column_of_several_that_is_gone():
    union = BlockUnion([("facts", SimpleImputer(), ["cost", "flag"])], missing="allow").fit(frame())
    with pytest.raises(BlockError, match=r"column 'flag'.* X.assign\(\*\*\{'flag': None\}\)"):
        union.transform(frame().drop(columns="flag"))
    assert len(union.transform(frame().drop(columns="flag").assign(**{"flag": None}))) == N


def test_a_row_of_zeros_is_read_by_position_and_refused(fitted):
    with pytest.raises(BlockTypeError, match="column 'depot' holds numbers.*it held texts"):
        fitted.predict(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="X has 3 features, but FusionClassifier is expecting 4"):
        fitted.predict(np.zeros((1, 3)))
    numbers = frame()[["cost", "depot", "flag"]]
    numbers["depot"] = pd.Categorical(np.arange(N) % 2)
    model = FusionClassifier(max_epochs=1, random_state=0).fit(numbers, Y)
    row = np.array([[3.0, 0.0, 1.0]])
    named = pd.DataFrame({"cost": [3.0], "depot": [0.0], "flag": [True]})
    np.testing.assert_array_equal(model.predict_proba(row), model.predict_proba(named))


def test_na_in_any_cell_of_a_block_of_several_columns():
    X = pd.DataFrame({"a": ["x", pd.NA, "y"], "b": [pd.NA, 1, 2]}, dtype=object)
    union = BlockUnion(
        [("coded", OneHotEncoder(sparse_output=False), ["a"]), ("n", SimpleImputer(), ["b"])]
    )
    assert union.fit_transform(X)["n"].tolist() == [[0.0], [1.0], [2.0]]
    both = BlockUnion([("coded", OneHotEncoder(sparse_output=False), ["a", "b"])])
    assert both.fit_transform(X)["coded"].shape == (3, 6)
