"""Values of which some are not known."""

import numpy as np
import pytest
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_score

from skfusion import FusionRegressor
from skfusion.exceptions import ParameterError, TargetError
from skfusion.targets import Values

N = 240
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3)).astype(np.float32)
Y = np.stack([X[:, 0] * 5 + 100, X[:, 1] - X[:, 2]], axis=1)
HOLES = np.where(RNG.random(Y.shape) < 0.3, np.nan, Y)


def model(**params):
    settings = {"max_epochs": 60, "random_state": 0, "missing_targets": "ignore", "lr": 0.01}
    return FusionRegressor(**(settings | params))


def test_what_is_known_is_learned():
    found = model().fit(X, HOLES)
    assert r2_score(Y, found.predict(X)) > 0.95
    assert found.score(X, HOLES) > 0.95 and found.held_out_score_ > 0.9
    assert found.linear_share_ == 0


def test_without_holes_it_is_the_same_fit():
    full, plain = model(linear=False).fit(X, Y), model(missing_targets="error", linear=False)
    np.testing.assert_allclose(full.predict(X), plain.fit(X, Y).predict(X), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("value", [-1e6, 1e6])
def test_what_stands_where_nothing_is_known_plays_no_part(value):
    hidden = HOLES.copy()
    hidden[:80, 0] = np.nan
    other = X.copy()
    one = model(members=1, early_stopping=False).fit(other, hidden)
    coding = one.target_
    assert coding.mean[0] == pytest.approx(np.nanmean(hidden[:, 0]))
    codes = coding.encode(hidden)
    shifted = np.where(np.isnan(hidden), value, hidden)
    known = ~np.isnan(codes)
    np.testing.assert_allclose(codes[known], ((shifted - coding.mean) / coding.scale)[known])


@pytest.mark.parametrize("shape", [(N,), (N, 2, 3), (N, 2, 3, 2)])
def test_all_shapes(shape):
    y = np.multiply.outer(X[:, 0], np.ones(shape[1:])) if len(shape) > 1 else X[:, 0].copy()
    y[RNG.random(shape) < 0.2] = np.nan
    found = model(max_epochs=30).fit(X, y)
    assert found.predict(X).shape == shape and np.isfinite(found.predict(X)).all()
    assert found.score(X, y) > 0.9


def test_rows_of_which_nothing_is_known_change_nothing():
    y = Y.copy()
    y[:40] = np.nan
    found = model(max_epochs=100).fit(X, y)
    assert r2_score(Y[40:], found.predict(X[40:])) > 0.95


def test_it_goes_through_folds_and_weights():
    assert cross_val_score(model(max_epochs=30), X, HOLES, cv=3).min() > 0.8
    weight = RNG.random(N)
    found = model(max_epochs=30).fit(X, HOLES, weight)
    expected = [
        r2_score(HOLES[known, i], found.predict(X)[known, i], sample_weight=weight[known])
        for i, known in enumerate(~np.isnan(HOLES.T))
    ]
    assert found.score(X, HOLES, weight) == pytest.approx(np.mean(expected))


@pytest.mark.parametrize("loss", ["absolute", "huber", "quantile"])
def test_other_losses(loss):
    assert model(loss=loss).fit(X, HOLES).score(X, HOLES) > 0.8


def test_errors():
    with pytest.raises(TargetError, match='or set missing_targets="ignore"'):
        FusionRegressor().fit(X, HOLES)
    with pytest.raises(TargetError, match="y, output 1: no row has a value"):
        model().fit(X, np.column_stack([Y[:, 0], np.full(N, np.nan)]))
    with pytest.raises(ParameterError, match="does not go with missing values"):
        model(loss="poisson").fit(X, np.abs(HOLES))
    with pytest.raises(ParameterError, match="missing_targets must be one of"):
        model(missing_targets="drop").fit(X, HOLES)
    with pytest.raises(TargetError, match="infinity"):
        model().fit(X, np.where(np.isnan(HOLES), np.inf, HOLES))
    assert Values(missing="ignore").learn(HOLES).mean[0] == pytest.approx(np.nanmean(HOLES[:, 0]))
