"""Codes of a target as tensors, of whatever memory they lie in."""

import warnings

import numpy as np
import pytest
import torch

from skfusion._training._codes import Codes

VALUES = np.arange(6.0)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = {
    "plain": VALUES,
    "reversed": VALUES[::-1].copy()[::-1],
    "read-only": read_only(VALUES),
    "big-endian": VALUES.astype(">f8"),
    "long doubles": VALUES.astype(np.longdouble),
    "float16": VALUES.astype(np.float16),
    "integers": VALUES.astype(">i4"),
    "unsigned": VALUES.astype(np.uint16),
    "booleans": VALUES > 2,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_codes_may_lie_in_memory_as_they_will(layout):
    codes = LAYOUTS[layout]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = Codes(codes, torch.float32, torch.device("cpu")).take(torch.tensor([4, 1]))
    assert found.dtype == (torch.float32 if codes.dtype.kind == "f" else torch.int64)
    assert found.tolist() == codes[[4, 1]].tolist()
