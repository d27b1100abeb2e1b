"""What comes next: windows of a series as rows, forecasts beside simple ones, and pictures."""

from skfusion.forecasting._compare import compare
from skfusion.forecasting._displays import ForecastDisplay, MapDisplay
from skfusion.forecasting._windows import Windows, windows

__all__ = ["ForecastDisplay", "MapDisplay", "Windows", "compare", "windows"]
