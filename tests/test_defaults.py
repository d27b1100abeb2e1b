"""The page of defaults says what the code does."""

import numpy as np
import pytest

from skfusion.blocks import FORMS, BlockSpec
from skfusion.encoders._defaults import ENCODERS, default_encoder
from tools.defaults import PAGE, page


def test_the_page_is_what_the_code_prints():
    assert PAGE.read_text(encoding="utf-8") == page(), "write it anew: python -m tools.defaults"


def test_every_default_says_what_chose_it():
    assert all(row.because for row in ENCODERS)
    assert {row.form for row in ENCODERS} == set(FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_the_last_row_of_a_form_holds_for_all(form):
    *_, last = (row for row in ENCODERS if row.form == form)
    assert last.holds(BlockSpec("x", form, (None, 10**6), np.dtype("f4")))


@pytest.mark.parametrize(
    ("form", "n_columns", "parameter", "value"),
    [
        ("csr", 255, "dropout", 0.0),
        ("csr", 256, "dropout", 0.5),
        ("vector", 99, "standardize", True),
        ("vector", 100, "standardize", False),
    ],
)
def test_the_width_decides(form, n_columns, parameter, value):
    encoder = default_encoder(BlockSpec("x", form, (n_columns,), np.dtype("f4")))
    assert encoder.get_params()[parameter] == value
