"""X in other containers: it is read where it is plain what is meant, or the advice works."""

import datetime
import pathlib
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse

from skfusion import Blocks, FusionClassifier, Ragged
from skfusion.exceptions import BlockError, BlockTypeError

N = 12
Y = np.arange(N) % 2
RNG = np.random.default_rng(0)
TEXTS = [f"a {'good' if label else 'bad'} thing number {row}" for row, label in enumerate(Y)]
PHOTOS = RNG.integers(0, 256, (N, 8, 8, 3)).astype(np.uint8)
MATRIX = RNG.normal(size=(N, 3))
WAVES = [RNG.normal(size=3 + row % 4) for row in range(N)]


def fitted(X):
    return FusionClassifier(max_epochs=1, random_state=0).fit(X, Y)


def objects(cells):
    array = np.empty(len(cells), dtype=object)
    array[:] = list(cells)
    return array


OF_TEXTS = {
    "list": TEXTS,
    "tuple": tuple(TEXTS),
    "array": np.array(TEXTS),
    "objects": np.array(TEXTS, dtype=object),
    "Series": pd.Series(TEXTS),
    "string Series": pd.Series(TEXTS, dtype="string"),
    "Series of polars": pl.Series(TEXTS),
    "Index": pd.Index(TEXTS),
}


@pytest.mark.parametrize("X", OF_TEXTS.values(), ids=OF_TEXTS)
def test_texts_are_a_table_of_one_column(X):
    model, table = fitted(X), pd.DataFrame({"X": TEXTS})
    assert {name: spec.form for name, spec in model.specs_.items()} == {"X": "csr"}
    expected = fitted(table).predict_proba(table)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    np.testing.assert_allclose(model.predict_proba(TEXTS[:1]), expected[:1], rtol=1e-5)


def test_a_series_gives_its_name_and_the_fit_the_name_of_a_list():
    model = fitted(pd.Series(TEXTS, name="memo"))
    assert list(model.specs_) == ["memo"]
    expected = model.predict_proba(pd.DataFrame({"memo": TEXTS}))
    for X in (TEXTS, pd.Series(TEXTS, name="other"), pl.Series("memo", TEXTS)):
        np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_texts_where_a_table_was():
    model = fitted(pd.DataFrame({"memo": TEXTS, "cost": MATRIX[:, 0]}))
    with pytest.raises(ValueError, match="unseen at fit time:\n- X"):
        model.predict(TEXTS)


OF_PHOTOS = {
    "list": list(PHOTOS),
    "tuple": tuple(PHOTOS),
    "objects": pd.Series(list(PHOTOS)).to_numpy(),
    "Series": pd.Series(list(PHOTOS)),
    "tensor": torch.tensor(PHOTOS),
    "list of tensors": [torch.tensor(photo) for photo in PHOTOS],
    "tensors with gradient": torch.tensor(PHOTOS, dtype=torch.float32, requires_grad=True),
}


@pytest.mark.parametrize("X", OF_PHOTOS.values(), ids=OF_PHOTOS)
def test_images_are_an_array_of_images(X):
    model = fitted(X)
    assert model.specs_["X"].form == "image"
    assert model.specs_["X"].shape == (8, 8, 3)
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X[:1]), model.predict_proba(X[:1]))
    np.testing.assert_allclose(model.predict_proba(PHOTOS), expected, rtol=1e-6)


@pytest.mark.parametrize("rows", [WAVES, [list(row) for row in WAVES]])
def test_rows_of_different_length(rows):
    model = fitted(rows)
    assert model.specs_["X"].form == "waveform"
    expected = model.predict_proba(rows)
    np.testing.assert_allclose(model.predict_proba(rows[::-1]), expected[::-1], atol=1e-6)
    np.testing.assert_allclose(model.predict_proba(rows[:1]), expected[:1], atol=1e-6)


@pytest.mark.parametrize(
    "convert",
    [
        torch.tensor,
        lambda X: torch.tensor(X, requires_grad=True),
        lambda X: X.astype(np.longdouble),
        lambda X: X.astype(">f8"),
        lambda X: np.ma.MaskedArray(X),
        list,
        lambda X: [torch.tensor(row) for row in X],
    ],
    ids=["tensor", "gradient", "long double", "big-endian", "no mask", "rows", "rows of tensors"],
)
def test_a_matrix_of_any_maker(convert):
    expected = fitted(MATRIX).predict_proba(MATRIX)
    X = convert(MATRIX)
    np.testing.assert_allclose(fitted(X).predict_proba(X), expected, rtol=1e-6)


