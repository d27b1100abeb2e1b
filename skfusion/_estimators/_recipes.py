"""Recipes as values: copied, and compared by what they say."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from numbers import Real
from typing import Any, TypeVar

from sklearn.base import BaseEstimator

from skfusion._estimators._hashing import hash_of
from skfusion.encoders import Encoder
from skfusion.exceptions import CheckpointError
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
    """Whether two values say the same, be one a copy of the other.

    Recipes do by their parameters, numbers by their value and lists by their items, whatever their
    types are; all else by its type and content.
    """
    if one is other:
        return True
    if isinstance(one, Real) and isinstance(other, Real):
        return bool(one == other) or (one != one and other != other)  # NaN is the same as NaN
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) is not type(other):
        return False
    if isinstance(one, BaseEstimator) and isinstance(other, BaseEstimator):
        return same(one.get_params(deep=False), other.get_params(deep=False))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    try:
        return hash_of(one) == hash_of(other)
    except CheckpointError:  # code that cannot be told apart from other code
        return False
