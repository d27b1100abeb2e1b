"""Blocks that leave the process: pickle, hash, worker processes, caches."""

import copy
import pickle

import joblib
import numpy as np
import pytest
from scipy import sparse

from skfusion.blocks import Blocks, Ragged

N_ROWS = 12


def assert_equal_blocks(one, other, row_list):
    assert one.names == other.names
    assert one.shape == other.shape
    for name in one.names:
        for row, same in zip(row_list(one[name]), row_list(other[name]), strict=True):
            np.testing.assert_array_equal(row, same)
        mask, same = one.missing(name), other.missing(name)
        assert (mask is None) == (same is None)
        if mask is not None:
            np.testing.assert_array_equal(mask, same)


@pytest.mark.parametrize("key", [slice(None), slice(2, 7), [3, 3, 0], []])
@pytest.mark.parametrize("through", [lambda x: pickle.loads(pickle.dumps(x)), copy.deepcopy])
def test_blocks_come_back_as_they_went(blocks, row_list, key, through):
    part = blocks[key]
    assert_equal_blocks(through(part), part, row_list)


def test_specs_come_back_as_they_went(blocks):
    part = blocks[[0]]
    assert pickle.loads(pickle.dumps(part)).specs() == part.specs() == blocks.specs()


def test_only_the_chosen_rows_travel():
    blocks = Blocks(
        {
            "image": np.zeros((100, 8, 8, 3)),
            "text": sparse.random(100, 1000, density=0.1, format="csr", random_state=0),
            "words": Ragged.from_rows([np.zeros(50)] * 100),
        }
    )
    whole = len(pickle.dumps(blocks))
    assert len(pickle.dumps(blocks[:5])) < whole / 15
    assert len(pickle.dumps(blocks[[0, 50, 99]])) < whole / 25


def test_lazy_rows_travel_unread_and_are_read_at_the_other_end(blocks, lazy):
    part = pickle.loads(pickle.dumps(blocks[[7, 2, 9]]))
    assert lazy.reads == []
    assert part["lazy"].shape == (3, 4, 4, 3)
    np.testing.assert_array_equal(part[[2, 0]]["lazy"][:, 0, 0, 0], [9, 7])
    np.testing.assert_array_equal(part[1:]["lazy"][:, 0, 0, 0], [2, 9])
    again = pickle.loads(pickle.dumps(part[::-1]))
    np.testing.assert_array_equal(again["lazy"][:][:, 0, 0, 0], [9, 2, 7])
    assert part.specs() == blocks.specs()


def test_equal_content_has_an_equal_hash(blocks, arrays):
    again = Blocks(copy.deepcopy(arrays), {n: blocks.missing(n) for n in ("image", "tokens")})
    assert joblib.hash(again) == joblib.hash(blocks)
    assert joblib.hash(again[[3, 1]]) == joblib.hash(blocks[[3, 1]])
    assert joblib.hash(pickle.loads(pickle.dumps(blocks))) == joblib.hash(blocks)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.csr_array])
def test_the_hash_outlives_a_look_at_the_flags_of_csr(make):
    text = make(np.eye(5))
    blocks = Blocks({"text": text})
    before = joblib.hash(blocks)
    assert text.has_canonical_format
    assert text.has_sorted_indices
    assert joblib.hash(blocks) == before


def test_rows_cut_in_any_way_have_one_hash(arrays):
    del arrays["lazy"]
    blocks = Blocks(arrays)
    assert joblib.hash(blocks[2:6]) == joblib.hash(blocks[[2, 3, 4, 5]])
    assert joblib.hash(blocks[2:6]) == joblib.hash(blocks[[0, 2, 3, 4, 5, 6]][1:5])
    in_memory = Blocks({**arrays, "mapped": np.array(arrays["mapped"])})
    assert joblib.hash(blocks) == joblib.hash(in_memory)


def test_other_content_has_another_hash(blocks):
    hashes = [
        joblib.hash(part)
        for part in (
            blocks,
            blocks[::-1],
            blocks[:-1],
            blocks.select(blocks.names[1:]),
            blocks.astype(np.float32),
        )
    ]
    assert len(set(hashes)) == len(hashes)


def test_missing_rows_are_part_of_the_hash():
    array = np.zeros((2, 1))
    marked = Blocks({"a": array}, missing={"a": [True, False]})
    assert joblib.hash(marked) != joblib.hash(Blocks({"a": array}))


def sum_of(blocks):
    return blocks.names, {name: _total(blocks[name]) for name in blocks.names}


def _total(block):
    if isinstance(block, Ragged):
        return float(block.values[block.offsets[0] : block.offsets[-1]].sum())
    return float(block.sum())


def test_worker_processes_see_the_same_blocks(arrays):
    del arrays["lazy"]
    blocks = Blocks(arrays)
    parts = [blocks[:6], blocks[[7, 9]]]
    # max_nbytes=1 makes joblib pass every array as a read-only memory map.
    there = joblib.Parallel(n_jobs=2, max_nbytes=1)(joblib.delayed(sum_of)(part) for part in parts)
    assert there == [sum_of(part) for part in parts]


def test_a_cached_function_is_called_once_for_equal_blocks(arrays, tmp_path):
    del arrays["lazy"]
    calls = []

    def count_rows(blocks):
        calls.append(len(blocks))
        return len(blocks)

    cached = joblib.Memory(tmp_path, verbose=0).cache(count_rows)
    assert cached(Blocks(arrays)[[0, 1, 2]]) == 3
    assert cached(Blocks(copy.deepcopy(arrays))[:3]) == 3
    assert calls == [3]
    assert cached(Blocks(arrays)[[0, 1, 3]]) == 3
    assert calls == [3, 3]
