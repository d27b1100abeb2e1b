"""A column that is of another kind than at fit is refused by name, what it was and what it is."""

import datetime

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from skfusion import BlockUnion, FusionClassifier
from skfusion.inputs import DateParts, ImageLoader

N = 24
Y = np.arange(N) % 2


def cells(values):
    column = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        column[row] = value
    return pd.Series(column)


KINDS = {
    "texts": pd.Series([f"good thing number {row} here" for row in range(N)]),
    "names": pd.Series(["red", "green", "blue", "red"] * 6),
    "codes": pd.Series(["1", "2", "3", "1"] * 6),
    "numbers": pd.Series(np.linspace(0.5, 9, N)),
    "integers": pd.Series(np.arange(N)),
    "booleans": pd.Series(Y == 1),
    "dates": pd.Series(pd.date_range("2024-01-01", periods=N)),
    "days": cells([datetime.date(2024, 1, 1 + row) for row in range(N)]),
    "durations": pd.Series(pd.to_timedelta(np.arange(N), unit="h")),
    "spans": cells([datetime.timedelta(row) for row in range(N)]),
    "times": cells([datetime.time(row) for row in range(N)]),
    "vectors": cells(list(np.random.default_rng(0).normal(size=(N, 4)))),
    "lists": cells([[1.0, 2.0, 3.0, 4.0]] * N),
    "images": cells(list(np.random.default_rng(0).integers(0, 256, (N, 5, 4, 3)).astype(np.uint8))),
    "categories": pd.Series(pd.Categorical(["red", "green", "blue", "red"] * 6)),
}

# What was learned, and all that must be refused in its place.
REFUSED = {
    "texts": "numbers integers booleans dates days durations spans times vectors lists images",
    "names": "numbers integers booleans dates days durations spans times vectors lists images",
    "categories": "numbers integers booleans dates days durations spans times vectors lists images",
    "codes": "dates days durations spans times vectors lists images",
    "numbers": "texts names dates days durations spans times vectors lists images categories",
    "integers": "texts names dates days durations spans times vectors lists images categories",
    "booleans": "texts names dates days durations spans times vectors lists images categories",
    "dates": "texts names numbers integers booleans durations spans times vectors lists images",
    "days": "texts names numbers integers booleans durations spans times vectors lists images",
    "vectors": "texts names numbers integers booleans dates days durations spans times images",
    "lists": "texts names numbers integers booleans dates days durations spans times images",
    "images": "texts names numbers integers booleans dates days durations times vectors lists",
}
PAIRS = [(was, now) for was, others in REFUSED.items() for now in others.split()]


