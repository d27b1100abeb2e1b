"""Rows of different length."""

import copy
import pickle

import joblib
import numpy as np
import pytest

from skfusion.blocks import Ragged
from skfusion.blocks._ragged import gather_runs
from skfusion.blocks._rows import cut_rows, scatter_rows
from skfusion.exceptions import BlockError


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 2)) for n in (3, 0, 1, 5, 0, 2)]


@pytest.fixture
def ragged(rows):
    return Ragged.from_rows(rows)


def assert_rows(ragged, rows):
    assert len(ragged) == len(rows)
    for got, expected in zip(ragged, rows, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_from_rows_keeps_every_row(ragged, rows):
    assert_rows(ragged, rows)
    assert ragged.shape == (6, None, 2)
    assert ragged.ndim == 3
    np.testing.assert_array_equal(ragged.lengths, [3, 0, 1, 5, 0, 2])


@pytest.mark.parametrize(
    "key",
    [
        [5, 0, 0],
        slice(1, 5),
        slice(None, None, -1),
        slice(4, 2),
        [],
        np.arange(6) % 2 == 0,
        [-1, -6],
    ],
)
def test_chosen_rows_are_those_of_a_list(ragged, rows, key):
    expected = [rows[number] for number in np.arange(6)[key]]
    assert_rows(ragged[key], expected)
    assert_rows(ragged[key][::-1], expected[::-1])


def test_one_row_is_an_array(ragged, rows):
    np.testing.assert_array_equal(ragged[3], rows[3])
    np.testing.assert_array_equal(ragged[np.int64(-1)], rows[-1])
    with pytest.raises(IndexError, match="out of range"):
        ragged[6]


def test_a_slice_shares_the_values(ragged):
    assert np.shares_memory(ragged[2:4].values, ragged.values)


def test_pad_is_zero_behind_each_end(ragged, rows):
    values, mask = ragged[[0, 1, 3]].pad()
    assert values.shape == (3, 5, 2)
    for i, row in enumerate([rows[0], rows[1], rows[3]]):
        np.testing.assert_array_equal(values[i, : len(row)], row)
        assert not values[i, len(row) :].any()
        np.testing.assert_array_equal(mask[i], np.arange(5) < len(row))


def test_pad_of_a_slice_in_the_middle(ragged, rows):
    values, mask = ragged[2:4].pad()
    np.testing.assert_array_equal(values[mask], np.concatenate(rows[2:4]))


@pytest.mark.parametrize("key", [[1, 4], []])
def test_pad_of_empty_rows_still_has_a_step(ragged, key):
    values, mask = ragged[key].pad()
    assert values.shape == (len(key), 1, 2)
    assert not mask.any()


def test_empty_rows_keep_their_kind():
    assert Ragged.from_rows([np.zeros((0, 5)), np.zeros((0, 5))]).shape == (2, None, 5)
    assert Ragged.from_rows([[], []], n_tokens=7).dtype == np.int64
    assert Ragged.from_rows([[], []]).dtype == np.float32
    assert Ragged.from_rows([]).shape == (0, None)


def test_a_vocabulary_follows_the_rows():
    words = Ragged.from_rows([[1, 2], [3]], n_tokens=9)
    assert words[[1]].n_tokens == words[:1].n_tokens == words.astype(np.int32).n_tokens == 9
    assert pickle.loads(pickle.dumps(words)).n_tokens == 9


@pytest.mark.parametrize("key", [slice(None), slice(2, 5), [5, 3]])
def test_pickle_and_hash_depend_on_the_rows_alone(ragged, rows, key):
    part = ragged[key]
    again = pickle.loads(pickle.dumps(part))
    assert_rows(again, list(part))
    fresh = Ragged.from_rows([rows[number] for number in np.arange(6)[key]])
    assert joblib.hash(part) == joblib.hash(again) == joblib.hash(fresh)
    assert_rows(copy.copy(part), list(part))


def test_astype_without_a_change_copies_nothing(ragged):
    assert ragged.astype(np.float64).values is ragged.values
    assert ragged.astype(np.float32).dtype == np.float32


def test_repr_counts_the_items_of_its_rows(ragged):
    assert repr(ragged[2:4]) == "Ragged(shape=(2, None, 2), dtype=float64, items=6)"


@pytest.mark.parametrize(
    ("offsets", "match"),
    [
        ([0, 3, 2], "never decrease"),
        ([-1, 2], "start at 0 or above"),
        ([], "offsets must be 1-D"),
        ([[0, 1]], "offsets must be 1-D"),
        ([0, 9], "offsets run to 9, but there are 4 values"),
    ],
)
def test_wrong_offsets_are_refused(offsets, match):
    with pytest.raises(BlockError, match=match):
        Ragged(np.arange(4), offsets)


def test_rows_of_unlike_items_are_refused():
    with pytest.raises(BlockError, match=r"row 2 has items of shape \(3,\).*shape \(2,\)"):
        Ragged.from_rows([[], np.zeros((1, 2)), np.zeros((1, 3))])
    with pytest.raises(BlockError, match="row 1 is a single value.*one item is"):
        Ragged.from_rows([[1], 2])


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_gather_runs_is_the_loop_without_the_loop(seed, dtype):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 4, rng.integers(1, 30))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(dtype)
    rows = rng.integers(0, len(lengths), rng.integers(0, 40))
    expected_offsets, expected = [0], []
    for row in rows:
        expected.extend(range(offsets[row], offsets[row + 1]))
        expected_offsets.append(len(expected))
    found_offsets, found = gather_runs(offsets, rows)
    np.testing.assert_array_equal(found_offsets, expected_offsets)
    np.testing.assert_array_equal(found, expected)
    assert found_offsets.dtype == found.dtype == dtype


def test_gather_runs_works_on_offsets_that_start_late():
    offsets, positions = gather_runs(np.array([4, 6, 6, 9]), np.array([2, 0]))
    assert offsets.tolist() == [0, 3, 5]
    assert positions.tolist() == [6, 7, 8, 4, 5]


def test_scatter_is_the_way_back_from_cut(ragged, rows):
    present = np.array([True, False, True, True, False, True])
    spread = scatter_rows(cut_rows(ragged, np.flatnonzero(present)), present)
    expected = [row if there else row[:0] for row, there in zip(rows, present, strict=True)]
    assert_rows(spread, expected)
