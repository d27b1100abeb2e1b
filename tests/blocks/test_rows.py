"""Rows of one block: cut out, scattered back."""

import numpy as np
import pytest
from scipy import sparse

from skfusion.blocks import Blocks
from skfusion.blocks._rows import as_block, cut_rows, scatter_rows


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array])
@pytest.mark.parametrize("seed", range(5))
def test_cut_rows_of_csr_is_what_scipy_cuts(make, seed):
    rng = np.random.default_rng(seed)
    matrix = make(sparse.random(20, 8, density=0.3, random_state=seed, format="csr"))
    rows = rng.integers(0, 20, 15)
    np.testing.assert_array_equal(cut_rows(matrix, rows).toarray(), matrix.toarray()[rows])
    assert cut_rows(matrix, rows).has_canonical_format
    part = cut_rows(matrix, slice(4, 11))
    np.testing.assert_array_equal(part.toarray(), matrix.toarray()[4:11])
    again = cut_rows(part, slice(2, 3))
    np.testing.assert_array_equal(again.toarray(), matrix.toarray()[6:7])


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_scattered_rows_are_empty_where_absent(make):
    block = make(np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 4.0]]))
    spread = scatter_rows(block, np.array([False, True, False, True]))
    assert spread.dtype == block.dtype
    dense = spread.toarray() if sparse.issparse(spread) else spread
    np.testing.assert_array_equal(dense, [[0, 0, 0], [1, 0, 2], [0, 0, 0], [0, 3, 4]])


@pytest.mark.parametrize("shape", [(2, 3, 2), (2, 3, 3, 1), (2, 2, 3, 3, 1)])
def test_scattered_arrays_keep_their_axes(shape):
    block = np.ones(shape, dtype=np.uint8)
    spread = scatter_rows(block, np.array([True, False, True]))
    assert spread.shape == (3, *shape[1:])
    assert spread.dtype == np.uint8
    assert spread[[0, 2]].all()
    assert not spread[1].any()


def test_scatter_to_all_rows_and_to_none():
    block = np.ones((2, 2))
    np.testing.assert_array_equal(scatter_rows(block, np.array([True, True])), block)
    np.testing.assert_array_equal(scatter_rows(block[:0], np.array([False])), [[0, 0]])
    empty = scatter_rows(sparse.csr_array((0, 4)), np.array([False, False]))
    assert empty.shape == (2, 4)
    assert empty.nnz == 0


def test_every_sparse_format_becomes_csr():
    for form in ("coo", "csc", "lil", "dok", "bsr", "dia"):
        matrix = sparse.random(5, 4, density=0.5, random_state=0, format=form)
        block = as_block("text", matrix)
        assert block.format == "csr"
        np.testing.assert_array_equal(block.toarray(), matrix.toarray())


def test_rows_of_a_block_laid_out_by_column():
    by_row = np.random.default_rng(0).normal(size=(6, 3))
    blocks = Blocks({"a": np.asfortranarray(by_row)})
    np.testing.assert_array_equal(blocks[[4, 0, 4]]["a"], by_row[[4, 0, 4]])
    chosen = blocks[[5, 1]].row_major()
    np.testing.assert_array_equal(chosen["a"], by_row[[5, 1]])
    assert chosen["a"].flags.c_contiguous
