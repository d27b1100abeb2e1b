"""How training runs: recipes for the learning rate and for averages of the weights."""

from skfusion.training._averaging import EMA, SWA, Averaging, resolve_averaging
from skfusion.training._schedules import Cosine, OneCycle, Plateau, Schedule, resolve_schedule

__all__ = [
    "EMA",
    "SWA",
    "Averaging",
    "Cosine",
    "OneCycle",
    "Plateau",
    "Schedule",
    "resolve_averaging",
    "resolve_schedule",
]
