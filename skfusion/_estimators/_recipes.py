"""Recipes as values: copied, and compared by what they say."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import torch
from sklearn.base import BaseEstimator

from skfusion.encoders import Encoder
from skfusion.fusion import Fusion
from skfusion.heads import Head
from skfusion.losses import Loss
from skfusion.targets import Target
from skfusion.training import Averaging, Schedule

__all__ = ["own_copy", "same"]

_RECIPES = (Encoder, Fusion, Head, Target, Loss, Schedule, Averaging)
Value = TypeVar("Value")


def own_copy(value: Value) -> Value:
    """Return a copy of a recipe and of those in it, which share all their other parameters."""
    copied: Any = value
    if isinstance(value, _RECIPES):
        copied = copy.copy(value)
        vars(copied).update({name: own_copy(each) for name, each in vars(value).items()})
    elif type(value) is list:
        copied = [*map(own_copy, copied)]
    elif type(value) is tuple:
        copied = (*map(own_copy, copied),)
    elif type(value) is dict:
        copied = {name: own_copy(each) for name, each in copied.items()}
    return copied


def same(one: object, other: object) -> bool:
    """Whether two values say the same: recipes by their parameters, arrays by their numbers."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, BaseEstimator) and isinstance(other, BaseEstimator):
        return same(one.get_params(deep=False), other.get_params(deep=False))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray | torch.Tensor):
        return np.array_equal(np.asarray(one), np.asarray(other))
    return bool(one == other)
