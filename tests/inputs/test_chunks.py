"""BlockUnion.partial_fit: learning from one chunk of rows after another."""

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import IncrementalPCA
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from skfusion.exceptions import BlockError
from skfusion.inputs import BlockUnion

NUMBERS = ["price", "weight"]


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "review": rng.choice(["good and cheap", "bad", "quite good"], 60),
            "price": rng.normal(5, 2, 60),
            "weight": rng.normal(size=60),
            "stars": rng.integers(1, 6, 60),
        }
    )


@pytest.fixture
def union():
    return BlockUnion(
        [
            ("words", HashingVectorizer(n_features=64), "review"),
            ("facts", StandardScaler(), NUMBERS),
            ("root", FunctionTransformer(np.sqrt), ["stars"]),
        ],
        remainder="passthrough",
    )


def in_chunks(union, frame, size=20):
    for start in range(0, len(frame), size):
        union.partial_fit(frame[start : start + size])
    return union


def test_chunk_by_chunk_is_as_all_at_once(union, frame):
    at_once = union.fit(frame).transform(frame)
    chunked = in_chunks(BlockUnion(**union.get_params(deep=False)), frame)
    found = chunked.transform(frame)
    assert found.names == at_once.names
    np.testing.assert_allclose(found["facts"], at_once["facts"], rtol=1e-5)
    np.testing.assert_array_equal(found["root"], at_once["root"])
    assert (found["words"] != at_once["words"]).nnz == 0
    assert chunked.specs_["facts"].shape == (2,)


def test_missing_rows_are_not_learned_from(frame):
    frame.loc[[3, 25], NUMBERS] = np.nan
    frame.loc[20:39, NUMBERS] = np.nan  # a chunk without any
    union = in_chunks(BlockUnion([("facts", StandardScaler(), NUMBERS)]), frame)
    scaler = union.named_transformers_["facts"]
    assert scaler.n_samples_seen_ == 39
    np.testing.assert_allclose(scaler.mean_, frame[NUMBERS].mean(), rtol=1e-6)


def test_the_first_chunk_must_have_the_block(frame):
    frame[NUMBERS] = np.nan
    union = BlockUnion([("facts", StandardScaler(), NUMBERS)])
    with pytest.raises(BlockError, match="block 'facts' has no row to learn from"):
        union.partial_fit(frame)


def test_a_transformer_that_needs_all_rows_is_named(frame):
    union = BlockUnion([("words", TfidfVectorizer(), "review")])
    assert not hasattr(union, "partial_fit")
    with pytest.raises(AttributeError, match="no attribute 'partial_fit'") as caught:
        union.partial_fit(frame)
    assert "block 'words': TfidfVectorizer learns from all rows" in str(caught.value.__cause__)


def test_a_chosen_union_has_no_chunks(frame):
    assert not hasattr(BlockUnion(), "partial_fit")


def test_an_error_leaves_all_blocks_as_they_were(frame):
    union = BlockUnion(
        [("facts", MinMaxScaler(), NUMBERS), ("part", IncrementalPCA(2), [*NUMBERS, "stars"])]
    )
    union.partial_fit(frame[:30])
    before = union.transform(frame)
    with pytest.raises(ValueError, match="infinity"):
        union.partial_fit(frame.assign(price=1e6, stars=np.inf))
    after = union.transform(frame)
    np.testing.assert_array_equal(after["facts"], before["facts"])


def test_other_columns_are_refused(union, frame):
    union.partial_fit(frame)
    with pytest.raises(BlockError, match="price"):
        union.partial_fit(frame.drop(columns="price"))


def test_a_failed_first_chunk_leaves_no_trace():
    union = BlockUnion([("facts", StandardScaler(), ["memo"])])
    with pytest.raises(ValueError, match="memo"):
        union.partial_fit(pd.DataFrame({"memo": ["so", "it"]}))
    assert not [name for name in vars(union) if name.endswith("_")]
