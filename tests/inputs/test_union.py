"""BlockUnion: columns in, named blocks out, and all that scikit-learn asks of a transformer."""

import copy
import dataclasses
import pickle

import joblib
import numpy as np
import pandas as pd
import polars
import pytest
import sklearn
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FunctionTransformer, Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skfusion.blocks import Blocks, MaskedBlock, Ragged
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs import BlockUnion


@parametrize_with_checks([BlockUnion(), BlockUnion([("all", StandardScaler(), slice(None))])])
def test_scikit_learn_common_checks(estimator, check):
    check(estimator)


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "review": ["good film", "bad", "good good", "dull bad film"],
            "price": [1.0, 2.0, 3.0, 6.0],
            "stars": [5, 1, 4, 2],
            "colour": ["red", "blue", "red", "blue"],
        }
    )


@pytest.fixture
def union():
    return BlockUnion(
        [
            ("text", TfidfVectorizer(), "review"),
            ("facts", StandardScaler(), ["price", "stars"]),
            ("colour", OneHotEncoder(), ["colour"]),
        ]
    )


class Reverse(TransformerMixin, BaseEstimator):
    """Learns nothing; returns what `work` makes of X."""

    def __init__(self, work=None):
        self.work = work

    def fit(self, X, y=None):
        self.seen_, self.fitted_ = X, True
        return self

    def transform(self, X):
        return self.work(X)


def two_rows(X):
    return np.zeros((2, 1))


def a_dict(X):
    return {"a": 1}


def words_as_ids(X):
    return Ragged.from_rows([[len(word) for word in text.split()] for text in X], dtype=np.int64)


def images_of_ones(X):
    return np.ones((len(X), 4, 4, 3), dtype=np.uint8)


def fail(X):
    raise RuntimeError("no luck")


# What comes out


def test_blocks_equal_the_transformers_on_their_own(frame, union):
    blocks = union.fit_transform(frame)
    np.testing.assert_allclose(
        blocks["text"].toarray(), TfidfVectorizer().fit_transform(frame["review"]).toarray()
    )
    np.testing.assert_allclose(
        blocks["facts"], StandardScaler().fit_transform(frame[["price", "stars"]]), rtol=1e-6
    )
    assert blocks.names == ("text", "facts", "colour")
    assert sparse.issparse(blocks["text"]) and sparse.issparse(blocks["colour"])


def test_hstack_equals_column_transformer(frame, union):
    table = ColumnTransformer(union.transformers, sparse_threshold=1.0)
    expected = table.fit_transform(frame)
    stacked = union.fit_transform(frame).hstack()
    np.testing.assert_allclose(stacked.toarray(), expected.toarray(), rtol=1e-6)
    assert union.get_feature_names_out().tolist() == table.get_feature_names_out().tolist()


def test_fit_transform_equals_fit_then_transform(frame, union):
    first = union.fit_transform(frame).hstack()
    second = clone(union).fit(frame).transform(frame).hstack()
    assert (first != second).nnz == 0


def test_forms_stay_as_they_are(frame):
    union = BlockUnion(
        [
            ("words", Reverse(words_as_ids), "review"),
            ("photo", Reverse(images_of_ones), "review"),
            ("price", "passthrough", ["price"]),
        ]
    )
    blocks = union.fit_transform(frame)
    assert {name: spec.form for name, spec in blocks.specs().items()} == {
        "words": "tokens",
        "photo": "image",
        "price": "vector",
    }
    assert blocks["photo"].dtype == np.uint8 and blocks["words"].dtype == np.int64
    assert union.get_feature_names_out().tolist() == ["words", "photo", "price__price"]


@pytest.mark.parametrize(
    ("dtype", "expected"), [("float32", "f4"), ("float64", "f8"), (np.float64, "f8")]
)
def test_floats_booleans_and_integer_vectors_are_cast(dtype, expected):
    X = {
        "a": np.arange(6.0).reshape(3, 2),
        "b": np.array([[True], [False], [True]]),
        "c": np.array([[1], [2], [3]]),
        "d": sparse.csr_matrix(np.eye(3, dtype=np.int64)),
    }
    union = BlockUnion([(name, "passthrough", name) for name in X], dtype=dtype)
    blocks = union.fit_transform(X)
    assert {blocks[name].dtype for name in X} == {np.dtype(expected)}


