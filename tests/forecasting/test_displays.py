"""Pictures of forecasts show what they say."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from skfusion import FusionRegressor
from skfusion.exceptions import ParameterError
from skfusion.forecasting import ForecastDisplay, MapDisplay, windows

plt.switch_backend("agg")
WAVES = windows(np.sin(np.arange(80) / 3), 6, 2)
MAPS = windows(np.random.default_rng(0).random((20, 6, 5)), 3, 2)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_truth_and_forecast_are_drawn_over_time():
    model = FusionRegressor(max_epochs=2, random_state=0).fit(WAVES.X, WAVES.y)
    display = ForecastDisplay.from_estimator(model, WAVES, rows=slice(5, 20), step=2)
    truth, forecast = (line.get_ydata() for line in display.ax_.get_lines())
    np.testing.assert_array_equal(truth, WAVES.y[5:20, 1])
    np.testing.assert_allclose(forecast, model.predict(WAVES.X[5:20])[:, 1], rtol=1e-6)
    with pytest.raises(ParameterError, match="step must lie between 1 and 2. Got 3"):
        ForecastDisplay.from_estimator(model, WAVES, step=3)
    with pytest.raises(ParameterError, match="are no maps. Use ForecastDisplay"):
        MapDisplay.from_estimator(model, WAVES)


def test_maps_stand_side_by_side_on_one_scale():
    model = FusionRegressor(max_epochs=1, random_state=0).fit(MAPS.X, MAPS.y)
    display = MapDisplay.from_estimator(model, MAPS, row=2)
    axes = display.figure_.axes
    assert [ax.get_title() for ax in axes[:3]] == ["last known", "truth +1", "truth +2"]
    np.testing.assert_array_equal(axes[1].images[0].get_array(), MAPS.y[2, 0])
    assert len({ax.images[0].get_clim() for ax in axes}) == 1
