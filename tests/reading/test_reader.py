"""A reader that was fitted: shared, never changed, and the same values in any dtype."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skfusion import Blocks, FusionClassifier
from skfusion._reading import Reader
from skfusion.encoders import MLP

N = 6
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame({"memo": ["a b", "b c", "c d", "d e", "e f", "f a"], "cost": np.arange(N) / N})
PHOTOS = RNG.integers(0, 256, (N, 3, 2, 1)).astype(np.uint8)
GIVEN = {
    "table": TABLE,
    "matrix": RNG.normal(size=(N, 3)),
    "blocks": {"photo": PHOTOS, "facts": RNG.normal(size=(N, 2))},
    "texts": TABLE["memo"].tolist(),
}


@pytest.mark.parametrize("X", GIVEN.values(), ids=GIVEN)
def test_reading_changes_nothing(X):
    reader = Reader("FusionClassifier", missing="allow")
    learned = reader.fit(X)
    before = pickle.dumps(reader)
    read = reader.read(X)
    reader.with_missing("error").read(X)
    reader.behind_union().read(read)
    with pytest.raises((ValueError, TypeError), match="X|feature"):
        reader.read("a text")
    assert pickle.dumps(reader) == before
    assert read.names == learned.names == tuple(reader.specs_)
    assert pickle.loads(before).read(X).names == learned.names


def test_what_a_reader_of_a_table_knows():
    reader = Reader("FusionClassifier")
    reader.fit(TABLE)
    assert reader.n_features_in_ == 2
    assert reader.feature_names_in_.tolist() == ["memo", "cost"]
    assert reader.with_missing("error") is reader
    other = reader.with_missing("allow")
    assert (other.union_.missing, reader.union_.missing) == ("allow", "error")


def test_a_blocks_reader_has_no_union():
    reader = Reader("FusionClassifier")
    assert isinstance(reader.fit(GIVEN["blocks"]), Blocks)
    assert reader.union_ is None


DTYPES = ["uint8", "int8", "uint16", "int16", "int64", "float32", "float64", "bool", ">f4", ">i2"]
SHAPES = [(3,), (2, 3), (2, 3, 1), (2, 2, 2, 1)]


@settings(max_examples=settings.default.max_examples // 5)
@given(
    learned=st.sampled_from(DTYPES),
    shown=st.sampled_from(DTYPES),
    shape=st.sampled_from(SHAPES),
    top=st.sampled_from([1, 2, 100, 255]),
    seed=st.integers(0, 9),
)
def test_equal_values_are_read_alike_or_refused_by_block(learned, shown, shape, top, seed):
    values = np.random.default_rng(seed).integers(0, top + 1, (N, *shape))
    at_fit, later = values.astype(learned), values.astype(shown)
    model = FusionClassifier({"snap": MLP(widths=(2,))}, max_epochs=1, random_state=0)
    model.fit({"snap": at_fit}, np.arange(N) % 2)
    if not np.array_equal(at_fit.astype(float), later.astype(float)):
        return  # values that one of both dtypes cannot hold
    expected = model.predict_proba({"snap": at_fit})
    try:
        found = model.predict_proba({"snap": later})
    except ValueError as error:
        assert "block 'snap' held" in str(error)
        # Only what may be on two scales: floats and booleans of 0 and 1 among bytes.
        assert at_fit.dtype == np.uint8 and later.max() <= 1 < at_fit.max()
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-5)


# A matrix of numbers: what is no finite number is named

NUMBERS = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [1.0, 2.0, 3.0, 4.0]})


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize(
    ("form", "place"),
    [
        (lambda table: table, "Column 'b', row 2"),
        (lambda table: table.astype(object), "Column 'b', row 2"),
        (lambda table: table.to_numpy(), "Column 1, row 2"),
        (lambda table: sparse.csr_array(table.to_numpy()), "It stands in row 2, column 1"),
    ],
)
def test_a_value_of_a_matrix_that_is_not_finite_is_named(form, place, value):
    spoilt = NUMBERS.copy()
    spoilt.loc[2, "b"] = value
    with pytest.raises(ValueError, match=place):
        Reader("FusionClassifier").fit(form(spoilt))


def test_complex_numbers_are_named():
    reader = Reader("FusionClassifier")
    reader.fit(NUMBERS)
    with pytest.raises(ValueError, match=r"Column 'b', row 0 is .*complex"):
        reader.read(NUMBERS.assign(b=NUMBERS["b"] + 1j))


def test_a_table_without_columns_is_refused():
    with pytest.raises(ValueError, match="table without columns"):
        Reader("FusionClassifier").fit(NUMBERS[[]])