def test_dtype_none_casts_nothing():
    X = {"a": np.arange(3.0)[:, None], "b": np.array([[1], [2], [3]])}
    blocks = BlockUnion([(name, "passthrough", name) for name in X], dtype=None).fit_transform(X)
    assert (blocks["a"].dtype, blocks["b"].dtype) == (np.float64, np.int64)


def test_float32_passes_without_a_copy():
    photo = np.zeros((3, 4, 4, 3), dtype=np.float32)
    blocks = BlockUnion([("photo", "passthrough", "photo")]).fit_transform({"photo": photo})
    assert np.shares_memory(blocks["photo"], photo)


def test_global_pandas_output_does_not_reach_the_blocks(frame, union):
    with sklearn.config_context(transform_output="pandas"):
        blocks = union.fit_transform(frame)
    assert isinstance(blocks, Blocks) and sparse.issparse(blocks["colour"])


# Choosing columns


@pytest.mark.parametrize(
    "columns",
    [
        ["price", "stars"],
        slice("price", "stars"),
        slice(1, 3),
        [1, 2],
        [-3, -2],
        [False, True, True, False],
        np.array([False, True, True, False]),
        pd.Index(["price", "stars"]),
        make_column_selector(dtype_include="number"),
        lambda frame: [name for name in frame.columns if name in ("price", "stars")],
    ],
)
def test_selections_of_the_same_columns(frame, columns):
    union = BlockUnion([("facts", "passthrough", columns)]).fit(frame)
    assert union.transformers_[0][2] == ["price", "stars"]
    np.testing.assert_array_equal(
        union.transform(frame)["facts"], frame[["price", "stars"]].to_numpy()
    )


def test_one_name_gives_one_dimension_and_a_list_gives_two(frame):
    union = BlockUnion(
        [("one", Reverse(words_as_ids), "review"), ("many", Reverse(np.asarray), ["price"])]
    ).fit(frame)
    assert union.named_transformers_["one"].seen_.shape == (4,)
    assert union.named_transformers_["many"].seen_.shape == (4, 1)


def test_positions_on_an_array():
    X = np.arange(12.0).reshape(4, 3)
    union = BlockUnion([("a", "passthrough", 0), ("b", "passthrough", [2, 1])]).fit(X)
    np.testing.assert_array_equal(union.transform(X)["b"], X[:, [2, 1]])
    assert union.get_feature_names_out().tolist() == ["a__x0", "b__x2", "b__x1"]


def test_columns_of_a_sparse_matrix():
    X = sparse.csr_matrix(np.eye(4))
    blocks = BlockUnion([("a", "passthrough", [0, 2]), ("b", "passthrough", 1)]).fit_transform(X)
    np.testing.assert_array_equal(blocks["a"].toarray(), np.eye(4)[:, [0, 2]])
    assert blocks["b"].shape == (4, 1)


def test_a_selector_that_finds_nothing_leaves_its_block_out(frame):
    selector = make_column_selector(dtype_include="datetime")
    union = BlockUnion([("when", StandardScaler(), selector), ("facts", "passthrough", ["price"])])
    assert union.fit_transform(frame).names == ("facts",)


def test_drop_and_remainder(frame):
    drop = ("colour", "drop", ["colour"])
    union = BlockUnion([drop, ("text", CountVectorizer(), "review")], remainder=StandardScaler())
    blocks = union.fit_transform(frame)
    assert blocks.names == ("text", "remainder")
    assert union.transformers_[-1][2] == ["price", "stars"]
    assert union.named_transformers_["colour"] == "drop"
    np.testing.assert_allclose(blocks["remainder"].mean(axis=0), 0, atol=1e-6)


def test_remainder_passthrough_of_a_dict_keeps_each_block():
    X = {"a": np.zeros((3, 2)), "photo": np.zeros((3, 4, 4, 3)), "text": sparse.csr_matrix((3, 5))}
    blocks = BlockUnion([("a", "passthrough", "a")], remainder="passthrough").fit_transform(X)
    assert blocks.names == ("a", "photo", "text") and blocks["photo"].ndim == 4


# What goes in


def test_columns_are_found_by_name_whatever_their_order(frame, union):
    expected = union.fit_transform(frame).hstack()
    other = frame.assign(more=1)[["more", "colour", "stars", "price", "review"]]
    assert (union.transform(other).hstack() != expected).nnz == 0