def frame(column):
    words = ["so it is", "not at all"] * (N // 2)
    return pd.DataFrame({"memo": column, "cost": np.arange(N) / 7, "note": words})


@pytest.fixture(scope="module")
def models():
    return {
        was: FusionClassifier(max_epochs=1, random_state=0).fit(frame(KINDS[was]), Y)
        for was in REFUSED
    }


@pytest.mark.parametrize(("was", "now"), PAIRS)
def test_another_kind_is_refused_by_name(models, was, now):
    for X in (frame(KINDS[now]), frame(KINDS[now])[5:6]):
        with pytest.raises((TypeError, ValueError), match="memo|'cells'") as caught:
            models[was].predict(X)
        assert "AttributeError" not in str(caught.value)
        with pytest.raises((TypeError, ValueError), match="memo"):
            models[was].union_.transform(X)


@pytest.mark.parametrize(
    ("was", "now"),
    [
        ("numbers", "integers"),
        ("integers", "numbers"),
        ("numbers", "booleans"),
        ("booleans", "integers"),
        ("numbers", "codes"),
        ("codes", "integers"),
        ("names", "categories"),
        ("categories", "names"),
        ("dates", "days"),
        ("days", "dates"),
        ("texts", "names"),
        ("vectors", "lists"),
        ("lists", "vectors"),
    ],
)
def test_what_means_the_same_is_taken(models, was, now):
    values = KINDS[now] % 2 if (was, now) == ("booleans", "integers") else KINDS[now]
    assert len(models[was].predict(frame(values))) == N


@pytest.mark.parametrize("was", REFUSED)
def test_columns_without_a_value_are_missing(models, was):
    dates = pd.Series([pd.NaT] * N)
    nothings = (cells([None] * N), pd.Series(np.full(N, np.nan)), dates, dates.astype(object))
    for nothing in nothings:
        assert len(models[was].predict(frame(nothing))) == N


def test_dates_as_texts_are_dates(models):
    texts = KINDS["dates"].dt.strftime("%Y-%m-%d")
    np.testing.assert_array_equal(
        models["dates"].predict_proba(frame(texts)),
        models["dates"].predict_proba(frame(KINDS["dates"])),
    )


@pytest.mark.parametrize(
    ("transformer", "columns", "was", "now", "says"),
    [
        (CountVectorizer(), "memo", "texts", "numbers", "column 'memo' holds numbers.*held texts"),
        (HashingVectorizer(), "memo", "texts", "dates", "column 'memo' holds dates.*held texts"),
        (OneHotEncoder(handle_unknown="ignore"), ["memo"], "names", "integers", "holds numbers"),
        (OneHotEncoder(handle_unknown="ignore"), ["memo"], "dates", "names", "holds texts.*dates"),
        (OrdinalEncoder(), ["memo"], "names", "dates", "column 'memo' holds dates.*held texts"),
        (StandardScaler(), ["memo"], "numbers", "dates", "column 'memo' holds dates.*held numbers"),
        (StandardScaler(), ["memo", "cost"], "numbers", "durations", "holds durations"),
        (StandardScaler(), ["memo"], "numbers", "texts", "memo"),
        (make_pipeline(StandardScaler()), ["memo"], "numbers", "dates", "holds dates"),
        ("passthrough", ["memo"], "numbers", "dates", "column 'memo' holds dates"),
        ("passthrough", ["memo"], "numbers", "vectors", "memo"),
        (DateParts(), ["memo"], "dates", "integers", "column 'memo' must hold dates"),
        (FunctionTransformer(np.log1p), ["memo"], "numbers", "dates", "holds dates"),
    ],
)
def test_unions_by_hand(transformer, columns, was, now, says):
    union = BlockUnion([("facts", transformer, columns)]).fit(frame(KINDS[was]))
    for X in (frame(KINDS[now]), frame(KINDS[now])[5:6]):
        with pytest.raises((TypeError, ValueError), match=f"(?s)in block 'facts'.*{says}"):
            union.transform(X)


class Photos(ImageLoader):
    """One of the user's own, as is a coder of his."""


class Coder(OneHotEncoder):
    pass


@pytest.mark.parametrize("photos", [Photos((4, 4)), make_pipeline(Photos((4, 4)))])
def test_images_may_be_arrays_where_paths_were(photos, tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)
    union = BlockUnion([("photo", photos, "photo")]).fit(pd.DataFrame({"photo": [str(path)] * 2}))
    shown = pd.DataFrame({"photo": cells([np.full((4, 4, 3), 7, np.uint8)] * 2)})
    assert (union.transform(shown)["photo"] == 7).all()


def test_a_coder_of_ones_own_takes_dates():
    union = BlockUnion([("day", Coder(handle_unknown="ignore"), ["memo"])])
    assert union.fit(frame(KINDS["dates"])).specs_["day"].shape == (N,)


ARRAYS = {
    "facts": np.random.default_rng(0).normal(size=(N, 4)).astype(np.float32),
    "trace": np.random.default_rng(0).normal(size=(N, 6, 2)).astype(np.float32),
    "photo": np.random.default_rng(0).integers(0, 256, (N, 8, 6, 3)).astype(np.uint8),
}


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("facts", lambda x: x[:, :3]),
        ("facts", lambda x: x[:, :, None]),
        ("facts", lambda x: np.arange(N).astype("M8[s]")[:, None] + np.zeros(4, "m8[s]")),
        ("trace", lambda x: x[..., 0]),
        ("trace", lambda x: x.swapaxes(1, 2)),
        ("trace", lambda x: x[:, :3]),
        ("photo", lambda x: np.moveaxis(x, -1, 1)),
        ("photo", lambda x: x[..., 0]),
        ("photo", lambda x: x[..., :1]),
        ("photo", lambda x: x.reshape(N, -1)),
    ],
)
@pytest.mark.parametrize("default", [True, False], ids=["default", "by hand"])
def test_arrays_of_another_shape(name, change, default):
    steps = [(one, "passthrough", one) for one in ARRAYS]
    union = BlockUnion(None if default else steps).fit(ARRAYS)
    with pytest.raises((TypeError, ValueError), match=f"block '{name}'"):
        union.transform({**ARRAYS, name: change(ARRAYS[name])})


def test_a_transformer_of_ones_own_may_read_numbers_as_texts():
    own = FunctionTransformer(lambda X: X.astype(str).apply(lambda one: one.str.len()))
    union = BlockUnion([("facts", type("Own", (FunctionTransformer,), {})(own.func), ["memo"])])
    union.fit(frame(KINDS["codes"]))
    assert len(union.transform(frame(KINDS["integers"]))) == N


def test_chunks_are_checked_too():
    union = BlockUnion([("facts", StandardScaler(), ["memo"])])
    union.partial_fit(frame(KINDS["numbers"]))
    with pytest.raises(TypeError, match="column 'memo' holds dates"):
        union.partial_fit(frame(KINDS["dates"]))


@pytest.mark.parametrize("now", ["texts", "names", "categories", "lists", "vectors"])
def test_where_only_numbers_were_the_column_is_named_too(now):
    numbers = frame(KINDS["numbers"])[["memo", "cost"]]
    model = FusionClassifier(max_epochs=1, random_state=0).fit(numbers, Y)
    with pytest.raises(
        (TypeError, ValueError), match=r"(?s)block 'X'.*Column 'memo', row 0 is .*no number"
    ):
        model.predict(numbers.assign(memo=KINDS[now]))


@pytest.mark.parametrize("shape", [(N, 4), (N, 3, 2)])
def test_an_array_in_place_of_texts_is_refused(shape):
    X = {"memo": KINDS["texts"].to_numpy(), "n": np.zeros((N, 2))}
    model = FusionClassifier(max_epochs=1).fit(X, Y)
    shown = X | {"memo": np.zeros(shape, dtype=complex)}
    with pytest.raises(TypeError, match="column 'memo' holds an array of shape .*held texts"):
        model.predict(shown)
