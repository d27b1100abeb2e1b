"""ArrayStacker: arrays in the cells of a column."""

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.exceptions import NotFittedError

from skfusion.blocks import Ragged
from skfusion.blocks._spec import form_of
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs import ArrayStacker, BlockUnion, SequenceStacker


def cells(*values):
    column = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        column[row] = value
    return column


@pytest.mark.parametrize("wrap", [pd.Series, lambda column: column[:, None], list, pd.DataFrame])
def test_arrays_of_one_shape_are_stacked(wrap):
    first, second = np.arange(6).reshape(2, 3), np.arange(6, 12).reshape(2, 3)
    stacked = ArrayStacker().fit_transform(wrap(cells(first, second)))
    np.testing.assert_array_equal(stacked, np.arange(12).reshape(2, 2, 3))


@pytest.mark.parametrize(
    ("shapes", "form"),
    [
        ([(4,), (4,)], "vector"),
        ([(4,), (5,)], "waveform"),
        ([(4, 2), (5, 2)], "sequence"),
        ([(6, 6, 3), (6, 6, 3)], "image"),
        ([(2, 6, 6, 3), (3, 6, 6, 3)], "video"),
    ],
)
def test_forms(shapes, form):
    column = cells(*[np.full(shape, 1.5) for shape in shapes])
    assert form_of(ArrayStacker().fit_transform(column)) == form


def test_values_of_ragged_rows():
    block = ArrayStacker().fit_transform(cells([1.0, 2.0], [], [3.0]))
    assert isinstance(block, Ragged)
    assert [row.tolist() for row in block] == [[1.0, 2.0], [], [3.0]]


def test_uint8_images_stay_uint8():
    block = ArrayStacker().fit_transform(cells(*np.zeros((2, 4, 4, 3), np.uint8)))
    assert block.dtype == np.uint8


def test_unseen_tokens_share_the_last_id():
    stacker = ArrayStacker().fit(cells([0, 3], [1]))
    block = stacker.transform(cells([0, 3], [4, 99, -1]))
    assert stacker.n_tokens_ == block.n_tokens == 5
    assert [row.tolist() for row in block] == [[0, 3], [4, 4, 4]]


def test_dtype_makes_a_waveform_of_integers():
    block = ArrayStacker(dtype="float32").fit_transform(cells([-3, 3], [1]))
    assert form_of(block) == "waveform" and block.dtype == np.float32


def test_equal_lengths_after_a_ragged_fit_stay_ragged():
    stacker = ArrayStacker().fit(cells([1.0, 2.0], [3.0]))
    assert isinstance(stacker.transform(cells([1.0], [3.0])), Ragged)


def test_empty_rows_after_a_ragged_fit():
    stacker = ArrayStacker().fit(cells(np.zeros((2, 3)), np.zeros((1, 3))))
    assert stacker.transform(cells([], np.zeros((1, 3)))).shape == (2, None, 3)


def test_global_pandas_output_does_not_touch_blocks():
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(ArrayStacker().fit_transform(cells([1.0], [1.0, 2.0])), Ragged)


@pytest.mark.parametrize(
    ("column", "match"),
    [
        (cells(np.zeros((2, 3)), np.zeros((2, 4))), r"row 1 .*\(2, 4\), others the shape \(2, 3\)"),
        (cells(np.zeros((2, 3)), np.zeros(3)), r"row 1 .*\(3,\)"),
        (cells(np.zeros((8, 6, 3)), np.zeros((7, 6, 3))), "images must have one size"),
        (cells([0, -2], [1]), "row 0: -2 is no token id"),
        (np.empty((2, 2), dtype=object), "takes one column. Got 2"),
    ],
)
def test_arrays_that_do_not_fit_together(column, match):
    with pytest.raises(BlockError, match=match):
        ArrayStacker().fit(column)


@pytest.mark.parametrize("cell", ["text", 3, ["a", "b"], [[1, 2], [3]], {"a": 1}, [1j], [None]])
def test_cells_that_are_no_arrays(cell):
    with pytest.raises(BlockTypeError, match="row 1 holds .*no array of real numbers"):
        ArrayStacker().fit(cells([1.0], cell))


def test_another_shape_than_at_fit():
    stacker = ArrayStacker().fit(cells([1.0, 2.0], [3.0, 4.0]))
    with pytest.raises(BlockError, match=r"row 1 .*shape \(3,\).*at fit had the shape \(2,\)"):
        stacker.transform(cells([1.0, 2.0], [1.0, 2.0, 3.0]))