def test_polars_frame_gives_the_same_blocks(frame, union):
    expected = union.fit_transform(frame).hstack()
    given = polars.DataFrame({name: frame[name].tolist() for name in frame})
    assert (union.transform(given).hstack() != expected).nnz == 0
    assert (clone(union).fit_transform(given).hstack() != expected).nnz == 0
    assert clone(union).fit(given).feature_names_in_.tolist() == list(frame)


def test_dict_of_columns_gives_the_same_blocks(frame, union):
    expected = union.fit_transform(frame).hstack()
    given = {name: frame[name].tolist() for name in frame}
    assert (clone(union).fit_transform(given).hstack() != expected).nnz == 0


def test_dict_entries_stand_side_by_side():
    X = {
        "a": [1.0, 2.0],
        "b": np.array([[3.0, 4.0], [5.0, 6.0]]),
        "c": sparse.csr_matrix(np.eye(2)),
    }
    union = BlockUnion([("ab", "passthrough", ["a", "b"]), ("bc", "passthrough", ["b", "c"])])
    blocks = union.fit_transform(X)
    assert blocks["ab"].tolist() == [[1, 3, 4], [2, 5, 6]]
    assert blocks["bc"].toarray().tolist() == [[3, 4, 1, 0], [5, 6, 0, 1]]


def test_array_after_a_fit_on_a_frame_is_read_by_position(frame):
    union = BlockUnion([("facts", StandardScaler(), ["stars"])]).fit(frame[["price", "stars"]])
    array = frame[["price", "stars"]].to_numpy()
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        blocks = union.transform(array)
    np.testing.assert_array_equal(blocks["facts"], union.transform(frame)["facts"])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        blocks = union.transform(pd.DataFrame(array))
    np.testing.assert_array_equal(blocks["facts"], union.transform(frame)["facts"])


def test_frame_after_a_fit_on_an_array_is_read_by_position(frame):
    numbers = frame[["price", "stars"]]
    union = BlockUnion([("facts", "passthrough", [1])]).fit(numbers.to_numpy())
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        blocks = union.transform(numbers)
    assert blocks["facts"].ravel().tolist() == [5, 1, 4, 2]


def test_blocks_in_blocks_out_and_missing_stays_missing():
    X = Blocks(
        {"a": np.array([[1.0], [3.0], [99.0]]), "photo": np.ones((3, 4, 4, 3), np.uint8)},
        missing={"a": [False, False, True], "photo": [True, False, False]},
    )
    union = BlockUnion([("a", StandardScaler(), "a"), ("photo", "passthrough", "photo")])
    blocks = union.fit_transform(X)
    assert blocks["a"][:2].ravel().tolist() == [-1.0, 1.0]
    assert blocks.missing("a").tolist() == [False, False, True]
    assert blocks.missing("photo").tolist() == [True, False, False]


def test_blocks_side_by_side_hide_what_is_missing():
    X = Blocks(
        {"a": np.array([[1.0], [99.0], [99.0]]), "b": np.array([[1.0], [2.0], [99.0]])},
        missing={"a": [False, True, True], "b": [False, False, True]},
    )
    blocks = BlockUnion([("ab", SimpleImputer(), ["a", "b"])]).fit_transform(X)
    assert blocks["ab"][:2].tolist() == [[1.0, 1.0], [1.0, 2.0]]
    assert blocks.missing("ab").tolist() == [False, False, True]


def test_feature_attributes(frame, union):
    union.fit(frame)
    assert union.n_features_in_ == 4 and union.feature_names_in_.tolist() == list(frame)
    union = BlockUnion([("a", "passthrough", [0])]).fit(np.zeros((2, 3)))
    assert union.n_features_in_ == 3 and not hasattr(union, "feature_names_in_")
    union = BlockUnion([("a", "passthrough", "a")]).fit({"a": [1, 2], "b": [1, 2]})
    assert union.n_features_in_ == 2 and union.feature_names_in_.tolist() == ["a", "b"]


# Rows without a source


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, pd.NaT])
def test_missing_cells_are_not_shown_and_are_marked(nothing):
    frame = pd.DataFrame({"review": pd.Series(["good film", nothing, "bad"], dtype=object)})
    union = BlockUnion([("text", TfidfVectorizer(), "review")])
    blocks = union.fit_transform(frame)
    expected = TfidfVectorizer().fit_transform(["good film", "bad"]).toarray()
    np.testing.assert_allclose(blocks["text"].toarray()[[0, 2]], expected)
    assert blocks.missing("text").tolist() == [False, True, False]
    assert union.transform(frame).missing("text").tolist() == [False, True, False]


