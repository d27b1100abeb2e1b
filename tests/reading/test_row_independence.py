"""What is predicted of a row depends on no other row of the call."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from skfusion import Blocks, FusionClassifier, Ragged
from skfusion.encoders import CNN, MLP, RNN, SparseLinear

N = 24
RNG = np.random.default_rng(0)
Y = np.arange(N) % 2
PHOTOS = RNG.integers(0, 256, (N, 5, 4, 3)).astype(np.uint8)
BLOCKS = Blocks(
    {
        "words": Ragged.from_rows(
            [RNG.integers(0, 9, row % 5).astype(np.int64) for row in range(N)], n_tokens=9
        ),
        "bag": sparse.random(N, 30, 0.2, format="csr", random_state=0),
        "facts": RNG.normal(size=(N, 3)),
        "photo": PHOTOS,
    },
    missing={"photo": np.arange(N) % 5 == 2, "facts": np.arange(N) % 7 == 3},
)
TABLE = pd.DataFrame(
    {
        "memo": [f"{'good' if label else 'bad'} thing {row}" for row, label in enumerate(Y)],
        "cost": np.where(np.arange(N) % 4 == 1, np.nan, RNG.normal(size=N)),
        "kind": pd.Categorical(np.arange(N) % 3),
        "due": pd.date_range("2024-01-01", periods=N),
    }
)
ROWS = st.lists(st.integers(0, N - 1), min_size=1, max_size=2 * N)


@pytest.fixture(scope="module")
def of_blocks():
    encoders = {
        "words": RNN(3, embedding_width=2),
        "bag": SparseLinear(3),
        "facts": MLP(widths=(3,)),
        "photo": CNN(channels=(2,), kernel_size=1, width=3),
    }
    return FusionClassifier(encoders, max_epochs=2, random_state=0).fit(BLOCKS, Y)


@pytest.fixture(scope="module")
def of_table():
    return FusionClassifier(max_epochs=2, random_state=0).fit(TABLE, Y)


@given(rows=ROWS)
def test_rows_of_blocks_in_any_order_and_company(of_blocks, rows):
    whole = of_blocks.predict_proba(BLOCKS)
    np.testing.assert_allclose(of_blocks.predict_proba(BLOCKS[rows]), whole[rows], atol=1e-6)


@settings(max_examples=settings.default.max_examples // 4)
@given(rows=ROWS)
def test_rows_of_a_table_in_any_order_and_company(of_table, rows):
    whole = of_table.predict_proba(TABLE)
    part = TABLE.iloc[rows].reset_index(drop=True)
    np.testing.assert_allclose(of_table.predict_proba(part), whole[rows], atol=1e-6)


@given(
    rows=ROWS,
    dtype=st.sampled_from(["int64", "int16", "float32", "float64", ">f4", "uint16"]),
    axes=st.sampled_from(["C", "F"]),
)
def test_pixels_of_any_dtype_in_any_company(of_blocks, rows, dtype, axes):
    whole = of_blocks.predict_proba(BLOCKS)
    shown = BLOCKS.assign({"photo": PHOTOS.astype(dtype, order=axes)})[rows]
    np.testing.assert_allclose(of_blocks.predict_proba(shown), whole[rows], atol=1e-6)
