"""Blocks as one classical matrix: hstack and np.asarray."""

import numpy as np
import pytest
from scipy import sparse

from skfusion.blocks import Blocks, Ragged
from skfusion.exceptions import BlockTypeError


class LazyTable:
    ndim = 2
    dtype = np.dtype("float64")
    shape = (4, 2)

    def __len__(self):
        return 4

    def __getitem__(self, rows):
        return np.arange(8.0).reshape(4, 2)[rows]


@pytest.fixture
def mixed():
    text = sparse.csr_array(np.diag([1.0, 2.0, 3.0, 4.0]))
    return Blocks({"text": text, "facts": np.arange(8.0).reshape(4, 2)})


def test_hstack_is_csr_where_a_block_is(mixed):
    matrix = mixed.hstack()
    assert sparse.issparse(matrix)
    assert matrix.format == "csr"
    expected = np.column_stack([np.diag([1, 2, 3, 4]), np.arange(8).reshape(4, 2)])
    np.testing.assert_array_equal(matrix.toarray(), expected)


def test_hstack_follows_the_chosen_rows(mixed):
    np.testing.assert_array_equal(
        mixed[[3, 0]].hstack().toarray(), mixed.hstack().toarray()[[3, 0]]
    )


def test_hstack_of_dense_blocks_is_an_array():
    blocks = Blocks({"a": np.ones((3, 2)), "b": np.array([1, 2, 3])})
    assert isinstance(blocks.hstack(), np.ndarray)
    np.testing.assert_array_equal(blocks.hstack(), [[1, 1, 1], [1, 1, 2], [1, 1, 3]])


def test_hstack_reads_a_lazy_table():
    blocks = Blocks({"table": LazyTable()})
    np.testing.assert_array_equal(blocks.hstack(), np.arange(8.0).reshape(4, 2))
    np.testing.assert_array_equal(blocks[1:3].hstack(), [[2.0, 3.0], [4.0, 5.0]])


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_matrix, sparse.csr_array])
def test_a_row_that_lacks_a_block_is_zero_there_whatever_the_block_holds(make):
    block = make(np.array([[1.0, 2.0], [np.nan, np.inf], [3.0, 4.0]]))
    matrix = Blocks({"a": block}, missing={"a": [False, True, False]}).hstack()
    dense = matrix.toarray() if sparse.issparse(matrix) else matrix
    np.testing.assert_array_equal(dense, [[1, 2], [0, 0], [3, 4]])


def test_asarray_is_the_blocks_side_by_side():
    blocks = Blocks({"a": np.ones((3, 2)), "b": np.array([1, 2, 3])})
    np.testing.assert_array_equal(np.asarray(blocks), blocks.hstack())
    assert np.asarray(blocks, dtype=np.float32).dtype == np.float32
    np.testing.assert_array_equal(np.asarray(blocks[[2]]), [[1, 1, 3]])


def test_np_array_is_a_copy_and_np_asarray_need_not_be():
    blocks = Blocks({"a": np.zeros((3, 2))})
    copy = np.array(blocks)
    copy[:] = 7
    assert not blocks["a"].any()
    assert np.shares_memory(np.asarray(blocks), blocks["a"])


def test_copy_false_never_copies_silently():
    assert Blocks({"a": np.zeros((3, 2))}).__array__(copy=False).shape == (3, 2)
    with pytest.raises(ValueError, match="only by copying"):
        Blocks({"a": np.zeros((3, 2)), "b": np.zeros((3, 1))}).__array__(copy=False)


IN_THE_WAY = {
    "sequence": (np.zeros((2, 3, 4)), "'sequence', a row the shape (3, 4)"),
    "image": (np.zeros((2, 3, 3, 1)), "'image', a row the shape (3, 3, 1)"),
    "video": (np.zeros((2, 2, 3, 3, 1)), "'video'"),
    "tokens": (Ragged.from_rows([[1], [2, 3]]), "'tokens', a row the shape (None)"),
}


@pytest.mark.parametrize("convert", [np.asarray, Blocks.hstack])
@pytest.mark.parametrize("form", IN_THE_WAY)
def test_the_block_in_the_way_is_named(convert, form):
    block, what = IN_THE_WAY[form]
    blocks = Blocks({"facts": np.ones((2, 2)), "odd": block})
    with pytest.raises(BlockTypeError, match="block 'odd' is in the way") as caught:
        convert(blocks)
    assert what in str(caught.value)
    assert "blocks.select" in str(caught.value)
    np.testing.assert_array_equal(convert(blocks.select(["facts"])), np.ones((2, 2)))


def test_a_sparse_block_is_never_made_dense_silently(mixed):
    with pytest.raises(BlockTypeError, match=r"block 'text' is sparse.*blocks.hstack\(\)"):
        np.asarray(mixed)