def test_a_row_lacks_a_block_of_several_columns_when_all_cells_are_missing():
    frame = pd.DataFrame({"a": [1.0, np.nan, np.nan], "b": [1.0, 2.0, None]})
    blocks = BlockUnion([("ab", SimpleImputer(), ["a", "b"])]).fit_transform(frame)
    assert blocks.missing("ab").tolist() == [False, False, True]
    assert blocks["ab"][:2].tolist() == [[1.0, 1.0], [1.0, 2.0]]


@pytest.mark.parametrize("kind", ["ragged", "image", "csr"])
def test_every_form_is_spread_over_missing_rows(kind):
    work = {"ragged": words_as_ids, "image": images_of_ones, "csr": _csr_of_ones}[kind]
    frame = pd.DataFrame({"review": ["a bb", None, "ccc"]})
    block = BlockUnion([("block", Reverse(work), "review")]).fit_transform(frame)["block"]
    if kind == "ragged":
        assert [row.tolist() for row in block] == [[1, 2], [], [3]]
    else:
        dense = block.toarray() if kind == "csr" else block.reshape(3, -1)
        assert dense.sum(axis=1).tolist() == [dense.shape[1], 0, dense.shape[1]]


def _csr_of_ones(X):
    return sparse.csr_matrix(np.ones((len(X), 2)))


def test_targets_of_missing_rows_are_left_out():
    frame = pd.DataFrame({"colour": ["red", None, "blue", "red"]})
    TakesTarget.seen = []
    BlockUnion([("colour", TakesTarget(), ["colour"])]).fit(frame, np.array([1.0, 5.0, 0.0, 1.0]))
    assert TakesTarget.seen == [[1.0, 0.0, 1.0]]


class TakesTarget(TransformerMixin, BaseEstimator):
    seen: list

    def fit(self, X, y=None, sample_weight=None):
        TakesTarget.seen.append(list(y if sample_weight is None else sample_weight))
        self.fitted_ = True
        return self

    def transform(self, X):
        return np.zeros((len(X), 1))


def test_a_test_set_without_any_source_is_a_block_all_missing(frame):
    union = BlockUnion(
        [
            ("text", TfidfVectorizer(), "review"),
            ("words", Reverse(words_as_ids), "review"),
            ("photo", Reverse(images_of_ones), "review"),
        ]
    ).fit(frame)
    blocks = union.transform(frame.assign(review=None))
    assert [blocks.missing(name).all() for name in blocks.names] == [True] * 3
    assert {name: spec.shape for name, spec in blocks.specs().items()} == {
        "text": (4,),
        "words": (None,),
        "photo": (4, 4, 3),
    }


def test_no_row_to_learn_from_names_the_block(frame, union):
    with pytest.raises(BlockError, match="block 'text' has no row to learn from"):
        union.fit(frame.assign(review=None))


def test_rows_that_a_transformer_finds_missing_are_marked():
    frame = pd.DataFrame({"path": ["a.png", None, "broken.png"]})
    union = BlockUnion([("photo", Reverse(_masked), "path")])
    assert union.fit_transform(frame).missing("photo").tolist() == [False, True, True]
    assert union.transform(frame[::2]).missing("photo").tolist() == [False, True]


def _masked(X):
    return MaskedBlock(np.ones((len(X), 2)), np.array([path == "broken.png" for path in X]))


class Lazy:
    """Rows that are counted when they are read."""

    dtype, ndim = np.dtype(np.float32), 2

    def __init__(self, n):
        self.shape, self.read = (n, 2), []

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        numbers = np.arange(len(self))[rows]
        self.read += numbers.tolist()
        return np.repeat(numbers[:, None], 2, axis=1).astype(np.float32)


def test_a_lazy_block_stays_lazy_among_missing_rows():
    lazy = Lazy(2)
    union = BlockUnion([("photo", Reverse(lambda X: lazy), "path")])
    blocks = union.fit_transform(pd.DataFrame({"path": ["a", None, "b"]}))
    assert lazy.read == []
    assert blocks[[2, 1]]["photo"].tolist() == [[1.0, 1.0], [0.0, 0.0]]
    assert lazy.read == [1]


