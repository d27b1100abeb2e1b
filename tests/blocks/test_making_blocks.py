"""What may become a block, and what the errors say about the rest."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy import sparse

from skfusion.blocks import Blocks, BlockSpec, Ragged
from skfusion.exceptions import BlockError, BlockTypeError


def spec(form, shape, dtype, n_tokens=None):
    return form, shape, np.dtype(dtype), n_tokens


def test_specs_say_form_shape_dtype_and_vocabulary(blocks):
    found = blocks.specs()
    assert {name: spec.name for name, spec in found.items()} == {
        name: name for name in blocks.names
    }
    tokens = int(blocks["tokens"].values.max()) + 1
    assert {
        name: (spec.form, spec.shape, spec.dtype, spec.n_tokens) for name, spec in found.items()
    } == {
        "csr_matrix": spec("csr", (30,), "float64"),
        "csr_array": spec("csr", (30,), "float64"),
        "vector": spec("vector", (5,), "float64"),
        "sequence": spec("sequence", (6, 2), "float32"),
        "image": spec("image", (4, 4, 3), "uint8"),
        "video": spec("video", (3, 4, 4, 1), "float64"),
        "mapped": spec("vector", (7,), "float32"),
        "tokens": spec("tokens", (None,), "int64", tokens),
        "waveform": spec("waveform", (None,), "float64"),
        "steps": spec("sequence", (None, 2), "float64"),
        "clips": spec("video", (None, 4, 4, 1), "float64"),
        "lazy": spec("image", (4, 4, 3), "uint8"),
    }


def test_ragged_specs_know_it(blocks):
    specs = blocks.specs()
    ragged = {name for name, one in specs.items() if one.ragged}
    assert ragged == {"tokens", "waveform", "steps", "clips"}


def test_specs_do_not_depend_on_the_chosen_rows(blocks):
    rows = np.flatnonzero(blocks["tokens"].lengths == 0)
    assert blocks[rows].specs() == blocks.specs()


def test_a_spec_is_a_value():
    one = BlockSpec("a", "vector", (3,), np.dtype("float32"))
    assert one == BlockSpec("a", "vector", (3,), np.dtype("float32"))
    with pytest.raises(AttributeError, match="cannot assign to field"):
        one.name = "b"


@pytest.mark.parametrize(
    "value",
    [
        [1.0, 2.0, 3.0],
        (1, 2, 3),
        np.array([1, 2, 3]),
        np.array([True, False, True]),
        pd.Series([1, 2, 3], index=[7, 8, 9]),
        pd.DataFrame({"x": [1.5, 2.5, 3.5]}),
        pl.Series([1, 2, 3]),
        torch.tensor([1.0, 2.0, 3.0]),
        sparse.coo_matrix([[1.0], [0.0], [2.0]]),
        sparse.csc_array([[1.0], [0.0], [2.0]]),
        sparse.dok_matrix([[1.0], [0.0], [2.0]]),
    ],
    ids=lambda value: type(value).__module__.partition(".")[0] + "." + type(value).__name__,
)
def test_one_column_of_numbers_in_any_dress_is_a_block(value):
    blocks = Blocks({"price": value})
    assert blocks["price"].shape == (3, 1)
    expected = value.toarray() if sparse.issparse(value) else np.asarray(value).reshape(3, 1)
    block = blocks["price"]
    np.testing.assert_array_equal(block.toarray() if sparse.issparse(block) else block, expected)


def test_a_plain_array_is_kept_not_copied(arrays):
    blocks = Blocks(arrays)
    for name in ("vector", "image", "mapped", "csr_array", "lazy", "steps"):
        assert blocks[name] is arrays[name]


@pytest.mark.parametrize("name", ["", "a__b", "a.b", 3, None, "_a", "a_"])
def test_names_that_would_break_parameters_are_refused(name):
    with pytest.raises(BlockError, match="a block's name must"):
        Blocks({name: np.zeros((2, 1))})


@pytest.mark.parametrize("name", ["type", "float", "keys", "training", "Überschrift", "two words"])
def test_names_that_python_or_torch_use_are_fine(name):
    assert Blocks({name: np.zeros((2, 1))}).names == (name,)


@pytest.mark.parametrize(
    ("value", "error", "match"),
    [
        (np.array(["a", "b"]), BlockTypeError, "block 'x' has dtype <U1"),
        (np.array([1, None], dtype=object), BlockTypeError, "has dtype object"),
        (np.zeros(2, dtype="datetime64[D]"), BlockTypeError, "use BlockUnion to turn text, dates"),
        (np.zeros((2, 2), dtype=complex), BlockTypeError, "has dtype complex128"),
        (sparse.csr_array(np.eye(2, dtype=complex)), BlockTypeError, "has dtype complex128"),
        (Ragged(np.array(["a", "b"]), [0, 1, 2]), BlockTypeError, "block 'x' has dtype <U1"),
        (pd.Series(["a", "b"]), BlockTypeError, "block 'x' has dtype"),
        ([[1, 2], [3]], BlockTypeError, r"rows differ in length. Use Ragged.from_rows"),
        (np.zeros((2,) * 6), BlockError, "block 'x' has 6 axes"),
        (np.float64(3), BlockError, "block 'x' has 0 axes"),
        (None, BlockTypeError, "block 'x' is a NoneType"),
        ({"y": 1}, BlockTypeError, "block 'x' is a dict"),
        ("text", BlockTypeError, "block 'x' is a str"),
    ],
)
def test_what_no_network_takes_is_refused_by_name(value, error, match):
    with pytest.raises(error, match=match):
        Blocks({"x": value})


def test_blocks_of_different_length_are_counted():
    with pytest.raises(BlockError, match="'a' has 2, 'b' has 3.*missing="):
        Blocks({"a": np.zeros((2, 1)), "b": sparse.csr_array((3, 4))})


@pytest.mark.parametrize(
    "value", [np.zeros((2, 1)), sparse.dok_matrix((2, 2)), pd.DataFrame({"a": [1]})]
)
def test_only_a_mapping_makes_blocks(value):
    with pytest.raises(BlockTypeError, match="takes a mapping of names to arrays. Got"):
        Blocks(value)


def test_no_block_at_all_is_refused():
    with pytest.raises(BlockError, match="at least one block. Got none"):
        Blocks({})


@pytest.mark.parametrize(
    ("missing", "match"),
    [
        ({"b": [True, False]}, "missing names a block 'b' that does not exist; the blocks are 'a'"),
        ({"a": [True]}, r"block 'a' must be boolean of shape \(2,\). Got dtype bool, shape \(1,\)"),
        ({"a": [1, 0]}, "must be boolean .* Got dtype int64"),
        ({"a": [[True], [False]]}, r"shape \(2, 1\)"),
    ],
)
def test_a_wrong_mask_is_refused(missing, match):
    with pytest.raises(BlockError, match=match):
        Blocks({"a": np.zeros((2, 1))}, missing=missing)


def test_a_mask_without_a_missing_row_is_no_mask():
    blocks = Blocks({"a": np.zeros((2, 1))}, missing={"a": [False, False]})
    assert blocks.missing("a") is None


def test_token_ids_outside_the_vocabulary_are_found_by_row():
    words = Ragged.from_rows([[0, 1], [], [9, 2]], n_tokens=5)
    with pytest.raises(BlockError, match="block 'words', row 2: token id 9 is outside .* of 5 ids"):
        Blocks({"words": words}).specs()
    with pytest.raises(BlockError, match="row 1: token id -1 is outside"):
        Blocks({"words": Ragged.from_rows([[3], [2, -1]])}).specs()


def test_ragged_items_of_an_unknown_shape_are_refused():
    planes = Ragged.from_rows([np.zeros((2, 3, 3))])
    with pytest.raises(BlockError, match=r"block 'x' is ragged with items of shape \(3, 3\)"):
        Blocks({"x": planes}).specs()


def test_astype_changes_floating_values_only(blocks):
    single = blocks.astype(np.float32)
    kept = {"image": np.uint8, "tokens": np.int64, "lazy": np.uint8}
    for name in blocks.names:
        assert single[name].dtype == kept.get(name, np.float32)
    assert single["sequence"] is blocks["sequence"]
    np.testing.assert_array_equal(single.missing("image"), blocks.missing("image"))


def test_astype_of_chosen_rows_keeps_the_choice(blocks):
    single = blocks[[4, 1]].astype(np.float32)
    np.testing.assert_array_equal(single["vector"], blocks["vector"][[4, 1]].astype(np.float32))
