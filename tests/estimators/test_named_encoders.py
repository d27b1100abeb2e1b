"""An encoder that is named for a column of a table decides how the column is read."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.preprocessing import OrdinalEncoder, StandardScaler

from skfusion import BlockUnion, FusionClassifier, FusionRegressor
from skfusion.encoders import (
    CNN,
    MLP,
    RNN,
    Augment,
    Chain,
    Encoder,
    Policy,
    SameAs,
    TemporalCNN,
    TimeDistributed,
    TokenEmbedding,
    Transformer,
)
from skfusion.exceptions import BlockError, BlockTypeError, ColumnKindWarning, ParameterError
from skfusion.inputs import ImageLoader, Tokenizer
from skfusion.inspection import ablation

N = 24
Y = np.arange(N) % 2
SMALL = {"width": 4, "n_layers": 1}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Return a frame with a column of each kind."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("photos")
    pixels = [rng.integers(0, 255, (8 + row % 2, 8, 3), dtype=np.uint8) for row in range(N)]
    for row, picture in enumerate(pixels):
        Image.fromarray(picture).save(folder / f"{row}.png")
    return pd.DataFrame(
        {
            "review": [f"{'good' if one else 'bad'} and {row} more" for row, one in enumerate(Y)],
            "photo": [str(folder / f"{row}.png") for row in range(N)],
            "bytes": [(folder / f"{row}.png").read_bytes() for row in range(N)],
            "picture": pixels,
            "age": rng.normal(size=N),
            "cost": rng.normal(size=N),
            "price": [f"{row}.5 EUR" for row in range(N)],
            "bought": pd.Timestamp("2025-01-01") + pd.to_timedelta(np.arange(N), unit="D"),
            "posted": [f"2025-01-{1 + row:02}" for row in range(N)],
            "carrier": np.where(Y, "post", "van"),
            "store": np.arange(N) % 5,
            "member": np.arange(N) % 3 == 0,
            "trace": [rng.normal(size=(4 + row % 3, 2)) for row in range(N)],
            "pulse": [list(rng.normal(size=6)) for row in range(N)],
            "wave": [rng.normal(size=20 + row) for row in range(N)],
            "clip": [rng.integers(0, 255, (3, 8, 8, 3), dtype=np.uint8) for _ in range(N)],
        }
    )


def model(encoders=None, kind=FusionClassifier, **params):
    return kind(encoders, **{"max_epochs": 1, "random_state": 0, **params})


READ_AS = [  # column, encoder, form, shape of a row
    ("review", Transformer(**SMALL), "tokens", (None,)),
    ("review", "rnn", "tokens", (None,)),
    ("review", "sparse", "csr", None),
    ("photo", CNN(4), "image", (64, 64, 3)),
    ("photo", Transformer(**SMALL), "image", (64, 64, 3)),
    ("bytes", CNN(4), "image", (64, 64, 3)),
    ("picture", CNN(4), "image", (64, 64, 3)),
    ("age", MLP(4), "vector", (1,)),
    ("age", "numeric", "vector", (1,)),
    ("price", MLP(4), "vector", (1,)),
    ("bought", MLP(4), "vector", None),
    ("posted", MLP(4), "vector", None),
    ("carrier", MLP(4), "vector", (2,)),
    ("carrier", "sparse", "csr", (2,)),
    ("carrier", TokenEmbedding(4), "tokens", (None,)),
    ("store", MLP(4), "vector", (1,)),
    ("store", TokenEmbedding(4), "tokens", (None,)),
    ("store", "sparse", "csr", (5,)),
    ("member", MLP(4), "vector", (1,)),
    ("trace", RNN(4), "sequence", (None, 2)),
    ("pulse", RNN(4), "sequence", (None, 1)),
    ("pulse", MLP(4), "vector", (6,)),
    ("wave", TemporalCNN(4), "waveform", (None,)),
    ("wave", RNN(4), "sequence", (None, 1)),
    ("clip", TimeDistributed(CNN(4)), "video", (3, 8, 8, 3)),
    ("photo", Policy(Augment(CNN(4), flip=True), lr_scale=0.1), "image", (64, 64, 3)),
    ("photo", Chain(CNN(4), Transformer(**SMALL)), "image", (64, 64, 3)),
]


@pytest.mark.parametrize(
    ("column", "encoder", "form", "shape"), READ_AS, ids=lambda value: str(value)[:30]
)
@pytest.mark.filterwarnings("error::skfusion.exceptions.ColumnKindWarning")
def test_a_column_is_read_in_a_form_that_its_encoder_takes(table, column, encoder, form, shape):
    frame = table[list(dict.fromkeys([column, "age", "cost"]))]
    fitted = model({column: encoder}).fit(frame, Y)
    spec = fitted.specs_[column]
    assert spec.form == form
    assert shape is None or spec.shape == shape
    assert len(fitted.predict(table[:3])) == 3
    assert "read for" in fitted.union_.chosen().set_index("column").loc[column, "why"]


@pytest.mark.filterwarnings("ignore::skfusion.exceptions.ColumnKindWarning")
def test_all_other_columns_are_chosen_as_ever(table):
    frame = table[["review", "age", "cost", "carrier"]]
    default = model().fit(frame, Y).union_.chosen().set_index("column")
    named = model({"review": Transformer(**SMALL)}).fit(frame, Y).union_.chosen()
    pd.testing.assert_frame_equal(
        named.set_index("column").drop("review"), default.drop("review"), check_like=True
    )


def test_numbers_of_a_plain_frame_are_split_by_their_encoders(table):
    fitted = model({"age": MLP(4)}).fit(table[["age", "cost"]], Y)
    assert list(fitted.specs_) == ["numbers", "age"]
    whole = model({"X": MLP(4)}).fit(table[["age", "cost"]], Y)
    assert whole.specs_["X"].shape == (2,)


@pytest.mark.parametrize(
    ("columns", "encoder", "form"),
    [
        ({"photo": "text"}, RNN(4), "tokens"),
        ({"photo": "image"}, CNN(4), "image"),
        ({"photo": "category"}, MLP(4), "vector"),
    ],
    ids=str,
)
def test_a_word_says_what_the_column_is(table, columns, encoder, form):
    fitted = model({"photo": encoder}, columns=columns).fit(table[["photo", "age"]], Y)
    assert fitted.specs_["photo"].form == form


def test_transformers_of_the_union_are_used_where_they_fit(table):
    frame = table[["review", "carrier", "photo"]]
    union = BlockUnion(
        text=Tokenizer(max_tokens=5),
        categories=OrdinalEncoder(),
        images=ImageLoader(size=(4, 6), mode="L"),
    )
    encoders = {"review": RNN(4), "carrier": MLP(4), "photo": CNN(4)}
    specs = model(encoders, union=union).fit(frame, Y).specs_
    assert specs["review"].n_tokens == 7
    assert specs["carrier"].shape == (1,)
    assert specs["photo"].shape == (4, 6, 1)
    union = BlockUnion(text=TfidfVectorizer(min_df=2))
    assert model(encoders, union=union).fit(frame, Y).specs_["review"].form == "tokens"
    encoders = {"review": "sparse"}
    columns = {"photo": "drop"}
    words = model(encoders, union=union, columns=columns).fit(frame, Y).specs_["review"].shape
    assert words == (4,)


def test_the_encoder_says_how(table):
    class Letters(TokenEmbedding):
        def reads(self, kind):
            return Tokenizer("char") if kind == "text" else None

    for encoder in (Letters(4), Policy(Letters(4)), Chain(Letters(4), RNN(4))):
        fitted = model({"review": encoder}).fit(table[["review", "age"]], Y)
        assert fitted.union_.named_transformers_["review"].analyzer == "char"


def test_an_encoder_of_the_users_that_takes_all_forms_gets_the_usual_block(table):
    class Anything(Encoder):
        def build(self, spec, pooled=True):
            return MLP(4).build(spec, pooled)

    fitted = model({"age": Anything()}).fit(table[["review", "age"]], Y)
    assert fitted.specs_["age"].form == "vector"


def test_two_columns_share_an_encoder(table):
    frame = table[["photo"]].assign(other=table["photo"][::-1].to_numpy())
    fitted = model({"photo": CNN(4), "other": SameAs("photo")}, fusion="product").fit(frame, Y)
    assert [spec.form for spec in fitted.specs_.values()] == ["image", "image"]


def test_columns_of_a_dict(table):
    X = {"review": table["review"].to_numpy(), "facts": table[["age", "cost"]].to_numpy()}
    fitted = model({"review": RNN(4), "facts": MLP(4)}).fit(X, Y)
    assert {name: spec.form for name, spec in fitted.specs_.items()} == {
        "facts": "vector",
        "review": "tokens",
    }
    assert len(fitted.predict(X)) == N


def test_a_block_may_be_named_as_it_would_be_called(table):
    frame = table[["review", "age"]].rename(columns={"review": "the.review!"})
    assert model({"the_review": RNN(4)}).fit(frame, Y).specs_["the_review"].form == "tokens"


def test_names_of_groups_stay_those_of_groups(table):
    assert model({"numbers": MLP(4)}).fit(table[["age", "cost"]].assign(kind="a"), Y).specs_[
        "numbers"
    ].shape == (2,)


@pytest.mark.filterwarnings("ignore::skfusion.exceptions.ChanceLevelWarning")
def test_it_is_an_estimator_as_any_other(table):
    frame = table[["review", "age", "carrier"]]
    estimator = model({"review": RNN(4), "age": MLP(4)})
    scores = cross_validate(estimator, frame, Y, cv=3, error_score="raise")["test_score"]
    assert len(scores) == 3
    grid = {"review": [RNN(4), Transformer(**SMALL), "sparse"], "union__text__min_df": [1, 2]}
    search = GridSearchCV(estimator, grid, cv=2, error_score="raise").fit(frame, Y)
    assert len(search.cv_results_["params"]) == 6
    same = clone(estimator).fit(frame, Y).predict_proba(frame)
    np.testing.assert_array_equal(same, estimator.fit(frame, Y).predict_proba(frame))
    assert len(estimator.partial_fit(frame, Y).history_) == 2
    regressor = model({"review": RNN(4)}, FusionRegressor).fit(frame, table["cost"])
    assert regressor.predict(frame).shape == (N,)


@pytest.mark.filterwarnings("ignore::skfusion.exceptions.ChanceLevelWarning")
def test_ablation_reads_columns_as_the_estimator_does(table):
    frame = table[["review", "age", "store"]]
    estimator = model({"review": RNN(4)}, columns={"store": "category"})
    assert set(ablation(estimator, frame, Y, cv=2)["variant"]) >= {
        "review",
        "numbers",
        "categories",
    }


# What cannot be


@pytest.mark.parametrize(
    ("column", "encoder", "message"),
    [
        ("review", CNN(4), r"'review' holds texts .*'image'.*CNN cannot take.*Use .*Transformer"),
        ("review", MLP(4), r"'review' holds texts, which MLP cannot take.*Use SparseLinear"),
        ("age", Transformer(**SMALL), r"'age' holds numbers, which Transformer .*Use MLP"),
        ("age", Policy(CNN(4)), r"'age' holds numbers, which CNN cannot take"),
        ("bought", RNN(4), r"'bought' holds dates, which RNN cannot take"),
        ("trace", CNN(4), r"'trace' holds arrays or lists, which CNN .*Use RNN"),
        ("clip", CNN(4), r"'clip' holds arrays or lists, which CNN cannot take"),
        ("reviw", RNN(4), r"'reviw' that does not exist.*Did you mean 'review'"),
        ("cosst", MLP(4), r"'cosst' that does .*, the columns .*'cost'.*Did you mean 'cost'"),
    ],
    ids=str,
)
def test_an_encoder_that_cannot_take_its_column_is_refused(table, column, encoder, message):
    frame = table[["review", "age", "cost", "bought", "trace", "clip"]]
    with pytest.raises(BlockError, match=rf"(?s){message}"):
        model({column: encoder}).fit(frame, Y)


def test_nothing_is_fitted_before_it_is_refused(table):
    class Fails(TfidfVectorizer):
        def fit_transform(self, X, y=None):
            raise AssertionError("fitted")

    union = BlockUnion(text=Fails())
    with pytest.raises(BlockError, match="'age' holds numbers"):
        model({"age": CNN(4)}, union=union).fit(table[["review", "age"]], Y)


def test_a_photo_that_is_not_there_is_named(table):
    frame = table[["photo", "age"]].copy()
    frame.loc[3, "photo"] = "gone.png"
    with pytest.raises(BlockError, match=r"(?s)photo.*row 3.*gone\.png"):
        model({"photo": CNN(4)}).fit(frame, Y)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("a.b", BlockError, "column 'a.b'. Name it 'a_b'"),
        ("lr", BlockError, "'lr' is a parameter.*'lr_block'"),
        ("empty", BlockError, "column 'empty' has no value"),
        ("blank", BlockError, "column 'blank' has no value.*nothing in its arrays"),
        ("gone", ParameterError, r"columns=\{'gone': 'drop'\} contradicts"),
    ],
)
def test_columns_that_can_have_no_block(table, name, error, message):
    blank = pd.Series([np.zeros(0)] * N)
    value = {"empty": None, "blank": blank}.get(name, table["age"])
    frame = table[["review", "cost"]].assign(**{name: value})
    columns = {name: "drop"} if name == "gone" else None
    encoder = CNN(4) if name in ("empty", "blank") else MLP(4)
    with pytest.raises(error, match=message):
        model({name: encoder}, columns=columns).fit(frame, Y)


@pytest.mark.parametrize(
    ("encoder", "form"), [("mlp", "vector"), ("sparse", "csr"), ("rnn", "tokens")]
)
def test_a_column_that_is_empty_in_a_fold_is_an_absent_block_there(table, encoder, form):
    values = pd.Series([None] * 20 + ["good", "bad", "good", "bad"])
    if encoder == "mlp":
        values = values.map({"good": 1.0, "bad": 2.0}).astype(float)
    frame = table[["cost"]].assign(memo=values)
    estimator = model({"memo": encoder})
    with pytest.warns(ColumnKindWarning, match="'memo' has no value in 12 rows: nothing is"):
        found = cross_validate(
            estimator, frame, Y, cv=KFold(2), return_estimator=True, error_score="raise"
        )
    specs = [fitted.specs_["memo"].form for fitted in found["estimator"]]
    assert specs == [form, form]
    without = found["estimator"][1]  # which learned from rows without it
    assert np.isfinite(without.predict_proba(frame)).all()


@pytest.mark.parametrize(
    ("remainder", "column", "message"),
    [
        ("auto", "age", "column 'age', which is part of block 'facts'"),
        ("drop", "review", "column 'review', which the union leaves out.*remainder='auto'"),
    ],
)
def test_columns_that_a_union_does_not_choose_for(table, remainder, column, message):
    union = BlockUnion([("facts", StandardScaler(), ["age"])], remainder=remainder)
    with pytest.raises(BlockError, match=message):
        model({column: MLP(4)}, union=union).fit(table[["review", "age"]], Y)


def test_guesses_are_warned_of_where_no_encoder_settles_them(table):
    with pytest.warns(ColumnKindWarning, match="'photo' looks like paths of images"):
        model({"photo": "sparse"}).fit(table[["photo", "age"]], Y)


@pytest.mark.parametrize("encoder", [TokenEmbedding(4), "sparse", "mlp"])
def test_columns_that_share_an_encoder_need_the_same_words(encoder):
    home, away = ["a1"] * 12 + ["b1"] * 8 + ["c1"] * 4, ["c1"] * 12 + ["b1"] * 8 + ["d1"] * 4
    frame = pd.DataFrame({"home": home, "away": away})
    with pytest.raises(BlockError, match="'away' and 'home' share an encoder.*vocabulary=words"):
        model({"home": encoder, "away": SameAs("home")}).fit(frame, Y)


def test_columns_that_share_words_may_share_an_encoder():
    home, away = ["a1"] * 12 + ["b1"] * 8 + ["c1"] * 4, ["c1"] * 12 + ["b1"] * 8 + ["d1"] * 4
    frame = pd.DataFrame({"home": home, "away": away})
    union = BlockUnion(text=Tokenizer(vocabulary=["a1", "b1", "c1", "d1"]))
    encoders = {"home": TokenEmbedding(4), "away": SameAs("home")}
    columns = {"home": "text", "away": "text"}
    fitted = model(encoders, union=union, columns=columns).fit(frame, Y)
    assert fitted.union_.transform(frame)["home"][12] == fitted.union_.transform(frame)["away"][12]


@pytest.mark.parametrize("dtype", [float, "Int64"])
@pytest.mark.parametrize("encoder", ["tokens", "sparse"])
def test_whole_numbers_are_categories_also_where_one_is_missing(table, dtype, encoder):
    store = table["store"].astype(dtype)
    store[3] = None
    specs = model({"store": encoder}).fit(table[["cost"]].assign(store=store), Y).specs_
    assert specs["store"].form == {"tokens": "tokens", "sparse": "csr"}[encoder]
    with pytest.raises(BlockError, match="'cost' holds numbers, which TokenEmbedding cannot take"):
        model({"cost": "tokens"}).fit(table[["cost", "store"]], Y)


def test_odd_cells_are_told_by_the_union(table):
    frame = table[["review"]].assign(odd=[3.5, *table["review"][1:]])
    with pytest.raises(BlockTypeError, match="column 'odd'"):
        model({"odd": Transformer(**SMALL)}).fit(frame, Y)
