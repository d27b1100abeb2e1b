"""What the regressor learns and returns."""

import numpy as np
import pandas as pd
import pytest

from skfusion import Blocks, FusionRegressor


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return Blocks({"left": rng.normal(size=(120, 2)), "right": rng.normal(size=(120, 3))})


@pytest.fixture(scope="module")
def y(X):
    return X["left"][:, 0] - 2 * X["right"][:, 1]


def quick(**params):
    return FusionRegressor(**({"max_epochs": 40, "lr": 0.01, "random_state": 0} | params))


def test_a_sum_over_two_blocks_is_learned(X, y):
    model = quick().fit(X, y)
    assert model.predict(X).shape == y.shape
    assert model.predict(X).dtype == np.float64
    assert model.score(X, y) > 0.95


@pytest.mark.parametrize(("offset", "scale"), [(1e6, 1.0), (0.0, 1e5), (-3.0, 1e-4)])
def test_units_of_y_do_not_matter(X, y, offset, scale):
    plain = quick().fit(X, y).predict(X)
    other = quick().fit(X, offset + scale * y).predict(X)
    np.testing.assert_allclose((other - offset) / scale, plain, atol=1e-3)


def test_each_of_several_outputs_has_its_own_units(X, y):
    targets = np.column_stack([y, 1000 * y + 5, np.full(len(y), 7.0)])
    model = quick().fit(X, targets)
    predicted = model.predict(X)
    assert predicted.shape == targets.shape
    for column in (0, 1):
        rest = np.square(predicted[:, column] - targets[:, column]).mean()
        assert rest < 0.05 * targets[:, column].var()
    np.testing.assert_allclose(predicted[:, 2], 7, atol=0.5)


def test_one_column_of_a_frame_stays_a_column(X, y):
    model = quick(max_epochs=1).fit(X, pd.DataFrame({"y": y}))
    assert model.predict(X).shape == (len(y), 1)


def test_integers_are_values(X, y):
    whole = np.rint(3 * y).astype(int)
    assert quick().fit(X, whole).score(X, whole) > 0.9


def test_the_same_value_in_every_row(X):
    predicted = quick(weight_decay=0).fit(X, np.full(len(X), 5.0)).predict(X)
    np.testing.assert_allclose(predicted, 5, atol=0.2)


def test_weights_pull_the_values(X):
    """With a constant input the best prediction is the weighted mean."""
    constant = Blocks({"left": np.ones((100, 1))})
    y = np.repeat([0.0, 10.0], 50)
    weight = np.repeat([3.0, 1.0], 50)
    predicted = quick().fit(constant, y, sample_weight=weight).predict(constant)
    np.testing.assert_allclose(predicted, 2.5, atol=0.5)


def test_rows_of_weight_zero_are_not_there(X, y):
    weight = np.where(np.arange(len(y)) % 4, 1.0, 0.0)
    spoilt = np.where(weight > 0, y, 1e9)
    kept = weight > 0
    weighted = quick(max_epochs=3).fit(X, spoilt, sample_weight=weight)
    without = quick(max_epochs=3).fit(X[kept], y[kept])
    np.testing.assert_array_equal(weighted.predict(X), without.predict(X))


def test_fused_vectors(X, y):
    model = quick(members=1, max_epochs=1).fit(X, y)
    assert model.transform(X).shape == (120, 128)
    weight, bias = (part.detach().numpy() for part in model.net_.module_.head.parameters())
    standardised = model.transform(X) @ weight[0] + bias
    np.testing.assert_allclose(model.predict(X), standardised * y.std() + y.mean())
