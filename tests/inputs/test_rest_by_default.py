"""Some blocks named, the rest chosen; kinds of columns that the user says."""

import numpy as np
import pandas as pd
import polars
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, RobustScaler, StandardScaler

from skfusion import Blocks, FusionClassifier
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs import BlockUnion, DateParts

N = 30
Y = np.arange(N) % 2


def table(**columns):
    return pd.DataFrame(
        {
            "memo": [f"thing number {row} is here" for row in range(N)],
            "cost": np.linspace(0, 1, N),
            "stars": np.arange(N) % 5,
            "colour": ["red", "blue"] * (N // 2),
            **columns,
        }
    )


def blocks_of(union):
    return {name: columns for name, _, columns in union.transformers_}


def test_the_rest_is_chosen_as_it_would_be_alone():
    union = BlockUnion([("facts", RobustScaler(), ["cost"])], remainder="auto")
    blocks = union.fit_transform(table())
    alone = BlockUnion().fit_transform(table().drop(columns="cost"))
    assert blocks.names == ("facts", *alone.names)
    for name in alone.names:
        assert abs(blocks[name] - alone[name]).max() == 0
    again = union.transform(table()[["colour", "stars", "cost", "memo"]])
    assert abs(again["memo"] - blocks["memo"]).max() == 0


def test_a_rest_of_nothing_is_no_block():
    union = BlockUnion([("facts", StandardScaler(), ["cost", "stars"])], remainder="auto")
    assert union.fit_transform(table()[["cost", "stars"]]).names == ("facts",)


def test_names_of_the_rest_make_way_for_those_that_are_named():
    union = BlockUnion([("numbers", RobustScaler(), ["cost"])], remainder="auto").fit(table())
    assert blocks_of(union)["numbers"] == ["cost"]
    assert blocks_of(union)["numbers_2"] == ["stars"]


@pytest.mark.parametrize("make", [dict, polars.DataFrame, lambda X: X.to_dict("series")])
def test_the_rest_of_other_tables(make):
    union = BlockUnion([("facts", RobustScaler(), ["cost"])], remainder="auto")
    X = make(table()) if make is not dict else {name: table()[name].to_numpy() for name in table()}
    assert union.fit_transform(X).names == ("facts", "numbers", "categories", "memo")


def test_the_rest_of_a_matrix():
    union = BlockUnion([("facts", RobustScaler(), [0])], remainder="auto")
    assert union.fit_transform(np.arange(12.0).reshape(4, 3)).specs()["numbers"].shape == (2,)


def test_the_rest_stands_in_a_pipeline():
    union = BlockUnion([("text", TfidfVectorizer(), "memo")], remainder="auto")
    model = make_pipeline(union, FusionClassifier(max_epochs=1, random_state=0))
    assert len(model.fit(table(), Y).predict(table()[:3])) == 3
    assert not hasattr(union, "partial_fit")


def test_columns_say_what_a_column_is_and_nothing_else():
    words = {"stars": "category", "colour": "text", "cost": "drop"}
    union = BlockUnion(columns=words).fit(table(extra=np.arange(N) / 7.0))
    assert blocks_of(union) == {
        "numbers": ["extra"],
        "categories": ["stars"],
        "memo": "memo",
        "colour": "colour",
        "remainder": ["cost"],
    }
    assert {column: union.kinds_[column] for column in words} == words


@pytest.mark.parametrize(
    ("column", "word", "spec"),
    [
        ([True, False] * 15, "number", ("numbers", "vector", (1,))),
        ([True, False] * 15, "category", ("categories", "csr", (2,))),
        ([1, 0] * 15, "boolean", ("booleans", "vector", (1,))),
        (pd.date_range("2024-01-01", periods=N), "category", ("categories", "csr", (N,))),
        ([f"2024-01-{day + 1:02d}" for day in range(N)], "date", ("dates", "vector", (9,))),
        ([f"{row * 211:,} EUR" for row in range(N)], "number", ("numbers", "vector", (1,))),
        (["12,5", "1,25", None] * 10, "number", ("numbers", "vector", (1,))),
        (list(np.ones((N, 3))), "array", ("column", "vector", (3,))),
        (list(np.zeros((N, 5, 4, 3), np.uint8)), "image", ("column", "image", (64, 64, 3))),
        (list(np.ones((N, 2000)) / 2), "audio", ("column", "sequence", (None, 64))),
    ],
)
def test_every_word(column, word, spec):
    frame = pd.DataFrame({"column": column})
    union = BlockUnion(columns={"column": word})
    blocks = union.fit_transform(frame)
    (found,) = blocks.specs().values()
    assert (found.name, found.form, found.shape) == spec
    assert union.transform(frame[:2]).specs()[found.name].form == found.form


def test_paths_of_images(tmp_path):
    paths = [str(tmp_path / f"{row}.png") for row in range(N)]
    for path in paths:
        Image.new("RGB", (9, 6)).save(path)
    model = FusionClassifier(columns={"photo": "image"}, max_epochs=1, random_state=0)
    model.set_params(union__images__size=(8, 8)).fit(table(photo=paths), Y)
    assert model.specs_["photo"].shape == (8, 8, 3)
    with pytest.raises(BlockError, match=r"row 0, '.*lost.png': the file does not exist"):
        clone(model).fit(table(photo=["lost.png", *paths[1:]]), Y)


def test_numbers_of_texts_are_those_that_they_spell():
    texts = ["1,200 EUR", " 12.5 EUR", None, "3"]
    union = BlockUnion(columns={"price": "number"}, numbers="passthrough", dtype="float64")
    union.set_params(numbers=StandardScaler(with_mean=False, with_std=False))
    frame = pd.DataFrame({"price": texts, "cost": [1.0, 2.0, 3.0, 4.0]})
    expected = [1200, 12.5, np.nan, 3]
    np.testing.assert_array_equal(union.fit_transform(frame)["numbers"][:, 0], expected)
    numbers = union.transform(frame.assign(price=[7.0, None, 8.5, 9.0]))["numbers"]
    np.testing.assert_array_equal(numbers[:, 0], [7, np.nan, 8.5, 9])


@pytest.mark.parametrize(
    ("texts", "row"), [(["1 EUR", "2 USD", "3"], 1), (["1", "2", "cheap"], 2), (["1", "", "2"], 1)]
)
def test_texts_that_are_no_number_are_named(texts, row):
    with pytest.raises(BlockError, match=f"column 'price', row {row} is .*which is no number"):
        BlockUnion(columns={"price": "number"}).fit(pd.DataFrame({"price": texts}))


def test_columns_of_a_matrix_go_by_position():
    X = np.array([[1.0, 0.5], [2.0, 0.25], [1.0, 0.75]])
    union = BlockUnion(columns={0: "category"}).fit(X)
    assert blocks_of(union) == {"numbers": [1], "categories": [0]}


def test_arrays_of_a_dict():
    X = {"photo": np.zeros((N, 4, 4, 3)), "facts": np.ones((N, 2)), "memo": table()["memo"]}
    union = BlockUnion(columns={"photo": "image", "facts": "array"})
    assert union.fit_transform(X).specs()["photo"].shape == (4, 4, 3)
    with pytest.raises(BlockTypeError, match=r"'photo' is an array of shape .*cannot be read as t"):
        BlockUnion(columns={"photo": "text"}).fit(X)


WRONG = [
    ({"zip": "category"}, BlockError, "there is no column 'zip'"),
    ({"coulor": "category"}, BlockError, "Did you mean 'colour'"),
    ({"colour": "categry"}, ParameterError, "the kind of 'colour' must be.*mean 'category'"),
    ({"colour": None}, ParameterError, "the kind of 'colour' must be"),
    (["colour"], ParameterError, "columns must be None or a dict"),
    ({"cost": "text"}, BlockTypeError, r"column 'cost' holds numbers.*astype\(str\)"),
    ({"cost": "image"}, BlockTypeError, "column 'cost' holds numbers, which cannot be read as im"),
    ({"stars": "boolean"}, BlockTypeError, "other numbers than 0 and 1"),
    ({"colour": "boolean"}, BlockTypeError, "cannot be read as boolean. Use 'category'"),
    ({"stars": "date"}, BlockTypeError, "cannot be read as date.*to_datetime"),
    ({"memo": "array"}, BlockTypeError, "column 'memo' holds texts"),
    (dict.fromkeys(table(), "drop"), BlockError, "makes no block"),
]


@pytest.mark.parametrize(("columns", "error", "match"), WRONG)
@pytest.mark.parametrize("estimator", [BlockUnion(), FusionClassifier()])
def test_wrong_words_are_refused_before_anything_is_fitted(
    estimator, columns, error, match, monkeypatch
):
    monkeypatch.setattr(StandardScaler, "fit", None)
    with pytest.raises(error, match=match):
        estimator.set_params(columns=columns).fit(table(), Y)


def test_words_for_columns_that_are_not_chosen_for():
    named = [("facts", RobustScaler(), ["cost"])]
    with pytest.raises(ParameterError, match="'cost'.* has no effect: a block"):
        BlockUnion(named, remainder="auto", columns={"cost": "category"}).fit(table())
    with pytest.raises(ParameterError, match="has no effect.*remainder='auto'"):
        BlockUnion(named, columns={"colour": "text"}).fit(table())


def test_dropped_columns_do_not_pass():
    union = BlockUnion(remainder="passthrough", columns={"cost": "drop"}).fit(table())
    assert union.kinds_["cost"] == "drop" and "remainder" not in union.specs_


def test_a_transformer_a_kind():
    union = BlockUnion(
        text=TfidfVectorizer(max_features=3), numbers=RobustScaler(), categories=OrdinalEncoder()
    ).fit(table(free=pd.Series([1, None, 3] * 10, dtype=object)))
    assert union.specs_["memo"].shape == (3,)
    assert union.specs_["categories"].form == "vector"
    chosen = union.chosen().set_index("column")["transformer"]
    assert chosen["free"].endswith("RobustScaler") and chosen["colour"] == "OrdinalEncoder"


def test_parameters_of_the_usual_transformers_can_be_set():
    union = BlockUnion().set_params(text__ngram_range=(1, 2), text__min_df=1, dates__order="YMD")
    assert union.text.ngram_range == (1, 2) and isinstance(union.dates, DateParts)
    assert union.numbers is None
    assert union.fit(table()).specs_["memo"].shape > BlockUnion().fit(table()).specs_["memo"].shape
    assert clone(union).get_params()["text__ngram_range"] == (1, 2)
    usual = BlockUnion().set_params(numbers__standardscaler__with_mean=True).fit_transform(table())
    assert (usual["numbers"] == BlockUnion().fit_transform(table())["numbers"]).all()


def test_a_block_called_like_a_kind_is_meant_by_its_name():
    union = BlockUnion([("text", TfidfVectorizer(), "memo")], remainder="auto")
    union.set_params(text__ngram_range=(1, 2))
    assert union.text is None and union.transformers[0][1].ngram_range == (1, 2)
    union.text = TfidfVectorizer()
    with pytest.raises(ParameterError, match="'text' is both a block .* Rename the block"):
        union.fit(table())


def test_a_kind_needs_a_transformer():
    with pytest.raises(BlockTypeError, match="'text'.*Got 3"):
        BlockUnion(text=3).fit(table())
    with pytest.raises(BlockTypeError, match="'numbers'.*Got 'drpo'"):
        BlockUnion(numbers="drpo").fit(table())


def test_blocks_have_a_rest_too():
    X = Blocks({"left": np.ones((N, 2)), "right": np.arange(N * 2.0).reshape(N, 2)})
    union = BlockUnion([("left", RobustScaler(), "left")], remainder="auto")
    assert union.fit_transform(X).names == ("left", "right")