# scikit-learn's habits


def test_nested_parameters(union):
    assert union.get_params()["text__ngram_range"] == (1, 1)
    union.set_params(text__ngram_range=(1, 2), facts=MinMaxScaler(), dtype="float64")
    assert union.transformers[0][1].ngram_range == (1, 2)
    assert isinstance(union.transformers[1][1], MinMaxScaler) and union.dtype == "float64"
    assert union.get_params(deep=False)["text"] is None


def test_a_transformer_and_its_parameter_are_set_in_one_call(union):
    union.set_params(facts=MinMaxScaler(), facts__clip=True)
    assert union.transformers[1][1].clip is True


def test_unknown_parameter_raises(union):
    with pytest.raises(ValueError, match="Invalid parameter 'txt'"):
        union.set_params(txt__ngram_range=(1, 2))


def test_fit_leaves_the_given_transformers_unfitted(frame, union):
    given = copy.deepcopy(union.transformers[1][1])
    union.fit(frame)
    assert vars(union.transformers[1][1]) == vars(given)


def test_grid_search_over_inner_parameters(frame, union):
    frame = pd.concat([frame] * 3, ignore_index=True)
    y = [1, 0, 1, 0] * 3
    model = make_pipeline(union, FunctionTransformer(Blocks.hstack), LogisticRegression())
    search = GridSearchCV(
        model,
        {
            "blockunion__text__ngram_range": [(1, 1), (1, 2)],
            "blockunion__colour": ["drop", "passthrough"],
        },
        cv=2,
        error_score=np.nan,
    )
    with pytest.warns(Warning, match="fits failed"):
        search.fit(frame, y)
    assert search.best_params_["blockunion__colour"] == "drop"


def test_pickle_and_clone(frame, union):
    expected = union.fit_transform(frame).hstack()
    assert (pickle.loads(pickle.dumps(union)).transform(frame).hstack() != expected).nnz == 0
    assert not hasattr(clone(union), "transformers_")


def test_pipeline_with_memory_fits_once(frame, tmp_path):
    pipeline = Pipeline(
        [("union", BlockUnion([("a", _Counting(tmp_path), ["price"])])), ("last", Reverse(_last))],
        memory=joblib.Memory(tmp_path / "cache", verbose=0),
    )
    for _ in range(2):
        clone(pipeline).fit(frame)
    assert (tmp_path / "calls").read_text() == "fit\n"


def _last(X):
    return X.hstack()


class _Counting(TransformerMixin, BaseEstimator):
    def __init__(self, folder):
        self.folder = folder

    def fit(self, X, y=None):
        with open(self.folder / "calls", "a") as calls:
            calls.write("fit\n")
        self.fitted_ = True
        return self

    def transform(self, X):
        return np.asarray(X)


def test_two_jobs_give_the_same_blocks(frame, union):
    expected = union.fit_transform(frame).hstack()
    parallel = clone(union).set_params(n_jobs=2)
    # Threads: starting processes takes longer than all other tests of this file.
    with joblib.parallel_config("threading"):
        assert (parallel.fit_transform(frame).hstack() != expected).nnz == 0
        assert (parallel.transform(frame).hstack() != expected).nnz == 0


def test_verbose_prints_a_line_per_block(frame, union, capsys):
    union.set_params(verbose=True).fit(frame)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1].startswith("[BlockUnion] block 'facts' (2 of 3) took ")


def test_diagram_shows_branches_and_what_was_chosen(frame, union):
    html = union._repr_html_()
    assert html.count("sk-parallel-item") > 2 and "TfidfVectorizer" in html
    default = BlockUnion()
    assert "OneHotEncoder" not in default._repr_html_()
    chosen = default.fit(frame)._repr_html_()
    assert "OneHotEncoder" in chosen and "sk-parallel-item" in chosen


def test_metadata_is_routed_and_cut_to_the_rows_that_are_there():
    frame = pd.DataFrame({"colour": ["red", None, "blue"], "price": [1.0, 2.0, 3.0]})
    with sklearn.config_context(enable_metadata_routing=True):
        takes = TakesTarget().set_fit_request(sample_weight=True)
        scale = StandardScaler().set_fit_request(sample_weight=True)
        union = BlockUnion([("colour", takes, ["colour"]), ("price", scale, ["price"])])
        TakesTarget.seen = []
        blocks = union.fit_transform(frame, [0, 1, 0], sample_weight=[1.0, 2.0, 0.0])
    assert TakesTarget.seen == [[1.0, 0.0]]
    expected = StandardScaler().fit(frame[["price"]], sample_weight=[1.0, 2.0, 0.0])
    np.testing.assert_allclose(blocks["price"], expected.transform(frame[["price"]]), rtol=1e-6)


