"""Row selections of Blocks: the same rows as numpy would give, nothing copied too early."""

import numpy as np
import pytest
from scipy import sparse

from skfusion.blocks import Blocks
from skfusion.exceptions import BlockError, BlockTypeError

N_ROWS = 12
KEYS = {
    "int array": np.array([7, 0, 7, 3]),
    "list": [1, 2, 10],
    "range": range(2, 9),
    "negative": [-1, 0, -12],
    "int8": np.array([11, 4], dtype=np.int8),
    "unsigned": np.array([11, 4], dtype=np.uint64),
    "slice": slice(3, 9),
    "open slice": slice(None, -2),
    "step": slice(1, 11, 3),
    "reversed": slice(None, None, -1),
    "empty slice": slice(8, 2),
    "empty list": [],
    "mask": np.arange(N_ROWS) % 3 == 0,
    "list of bools": [i > 6 for i in range(N_ROWS)],
    "with ellipsis": (np.array([5, 1]), Ellipsis),
    "with all columns": (np.array([5, 1]), slice(None)),
}


def numbers_of(key):
    rows = key[0] if isinstance(key, tuple) else key
    return np.arange(N_ROWS)[list(rows) if isinstance(rows, range) else rows]


def assert_same_rows(got, expected):
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_each_kind_of_key_gives_the_rows_that_numpy_gives(blocks, arrays, row_list, key):
    chosen = blocks[key]
    numbers = numbers_of(key)
    assert len(chosen) == len(numbers)
    assert chosen.shape == (len(numbers), len(arrays))
    for name, array in arrays.items():
        rows = row_list(array)
        assert_same_rows(row_list(chosen[name]), [rows[number] for number in numbers])


@pytest.mark.parametrize("seed", range(25))
def test_selections_compose_as_in_numpy(blocks, arrays, row_list, seed):
    rng = np.random.default_rng(seed)
    expected = np.arange(N_ROWS)
    masks = {name: blocks.missing(name) for name in ("image", "tokens")}
    chosen = blocks
    for _ in range(rng.integers(1, 5)):
        n = len(expected)
        key = [
            rng.integers(-n, n, rng.integers(0, 2 * n)) if n else [],
            rng.random(n) < 0.6,
            slice(*sorted(rng.integers(0, n + 1, 2).tolist())),
            slice(None, None, int(rng.choice([-2, -1, 2, 3]))),
        ][rng.integers(4)]
        chosen, expected = chosen[key], expected[key]
    for name, array in arrays.items():
        rows = row_list(array)
        assert_same_rows(row_list(chosen[name]), [rows[number] for number in expected])
    for name, mask in masks.items():
        found = chosen.missing(name)
        found = np.zeros(len(expected), bool) if found is None else found
        np.testing.assert_array_equal(found, mask[expected])


def test_forms_and_types_survive_a_selection(blocks, arrays):
    chosen = blocks[[4, 1]]
    for name, array in arrays.items():
        assert chosen[name].dtype == array.dtype
        assert chosen[name].ndim == array.ndim
    assert isinstance(chosen["csr_array"], sparse.csr_array)
    assert isinstance(chosen["csr_matrix"], sparse.csr_matrix)


def test_one_row_by_number_is_blocks_of_one_row(blocks):
    row = blocks[np.int64(3)]
    assert len(row) == 1
    np.testing.assert_array_equal(row["vector"], blocks["vector"][[3]])


def test_a_slice_is_a_view(arrays):
    del arrays["lazy"]
    blocks = Blocks(arrays)
    part = blocks[3:9]
    for name in ("vector", "sequence", "image", "video", "mapped"):
        assert np.shares_memory(part[name], arrays[name])
    for name in ("csr_matrix", "csr_array"):
        assert np.shares_memory(part[name].data, arrays[name].data)
        assert np.shares_memory(part[name].indices, arrays[name].indices)
    for name in ("tokens", "steps"):
        assert np.shares_memory(part[name].values, arrays[name].values)


def test_a_memory_map_stays_one_until_its_rows_are_asked_for(arrays):
    blocks = Blocks({"mapped": arrays["mapped"]})
    assert blocks["mapped"] is arrays["mapped"]
    assert isinstance(blocks[2:5]["mapped"], np.memmap)


@pytest.mark.parametrize("key", [[3, 1], slice(2, 6), slice(None, None, 2)])
def test_a_lazy_block_is_read_only_when_asked_for_and_only_the_chosen_rows(blocks, lazy, key):
    chosen = blocks[key]
    assert lazy.reads == []
    rows = np.arange(N_ROWS)[key]
    np.testing.assert_array_equal(chosen["lazy"][:, 0, 0, 0], rows)
    assert lazy.reads == [rows.tolist()]


