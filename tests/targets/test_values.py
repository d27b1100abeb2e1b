"""Values of all makers, sizes and shapes; what is wrong with one is said by row."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.metrics import r2_score

from skfusion import Blocks, FusionRegressor
from skfusion.exceptions import TargetError
from skfusion.targets import Values

N = 24
X = np.random.default_rng(0).normal(size=(N, 2))
Y = np.linspace(-1, 1, N)
WEIGHT = np.linspace(1, 2, N)
DAYS = [dt.date(2024, 1, 1 + row) for row in range(N)]
SPANS = [dt.timedelta(days=row) for row in range(N)]


def quick(**params):
    return FusionRegressor(**({"max_epochs": 2, "random_state": 0} | params))


@pytest.mark.parametrize(
    "y",
    [
        pd.Series(Y, dtype="Float64"),
        pl.Series(Y),
        torch.tensor(Y, requires_grad=True),
        [Decimal(value) for value in Y.tolist()],
        Y.astype(np.longdouble),
        Y.astype(">f8"),
        [str(value) for value in Y],
        pd.Series(Y).astype("category"),
    ],
    ids=lambda y: type(y).__name__,
)
def test_values_of_all_makers(y):
    np.testing.assert_array_equal(quick().fit(X, y).predict(X), quick().fit(X, Y).predict(X))


@pytest.mark.parametrize("shape", [(3,), (4, 6), (2, 3, 2)])
@pytest.mark.parametrize("params", [{}, {"head": "mlp"}, {"block_loss_weight": 0.1}])
def test_values_come_back_in_their_shape(shape, params):
    sizes = np.arange(1, 1 + np.prod(shape)).reshape(shape)
    y = 100 * sizes + sizes * np.multiply.outer(X[:, 0], np.ones(shape))
    model = quick(max_epochs=40, lr=0.01, early_stopping=True, **params)
    model.fit(X, y, sample_weight=WEIGHT)
    predicted = model.predict(X)
    assert predicted.shape == y.shape
    flat = y.reshape(N, -1), predicted.reshape(N, -1)
    assert model.score(X, y, WEIGHT) == pytest.approx(r2_score(*flat, sample_weight=WEIGHT))
    assert model.score(X, y) > 0.5  # each output in its own units
    assert np.isfinite(model.history_["valid_score"]).all()


@pytest.mark.parametrize("loss", ["absolute", "huber", "quantile", "poisson"])
def test_grids_go_with_every_loss(loss):
    y = np.random.default_rng(0).random((N, 2, 3)) + 0.1
    flat = quick(loss=loss).fit(X, y.reshape(N, 6), sample_weight=WEIGHT)
    model = quick(loss=loss).fit(X, y, sample_weight=WEIGHT)
    np.testing.assert_array_equal(model.predict(X).reshape(N, 6), flat.predict(X))


def test_grids_where_the_fusion_decides_and_rows_without_blocks():
    y = np.random.default_rng(0).random((N, 2, 3))
    blocks = {"a": X, "b": X}
    assert quick(fusion="late").fit(blocks, y).predict(blocks).shape == y.shape
    model = quick(missing="allow", loss="absolute").fit(blocks, y)
    nothing = model.predict(Blocks(blocks, {name: np.ones(N, bool) for name in blocks}))
    np.testing.assert_allclose(nothing, np.broadcast_to(np.median(y, axis=0), y.shape), atol=0.1)


@pytest.mark.parametrize("size", [1e300, 1e200, 1e-200, 1e-300])
def test_numbers_of_any_size(size):
    plain, sized = quick().fit(X, Y), quick().fit(X, Y * size)
    np.testing.assert_allclose(sized.predict(X) / size, plain.predict(X), atol=1e-5)
    assert sized.score(X, Y * size) == pytest.approx(plain.score(X, Y), abs=1e-4)


WRONG = {
    "NA": (pd.Series([1.0, pd.NA] * 12, dtype="Float64"), "row 1: the value is missing"),
    "None": ([1.0, None] * 12, "row 1: the value is missing"),
    "NaN in a grid": (np.full((N, 2, 2), np.nan), r"row 0, output \(0, 0\): .* contains NaN"),
    "infinity": ([1.0, -np.inf] * 12, "row 1: the value is -inf. Input y contains infinity"),
    "too large": ([1.7e308, 1.0] * 12, "row 0: .*too large to be standardised"),
    "dates": (DAYS, "y holds dates, such as 2024-01-01 in row 0"),
    "time stamps": (pd.Series(pd.to_datetime(DAYS)), "y holds dates.*for days"),
    "spans": (pd.Series(SPANS), "y holds spans of time.*for seconds"),
    "a date among numbers": (
        pd.DataFrame({"a": Y, "b": pd.to_datetime(DAYS)}),
        "y holds dates, such as 2024-01-01",
    ),
    "texts": (["low", "high"] * 12, "row 0: could not convert string to float: 'low'"),
    "categories": (pd.Series(["1", "b"] * 12).astype("category"), "row 1: could not convert"),
    "a text of infinity": (["1", "inf"] * 12, "row 1: the value is inf"),
    "a text of NaN": (["1", "2", "nan"] * 8, "row 2: the value is missing"),
    "integers": ([1, 10**400] * 12, "row 1: int too large"),
    "nothing": (np.empty((N, 2, 0)), "has no value in a row"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_values_that_are_none(kind):
    y, match = WRONG[kind]
    with pytest.raises(TargetError, match=match):
        quick().fit(X, y)


def test_values_unlike_those_of_the_first_fit():
    with pytest.raises(TargetError, match="row 0: .* standard deviations off"):
        quick().partial_fit(X, Y).partial_fit(X, Y * 1e200)
    with pytest.raises(TargetError, match="y has 3 x 2 outputs, but the first fit had 2 x 3"):
        quick().partial_fit(X, np.ones((N, 2, 3))).partial_fit(X, np.ones((N, 3, 2)))
    model = quick().fit(X, np.ones((N, 2, 3)))
    with pytest.raises(TargetError, match=r"y has shape \(24, 5\), but predictions have"):
        model.score(X, np.ones((N, 5)))


def test_the_mean_and_spread_of_a_grid_are_those_of_each_cell():
    y = np.random.default_rng(0).normal(5, 3, size=(N, 2, 3))
    coding = Values().learn(y, WEIGHT)
    assert (coding.output.form, coding.output.shape) == ("grid", (2, 3))
    codes = coding.encode(y)
    np.testing.assert_allclose(np.average(codes, axis=0, weights=WEIGHT), 0, atol=1e-12)
    np.testing.assert_allclose(np.average(codes**2, axis=0, weights=WEIGHT), 1)
    np.testing.assert_allclose(coding.decode(codes), y)