def test_metadata_without_routing_is_refused(frame, union):
    with pytest.raises(ValueError, match="'sample_weight'.* metadata routing is off"):
        union.fit(frame, sample_weight=[1, 1, 1, 1])


def test_a_transformer_that_learns_from_the_target(frame):
    y = np.array([0, 1, 0, 1])
    union = BlockUnion([("facts", LinearDiscriminantAnalysis(), ["price", "stars"])])
    expected = LinearDiscriminantAnalysis().fit_transform(frame[["price", "stars"]], y)
    np.testing.assert_allclose(union.fit_transform(frame, y)["facts"], expected, rtol=1e-5)


def test_tags_follow_the_transformers():
    assert sklearn.utils.get_tags(BlockUnion()).input_tags.sparse
    scaler = BlockUnion([("a", StandardScaler(), [0]), ("b", MinMaxScaler(), [1])])
    assert not sklearn.utils.get_tags(scaler).input_tags.sparse


# What goes wrong


def test_error_inside_a_transformer_names_the_block(frame):
    union = BlockUnion([("photo", Reverse(fail), ["price", "stars"])])
    with pytest.raises(RuntimeError, match="no luck") as caught:
        union.fit_transform(frame)
    assert "in block 'photo' (columns 'price', 'stars')" in str(caught.value)


def test_one_column_to_a_transformer_of_two_dimensions_says_what_to_write(frame):
    with pytest.raises(ValueError, match="2-dimensional container|Expected 2D") as caught:
        BlockUnion([("price", StandardScaler(), "price")]).fit(frame)
    assert "Write ['price'] for columns" in str(caught.value)


def test_missing_column_at_transform_is_named(frame, union):
    union.fit(frame)
    match = "column 'colour'.*block 'colour'.*is missing.*Did you mean 'color'"
    with pytest.raises(BlockError, match=match):
        union.transform(frame.rename(columns={"colour": "color"}))


@pytest.mark.parametrize("kind", ["pandas", "polars", "dict"])
def test_a_block_without_its_columns_is_missing_in_all_rows_where_that_is_allowed(
    frame, union, kind
):
    columns = {name: frame[name].tolist() for name in ["price", "stars", "colour"]}
    rows = {"pandas": pd.DataFrame, "polars": polars.DataFrame, "dict": dict}[kind](columns)
    union.set_params(missing="allow").fit(frame)
    blocks = union.transform(rows)
    assert blocks.missing("text").all()
    assert blocks["text"].shape == union.transform(frame)["text"].shape
    assert blocks.missing("facts") is None
    np.testing.assert_array_equal(blocks["facts"], union.transform(frame)["facts"])


def test_a_block_that_lacks_some_of_its_columns_is_an_error_in_any_case(frame, union):
    union.set_params(missing="allow").fit(frame)
    with pytest.raises(BlockError, match="column 'price', from which block 'facts' is made"):
        union.transform(frame.drop(columns="price"))


def test_blocks_without_one_of_those_of_the_fit():
    X = Blocks({"a": np.ones((3, 2)), "b": np.ones((3, 4))})
    union = BlockUnion(missing="allow").fit(X)
    assert union.transform(X.select(["a"])).missing("b").tolist() == [True] * 3
    with pytest.raises(BlockError, match='Use missing="allow" to go without the block'):
        union.set_params(missing="error").transform(X.select(["a"]))
    with pytest.raises(ParameterError, match="missing must be one of 'error', 'allow'"):
        union.set_params(missing="drop").fit(X)


def test_unknown_column_at_fit_is_named(frame):
    with pytest.raises(BlockError, match="no column 'revue'.*Did you mean 'review'"):
        BlockUnion([("text", TfidfVectorizer(), "revue")]).fit(frame)


