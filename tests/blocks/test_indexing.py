"""``Blocks`` and ``Ragged`` select rows as numpy does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from skfusion import Blocks, Ragged
from skfusion.exceptions import BlockTypeError

SIZES = st.integers(0, 7)


@st.composite
def selections(draw):
    """Return a number of rows, and an index that numpy takes for them."""
    n = draw(SIZES)
    ends = st.none() | st.integers(-n - 2, n + 2)
    steps = st.none() | st.integers(-3, 3).filter(bool)
    rows = st.lists(st.integers(-n, n - 1), max_size=9) if n else st.just([])
    key = draw(
        st.builds(slice, ends, ends, steps)
        | rows
        | rows.map(lambda given: np.array(given, dtype=np.int64))
        | rows.map(lambda given: np.array(given, dtype=np.int16))
        | st.lists(st.booleans(), min_size=n, max_size=n).map(lambda mask: np.array(mask, bool))
    )
    return n, key


def ragged_of(n):
    rows = [np.arange(row * 10, row * 10 + row % 3) for row in range(n)]
    return Ragged(
        np.concatenate([np.arange(0), *rows]).astype(float),
        np.cumsum([0, *(len(row) for row in rows)]),
    )


@given(selections())
def test_rows_of_a_ragged(selection):
    n, key = selection
    rows = ragged_of(n)
    found = rows[key]
    expected = [rows[int(row)].tolist() for row in np.arange(n)[key]]
    assert [row.tolist() for row in found] == expected
    assert found.shape == (len(expected), None)


@given(selections(), st.none() | selections())
def test_rows_of_blocks(first, second):
    n, key = first
    gone = np.arange(n) % 4 == 1
    dense = np.arange(n * 2.0).reshape(n, 2)
    blocks = Blocks(
        {"dense": dense, "csr": sparse.csr_matrix(dense), "ragged": ragged_of(n)},
        {"dense": gone},
    )
    rows, blocks = np.arange(n)[key], blocks[key]
    if second is not None and second[0] == len(rows):
        rows, blocks = rows[second[1]], blocks[second[1]]
    assert len(blocks) == len(rows)
    np.testing.assert_array_equal(blocks["dense"], dense[rows])
    np.testing.assert_array_equal(blocks["csr"].toarray(), dense[rows])
    ragged = ragged_of(n)
    assert [row.tolist() for row in blocks["ragged"]] == [ragged[int(r)].tolist() for r in rows]
    missing = blocks.missing("dense")
    assert (missing is not None) == gone[rows].any()
    assert missing is None or missing.tolist() == gone[rows].tolist()


@pytest.mark.parametrize("make", [ragged_of, lambda n: Blocks({"a": np.arange(n * 1.0)})])
def test_what_numpy_refuses_is_refused(make):
    rows = make(3)
    for key in (3, -4, [0, 3], [-4], np.array([True, False]), np.array(True)):
        with pytest.raises(IndexError, match="row|range|mask"):
            rows[key]
    for key in ([0.5], np.array([1.0]), None, np.array([[0, 1]]), True):
        with pytest.raises((BlockTypeError, IndexError), match="row"):
            rows[key]
