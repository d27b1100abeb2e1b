"""Keys of rows, found in a table of things."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skfusion import BlockUnion, FusionClassifier
from skfusion.blocks import MaskedBlock
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs import ImageLoader, LookupTable

PLOTS = {"m1": "a ship sinks", "m2": "two ships race", "m3": "a heist"}
NUMBERS = pd.DataFrame({"length": [90.0, 120, 100], "year": [1999, 2003, 2011.0]}, [10, 20, 30])


def rows_of(lookup):
    """What each row holds, written out."""
    return np.asarray(lookup.things(lookup.keys))


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ({"a": [1, 2], "b": [3, 4]}, ["b", "a", "b"]),
        (pd.DataFrame([[1, 2], [3, 4]], index=["a", "b"]), pd.Series(["b", "a", "b"])),
        (pd.Series([np.array([1, 2]), np.array([3, 4])], [7, 8]), np.array([8, 7, 8])),
        (pd.DataFrame([[1, 2], [3, 4]], index=[7, 8]), pd.Series([8, 7, 8], dtype="Int64")),
        (pd.DataFrame([[1, 2], [3, 4]], index=[7, 8]), pd.DataFrame({"k": [8.0, 7, 8]})),
        (
            pd.DataFrame([[1, 2], [3, 4]], pd.to_datetime(["2024-01-01", "2024-01-02"])),
            pd.to_datetime(pd.Series(["2024-01-02", "2024-01-01", "2024-01-02"])),
        ),
    ],
)
def test_keys_of_any_type_are_found(table, keys):
    lookup = LookupTable(table).fit_transform(keys)
    assert rows_of(lookup).tolist() == [[3, 4], [1, 2], [3, 4]]


def test_the_transformer_reads_the_things_once():
    n_rows = []

    class Counting(StandardScaler):
        def fit_transform(self, X, y=None):
            n_rows.append(len(X))
            return super().fit_transform(X, y)

    table = LookupTable(NUMBERS, Counting()).fit([10] * 50)
    for _ in range(3):
        lookup = table.transform([30] * 20)
    assert n_rows == [3]
    expected = StandardScaler().fit_transform(NUMBERS)[[2] * 20]
    np.testing.assert_allclose(rows_of(lookup), expected)


def test_histories_with_weights_come_in_two_columns():
    X = pd.DataFrame({"seen": [["m1", "m3"], [], None, ["m2"]], "stars": [[1, 5], [], None, [2]]})
    lookup = LookupTable(PLOTS, TfidfVectorizer()).fit_transform(X)
    assert [row.tolist() for row in lookup.keys] == [[0, 2], [], [], [1]]
    assert [row.tolist() for row in lookup.weights] == [[1, 5], [], [], [2]]
    assert lookup.missing.tolist() == [False, True, True, False]
    alone = LookupTable(PLOTS, TfidfVectorizer()).fit_transform(X["seen"])
    assert alone.weights is None and alone.keys.lengths.tolist() == [2, 0, 0, 1]


def test_unknown_keys_are_missing_where_that_is_allowed():
    table = LookupTable(PLOTS, TfidfVectorizer(), on_unknown="missing")
    assert table.fit_transform(["m3", "m9", None]).keys.tolist() == [2, -1, -1]
    X = pd.DataFrame({"seen": [["m9", "m2"], ["m8"]], "stars": [[5, 3], [1]]})
    lookup = table.fit_transform(X)
    assert [row.tolist() for row in lookup.keys] == [[1], []]
    assert lookup.weights.values.tolist() == [3]


def test_things_that_cannot_be_read_are_missing():
    table = {"a": np.zeros((4, 4, 3), np.uint8), "b": b"no image"}
    loader = ImageLoader(on_error="missing")
    assert LookupTable(table, loader).fit_transform(["a", "b"]).keys.tolist() == [0, -1]
    assert isinstance(loader.fit_transform(list(table.values())), MaskedBlock)
    with pytest.raises(BlockError, match=r"the table.*row 1 \(label 'b'\)"):
        LookupTable(table, ImageLoader()).fit(["a"])


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            pd.Series(["m1", "m4"], [5, 6], name="film"),
            r"row 1 \(label 6\), column 'film': the key 'm4' is not in the table of 3 things",
        ),
        ([1, 2], r"row 0.*the key 1 is not in.*\(str, and this one is int\)"),
        ([["m1"], ["m2", "m7"]], r"row 1.*the key 'm7'"),
        (
            pd.DataFrame({"seen": [["m1"], ["m2"]], "w": [[1], [2, 3]]}),
            r"row 1, column 'seen' has 1 keys and 2 weights",
        ),
        (
            pd.DataFrame({"seen": [["m1"], ["m2"]], "w": [[1], [-2]]}),
            r"row 1, column 'w' holds the weight -2.0",
        ),
        (
            pd.DataFrame({"seen": [["m1"], ["m2"]], "w": [[np.nan], [2]]}),
            r"row 0, column 'w' holds the weight nan",
        ),
    ],
)
def test_what_does_not_fit_is_named(X, message):
    with pytest.raises(BlockError, match=message):
        LookupTable(PLOTS, TfidfVectorizer()).fit_transform(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([["m1"], "m2"], "row 1.*holds 'm2', but other rows hold lists"),
        ([["m1", {}]], "holds {}, which is no key"),
        ([{"m1"}], "no key"),
        (
            pd.DataFrame({"seen": [["m1"], ["m2"]], "w": [[1], 2]}),
            "row 1, column 'w' holds 2.*Weights are lists",
        ),
    ],
)
def test_cells_that_are_no_keys_are_refused(X, message):
    with pytest.raises(BlockTypeError, match=message):
        LookupTable(PLOTS, TfidfVectorizer()).fit_transform(X)


def test_a_column_keeps_to_one_key_or_to_histories():
    with pytest.raises(BlockTypeError, match="held one key a row at fit"):
        LookupTable(PLOTS, TfidfVectorizer()).fit(["m1"]).transform([["m1"]])
    histories = LookupTable(PLOTS, TfidfVectorizer()).fit([["m1"]])
    assert histories.transform([[], None]).missing.all()


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ({}, BlockError, "table is empty"),
        (pd.Series(["x", "y"], [1, 1]), BlockError, "the key 1 more than once"),
        (pd.Series(["x", "y"], [1, np.nan]), BlockError, "row 1 of the table has no key"),
        (["x", "y"], BlockTypeError, "whose index has the keys.*Got list"),
    ],
)
def test_tables_have_one_thing_for_each_key(table, error, message):
    with pytest.raises(error, match=message):
        LookupTable(table, TfidfVectorizer()).fit(["x"])
    with pytest.raises(ParameterError, match="on_unknown"):
        LookupTable(PLOTS, on_unknown="ignore").fit(["m1"])


def frame(n=40):
    rng = np.random.default_rng(0)
    films = list(PLOTS)
    seen = [list(rng.choice(films, rng.integers(3), replace=False)) for _ in range(n)]
    X = pd.DataFrame(
        {
            "film": rng.choice(films, n),
            "seen": seen,
            "stars": [list(rng.integers(1, 6, len(one))) for one in seen],
            "price": rng.normal(size=n),
        }
    )
    return X, X["film"] == "m1"


def union(**arguments):
    return BlockUnion(
        [
            ("plot", LookupTable(PLOTS, TfidfVectorizer(), **arguments), "film"),
            ("seen", LookupTable(PLOTS, TfidfVectorizer()), ["seen", "stars"]),
            ("facts", StandardScaler(), ["price"]),
        ],
        missing="allow",
    )


def test_estimators_learn_from_tables_with_keys():
    X, y = frame()
    model = FusionClassifier(
        union=union(), missing="allow", random_state=0, max_epochs=30, batch_size=4
    )
    model.fit(X, y)
    assert model.score(X, y) == 1
    back = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(back.predict_proba(X), model.predict_proba(X))
    assert model.specs_["plot"].form == "csr"
    assert model.specs_["plot"].dtype == np.float32
    some_missing = X.assign(film=X["film"].where(X.index % 2 == 0))
    assert np.isfinite(model.predict_proba(some_missing)).all()
    with pytest.raises(BlockError, match=r"'plot'.*row 3, column 'film': the key 'm9'"):
        model.predict(X.assign(film=[*X["film"][:3], "m9", *X["film"][4:]]))


def test_unknown_keys_at_predict_are_missing_rows():
    X, y = frame()
    model = FusionClassifier(
        union=union(on_unknown="missing"), missing="allow", random_state=0, max_epochs=2
    ).fit(X, y)
    unknown, missing = X.assign(film="m9"), X.assign(film=None)
    np.testing.assert_array_equal(model.predict_proba(unknown), model.predict_proba(missing))


def test_searches_and_chunks():
    X, y = frame()
    model = FusionClassifier(union=union(), missing="allow", random_state=0, max_epochs=1)
    grid = {"union__plot__transformer__sublinear_tf": [False, True]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y)
    assert search.best_estimator_.predict(X).shape == (len(X),)
    scores = cross_validate(model, X, y, cv=2, n_jobs=2, error_score="raise")["test_score"]
    assert np.isfinite(scores).all()
    by_chunks = union().partial_fit(X[:20]).partial_fit(X[20:])
    at_once = union().fit_transform(X)
    chunked = by_chunks.transform(X)
    for name in ("plot", "seen"):
        assert joblib.hash(chunked.select([name])) == joblib.hash(at_once.select([name]))


def test_a_clone_shares_the_table():
    table = LookupTable(PLOTS, TfidfVectorizer())
    assert clone(table).table is PLOTS
    assert clone(table).transformer is not table.transformer


def test_a_table_of_other_keys_is_no_block_that_is_missing_throughout():
    films = pd.Series([[1.0, 2.0], [3.0, 4.0]], index=[1, 2])
    table = LookupTable(films, on_unknown="missing")
    for keys in (["1", "2", "1"], [["1"], ["2", "1"], []]):
        with pytest.raises(BlockError, match="no row has a key of the table.*'1'.*such as 1 .int"):
            table.fit(pd.Series(keys, name="film"))
    assert len(table.fit_transform(pd.Series([1, 7, 9], name="film"))) == 3


class HalfOfThem(FunctionTransformer):
    def transform(self, X):
        return np.ones((len(X) - 1, 2))

    def fit_transform(self, X, y=None):
        return self.transform(X)


@pytest.mark.parametrize(
    ("table", "transformer", "error", "message"),
    [
        (
            pd.Series([1.0, 2.0], index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])),
            None,
            BlockTypeError,
            "index of the table has 2 levels",
        ),
        ({"a": np.ones(2), "b": np.ones(3)}, None, BlockError, r"key 'b' has the shape \(3,\)"),
        ({"a": 1.0, "b": 2.0}, HalfOfThem(), BlockError, "HalfOfThem returned 1 rows for 2 things"),
    ],
)
def test_tables_that_make_no_block_are_told_in_words(table, transformer, error, message):
    with pytest.raises(error, match=message):
        LookupTable(table, transformer).fit(pd.Series(["a", "b"], name="film"))
