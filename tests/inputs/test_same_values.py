"""Categories and flags that mean the same are the same, whatever type they come in."""

import datetime
import decimal
import fractions

import numpy as np
import pandas as pd
import polars
import pyarrow
import pytest
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder

from skfusion import FusionClassifier
from skfusion.exceptions import BlockTypeError
from skfusion.inputs import BlockUnion
from skfusion.inputs._tables.plain import PlainLabels


def cells(*values):
    column = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):
        column[row] = value
    return pd.Series(column)


def coded(learned, shown):
    """The one-hot block of ``shown`` by a union that learned ``learned``, beside a number."""
    union = BlockUnion().fit(
        pd.DataFrame({"depot": learned, "n": np.arange(len(learned), dtype=float)})
    )
    X = pd.DataFrame({"depot": shown, "n": np.zeros(len(shown))})
    return union.transform(X)["categories"].toarray().tolist()


DAY = datetime.date(2024, 1, 2)
EYE = np.eye(2).tolist()


@pytest.mark.parametrize(
    ("learned", "shown"),
    [
        (pd.Categorical([1, 2]), [1.0, 2.0]),
        (pd.Categorical([1.0, 2.0]), [1, 2]),
        (pd.Categorical([1, 2]), pd.array([1, 2], dtype="Int8")),
        (pd.Categorical([1, 2]), ["1", "2"]),
        (pd.Categorical([1, 2]), ["1.0", "2.0"]),
        (pd.Categorical([1, 2]), cells(decimal.Decimal("1.00"), decimal.Decimal(2))),
        (pd.Categorical([1, 2]), cells(fractions.Fraction(1), 2 + 0j)),
        (pd.Categorical([1, 2]), cells(np.int16(1), np.float32(2))),
        (pd.Categorical([0, 1]), [False, True]),
        (pd.Categorical([False, True]), [0, 1]),
        (pd.Categorical([False, True]), [0.0, 1.0]),
        (pd.Categorical([False, True]), ["False", "True"]),
        (["1", "2"], [1, 2]),
        (["1", "2"], [1.0, 2.0]),
        (["1.0", "2.0"], [1, 2]),
        (["False", "True"], [False, True]),
        (["False", "True"], [0, 1]),
        (["01", "1"], cells("01", 1)),
        (["a", "b"], [b"a", b"b"]),
        (["a", "b"], pd.Categorical(["a", "b"], categories=["z", "b", "a"])),
        (pd.Categorical([0.1, 0.25]), np.array([0.1, 0.25], dtype=np.float32)),
        (pd.Categorical(np.array([0.1, 0.25], dtype=np.float32)), [0.1, 0.25]),
        (pd.Categorical([2**60, 2**60 + 1]), [2**60, 2**60 + 1]),
        (pd.Categorical(pd.to_datetime([DAY, "2024-02-01"])), [DAY, datetime.date(2024, 2, 1)]),
        (pd.Categorical([DAY, datetime.date(2024, 2, 1)]), pd.to_datetime([DAY, "2024-02-01"])),
        (["2024-01-02", "2024-02-01"], cells(DAY, pd.Timestamp("2024-02-01"))),
        (pd.cut([1, 7], [0, 5, 10]), pd.cut([1, 7], [0, 5, 10])),
    ],
)
def test_categories_are_known_in_another_type(learned, shown):
    assert coded(learned, shown) == EYE


@pytest.mark.parametrize(
    ("learned", "shown"),
    [
        (["01", "02"], [1, 2]),
        (pd.Categorical([1, 2]), [1.5, 2.5]),
        (pd.Categorical([1, 2]), ["01x", "nan"]),
        (pd.Categorical([1, 2]), [np.inf, -np.inf]),
        (["a", "b"], ["A", " b"]),
        (pd.Categorical([2**60, 2**60 + 2]), [2**60 + 1, 2**60 + 3]),
    ],
)
def test_other_values_are_other_categories(learned, shown):
    assert coded(learned, shown) == np.zeros((2, 2)).tolist()


def test_integers_that_pandas_turned_to_floats_where_one_is_missing():
    X = pd.DataFrame({"depot": pd.Categorical([1, 2, 1, 2]), "n": [0.5, 1.0, 2.0, 3.0]})
    model = FusionClassifier(max_epochs=2, random_state=0).fit(X, [0, 1, 0, 1])
    expected = model.predict_proba(X)
    some = X.assign(depot=[1, 2, None, 2])
    assert some["depot"].dtype == float
    np.testing.assert_array_equal(model.predict_proba(some)[[0, 1, 3]], expected[[0, 1, 3]])