@pytest.mark.parametrize(
    ("columns", "match"),
    [
        (7, "no column 7; X has 4 columns"),
        ([True, False], "mask of columns has 2 entries, but X has 4"),
        (1.5, "columns must be a name, a position"),
        ([1.5], "columns must be a name, a position"),
        (None, "columns must be a name, a position"),
        (slice("price", "sters"), "no column 'sters'"),
    ],
)
def test_selections_that_make_no_sense(frame, columns, match):
    with pytest.raises((BlockError, BlockTypeError), match=match):
        BlockUnion([("facts", "passthrough", columns)]).fit(frame)


def test_names_on_an_array_without_names():
    with pytest.raises(BlockError, match="have no names"):
        BlockUnion([("a", "passthrough", "price")]).fit(np.zeros((3, 2)))


@pytest.mark.parametrize(
    ("transformers", "error", "match"),
    [
        ([("a", "passthrough", 1), ("a", "passthrough", 2)], BlockError, "2 blocks are called 'a'"),
        ([("a__b", "passthrough", 1)], BlockError, "without '__'"),
        ([("n_jobs", "passthrough", 1)], BlockError, "parameter of BlockUnion"),
        ([("a", "passthru", 1)], BlockTypeError, "Did you mean 'passthrough'"),
        ([("a", StandardScaler, [1])], BlockTypeError, r"is a class. Pass an instance"),
        ([("a", 3, [1])], BlockTypeError, "a transformer has fit and transform"),
        ([("a", StandardScaler())], ParameterError, "each of transformers must be"),
        ({"a": StandardScaler()}, ParameterError, "transformers must be a list"),
        ([("a", "drop", 1)], BlockError, "makes no block"),
    ],
)
def test_transformers_that_make_no_sense(frame, transformers, error, match):
    with pytest.raises(error, match=match):
        BlockUnion(transformers).fit(frame)


def test_output_that_is_no_block(frame):
    with pytest.raises(BlockTypeError, match="block 'a' is a dict"):
        BlockUnion([("a", Reverse(a_dict), ["price"])]).fit(frame)


def test_output_with_another_number_of_rows(frame):
    with pytest.raises(BlockError, match="block 'a': Reverse returned 2 rows for 4"):
        BlockUnion([("a", Reverse(two_rows), ["price"])]).fit(frame)


@pytest.mark.parametrize(
    "column",
    [
        pd.array([1, None, 3, 4], dtype="Int64"),
        pd.array([True, None, True, False], dtype="boolean"),
        pd.Series([1, None, 2.5, True], dtype=object),
    ],
)
@pytest.mark.parametrize("columns", ["x", ["x"], ["x", "price"]])
def test_nullable_columns_pass_through_as_floats(frame, column, columns):
    frame["x"] = column
    blocks = BlockUnion([("a", "passthrough", columns)]).fit_transform(frame)
    assert blocks["a"].dtype == np.float32 and np.isnan(blocks["a"][1, 0])
    assert (blocks.missing("a") is None) == (len(columns) == 2)


def test_text_cannot_pass_through(frame):
    with pytest.raises(BlockTypeError, match="column 'colour' must hold numbers"):
        BlockUnion([("a", "passthrough", ["colour"])]).fit(frame)


def test_target_of_another_length(frame, union):
    with pytest.raises(BlockError, match="X has 4 rows and y has 3"):
        union.fit(frame, [0, 1, 0])


@pytest.mark.parametrize("dtype", ["int32", "float16", "flaot32", 3])
def test_wrong_dtype(frame, dtype):
    with pytest.raises(ParameterError, match="dtype must be 'float32' or 'float64'"):
        BlockUnion(dtype=dtype).fit(frame)


def test_empty_inputs(frame, union):
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        union.fit(frame[:0])
    with pytest.raises(ValueError, match=r"Found array with 0 feature\(s\)"):
        union.fit(frame[[]])
    with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
        BlockUnion().fit({"a": []})


def test_arrays_of_a_dict_that_differ_in_length():
    with pytest.raises(BlockError, match="'a' has 2, 'b' has 3"):
        BlockUnion().fit({"a": [1, 2], "b": [1, 2, 3]})


def test_dict_after_a_fit_without_names():
    union = BlockUnion().fit(np.eye(3))
    with pytest.raises(BlockError, match="fitted on columns without names"):
        union.transform({"a": [1.0]})


def test_keys_of_a_dict_are_names():
    with pytest.raises(BlockTypeError, match="must be strings"):
        BlockUnion().fit({0: [1.0, 2.0]})


def test_entries_of_a_dict_have_rows():
    with pytest.raises(BlockTypeError, match="'a' is a float, which has no rows"):
        BlockUnion().fit({"a": 1.5})


