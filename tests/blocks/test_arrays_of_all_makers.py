"""What becomes a block: arrays of all makers and dtypes, damaged matrices, wrong offsets."""

import decimal

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse

from skfusion import Blocks, FusionClassifier, Ragged
from skfusion.blocks import MaskedBlock
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError

N = 8
Y = np.arange(N) % 2
NUMBERS = np.random.default_rng(0).integers(0, 2, (N, 3))


def probabilities(block):
    X = {"a": block, "b": NUMBERS[:, :1]}
    return FusionClassifier(max_epochs=1, random_state=0).fit(X, Y).predict_proba(X)


def structured(values):
    record = np.zeros(values.shape, dtype=[("value", "f4"), ("flag", "u1")])
    record["value"] = values
    return record["value"]


def read_only(values):
    array = values.astype(np.float32)
    array.flags.writeable = False
    return array


MAKERS = {
    "big-endian": lambda values: values.astype(">f8"),
    "long double": lambda values: values.astype(np.longdouble),
    "half": lambda values: values.astype(np.float16),
    "bytes": lambda values: values.astype(np.uint8),
    "unsigned": lambda values: values.astype(np.uint64),
    "bool": lambda values: values.astype(bool),
    "objects": lambda values: values.astype(object),
    "decimals": lambda values: np.array([[decimal.Decimal(int(v)) for v in row] for row in values]),
    "subclass": lambda values: values.view(type("Own", (np.ndarray,), {})),
    "field of a record": structured,
    "read-only": read_only,
    "negative strides": lambda values: values.astype(np.float32)[::-1, ::-1][::-1, ::-1],
    "every other column": lambda values: np.repeat(values, 2, axis=1)[:, ::2],
    "nothing masked": np.ma.MaskedArray,
    "lists": lambda values: values.tolist(),
    "frame": pd.DataFrame,
    "nullable frame": lambda values: pd.DataFrame(values).astype("Int64"),
    "tensor": torch.tensor,
    "tensor with gradient": lambda v: torch.tensor(v, dtype=torch.float32, requires_grad=True),
    "list of tensors": lambda v: [torch.tensor(row * 1.0, requires_grad=True) for row in v],
    "bfloat16": lambda values: torch.tensor(values, dtype=torch.bfloat16),
}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_numbers_of_any_maker_are_the_same_block(maker):
    expected = probabilities(NUMBERS)
    np.testing.assert_allclose(probabilities(maker(NUMBERS)), expected, rtol=1e-6)


def test_a_memory_map_of_another_order_of_bytes(tmp_path):
    np.save(tmp_path / "numbers.npy", NUMBERS.astype(">f4"))
    mapped = np.load(tmp_path / "numbers.npy", mmap_mode="r")
    assert isinstance(Blocks({"a": mapped})["a"], np.memmap)
    np.testing.assert_allclose(probabilities(mapped), probabilities(NUMBERS), rtol=1e-6)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (NUMBERS.astype(complex), "'a' has dtype complex128"),
        (torch.tensor(NUMBERS, dtype=torch.complex64), "'a' has dtype complex64"),
        (torch.zeros(N, 2, device="meta"), "'a' is a torch tensor without data"),
        (torch.eye(N).to_sparse(), "'a' is a torch tensor of layout torch.sparse_coo"),
        (np.array([[1, "x"]] * N, dtype=object), "'a' has dtype object"),
        (np.zeros(N, dtype=[("x", "f4")]), "'a' has dtype"),
    ],
)
def test_what_holds_no_real_numbers_is_refused(block, said):
    with pytest.raises(BlockTypeError, match=f"block {said}"):
        Blocks({"a": block})


def test_a_nullable_column_with_gaps_is_refused_by_row():
    X = {"a": pd.Series([1, 2, None, 4] * 2, dtype="Int64")}
    with pytest.raises(BlockError, match="block 'a' contains NaN in row 2"):
        FusionClassifier().fit(X, Y)


# Masks


def test_masked_rows_are_missing():
    masked = np.ma.MaskedArray(NUMBERS.astype(float), mask=False)
    masked[[2, 5]] = np.ma.masked
    blocks = Blocks({"a": masked}, {"a": np.arange(N) == 1})
    assert np.flatnonzero(blocks.missing("a")).tolist() == [1, 2, 5]
    assert not np.ma.isMaskedArray(blocks["a"])
    column = np.ma.MaskedArray(NUMBERS[:, 0], mask=np.arange(N) == 3)
    assert np.flatnonzero(Blocks({"a": column}).missing("a")).tolist() == [3]


def test_masked_values_are_refused_by_row():
    masked = np.ma.MaskedArray(NUMBERS, mask=False)
    masked[4, 1] = np.ma.masked
    with pytest.raises(BlockError, match=r"block 'a', row 4: 1 of its 3 values are masked.*filled"):
        Blocks({"a": masked})
    Blocks({"a": masked}, {"a": np.arange(N) == 4})  # the row is missing as a whole
    Blocks({"a": masked.filled(0)})
    with pytest.raises(BlockError, match="row 0.*masked"):
        Ragged(np.ma.MaskedArray([1, 2], mask=[True, False]), [0, 2])