@pytest.mark.parametrize(
    "shown",
    [
        [1, 0, 1],
        [1.0, 0.0, 1.0],
        pd.array([1, 0, 1], dtype="Int64"),
        pd.array([True, False, True], dtype="boolean"),
        pd.Series([True, False, True], dtype=pd.ArrowDtype(pyarrow.bool_())),
        cells(True, 0, 1.0),
        cells(decimal.Decimal(1), np.False_, 1),
        polars.Series([True, False, True]).to_numpy(),
        pd.Categorical([True, False, True]),
    ],
)
def test_a_flag_is_known_as_a_number(shown):
    union = BlockUnion().fit(pd.DataFrame({"flag": [True, False, True], "n": [1.0, 2.0, 3.0]}))
    blocks = union.transform(pd.DataFrame({"flag": shown, "n": [1.0, 2.0, 3.0]}))
    assert blocks["booleans"].ravel().tolist() == [1, 0, 1]


def test_names_of_categories_are_those_learned():
    X = pd.DataFrame({"a": pd.Categorical([1.0, 2.0]), "b": pd.Categorical([True, False])})
    union = BlockUnion().fit(X)
    names = ["a_1.0", "a_2.0", "b_False", "b_True"]
    assert union.get_feature_names_out().tolist() == [f"categories__{name}" for name in names]
    union.transform(X.astype({"a": int, "b": int}))
    assert union.get_feature_names_out().tolist() == [f"categories__{name}" for name in names]


def test_equal_cells_of_several_types_have_one_name_in_any_order():
    column = [True, 1, 1.0, "a", decimal.Decimal(1)]
    for order in (column, column[::-1]):
        plain = PlainLabels().fit(pd.DataFrame({"x": cells(*order)}))
        assert set(plain.transform(pd.DataFrame({"x": cells(*order)})).ravel()) == {"1", "a"}


def test_a_row_does_not_depend_on_its_neighbours():
    plain = PlainLabels().fit(pd.DataFrame({"x": cells("True", "1", "2.0")}))
    shown = cells(True, 1, 1.0, 2, "2", b"2.0", None, 0)
    together = plain.transform(pd.DataFrame({"x": shown})).ravel().tolist()
    alone = [plain.transform(pd.DataFrame({"x": shown[[i]]})).item() for i in range(len(shown))]
    assert list(map(str, together)) == list(map(str, alone))


@pytest.mark.parametrize("cell", [[1], {"a": 1}, np.zeros(2), ([1],)])
def test_a_list_among_categories_is_refused_by_row(cell):
    union = BlockUnion().fit(pd.DataFrame({"depot": ["a", "b", "a"], "n": [1.0, 2.0, 3.0]}))
    with pytest.raises(BlockTypeError, match=r"column 'depot', row 1 holds .*no category"):
        union.transform(pd.DataFrame({"depot": cells("a", cell, "b"), "n": [1.0, 2.0, 3.0]}))


# Numbers in cells of any type, for transformers that the user names

WHOLE = [1, 2, 3, 1, 2, 3]
FORMS = {
    "objects": cells(*WHOLE),
    "objects of floats": cells(*map(float, WHOLE)),
    "decimals": cells(*map(decimal.Decimal, WHOLE)),
    "plain": pd.Series(WHOLE),
    "nullable": pd.Series(WHOLE, dtype="Int64"),
    "nullable floats": pd.Series(WHOLE, dtype="Float64"),
    "category": pd.Series(pd.Categorical(WHOLE)),
    "Arrow": pd.Series(WHOLE, dtype=pd.ArrowDtype(pyarrow.int8())),
    "objects in an array": cells(*WHOLE).to_numpy(),
}


@pytest.mark.parametrize("transformer", [OneHotEncoder(), KBinsDiscretizer(3, strategy="uniform")])
@pytest.mark.parametrize("learned", FORMS)
def test_numbers_of_any_form_are_the_same_to_any_transformer(learned, transformer):
    union = BlockUnion([("k", transformer, ["k"])])
    expected = union.fit_transform({"k": FORMS[learned]})["k"].toarray()
    for shown in FORMS.values():
        found = union.transform({"k": shown})["k"].toarray()
        np.testing.assert_array_equal(found, expected)


def test_numbers_that_floats_do_not_hold_stay_as_they_are():
    ids = cells(2**60 + 1, None, 2**60 + 2)
    union = BlockUnion([("k", OneHotEncoder(), ["k"])]).fit(pd.DataFrame({"k": ids}))
    shown = union.transform(pd.DataFrame({"k": ids}))["k"].toarray()
    np.testing.assert_array_equal(shown[[0, 2]].sum(axis=0)[:2], [1, 1])


def test_one_decimal_among_numbers_is_a_number():
    mixed = cells(1.5, decimal.Decimal("2.5"), fractions.Fraction(7, 2), 4)
    X = pd.DataFrame({"cost": mixed, "depot": ["a", "b", "a", "b"]})
    plain = X.assign(cost=[1.5, 2.5, 3.5, 4.0])
    found, expected = (BlockUnion().fit_transform(table)["numbers"] for table in (X, plain))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