def test_a_later_change_of_the_row_numbers_changes_nothing():
    blocks = Blocks({"a": np.arange(4.0)})
    rows = np.array([0, 1])
    chosen = blocks[rows]
    rows[:] = 3
    np.testing.assert_array_equal(chosen["a"], [[0.0], [1.0]])


def test_missing_is_none_where_no_chosen_row_lacks_the_block(blocks):
    assert blocks.missing("vector") is None
    assert blocks[[0, 1, 3]].missing("image") is None
    np.testing.assert_array_equal(blocks[[0, 2]].missing("image"), [False, True])
    np.testing.assert_array_equal(blocks[1:4].missing("image"), [False, True, False])


def test_select_keeps_order_rows_and_masks(blocks):
    chosen = blocks[[5, 0]].select(["image", "vector"])
    assert chosen.names == ("image", "vector")
    assert chosen.shape == (2, 2)
    np.testing.assert_array_equal(chosen.missing("image"), [True, False])
    np.testing.assert_array_equal(chosen["vector"], blocks["vector"][[5, 0]])
    assert blocks.select("vector").names == ("vector",)


def test_membership_and_length(blocks, arrays):
    assert "image" in blocks
    assert "photo" not in blocks
    assert blocks.names == tuple(arrays)
    assert len(blocks) == N_ROWS
    assert blocks.ndim == 2


def test_blocks_do_not_pretend_to_be_a_dict_or_a_list(blocks):
    with pytest.raises(TypeError, match="not iterable"):
        iter(blocks)


@pytest.mark.parametrize(
    ("key", "error", "match"),
    [
        ([12], IndexError, r"row numbers must lie in \[-12, 12\). Got 12"),
        ([-13], IndexError, r"must lie in \[-12, 12\). Got -13"),
        (np.ones(5, bool), IndexError, r"a mask of rows must have shape \(12,\). Got \(5,\)"),
        (True, IndexError, "a mask of rows must have shape"),
        ([0.5], BlockTypeError, "a slice, a 1-D array of ints or a mask"),
        ([[0, 1]], BlockTypeError, "a slice, a 1-D array of ints or a mask"),
        (([0], [1]), BlockTypeError, r"Use blocks.select\(\[...\]\) to choose blocks"),
        (([0], np.array([1, 2])), BlockTypeError, "to choose blocks"),
        ("imag", KeyError, "no block 'imag'.* Did you mean 'image'"),
    ],
)
def test_a_wrong_key_says_what_is_allowed(blocks, key, error, match):
    with pytest.raises(error, match=match):
        blocks[key]


def test_unknown_names_are_refused_everywhere(blocks):
    with pytest.raises(KeyError, match="no block 'foto'"):
        blocks.missing("foto")
    with pytest.raises(KeyError, match="the blocks are 'csr_matrix', 'csr_array'"):
        blocks.select(["vector", "foto"])


def test_repr_shows_form_shape_dtype_and_missing_rows(blocks):
    text = repr(blocks[:6].select(["csr_array", "image", "tokens"]))
    assert text.splitlines()[0] == "Blocks(6 rows)"
    assert text.splitlines()[2].split() == [
        "image",
        "image",
        "(6,",
        "4,",
        "4,",
        "3)",
        "uint8",
        "2",
        "missing",
    ]
    assert "(6, None)" in text


def test_take_is_a_selection_without_checks(blocks, row_list):
    rows = np.array([7, 0, 7])
    for name in blocks.names:
        assert_same_rows(row_list(blocks[2:].take(rows)[name]), row_list(blocks[2:][rows][name]))


def test_assign_keeps_the_other_blocks_their_order_and_the_masks(blocks, lazy, row_list):
    part = blocks[[2, 4]]
    new = part.assign({"sequence": np.ones((2, 3))})
    assert new.names == blocks.names
    assert new["sequence"].shape == (2, 3)
    assert lazy.reads == []
    np.testing.assert_array_equal(new.missing("image"), [True, False])
    for name in ("csr_array", "vector", "tokens"):
        assert_same_rows(row_list(new[name]), row_list(part[name]))
    np.testing.assert_array_equal(new["lazy"][:][:, 0, 0, 0], [2, 4])


def test_assign_adds_a_block_with_its_mask(blocks):
    new = blocks.assign({"more": np.ones((N_ROWS, 3))}, {"more": np.arange(N_ROWS) == 1})
    assert new.names == (*blocks.names, "more")
    np.testing.assert_array_equal(new.missing("more"), np.arange(N_ROWS) == 1)


def test_assign_refuses_other_lengths(blocks):
    with pytest.raises(BlockError, match="the same number of rows"):
        blocks.assign({"vector": np.ones((2, 3))})
