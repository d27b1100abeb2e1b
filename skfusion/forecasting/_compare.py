"""A forecast beside those that need no network."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import RidgeCV

from skfusion._checks import check_int
from skfusion.exceptions import ParameterError
from skfusion.forecasting._windows import Windows

__all__ = ["compare"]

Forecast: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of test rows
_STRENGTHS = tuple(10.0**power for power in range(-2, 6))
_MOST_COLUMNS = 4096  # of a ridge regression; a map has one for each cell instead


def compare(
    model: BaseEstimator,
    windows: Windows,
    *,
    test_size: float = 0.2,
    season: int | None = None,
) -> pd.DataFrame:
    """Return how far forecasts are off, step by step, on the last windows in time.

    Parameters
    ----------
    model : estimator
        A regressor, of which a clone is fitted to the windows before, those left out that overlap.
    windows : Windows
        From :func:`windows`.
    test_size : float, default=0.2
        Share of the windows that are tested on.
    season : int or None, default=None
        Steps of a season, within the past, for the seasonal forecast.

    Returns
    -------
    errors : DataFrame of shape (n_forecasts, horizon + 1)
        Root mean squared error of each step ahead and of all: of "persistence" (the last value
        again), "seasonal" (that of a season before), "linear" (a ridge regression on the past, of
        each cell on its own where maps are large), and "model".

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionRegressor
    >>> from skfusion.forecasting import compare, windows
    >>> waves = np.sin(np.arange(200) * np.pi / 6) + np.random.default_rng(0).normal(size=200) / 9
    >>> model = FusionRegressor(max_epochs=10, random_state=0)
    >>> errors = compare(model, windows(waves, past=12, horizon=2), season=12)
    >>> errors.index.tolist(), errors.columns.tolist()
    (['persistence', 'seasonal', 'linear', 'model'], [1, 2, 'all'])
    """
    train, test = windows.split(test_size)
    horizon, found = windows.y.shape[1], {}
    for name, forecast in _simple(windows, season).items():
        found[name] = forecast(train, test)
    fitted = clone(model).fit(windows.X[train], windows.y[train])
    found["model"] = np.asarray(fitted.predict(windows.X[test])).reshape(windows.y[test].shape)
    truth = windows.y[test].astype(np.float64)
    rows = {name: _errors(values, truth) for name, values in found.items()}
    columns = [*range(1, horizon + 1), "all"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _simple(windows: Windows, season: int | None) -> dict[str, Forecast]:
    past = np.asarray(windows.X["past"])
    past = past.reshape(*past.shape[:2], *windows.y.shape[2:])
    horizon = windows.y.shape[1]
    forecasts: dict[str, Forecast] = {
        "persistence": lambda train, test: np.repeat(past[test][:, -1:], horizon, axis=1)
    }
    if season is not None:
        places = _of_season(check_int("season", season), past.shape[1], horizon)
        forecasts["seasonal"] = lambda train, test: past[test][:, places]
    forecasts["linear"] = lambda train, test: _linear(past, windows.y, train, test)
    return forecasts


def _of_season(season: int, n_past: int, horizon: int) -> list[int]:
    """Return which steps of the past stand for those ahead."""
    if season > n_past:
        raise ParameterError(
            f"a season of {season} steps is longer than the past of a window, {n_past}. Use a "
            "longer past, or season=None."
        )
    return [n_past - season + step % season for step in range(horizon)]


def _linear(past: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Return a ridge regression of what comes on what was."""
    if past[0].size <= _MOST_COLUMNS:
        ridge = RidgeCV(_STRENGTHS).fit(_flat(past[train]), _flat(y[train]))
        return ridge.predict(_flat(past[test])).reshape(y[test].shape)
    # One regression for all cells: of a cell's future on its own past.
    ridge = RidgeCV(_STRENGTHS).fit(_by_cell(past[train]), _by_cell(y[train]))
    found = ridge.predict(_by_cell(past[test]))
    of_test = y[test]
    cells = (len(test), *of_test.shape[2:], of_test.shape[1])
    return np.moveaxis(found.reshape(cells), -1, 1)


def _flat(values: np.ndarray) -> np.ndarray:
    return values.reshape(len(values), -1).astype(np.float64)


def _by_cell(values: np.ndarray) -> np.ndarray:
    """(n_rows, steps, ...) -> (n_rows * cells, steps)."""
    return np.moveaxis(values, 1, -1).reshape(-1, values.shape[1]).astype(np.float64)


def _errors(found: np.ndarray, truth: np.ndarray) -> list[float]:
    """Return the root mean squared error of each step, and of all, where the truth is known."""
    squares = np.square(found - truth)
    steps = np.nanmean(np.moveaxis(squares, 1, 0).reshape(truth.shape[1], -1), axis=1)
    return [*np.sqrt(steps).tolist(), float(np.sqrt(np.nanmean(squares)))]
