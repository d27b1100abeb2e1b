"""The docstring data set: what it holds, and that it does not give its answer away."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from skfusion.datasets import load_docstrings
from skfusion.datasets._masking import Mask, prose
from skfusion.datasets._public_objects import public_objects
from skfusion.exceptions import ParameterError

NUMBERS = [
    "n_parameters",
    "n_defaults",
    "n_annotations",
    "n_characters",
    "n_lines",
    "n_sections",
    "n_examples",
    "n_formulas",
    "n_see_also",
]


@pytest.fixture(scope="module")
def docstrings():
    return load_docstrings(("numpy", "scipy"), min_per_area=15)


def row_of(docstrings, name):
    return docstrings.data.iloc[docstrings.names.tolist().index(name)]


def test_columns_are_text_signature_and_numbers(docstrings):
    assert docstrings.feature_names == ["text", "signature", *NUMBERS]
    assert list(docstrings.data.columns) == docstrings.feature_names
    assert all(docstrings.data[name].dtype == np.float64 for name in NUMBERS)
    assert docstrings.data["text"].map(type).eq(str).all()


def test_parts_of_the_bunch_have_one_length_and_agree(docstrings):
    n = len(docstrings.data)
    assert docstrings.target.shape == docstrings.names.shape == (n,)
    pd.testing.assert_frame_equal(docstrings.frame.drop(columns="area"), docstrings.data)
    assert docstrings.frame["area"].tolist() == docstrings.target.tolist()
    assert docstrings.target_names == sorted(set(docstrings.target))


def test_area_is_the_start_of_the_path_and_has_two_parts_at_most(docstrings):
    for area, name in zip(docstrings.target.tolist(), docstrings.names.tolist(), strict=True):
        assert name.startswith(f"{area}.")
        assert area.count(".") <= 1


def test_each_area_has_enough_rows(docstrings):
    assert np.unique(docstrings.target, return_counts=True)[1].min() >= 15


def test_each_object_and_each_text_is_there_once(docstrings):
    assert docstrings.data["text"].is_unique
    assert len(set(docstrings.names)) == len(docstrings.names)


def test_known_functions_are_found_where_they_were_made(docstrings):
    areas = dict(zip(docstrings.names.tolist(), docstrings.target.tolist(), strict=True))
    assert areas["numpy.linalg.norm"] == "numpy.linalg"
    assert areas["numpy.mean"] == "numpy"
    assert areas["scipy.signal.lfilter"] == "scipy.signal"
    assert areas["scipy.sparse.linalg.eigsh"] == "scipy.sparse"


def test_no_text_and_no_signature_names_a_package_or_a_path(docstrings):
    giveaway = re.compile(r"numpy|scipy|\bnp\.|https?:|versionadded|>>>|\blinalg\b", re.IGNORECASE)
    for column in ("text", "signature"):
        assert not docstrings.data[column].dropna().str.contains(giveaway).any()


def test_words_of_areas_are_gone_from_all_texts(docstrings):
    words = {area.partition(".")[2] for area in docstrings.target_names} - {""}
    pattern = re.compile(rf"\b(?:{'|'.join(words)})s?\b", re.IGNORECASE)
    assert not docstrings.data["text"].str.contains(pattern).any()


def test_texts_are_long_enough_to_be_read(docstrings):
    lengths = docstrings.data["text"].str.len()
    assert lengths.min() >= 200
    assert lengths.tolist() == docstrings.data["n_characters"].tolist()


def test_numbers_describe_signature_and_docstring(docstrings):
    row = row_of(docstrings, "scipy.signal.lfilter")
    assert row["signature"].startswith("lfilter(b, a, x, axis=-1, zi=None)")
    assert (row["n_parameters"], row["n_defaults"], row["n_annotations"]) == (5, 2, 0)
    assert row["n_examples"] > 3
    assert row["n_see_also"] >= 2
    assert row["n_sections"] >= 4


def test_without_a_signature_its_columns_are_missing(docstrings):
    absent = docstrings.data["signature"].isna()
    assert absent.any() and not absent.all()
    counts = docstrings.data[["n_parameters", "n_defaults", "n_annotations"]]
    assert counts[absent].isna().all(axis=None)
    assert counts[~absent].notna().all(axis=None)
    assert docstrings.data[NUMBERS[3:]].notna().all(axis=None)


def test_signatures_show_no_memory_address(docstrings):
    assert not docstrings.data["signature"].dropna().str.contains(" at 0x").any()


def test_the_same_table_each_time_whatever_the_order_of_packages():
    X, y = load_docstrings(("scipy", "numpy"), min_per_area=15, return_X_y=True)
    again, y_again = load_docstrings(["numpy", "scipy"], min_per_area=15, return_X_y=True)
    pd.testing.assert_frame_equal(X, again)
    np.testing.assert_array_equal(y, y_again)


@pytest.mark.filterwarnings("error")
def test_looking_at_deprecated_namespaces_is_silent():
    assert "torch.nn" in load_docstrings(("torch", "sklearn")).target_names


def test_one_package_may_be_given_by_name(docstrings):
    areas = load_docstrings("numpy", min_per_area=15).target_names
    assert areas == [area for area in docstrings.target_names if area.startswith("numpy")]


def test_unknown_package_gets_a_hint():
    with pytest.raises(ParameterError, match="each of packages must be one of .*mean 'numpy'"):
        load_docstrings(("numpi",))


def test_min_per_area_below_one_is_refused():
    with pytest.raises(ParameterError, match="min_per_area must be an int >= 1. Got 0."):
        load_docstrings(("numpy",), min_per_area=0)


def test_min_per_area_that_leaves_nothing_says_what_there_is():
    with pytest.raises(ParameterError, match="Got 99999, and the largest area has [0-9]+ rows"):
        load_docstrings(("numpy",), min_per_area=99999)


def test_no_package_is_refused():
    with pytest.raises(ParameterError, match=r"packages must name at least one of .* Got none."):
        load_docstrings(())


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("uses scipy.linalg.norm here", "uses norm here"),
        ("uses np.linalg.norm", "uses norm"),
        ("the NumPy array", "the array"),
        ("torch.from_numpy(x)", "from_(x)"),
        ("scikit-learn and PyTorch", "and"),
        ("a linear model, two Linear Models", "a , two"),
        ("signals in a signal", "in a"),
        ("signalling is kept", "signalling is kept"),
        ("signal.windows", "windows"),
        ("e.g. input.shape", "e.g. input.shape"),
    ],
)
def test_mask(text, masked):
    areas = ["numpy", "scipy.linalg", "scipy.signal", "sklearn.linear_model", "torch.nn"]
    assert Mask(areas)(text) == masked


def test_prose_drops_examples_up_to_the_next_blank_line():
    docstring = "Sum.\n\n>>> import numpy as np\n>>> np.ones(2)\narray([1., 1.])\n\nMore.\n"
    assert prose(docstring) == "Sum.\n\n\nMore.\n"


def test_prose_drops_version_notes_and_link_targets():
    docstring = ".. versionadded:: 1.5\nSee :ref:`the guide <pca>` and :doc:`pca`.\n"
    assert prose(docstring) == "\nSee :ref:`the guide ` and .\n"


def test_public_objects_are_documented_callables_and_sorted():
    found = public_objects(["numpy"])
    assert all(callable(item.value) and item.value.__doc__.strip() for item in found)
    assert [item.path for item in found] == sorted(item.path for item in found)
    assert len({id(item.value) for item in found}) == len(found)
