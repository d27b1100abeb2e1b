"""Datetimes and durations never become counts of nanoseconds without a word."""

import datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from skfusion import BlockUnion, FusionClassifier
from skfusion.exceptions import BlockTypeError
from skfusion.inputs import DateParts

DAYS = pd.date_range("2024-01-01", periods=20)
SPANS = pd.to_timedelta(np.arange(20), unit="h")
Y = np.arange(20) % 2
UNITS = ["D", "h", "s", "ms", "us", "ns"]
SCALERS = [
    StandardScaler(),
    make_pipeline(SimpleImputer(), StandardScaler()),
    FeatureUnion([("first", StandardScaler()), ("second", StandardScaler())]),
    "passthrough",
]


def cells(values):
    column = np.empty(len(values), dtype=object)
    column[:] = list(values)
    return column


def sources(values):
    """The same values as a frame, as objects in a frame, in a dict, and as an array."""
    plain = np.asarray(values)
    yield pd.DataFrame({"due": values}), ["due"]
    yield pd.DataFrame({"due": values, "cost": np.arange(20.0)}), ["due", "cost"]
    yield pd.DataFrame({"due": cells(plain)}), ["due"]
    yield pd.DataFrame({"due": cells(values)}), ["due"]
    yield {"due": plain}, ["due"]
    yield {"due": plain[:, None]}, ["due"]
    yield plain[:, None], [0]


@pytest.mark.parametrize("transformer", SCALERS, ids=str)
@pytest.mark.parametrize("values", [DAYS, SPANS], ids=["dates", "durations"])
def test_behind_a_scaler_they_are_refused(transformer, values):
    for X, columns in sources(values):
        with pytest.raises(BlockTypeError, match="in block 'facts'.*(column '?|dtype)"):
            BlockUnion([("facts", transformer, columns)]).fit(X)


@pytest.mark.parametrize("columns", [["due"], "due", [1], slice("due", None), lambda X: ["due"]])
@pytest.mark.parametrize("values", [DAYS, SPANS], ids=["dates", "durations"])
def test_within_a_column_transformer_they_are_refused(values, columns):
    X = pd.DataFrame({"cost": np.arange(20.0), "due": values})
    for inner in (
        ColumnTransformer([("scaled", StandardScaler(), columns)]),
        ColumnTransformer([("kept", "passthrough", ["cost"])], remainder=StandardScaler()),
        ColumnTransformer([("more", ColumnTransformer([("s", StandardScaler(), [1])]), [0, 1])]),
    ):
        with pytest.raises(BlockTypeError, match="in block 'facts'.*column 'due' holds"):
            BlockUnion([("facts", inner, ["cost", "due"])]).fit(X)


def test_a_column_transformer_may_know_what_to_do_with_dates():
    X = pd.DataFrame({"cost": np.arange(20.0), "due": DAYS, "kind": list("ab") * 10})
    inner = ColumnTransformer(
        [
            ("scaled", StandardScaler(), ["cost"]),
            ("parts", DateParts(), ["due"]),
            ("kinds", OneHotEncoder(), ["kind"]),
            ("left", "drop", ["due"]),
        ],
        remainder="passthrough",
    )
    blocks = BlockUnion([("facts", inner, ["cost", "due", "kind"])]).fit_transform(X)
    assert blocks["facts"].shape[0] == 20
    array = X[["cost", "due"]].to_numpy()
    behind = ColumnTransformer([("scaled", StandardScaler(), [1])])
    with pytest.raises(BlockTypeError, match="in block 'facts'.*column 1 holds datetimes"):
        BlockUnion([("facts", behind, [0, 1])]).fit(array)


def test_the_repair_of_dates_works():
    X = pd.DataFrame({"due": DAYS, "took": SPANS})
    with pytest.raises(BlockTypeError, match=r"column 'due' holds datetimes.*DateParts\(\)"):
        BlockUnion([("facts", StandardScaler(), ["due"])]).fit(X)
    with pytest.raises(BlockTypeError, match=r"column 'took' holds durations.*total_seconds"):
        BlockUnion([("facts", StandardScaler(), ["took"])]).fit(X)
    X["took"] = X["took"].dt.total_seconds()
    assert set(BlockUnion().fit_transform(X).names) == {"dates", "numbers"}


def test_what_may_take_dates_gets_them():
    X = pd.DataFrame({"due": DAYS})
    days = FunctionTransformer(lambda frame: frame.apply(lambda column: column.dt.day))
    own = type("Own", (StandardScaler,), {"fit": lambda self, X, y=None: self, "transform": _day})
    for transformer in (OneHotEncoder(), days, make_pipeline(days, StandardScaler()), own()):
        assert len(BlockUnion([("facts", transformer, ["due"])]).fit_transform(X)) == 20


def _day(self, X):
    return X.apply(lambda column: column.dt.day)


@pytest.mark.parametrize("unit", UNITS)
def test_arrays_of_dates_are_calendar_parts_or_refused(unit):
    expected = BlockUnion().fit_transform(pd.DataFrame({"due": DAYS}))["dates"]
    array = DAYS.to_numpy().astype(f"M8[{unit}]")
    for X in (array[:, None], {"due": array}, {"due": array[:, None]}):
        blocks = BlockUnion().fit_transform(X)
        np.testing.assert_array_equal(blocks[blocks.names[0]], expected)
    model = FusionClassifier(max_epochs=1)
    try:
        model.fit(array[:, None], Y)
    except BlockTypeError as error:
        assert "datetimes" in str(error)
    else:
        assert next(iter(model.specs_.values())).shape == (9,)


@pytest.mark.parametrize(
    "values",
    [
        SPANS.to_numpy()[:, None],
        cells(SPANS.to_numpy())[:, None],
        cells(SPANS)[:, None],
        [[np.timedelta64(row, "s")] for row in range(20)],
        [[datetime.timedelta(row)] for row in range(20)],
        [[datetime.time(row)] for row in range(20)],
        {"took": SPANS.to_numpy(), "cost": np.arange(20.0)},
        {"took": [datetime.timedelta(row) for row in range(20)], "cost": np.arange(20.0)},
        {"took": [datetime.time(row) for row in range(20)], "cost": np.arange(20.0)},
        pd.DataFrame({"took": SPANS}),
    ],
    ids=lambda values: type(values).__name__,
)
def test_durations_and_times_are_refused_by_the_estimator(values):
    with pytest.raises((TypeError, ValueError), match="durations|Timedelta|time"):
        FusionClassifier(max_epochs=1).fit(values, Y)


@pytest.mark.parametrize(
    "shown",
    [
        np.column_stack([DAYS, DAYS]),
        pd.DataFrame({"a": DAYS, "b": 1.0}),
        pd.DataFrame({"a": SPANS, "b": SPANS}),
        [[np.datetime64("2024-01-01"), np.datetime64("2024-01-01")]] * 20,
    ],
    ids=["array", "frame", "durations", "lists"],
)
def test_dates_where_a_matrix_was_fitted_are_refused(shown):
    model = FusionClassifier(max_epochs=1).fit(np.column_stack([Y, Y + 1.0]), Y)
    with pytest.raises((TypeError, ValueError), match="holds (datetimes|durations)"):
        model.predict(shown)