def test_records_are_rows_of_a_table():
    table = pd.DataFrame({"memo": TEXTS, "cost": MATRIX[:, 0]})
    records = table.to_dict("records")
    model = fitted(records)
    np.testing.assert_array_equal(model.predict_proba(records), model.predict_proba(table))
    np.testing.assert_allclose(
        model.predict_proba(records[:1]), model.predict_proba(table[:1]), rtol=1e-6
    )


@pytest.mark.parametrize(
    "X",
    [
        [datetime.datetime(2024, 1, 1 + row) for row in range(N)],
        np.arange(N).astype("datetime64[D]"),
        np.arange(N).astype("datetime64[s]")[:, None],
    ],
)
def test_dates_are_never_numbers(X):
    model = fitted(X)
    assert list(model.specs_) == ["dates"]
    assert len(model.predict(X)) == N


def test_other_things_beside_texts_in_a_dict():
    flags = np.ma.MaskedArray(MATRIX, mask=False)
    flags[3] = np.ma.masked
    X = {
        "memo": TEXTS,
        "photo": torch.tensor(PHOTOS),
        "objects": MATRIX.astype(object),
        "flags": flags,
    }
    plain = X | {"photo": PHOTOS, "objects": MATRIX, "flags": flags.filled(np.nan)}
    np.testing.assert_array_equal(fitted(X).predict_proba(X), fitted(plain).predict_proba(plain))
    other = X | {"flags": np.ma.MaskedArray(MATRIX + 5, mask=flags.mask)}
    other["flags"].data[3] = 1e6  # behind the mask
    assert fitted(X).transform(other).shape[0] == N


# What is refused


@pytest.mark.parametrize(
    ("X", "said"),
    [
        ("a text", r"one text.*pd.DataFrame\(\{.text.: \[X\]\}\)"),
        (b"a text", "one text"),
        (pathlib.Path("table.csv"), r"a path.*pd.read_csv\(X\)"),
        ((text for text in TEXTS), r"a generator, which can be read only once.*list\(X\)"),
        (set(TEXTS), r"a set, which has no order.*list\(X\)"),
        (None, "X is a NoneType"),
        (object(), "X is a object"),
        (3.5, r"a single number.*\[\[X\]\]"),
        (torch.utils.data.TensorDataset(torch.zeros(N, 2)), "X is a TensorDataset"),
        ([MATRIX, MATRIX[:, :2]], r"2 arrays of 12 rows each.*\{.first.: X\[0\], .second.: X\[1\]"),
        ([pd.DataFrame(MATRIX), pd.DataFrame(MATRIX)], "2 arrays of 12 rows each"),
    ],
)
def test_what_is_no_collection_of_rows(X, said):
    with pytest.raises(BlockTypeError, match=said):
        fitted(X)


@pytest.mark.parametrize(
    ("X", "advice"),
    [
        ([MATRIX, MATRIX[:, :2]], '{"first": X[0], "second": X[1]}'),
        ([[text, 1.0] for text in TEXTS], "pd.DataFrame(X)"),
        (np.array(TEXTS)[:, None], "pd.DataFrame(X)"),
        (MATRIX[:, 0], "pd.DataFrame(X)"),
        ((text for text in TEXTS), "list(X)"),
        (np.matrix(MATRIX), "np.asarray"),
    ],
)
def test_the_advice_in_the_message_works(X, advice):
    with pytest.raises((ValueError, TypeError), match=re.escape(advice)):
        fitted(X)
    code = "np.asarray(X)" if advice == "np.asarray" else advice
    X = eval(code, {"pd": pd, "np": np, "X": X})
    assert len(fitted(X).predict(X)) == N


@pytest.mark.parametrize("X", [MATRIX[:, 0], MATRIX[:, 0].tolist(), np.array(1.0), pd.Series(Y)])
def test_one_axis_is_not_enough(X):
    with pytest.raises(ValueError, match="Expected (a )?2"):
        fitted(X)


def test_masked_values_of_a_matrix_are_not_lost():
    masked = np.ma.MaskedArray(MATRIX, mask=False)
    masked[4, 1] = np.ma.masked
    with pytest.raises(BlockError, match=r"values of row 4 are masked.*X.filled\(value\)"):
        fitted(masked)
    fitted(masked.filled(0))


@pytest.mark.parametrize("kind", ["csr", "csc", "coo"])
def test_a_damaged_matrix(kind):
    matrix = sparse.csr_matrix(MATRIX).asformat(kind)
    (matrix.col if kind == "coo" else matrix.indices)[2] = 99
    with pytest.raises(BlockError, match="block 'X' is a damaged sparse matrix.* 99 of"):
        fitted(matrix)


def test_a_ragged_is_one_block():
    words = Ragged.from_rows([[1] * (1 + row % 3) for row in range(N)])
    model = fitted(words)
    np.testing.assert_array_equal(
        model.predict_proba(words), model.predict_proba(Blocks({"X": words}))
    )
