"""Labels of all makers come back as they went in; what is wrong with one is said by row."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse

from skfusion import FusionClassifier
from skfusion.exceptions import ParameterError, TargetError
from skfusion.targets import LabelCoding, OutputSpec

N = 24
X = np.random.default_rng(0).normal(size=(N, 2))
BITS, THREE = np.arange(N) % 2, np.arange(N) % 3
WORDS = np.array(["hen", "owl"])[BITS].tolist()
DAYS = [dt.date(2024, 1, 1 + day) for day in THREE.tolist()]
SPANS = [dt.timedelta(days=day) for day in THREE.tolist()]
# numpy has texts of any length from version 2 on.
STRINGS = np.dtype("T") if int(np.__version__[0]) > 1 else object
STAMPS = pd.Series(pd.to_datetime(DAYS))


def quick(**params):
    return FusionClassifier(max_epochs=1, random_state=0, **params)


def nullable(values, dtype):
    return pd.Series(values, dtype=dtype)


# y, the dtype of classes_, and the labels that are expected among them.
LABELS = {
    "nullable integers": (nullable(THREE, "Int64"), "int64", [0, 1, 2]),
    "nullable booleans": (nullable(BITS == 1, "boolean"), "bool", [False, True]),
    "nullable texts": (nullable(WORDS, "string"), "O", ["hen", "owl"]),
    "a list of texts": (WORDS, "<U3", ["hen", "owl"]),
    "a tuple of texts": (tuple(WORDS), "<U3", ["hen", "owl"]),
    "a list of booleans": ((BITS == 1).tolist(), "bool", [False, True]),
    "objects that are booleans": ((BITS == 1).astype(object), "bool", [False, True]),
    "objects that are integers": (THREE.astype(object), "int64", [0, 1, 2]),
    "categories": (pd.Categorical(WORDS), "O", ["hen", "owl"]),
    "categories of nullable integers": (
        nullable(THREE, "Int64").astype("category"),
        "int64",
        [0, 1, 2],
    ),
    "an index": (pd.Index(WORDS), "O", ["hen", "owl"]),
    "a sparse series": (pd.Series(pd.arrays.SparseArray(BITS)), "int64", [0, 1]),
    "texts of any length of numpy": (np.array(WORDS, dtype=STRINGS), "O", ["hen", "owl"]),
    "polars texts": (pl.Series(WORDS), "O", ["hen", "owl"]),
    "polars categories": (pl.Series(WORDS, dtype=pl.Categorical), "O", ["hen", "owl"]),
    "polars integers": (pl.Series(THREE), "int64", [0, 1, 2]),
    "a tensor": (torch.tensor(THREE), "int64", [0, 1, 2]),
    "dates": (DAYS, "O", DAYS[:3]),
    "spans of time": (SPANS, "O", SPANS[:3]),
    "time stamps": (STAMPS, STAMPS.dtype, STAMPS[:3].to_numpy()),
    "time stamps with a zone": (
        STAMPS.dt.tz_localize("UTC"),
        "O",
        list(STAMPS[:3].dt.tz_localize("UTC")),
    ),
    "periods": (STAMPS.dt.to_period("D"), "O", list(STAMPS[:3].dt.to_period("D"))),
    "decimals": ([Decimal(int(bit)) for bit in BITS], "O", [Decimal(0), Decimal(1)]),
    "a large integer": ([2**70, 1] * (N // 2), "O", [1, 2**70]),
    "no values are masked": (np.ma.MaskedArray(THREE, np.zeros(N, bool)), "int64", [0, 1, 2]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_come_back(kind):
    y, dtype, expected = LABELS[kind]
    model = quick().fit(X, y)
    assert model.classes_.dtype == dtype
    assert len(model.classes_) == len(expected)
    assert all(label == one for label, one in zip(model.classes_, expected, strict=True))
    assert model.predict(X).dtype == dtype
    right = [one == label for one, label in zip(model.predict(X), list(y), strict=True)]
    assert model.score(X, y) == np.mean(right)


def test_arrow_labels_come_back():
    for kind, y, expected in (
        (pa.int64(), THREE.tolist(), [0, 1, 2]),
        (pa.bool_(), (BITS == 1).tolist(), [False, True]),
        (pa.string(), WORDS, ["hen", "owl"]),
        (pa.date32(), DAYS, DAYS[:3]),
    ):
        for column in (pd.Series(y, dtype=pd.ArrowDtype(kind)), pa.array(y, type=kind)):
            assert quick().fit(X, column).classes_.tolist() == expected
    words = pa.array(WORDS).dictionary_encode()
    assert quick().fit(X, words).classes_.tolist() == ["hen", "owl"]


MISSING = {
    "None in a list": (["a", "b", None] * 8, "row 2: the label is missing"),
    "NaN among texts": (["a", float("nan"), "b"] * 8, "row 1: the label is missing"),
    "a nullable text": (nullable(["a", "b", pd.NA] * 8, "string"), "row 2: the label is missing"),
    "a nullable integer": (nullable([1, pd.NA, 2] * 8, "Int64"), "row 1: the label is missing"),
    "a nullable boolean": (nullable([None, True] * 12, "boolean"), "row 0: the label is missing"),
    "NaN": ([1.0, 2.0, np.nan] * 8, "row 2: the label is missing .*Input y contains NaN"),
    "NaT": (pd.Series(pd.to_datetime(["2024-01-01", None] * 12)), "row 1: .* missing .NaT"),
    "a category": (pd.Series(["a", None, "b"] * 8, dtype="category"), "row 1: .* is missing"),
    "polars": (pl.Series(["a", None, "b"] * 8), "row 1: the label is missing"),
    "several columns": ([[0, 1], [1, None]] * 12, "row 1, output 1: the label is missing"),
    "a masked array": (np.ma.MaskedArray(THREE, BITS == 1), "row 1: .* is missing"),
    "csr": (sparse.csr_array([[1.0, 0.0], [0.0, np.nan]] * 12), "row 1: the label in column 1 is"),
    "infinity": ([1.0, np.inf] * 12, "row 1: the label is inf"),
}


@pytest.mark.parametrize("kind", MISSING)
def test_a_missing_label_is_said_to_be_missing(kind):
    y, match = MISSING[kind]
    with pytest.raises(TargetError, match=match):
        quick().fit(X, y)


def test_a_class_that_is_missing_among_those_named():
    with pytest.raises(TargetError, match="row 2: the label is missing"):
        quick().partial_fit(X, BITS, classes=[0, 1, None])


MIXED = {
    "texts and numbers": (["a", 1] * 12, r"'a' \(str\) in row 0, 1 \(int\) in row 1"),
    "booleans and numbers": ([True, 2] * 12, r"True \(bool\) in row 0, 2 \(int\) in row 1"),
    "sets": ([{1}, {2}] * 12, r"Unknown label type: y holds set objects"),
    "zones": ([STAMPS[0], STAMPS[0].tz_localize("UTC")] * 12, "cannot be sorted: "),
    "three axes": (np.zeros((N, 2, 2)), r"Unknown label type: y of shape \(24, 2, 2\)"),
    "numbers": (np.linspace(0, 1, N), "Unknown label type: continuous.*FusionRegressor"),
    "1 and 2 of several labels": ([[1, 2], [2, 1]] * 12, "row 0, output 1: 2.* in a matrix"),
}


@pytest.mark.parametrize("kind", MIXED)
def test_labels_that_are_none(kind):
    y, match = MIXED[kind]
    with pytest.raises(TargetError, match=match):
        quick().fit(X, y)


@pytest.mark.parametrize(
    ("first", "then"),
    [(THREE, np.array(WORDS)), (WORDS, BITS), (DAYS, THREE), (BITS, DAYS), (STAMPS, DAYS)],
)
def test_labels_of_another_type_than_those_before(first, then):
    with pytest.raises(TargetError, match="row 0: label .* is none of the classes"):
        quick().partial_fit(X, first).partial_fit(X, then)


def test_labels_that_are_equal_may_be_of_another_type():
    model = quick().partial_fit(X, nullable(BITS == 1, "boolean"))
    assert model.partial_fit(X, BITS).classes_.tolist() == [False, True]


def test_labels_that_no_row_of_the_fit_had_count_as_wrong():
    model = quick().fit(X, WORDS)
    assert model.score(X, ["cow"] * N) == 0
    with pytest.raises(TargetError, match="y holds 0 in row 0, .* such as .*of another type"):
        model.score(X, THREE)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.score(X, WORDS[:3])


def test_a_score_of_labels_in_another_shape_is_refused():
    model = quick().fit(X, BITS)
    several = quick(target="labels").fit(X, np.eye(3, dtype=int)[THREE])
    for fitted, y in ((model, np.eye(2, dtype=int)[BITS]), (several, THREE)):
        with pytest.raises(TargetError, match="y has shape .*Pass y as in the fit"):
            fitted.score(X, y)


@pytest.mark.parametrize("classes", [[0, 1, 2], [0, 2], ["0", "1"], [0]])
def test_other_classes_than_at_first_are_refused(classes):
    model = quick().partial_fit(X, BITS, classes=[0, 1])
    with pytest.raises(TargetError, match=r"are not the classes of the first fit, .*\[0, 1\]"):
        model.partial_fit(X, BITS, classes=classes)
    assert model.partial_fit(X, BITS, classes=[1.0, 0.0]).classes_.tolist() == [0, 1]


# Several labels a row


@pytest.mark.parametrize("dtype", [int, bool, float])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, pd.DataFrame])
def test_one_hot_rows_are_warned_of(dtype, make):
    with pytest.warns(UserWarning, match=r"exactly one 1 in every row.*y\.argmax\(axis=1\)"):
        quick().fit(X, make(np.eye(3, dtype=dtype)[THREE]))


def test_rows_of_several_labels_are_not_warned_of(recwarn):
    y = np.eye(3, dtype=int)[THREE]
    y[0] = 0
    quick().fit(X, y)
    y[0] = 1
    quick().fit(X, sparse.csr_array(y))
    assert not [one for one in recwarn if "exactly one" in str(one.message)]


def test_sparse_labels_are_those_of_a_dense_matrix():
    y = np.column_stack([BITS, THREE > 0]).astype(int)
    weight = np.linspace(1, 2, N)
    dense, csr = (
        quick(early_stopping=True, missing="allow").fit(X, make(y), sample_weight=weight)
        for make in (np.asarray, sparse.csr_array)
    )
    np.testing.assert_array_equal(dense.predict_proba(X), csr.predict_proba(X))
    assert dense.score(X, y) == csr.score(X, sparse.csr_matrix(y))


# Weights


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf])
def test_weights_that_are_none(wrong):
    weight = np.ones(N)
    weight[3] = wrong
    with pytest.raises(TargetError, match=f"sample_weight, row 3: {wrong} is no weight"):
        quick().fit(X, BITS, sample_weight=weight)
    with pytest.raises(TargetError, match="sample_weight, row 1: .*NA.* is no weight"):
        quick().fit(X, BITS, sample_weight=nullable([1, pd.NA] * 12, "Int64"))


NO_WEIGHTS = {
    "dates": (np.full(N, np.datetime64("2024-01-01")), "row 0: 2024-01-01 is no weight"),
    "spans": (pd.Series(SPANS), "row 0: .* is no weight"),
    "dates as objects": (np.array(DAYS, dtype=object), "row 0: 2024-01-01 is no weight"),
    "texts": (["1", "much"] * 12, "row 1: much is no weight"),
    "complex numbers": (np.full(N, 1j), "row 0: 1j is no weight"),
    "a word": ("balanced", "sample_weight: balanced is no weight"),
    "masked": (np.ma.MaskedArray(np.ones(N), BITS == 1), "row 1: nan is no weight"),
    "nothing": (np.zeros(N), "zero|at least one non-zero"),
}


@pytest.mark.parametrize("kind", NO_WEIGHTS)
def test_what_no_row_can_weigh_is_refused_in_fit_and_score(kind):
    weight, match = NO_WEIGHTS[kind]
    model = quick().fit(X, BITS)
    for call in (model.fit, model.score):
        with pytest.raises(ValueError, match=match):
            call(X, BITS, sample_weight=weight)


def test_a_score_takes_weights_of_all_makers():
    model = quick().fit(X, BITS)
    weight = np.arange(N) + 1
    expected = model.score(X, BITS, weight)
    for same in (pl.Series(weight), nullable(weight, "Int64"), torch.tensor(weight)):
        assert model.score(X, BITS, same) == expected
    with pytest.raises(TargetError, match="row 1: .*NA.* is no weight"):
        model.score(X, BITS, nullable([1, pd.NA] * 12, "Int64"))


def test_huge_weights_count_by_their_ratio():
    weight = np.where(np.arange(N) < 12, 1.0, 2.0)
    plain, huge = (quick().fit(X, BITS, weight * size) for size in (1.0, 2.0**1020))
    np.testing.assert_array_equal(plain.predict_proba(X), huge.predict_proba(X))


def test_weights_that_leave_one_class():
    with pytest.raises(TargetError, match=r"one class only, \[1\].*weight above 0"):
        quick().fit(X, BITS, sample_weight=BITS * 1.0)
    with pytest.raises(TargetError, match=r"class_weight leaves \[1\] of the classes \[0, 1\]"):
        quick(class_weight={0: 0}).fit(X, BITS)


def test_a_class_of_weight_zero_is_not_learned():
    model = quick(class_weight={0: 0}).set_params(max_epochs=60, lr=0.05).fit(X, THREE)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict_proba(X)[:, 0].mean() < 0.1


@pytest.mark.parametrize(
    ("class_weight", "match"),
    [
        ({0: -1}, "class_weight of 0 must be a number >= 0. Got -1"),
        ({0: np.nan}, "class_weight of 0 must be a number >= 0. Got nan"),
        ({0: "much"}, "class_weight of 0 must be .*Got 'much'"),
        ({2: 3}, r"class_weight names 2, which is none of the classes \[0, 1\]"),
        ({"0": 3}, "class_weight names '0', .*Did you mean 0"),
        ("balnced", "class_weight must be .*Did you mean 'balanced'"),
        ([1, 2], r"class_weight must be .*Got \[1, 2\]"),
        (np.array([1, 2]), r"class_weight must be .*Got array\(\[1, 2\]\)"),
        (pd.Series([1, 2]), "class_weight must be None"),
        (pd.NA, "class_weight must be .*Got <NA>"),
    ],
)
def test_class_weights_that_are_none(class_weight, match):
    model = quick(warm_start=True).fit(X, BITS).set_params(class_weight=class_weight)
    for call in (quick(class_weight=class_weight).fit, model.fit, model.partial_fit):
        with pytest.raises(ParameterError, match=match):
            call(X, BITS)


def test_a_weight_for_a_class_that_a_fold_lacks():
    quick(class_weight={0: 1, 1: 2, 2: 3}).fit(X, BITS)


@pytest.mark.parametrize(("n_classes", "n_outputs", "ndim"), [(2, 1, 1), (2, 2, 2), (4, 1, 2)])
def test_scores_are_flat_for_two_classes_of_one_output(n_classes, n_outputs, ndim):
    """A score of one output and more classes, as of grades in order, is none of a second class."""
    coding = LabelCoding(np.arange(n_classes), OutputSpec("value", (n_outputs,)))
    scores = coding.scores(np.ones((5, n_outputs)))
    assert scores.shape == (5, n_outputs)[:ndim]
