"""Columns in which nothing stands: in all rows, in the rows of a fold, in the rows to predict."""

import numpy as np
import pandas as pd
import pyarrow
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfusion import FusionClassifier, FusionRegressor
from skfusion.exceptions import BlockError
from skfusion.inputs import BlockUnion, ImageLoader, Tokenizer
from skfusion.inspection import ablation

N = 24
Y = np.arange(N) % 2


def objects(cell):
    column = np.empty(N, dtype=object)
    for row in range(N):
        column[row] = cell
    return column


def text_frame(**columns):
    return pd.DataFrame({"memo": [f"thing number {row} is here" for row in range(N)], **columns})


def model():
    return FusionClassifier(max_epochs=1, random_state=0)


NOTHING = {
    "float": np.full(N, np.nan),
    "None": objects(None),
    "NA": objects(pd.NA),
    "Int64": pd.array([pd.NA] * N, dtype="Int64"),
    "boolean": pd.array([pd.NA] * N, dtype="boolean"),
    "string": pd.array([pd.NA] * N, dtype="string"),
    "category": pd.Categorical([None] * N, categories=["a", "b"]),
    "no category": pd.Categorical([None] * N),
    "NaT": pd.Series(pd.NaT, index=range(N)),
    "Arrow": pd.Series([None] * N, dtype=pd.ArrowDtype(pyarrow.null())),
    "list": pd.Series([None] * N, dtype=pd.ArrowDtype(pyarrow.list_(pyarrow.float64()))),
    "empty lists": objects([]),
    "empty arrays": objects(np.zeros((0, 3))),
    "sparse": pd.arrays.SparseArray(np.full(N, np.nan)),
}


def many_blanks():
    # More different ones than categories have: a column of texts.
    return pd.DataFrame(
        {
            "memo": [f"thing {row} is here" for row in range(60)],
            "e": [" " * row for row in range(60)],
        }
    )


@pytest.mark.parametrize("nothing", NOTHING)
def test_a_column_without_a_value_is_allowed_and_has_no_influence(nothing):
    X = text_frame(cost=np.arange(N, dtype=float), e=NOTHING[nothing])
    fitted = model().fit(X, Y)
    expected = fitted.predict_proba(X)
    assert np.isfinite(expected).all()
    for shown in (1e9, "text", pd.Timestamp("2024-01-01"), None):
        np.testing.assert_array_equal(fitted.predict_proba(X.assign(e=shown)), expected)


# Whose type tells what they would hold.
GROUP_OF = {
    "float": "numbers",
    "Int64": "numbers",
    "sparse": "numbers",
    "category": "categories",
    "no category": "categories",
    "NaT": "dates",
}


@pytest.mark.parametrize("nothing", GROUP_OF)
def test_a_type_tells_in_which_group_it_is_missing(nothing):
    X = text_frame(e=NOTHING[nothing])
    union = BlockUnion().fit(X)
    assert list(union.specs_) == [GROUP_OF[nothing], "memo"]
    for shown in (X, X.assign(e=1.0)):
        assert union.transform(shown).missing(GROUP_OF[nothing]).all()


@pytest.mark.parametrize("nothing", [one for one in NOTHING if one not in GROUP_OF])
def test_beside_no_other_number_it_is_passed_over(nothing):
    X = text_frame(e=NOTHING[nothing])
    union = BlockUnion().fit(X)
    assert list(union.specs_) == ["memo"]
    assert list(BlockUnion().fit({"memo": list(X["memo"]), "e": X["e"]}).specs_) == ["memo"]
    assert list(union.feature_names_in_) == ["memo", "e"]
    assert len(union.transform(X[["memo"]])) == N


def test_texts_of_blanks_are_no_texts():
    X = many_blanks()
    assert list(BlockUnion().fit(X).specs_) == ["memo"]
    X.loc[3, "e"] = "one word"
    assert list(BlockUnion().fit(X).specs_) == ["memo", "e"]


@pytest.mark.parametrize("nothing", NOTHING)
def test_a_table_without_any_value_is_refused(nothing):
    X = pd.DataFrame({"e": NOTHING[nothing], "other": objects(None)})
    with pytest.raises(BlockError, match="none of the 2 columns of X has a value: 'e', 'other'"):
        BlockUnion().fit(X)