def test_column_that_occurs_twice(frame):
    doubled = frame.rename(columns={"stars": "price"})
    with pytest.raises(BlockError, match="column 'price' occurs more than once"):
        BlockUnion().fit(doubled)


def test_deep_array_wants_a_name():
    with pytest.raises(BlockError, match=r"dim 4, while dim <= 2 .*pass a dict"):
        BlockUnion().fit(np.zeros((2, 4, 4, 3)))


def test_lazy_frame_is_to_be_collected():
    with pytest.raises(BlockTypeError, match=r"LazyFrame.*\.collect\(\)"):
        BlockUnion().fit(polars.DataFrame({"a": [1.0]}).lazy())


@pytest.mark.parametrize("remainder", ["pass", StandardScaler, 3])
def test_wrong_remainder(frame, remainder):
    with pytest.raises(BlockTypeError, match="block 'remainder'"):
        BlockUnion(remainder=remainder).fit(frame)


def test_deep_arrays_stand_alone():
    X = {"photo": np.zeros((2, 4, 4, 3)), "a": [1.0, 2.0]}
    with pytest.raises(BlockError, match="'photo' has 4 axes and cannot stand beside"):
        BlockUnion([("x", "passthrough", ["photo", "a"])]).fit(X)


def test_columns_of_a_frame_become_rows_side_by_side_in_memory():
    frame = pd.DataFrame(np.arange(12.0).reshape(4, 3), columns=list("abc"))
    for transformer in ("passthrough", StandardScaler()):
        blocks = BlockUnion([("all", transformer, ["a", "c"])]).fit_transform(frame)
        assert blocks["all"].flags.c_contiguous


@dataclasses.dataclass(frozen=True)
class FrozenError(Exception):
    code: int


class NeedsArgumentsError(Exception):
    def __init__(self, code, detail):
        super().__init__(f"{code}: {detail}")
        self.code = code


FAILURES = {
    "frozen": (FrozenError, 5),
    "arguments": (NeedsArgumentsError, 5, "wrong"),
    "key": (KeyError, "gone"),
    "decoding": (UnicodeDecodeError, "utf-8", b"a\xff", 1, 2, "invalid"),
    "file": (FileNotFoundError, 2, "No such file", "x.png"),
    "several": (ValueError, "bad", 404),
    "stop": (StopIteration, "over"),
}


class Fails(BaseEstimator, TransformerMixin):
    def __init__(self, failure="key"):
        self.failure = failure

    def fit(self, X, y=None):
        kind, *args = FAILURES[self.failure]
        raise kind(*args)

    def transform(self, X):
        return X


@pytest.mark.parametrize(
    ("failure", "n_jobs"), [*((one, None) for one in FAILURES), ("frozen", 2), ("arguments", 2)]
)
def test_any_error_of_a_transformer_says_where_in_any_process(frame, failure, n_jobs):
    steps = [("facts", Fails(failure), ["price"]), ("more", "passthrough", ["stars"])]
    expected = RuntimeError if failure == "stop" else FAILURES[failure][0]
    with pytest.raises(expected, match=r"in block 'facts' \(columns 'price'\), Fails"):
        BlockUnion([("outer", BlockUnion(steps, n_jobs=n_jobs), ["price", "stars"])]).fit(frame)


class NotOfTwo(StandardScaler):
    def fit(self, X, y=None):
        if len(X) == 2:
            raise ValueError("no")
        return super().fit(X)


@pytest.mark.parametrize(
    "X",
    [
        pd.DataFrame({"other": [1.0, 2.0], "cost": [3.0, 4.0], "flag": ["a", "b"]}),
        np.zeros((2, 2)),
    ],
    ids=["frame", "array"],
)
def test_a_failed_refit_leaves_the_union_as_it_was(X):
    frame = pd.DataFrame({"cost": [1.0, 2.0, 3.0], "flag": [1.0, 0.0, 1.0]})
    union = BlockUnion([("a", "passthrough", [0]), ("b", NotOfTwo(), [1])]).fit(frame)
    before, expected = dict(vars(union)), union.transform(frame)
    with pytest.raises(ValueError, match="no"):
        union.fit(X)
    assert vars(union) == before
    for name in expected.names:
        np.testing.assert_array_equal(union.transform(frame)[name], expected[name])