def test_a_block_that_comes_with_its_mask():
    found = Blocks({"a": MaskedBlock(NUMBERS, np.arange(N) == 6)})
    assert np.flatnonzero(found.missing("a")).tolist() == [6]


# Sparse matrices


def damaged(kind="csr", **parts):
    matrix = sparse.csr_matrix(NUMBERS + 1.0).asformat(kind)
    for name, change in parts.items():
        values = getattr(matrix, name).copy()
        setattr(matrix, name, change(values))
    return matrix


def put(place, value):
    def change(values):
        values[place] = value
        return values

    return change


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        (damaged(indices=put(4, 3)), "column 3 of 3"),
        (damaged(indices=put(4, -1)), "column -1 of 3"),
        (damaged(indices=lambda values: values.astype(np.int64) + 2**40), "column 1099511627776"),
        (damaged(indices=lambda values: values.astype(float)), "indices of dtype float64"),
        (damaged(indices=lambda values: values[:-1]), "24 values and 23 indices"),
        (damaged(data=lambda values: values[:-2]), "22 values and 24 indices"),
        (damaged(indptr=lambda values: values[:-1]), "an indptr of length 8, which should be 9"),
        (damaged(indptr=put(3, 0)), "an indptr that falls after row 2"),
        (damaged(indptr=put(-1, 99)), "an indptr from 0 to 99 of 24 values"),
        (damaged(indptr=put(0, 2)), "an indptr from 2 to 24"),
        (damaged("csc", indices=put(0, 8)), "row 8 of 8"),
        (damaged("csc", indptr=put(1, 99)), "an indptr that falls after"),
        (damaged("bsr", indices=put(0, 50)), "column 50 of"),
        (damaged("coo", col=put(2, 3)), "column 3 of 3"),
        (damaged("coo", row=put(2, -1)), "row -1 of 8"),
    ],
)
def test_a_damaged_sparse_matrix_is_refused_by_block(matrix, said):
    with pytest.raises(BlockError, match=f"block 'words' is a damaged sparse.*{said}"):
        Blocks({"words": matrix})


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"])
def test_sparse_matrices_of_all_kinds(kind):
    matrix = sparse.csr_matrix(NUMBERS.astype(np.float32))
    expected = probabilities(matrix)
    np.testing.assert_array_equal(probabilities(matrix.asformat(kind)), expected)


def test_entries_in_any_order_given_twice_and_indices_of_64_bits():
    values, places = np.array([2.0, 1.0, 3.0, 1.0]), np.array([2, 0, 1, 1])
    offsets = np.array([0, 2, 4] + [4] * (N - 2))
    matrix = sparse.csr_matrix((values, places, offsets), shape=(N, 3))
    matrix.indices, matrix.indptr = matrix.indices.astype(np.int64), matrix.indptr.astype(np.int64)
    tidy = sparse.csr_matrix(matrix.toarray())
    np.testing.assert_allclose(probabilities(matrix), probabilities(tidy), rtol=1e-6)
    np.testing.assert_allclose(
        probabilities(matrix.astype(np.longdouble)), probabilities(tidy), rtol=1e-6
    )


# Ragged


@pytest.mark.parametrize(
    ("values", "offsets", "said"),
    [
        ([1, 2], [0, 5], "offsets run to 5, but there are 2 values"),
        ([1, 2], [0, 2, 1], "never decrease"),
        ([1, 2], [-1, 2], "never decrease"),
        ([1, 2], [0, 1.5], "whole"),
        ([1, 2], [0, np.nan], "whole"),
        ([1, 2], ["a", "b"], "whole"),
        ([1, 2], [], "never decrease"),
        ([1, 2], [[0, 2]], "never decrease"),
        (3, [0, 0], "values must be an array"),
    ],
)
def test_wrong_parts_of_a_ragged_are_refused(values, offsets, said):
    with pytest.raises(BlockError, match=f"Ragged: .*{said}"):
        Ragged(values, offsets)


@pytest.mark.parametrize("n_tokens", [0, -2, 2.5, "9"])
def test_a_wrong_size_of_the_vocabulary(n_tokens):
    with pytest.raises(ParameterError, match="n_tokens must be an int >= 1"):
        Ragged([1, 2], [0, 2], n_tokens=n_tokens)


@pytest.mark.parametrize("largest", [2**40, 2**62, 2**63 + 1])
def test_ids_beyond_any_vocabulary_are_refused_before_memory_is_taken(largest):
    ids = np.array([largest, 1], dtype=np.uint64)
    for words in (Ragged(ids, [0, 1, 2]), Ragged([1, 2], [0, 1, 2], n_tokens=2**40)):
        with pytest.raises(BlockError, match=r"block 'words' has token ids up to .*Tokenizer"):
            Blocks({"words": words})


def test_negative_ids_are_refused_by_row():
    with pytest.raises(BlockError, match="block 'words', row 1: token id -3"):
        Blocks({"words": Ragged.from_rows([[1], [2, -3]])}).specs()


def test_values_of_a_tensor():
    words = Ragged(torch.tensor([[1.0], [2.0]], requires_grad=True), torch.tensor([0, 1, 2]))
    assert [row.tolist() for row in words] == [[[1.0]], [[2.0]]]