def test_a_matrix_with_an_empty_column_does_not_learn_from_it():
    X = np.column_stack([np.arange(6.0), np.full(6, np.nan)])
    for table in (X, pd.DataFrame(X), pd.DataFrame(X, columns=["a", "b"]), {"x": X}):
        union = BlockUnion().fit(table)
        blocks = union.transform(table)
        shown = X.copy()
        shown[:, 1] = 1e9
        shown = {"x": shown} if isinstance(table, dict) else shown
        shown = pd.DataFrame(shown, columns=table.columns) if hasattr(table, "columns") else shown
        name = blocks.names[0]
        np.testing.assert_array_equal(union.transform(shown)[name], blocks[name])
        assert (blocks[name][:, 1] == 0).all()


@pytest.mark.parametrize("column", ["cost", "memo", "depot", "flag", "day", "trace"])
def test_cross_validation_where_a_column_is_empty_in_a_fold(column):
    first = np.arange(N) < N // 2
    X = pd.DataFrame(
        {
            "memo": [f"thing number {row} is here" for row in range(N)],
            "cost": np.arange(N, dtype=float),
            "depot": pd.Series(["a", "b"] * (N // 2), dtype=object),
            "flag": pd.array([True, False] * (N // 2), dtype="boolean"),
            "day": pd.date_range("2024-01-01", periods=N),
            "trace": pd.Series(list(np.eye(N)[:, :3])),
        }
    )
    X.loc[first, column] = None
    for columns in (
        list(X),
        list(dict.fromkeys([column, "depot" if column == "memo" else "memo"])),
    ):
        found = cross_validate(model(), X[columns], Y, cv=KFold(2), error_score="raise")
        assert np.isfinite(found["test_score"]).all()


SAID = {
    "memo": "text",
    "cost": "number",
    "depot": "category",
    "flag": "boolean",
    "day": "date",
}


@pytest.mark.parametrize("column", SAID)
@pytest.mark.parametrize("others", [False, True])
@pytest.mark.filterwarnings("error::skfusion.exceptions.ColumnKindWarning")
def test_a_column_whose_kind_is_said_has_its_block_in_each_fold(column, others):
    values = {
        "memo": [f"thing number {row} is here" for row in range(N)],
        "cost": np.arange(N, dtype=float),
        "depot": pd.Series(["a", "b"] * (N // 2), dtype=object),
        "flag": pd.Series([True, False] * (N // 2), dtype=object),
        "day": pd.date_range("2024-01-01", periods=N),
    }
    X = pd.DataFrame(
        {"other": [f"it is {row} o'clock" for row in range(N)], column: values[column]}
    )
    if others:
        X = X.assign(**{f"more {name}": cells for name, cells in values.items()})
    X.loc[: N // 2 - 1, column] = None
    found = cross_validate(
        FusionClassifier(columns={column: SAID[column]}, max_epochs=1, random_state=0),
        X,
        Y,
        cv=KFold(2),
        error_score="raise",
        return_estimator=True,
    )
    names = [list(one.specs_) for one in found["estimator"]]
    assert names[0] == names[1] and np.isfinite(found["test_score"]).all()
    assert all(np.isfinite(one.predict_proba(X)).all() for one in found["estimator"])


def test_a_column_empty_at_predict_is_a_missing_block():
    X = text_frame(depot=["a", "b"] * (N // 2))
    fitted = model().fit(X, Y)
    for nothing in (None, np.nan, pd.NA):
        missing = fitted.union_.transform(X.assign(depot=nothing)).missing("categories")
        assert missing.all()
        assert np.isfinite(fitted.predict_proba(X.assign(depot=nothing))).all()


def test_named_blocks_without_a_row_are_refused_by_name():
    X = text_frame(e=objects(None))
    with pytest.raises(
        BlockError, match="block 'part' has no row to learn from: all 24 are missing"
    ):
        BlockUnion([("part", TfidfVectorizer(), "e")]).fit(X)


STEPS = {
    "csr": (TfidfVectorizer(), "e"),
    "tokens": (Tokenizer(), "e"),
    "vector": (StandardScaler(), ["e"]),
    "pipeline": (make_pipeline(TfidfVectorizer(), TruncatedSVD(2)), "e"),
}


@pytest.mark.parametrize("form", STEPS)
def test_a_named_block_without_a_row_is_absent_where_blocks_may_be_missing(form):
    transformer, columns = STEPS[form]
    steps = [("part", transformer, columns), ("n", "passthrough", ["cost"])]
    empty = text_frame(e=objects(None), cost=np.arange(N) / N)
    union = BlockUnion(steps, missing="allow")
    with pytest.warns(UserWarning, match="block 'part' has no row to learn from: all 24"):
        fitted = make_pipeline(union, model()).fit(empty, Y)
    assert list(fitted[0].specs_) == ["part", "n"]
    assert fitted[0].get_feature_names_out().tolist()[-1] == "n__cost"
    shown = empty.assign(e=np.arange(N) if form == "vector" else "a word")
    assert fitted[0].transform(shown).missing("part").all()
    expected = fitted.predict_proba(empty)
    assert np.isfinite(expected).all()
    for X in (shown, shown.drop(columns="e")):
        np.testing.assert_array_equal(fitted.predict_proba(X), expected)


def test_blocks_of_all_folds_have_the_same_names():
    first = np.arange(N) < N // 2
    X = text_frame(e=np.where(first, None, "a word"), cost=np.arange(N) / N)
    steps = [("part", TfidfVectorizer(), "e"), ("n", "passthrough", ["cost"])]
    fusion = make_pipeline(BlockUnion(steps, missing="allow"), model())
    with pytest.warns(UserWarning, match="block 'part' has no row"):
        found = cross_validate(
            fusion, X, Y, cv=KFold(2), error_score="raise", return_estimator=True
        )
    names = [list(one[-1].specs_) for one in found["estimator"]]
    assert names == [["part", "n"]] * 2 and np.isfinite(found["test_score"]).all()


def test_an_ablation_where_a_block_is_absent_in_a_fold():
    first = np.arange(N) < N // 2
    X = text_frame(e=np.where(first, None, "a word"), cost=np.arange(N) / N)
    steps = [("part", TfidfVectorizer(), "e"), ("n", "passthrough", ["cost"])]
    y = np.arange(N) % 3 == 0
    for learner, target in ((model(), y), (FusionRegressor(max_epochs=1), y.astype(float))):
        fusion = make_pipeline(BlockUnion(steps, missing="allow"), learner)
        with pytest.warns(UserWarning, match="block 'part' has no row"):
            found = ablation(fusion, X, target, cv=KFold(2), operators=())
        assert {"part", "n"} <= set(found["variant"])
        assert np.isfinite(found["mean"]).all()


def test_what_would_be_made_must_be_known():
    union = BlockUnion([("part", ImageLoader(size=(8, 8)), "e")], missing="allow")
    with pytest.raises(BlockError, match="block 'part' has no row to learn from"):
        union.fit(text_frame(e=objects(None)))


@pytest.mark.parametrize("texts", [[" ", "  "], ["the and", "of the"]])
def test_texts_without_a_word(texts):
    X = pd.DataFrame({"memo": texts * (N // 2), "cost": np.arange(N, dtype=float)})
    tfidf = BlockUnion([("text", TfidfVectorizer(stop_words="english"), "memo")])
    with pytest.raises(ValueError, match=r"in block 'text' \(columns 'memo'\).*empty vocabulary"):
        tfidf.fit(X)
    words = BlockUnion(
        [("text", Tokenizer(stop_words="english"), "memo"), ("n", "passthrough", ["cost"])]
    )
    fitted = make_pipeline(words, model()).fit(X, Y)
    assert np.isfinite(fitted.predict_proba(X)).all()


@pytest.mark.parametrize(
    ("X", "match"),
    [
        (pd.DataFrame({"a": [], "b": []}, dtype=object), r"0 sample\(s\)"),
        (pd.DataFrame(index=range(3)), r"0 feature\(s\)"),
        (pyarrow.table({"a": pyarrow.array([], pyarrow.string())}), r"0 sample\(s\)"),
        ({}, r"0 sample\(s\)"),
        ({"a": [], "b": []}, r"0 sample\(s\)"),
    ],
)
def test_tables_without_rows_or_columns(X, match):
    with pytest.raises(ValueError, match=match):
        BlockUnion().fit(X)
    with pytest.raises(ValueError, match=r"0 (sample|feature)|no rows|no block|at least one"):
        model().fit(X, [])
    fitted = model().fit(text_frame(cost=1.0), Y)
    with pytest.raises(ValueError, match=r"0 (sample|feature)|[Ff]eature|is missing"):
        fitted.predict(X)
