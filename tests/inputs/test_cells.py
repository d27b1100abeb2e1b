"""ArrayStacker: arrays in the cells of a column."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.exceptions import NotFittedError

from skfusion.blocks import Ragged, form_of
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs import ArrayStacker


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
