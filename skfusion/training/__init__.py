"""How training runs: recipes for the learning rate and for averages of the weights."""

from skfusion.training._averaging import EMA, SWA, Averaging
from skfusion.training._schedules import Cosine, OneCycle, Plateau, Schedule

__all__ = ["EMA", "SWA", "Averaging", "Cosine", "OneCycle", "Plateau", "Schedule"]
