"""Pictures of forecasts: lines over time, and maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator

from skfusion._axes import axes_for
from skfusion._optional import import_optional
from skfusion.exceptions import ParameterError
from skfusion.forecasting._windows import Windows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from typing_extensions import Self

__all__ = ["ForecastDisplay", "MapDisplay"]


class ForecastDisplay:
    """A forecast beside the truth, over time.

    Parameters
    ----------
    times : ndarray of shape (n_rows,)
        When the step is that is drawn.
    truth, forecast : ndarray of shape (n_rows,)
        Its value, and what was forecast.
    step : int
        How many steps ahead it was forecast.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionRegressor
    >>> from skfusion.forecasting import ForecastDisplay, windows
    >>> rows = windows(np.sin(np.arange(80) / 3), past=6, horizon=2)
    >>> model = FusionRegressor(max_epochs=2, random_state=0).fit(rows.X, rows.y)
    >>> display = ForecastDisplay.from_estimator(model, rows, step=2)
    >>> [line.get_label() for line in display.ax_.get_lines()]
    ['truth', '2 steps ahead']
    """

    def __init__(
        self, times: np.ndarray, truth: np.ndarray, forecast: np.ndarray, step: int
    ) -> None:
        self.times, self.truth, self.forecast, self.step = times, truth, forecast, step

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        windows: Windows,
        *,
        rows: np.ndarray | slice = slice(None),
        step: int = 1,
        place: int = 0,
        ax: Axes | None = None,
    ) -> ForecastDisplay:
        """Forecast and draw.

        Parameters
        ----------
        estimator : estimator
            Fitted to such windows.
        windows : Windows
            From ``windows``.
        rows : slice or array of int, default=slice(None)
            Which of them to draw.
        step : int, default=1
            How many steps ahead.
        place : int, default=0
            Which of several series, or cells of a map.
        ax : matplotlib Axes or None, default=None
            Where to draw; None is a new figure.
        """
        truth = windows.y[rows]
        horizon = truth.shape[1]
        if not 1 <= step <= horizon:
            raise ParameterError(f"step must lie between 1 and {horizon}. Got {step!r}.")
        forecast = np.asarray(estimator.predict(windows.X[rows])).reshape(truth.shape)
        shape = len(truth), horizon, -1
        true, found = (each.reshape(shape)[:, step - 1, place] for each in (truth, forecast))
        return cls(windows.times[rows], true, found, step).plot(ax)

    def plot(self, ax: Axes | None = None) -> Self:
        """Draw on ``ax``, or on a new figure."""
        ax = axes_for(ax, "ForecastDisplay", 3.2)
        ax.plot(self.times, self.truth, color="0.3", linewidth=1.2, label="truth")
        ahead = f"{self.step} step{'s' if self.step > 1 else ''} ahead"
        ax.plot(self.times, self.forecast, color="C1", linewidth=1.2, label=ahead)
        ax.set_xlabel("time")
        ax.legend(frameon=False)
        self.ax_, self.figure_ = ax, ax.figure
        return self


class MapDisplay:
    """Maps of one row: the last that is known, the truth step by step, and what was forecast.

    Parameters
    ----------
    past : ndarray of shape (height, width)
        The last map that is known.
    truth, forecast : ndarray of shape (horizon, height, width)
        What came, and what was forecast.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.forecasting import MapDisplay
    >>> maps = np.random.default_rng(0).random((3, 8, 8))
    >>> len(MapDisplay(maps[0], maps, maps).plot().figure_.axes)
    8
    """

    def __init__(self, past: np.ndarray, truth: np.ndarray, forecast: np.ndarray) -> None:
        self.past, self.truth, self.forecast = past, truth, forecast

    @classmethod
    def from_estimator(
        cls, estimator: BaseEstimator, windows: Windows, row: int = 0, channel: int = 0
    ) -> MapDisplay:
        """Forecast and draw a row of windows of maps."""
        forecast = np.asarray(estimator.predict(windows.X[[row]]))[0].reshape(windows.y[row].shape)
        truth, past = windows.y[row], np.asarray(windows.X["past"][[row]])[0, -1]
        if truth.ndim not in (3, 4):
            raise ParameterError(
                f"a row of y has shape {truth.shape}, which are no maps. Use ForecastDisplay."
            )
        if truth.ndim == 4:
            truth, forecast = truth[..., channel], forecast[..., channel]
        return cls(past[..., channel], truth, forecast).plot()

    def plot(self) -> Self:
        """Draw on a new figure: truth above, forecast below."""
        pyplot = import_optional("matplotlib.pyplot", "MapDisplay", "plots")
        n_steps = len(self.truth)
        self.figure_: Figure = pyplot.figure(
            figsize=(1.8 * (n_steps + 1), 4.0), layout="constrained"
        )
        axes = self.figure_.subplots(2, n_steps + 1)
        least = min(part.min() for part in (self.past, self.truth))
        most = max(part.max() for part in (self.past, self.truth))
        for row, (name, maps) in enumerate((("truth", self.truth), ("forecast", self.forecast))):
            for place, values in enumerate([self.past, *maps]):
                ax = axes[row, place]
                ax.imshow(values, vmin=least, vmax=most, cmap="viridis")
                ax.set_xticks([])
                ax.set_yticks([])
                ax.set_title("last known" if not place else f"{name} +{place}", fontsize=9)
        return self