def test_floats_where_fit_saw_integers():
    stacker = ArrayStacker().fit(cells([1, 2], [3]))
    with pytest.raises(BlockTypeError, match="row 0 holds values of type float64.*int64"):
        stacker.transform(cells([1.5], [3]))


def test_transform_before_fit():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        ArrayStacker().transform(cells([1.0]))


OF_TWO = np.array([[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.parametrize(
    "cell",
    [
        torch.from_numpy(OF_TWO),
        torch.from_numpy(OF_TWO).requires_grad_(),
        torch.from_numpy(OF_TWO).bfloat16(),
        [torch.from_numpy(row).requires_grad_() for row in OF_TWO],
        OF_TWO.astype(">f8"),
        OF_TWO.astype(np.longdouble),
        OF_TWO.astype(int),
        OF_TWO.tolist(),
        tuple(map(tuple, OF_TWO)),
        cells(*OF_TWO),
        np.ma.array(OF_TWO),
        pd.DataFrame(OF_TWO),
    ],
    ids=lambda cell: type(cell).__name__,
)
def test_arrays_of_all_makers_give_the_same(cell):
    stacker = ArrayStacker().fit(cells(OF_TWO))
    block = stacker.transform(cells(OF_TWO, cell))
    np.testing.assert_array_equal(block, [OF_TWO, OF_TWO])
    assert block.dtype == np.float64 and block.dtype.isnative
    np.testing.assert_array_equal(ArrayStacker().fit_transform(cells(cell, OF_TWO))[0], OF_TWO)


@pytest.mark.parametrize(
    "cell",
    [
        ["1", "2"],
        np.array(["1", "2"]),
        [b"1", b"2"],
        np.array(["2024-01-01"], "M8[ns]"),
        np.array([5], "m8[s]"),
        [1.0, None],
        [1.0, pd.NA],
        np.array([1, "x"], dtype=object),
        [1, "2"],
        5,
        "12",
        torch.tensor(3.0),
        pd.NaT,
        b"12",
        object(),
        [[1.0], 2.0],
        [1 + 2j],
    ],
    ids=lambda cell: type(cell).__name__,
)
@pytest.mark.parametrize("dtype", [None, "float32"])
def test_what_is_no_array_of_numbers_is_named_by_row_and_label(cell, dtype):
    with pytest.raises(BlockTypeError, match="row 1 .label 'b'. holds .*no array of real numbers"):
        ArrayStacker(dtype).fit(pd.Series(cells([1.0, 2.0], cell), index=["a", "b"]))
    fitted = ArrayStacker(dtype).fit(cells([1.0, 2.0]))
    with pytest.raises(BlockTypeError, match="row 1 holds .*no array of real numbers"):
        fitted.transform(cells([1.0, 2.0], cell))


def test_masked_values_are_not_known():
    masked = np.ma.array([1, 2, 3], mask=[False, True, False])
    block = ArrayStacker().fit_transform(cells([1.0, 2.0, 3.0], masked))
    np.testing.assert_array_equal(block, [[1, 2, 3], [1, np.nan, 3]])


def test_arrays_without_memory_of_their_own_are_found_by_size():
    endless = np.broadcast_to(np.float32(1), (10**6, 10**6))
    message = "row 1: it takes 4,000,000,000,000 bytes of memory, and at most 1,073,741,824"
    with pytest.raises(BlockError, match=message):
        ArrayStacker().fit(cells(np.zeros((2, 2)), endless))
    with pytest.raises(BlockError, match="row 0: it takes"):
        ArrayStacker().fit(cells(torch.zeros(1).expand(10**10)))


@pytest.mark.parametrize("learned", [np.float32, np.float64, np.int64, np.int16, np.uint8, bool])
@pytest.mark.parametrize("shown", [np.float64, np.int64, np.uint16, np.uint8, bool])
@pytest.mark.parametrize("ragged", [False, True])
def test_the_same_numbers_of_another_type(learned, shown, ragged):
    values = [np.array([1, 0, 1]), np.array([0, 1])][: 1 + ragged]
    fitted = ArrayStacker().fit(cells(*[array.astype(learned) for array in values]))
    for array, row in zip(
        values, fitted.transform(cells(*[a.astype(shown) for a in values])), strict=True
    ):
        np.testing.assert_array_equal(np.asarray(row, float), array)


def test_integers_never_wrap():
    fitted = ArrayStacker().fit(cells(np.array([1, 2], np.uint8), np.array([3, 4], np.uint8)))
    assert fitted.transform(cells(np.array([300, -5]))).tolist() == [[300, -5]]
    tokens = ArrayStacker().fit(cells(np.array([1, 2], np.uint8), np.array([3], np.uint8)))
    assert tokens.transform(cells(np.array([2**40, 1])))[0].tolist() == [4, 1]
    with pytest.raises(BlockTypeError, match="row 0 holds fractions or NaN, which dtype='int32'"):
        ArrayStacker("int32").fit(cells([1.5]))


@pytest.mark.parametrize("odd", [np.uint8, bool])
@pytest.mark.parametrize("shape", [(3, 2), (4, 4, 3), (2, 4, 4, 3)])
def test_bytes_among_floats_are_refused_by_row(odd, shape):
    floats, others = np.full(shape, 0.5), np.ones(shape, odd)
    for column in (cells(floats, others), cells(others, floats)):
        message = "row . holds .*(uint8|bool), but row . holds .*on another scale"
        with pytest.raises(BlockTypeError, match=message):
            ArrayStacker().fit(column)
        with pytest.raises(BlockTypeError, match=message):
            ArrayStacker().fit(cells(floats)).transform(column)


def test_images_keep_the_type_that_tells_their_scale():
    photo = np.full((4, 4, 3), 200, np.uint8)
    assert ArrayStacker().fit(cells(photo / 255)).transform(cells(photo)).dtype == np.uint8
    assert ArrayStacker().fit(cells(photo)).transform(cells(photo / 255)).dtype == np.float64


def test_nothing_to_learn_from():
    with pytest.raises(BlockError, match="needs at least one row. Got none"):
        ArrayStacker().fit([])
    with pytest.raises(BlockError, match="all 2 cells are empty at fit"):
        ArrayStacker().fit(cells([], np.zeros((0, 3))))
    with pytest.raises(BlockError, match=r"row 1 holds an image without pixels.*\(0, 0, 3\)"):
        ArrayStacker().fit(cells(np.zeros((4, 4, 3)), np.zeros((0, 0, 3))))
    assert ArrayStacker().fit(cells([1.0, 2.0])).transform([]).shape == (0, 2)
    assert ArrayStacker().fit(cells([1.0, 2.0], [1.0])).transform([]).shape == (0, None)


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32, np.float64, list])
def test_vectors_of_another_scale_are_refused_by_row(kind):
    bytes_ = np.random.default_rng(0).integers(0, 256, (5, 40))
    fractions, shown = bytes_ / 255, bytes_.tolist() if kind is list else bytes_.astype(kind)
    fitted = ArrayStacker().fit(cells(*fractions))
    with pytest.raises(
        BlockError, match="row 0 holds values up to 2.., but the arrays at fit held"
    ):
        fitted.transform(cells(*shown))
    if kind in (np.float32, np.float64):
        with pytest.raises(BlockError, match="row 1 holds values up to .*, but the arrays at fit"):
            ArrayStacker().fit(cells(*shown)).transform(cells(shown[0], fractions[1]))
    # Whatever may be a measurement is none of this.
    assert len(fitted.transform(cells(fractions[0] * 3, np.zeros(40), np.ones(40), -bytes_[0])))


def test_images_of_bits_keep_their_type_in_a_union():
    bits = np.zeros((4, 4, 3), bool)
    union = BlockUnion([("photo", ArrayStacker(), "photo")])
    blocks = union.fit_transform(pd.DataFrame({"photo": cells(bits, ~bits)}))
    assert blocks["photo"].dtype == bool


def test_lists_of_arrays_without_memory_of_their_own():
    endless = np.broadcast_to(np.float32(1), (10**5, 10**3))
    for stacker in (ArrayStacker(), SequenceStacker()):
        with pytest.raises(BlockError, match="row 0: it takes 40,000,000,000 bytes of memory"):
            stacker.fit(cells([endless] * 100, [1.0]))


@pytest.mark.parametrize("dtype", ["nope", str, complex, "M8[ns]", object, 5])
def test_a_dtype_of_no_numbers(dtype):
    with pytest.raises(ParameterError, match="dtype must be a type of real numbers"):
        ArrayStacker(dtype).fit(cells([1.0]))


def test_ids_that_no_embedding_could_have_a_row_for():
    with pytest.raises(BlockError, match="row 1: 1099511627776 is no token id.*below 16,777,216"):
        ArrayStacker().fit(cells([1, 2], [2**40]))


def test_a_missing_date_among_texts_is_only_missing():
    texts = pd.DataFrame({"memo": ["", None, pd.NaT, "good one", "bad one"]})
    union = BlockUnion(columns={"memo": "text"}).fit(texts)
    with pytest.raises(BlockTypeError, match="memo.*row 0 is 0"):
        union.transform(pd.DataFrame({"memo": [0, "good"]}))
