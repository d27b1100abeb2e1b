"""Checks of constructor arguments; each message has rule, fact and repair."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from numbers import Integral, Real
from typing import Any, TypeVar

from skfusion.exceptions import ParameterError

__all__ = [
    "check_choice",
    "check_int",
    "check_real",
    "check_widths",
    "did_you_mean",
    "resolve_recipe",
]

Recipe = TypeVar("Recipe")


def check_int(name: str, value: object, low: int = 1, repair: str = "") -> int:
    """Return ``value`` as an int of at least ``low``."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < low:
        raise ParameterError(_join(f"{name} must be an int >= {low}. Got {value!r}.", repair))
    return int(value)


def check_real(
    name: str, value: object, low: float = 0.0, high: float = float("inf"), repair: str = ""
) -> float:
    """Return ``value`` as a finite float in ``[low, high]``."""
    number = _as_float(value)
    if number is not None and low <= number <= high and math.isfinite(number):
        return number
    bounds = f">= {low:g}" if high == float("inf") else f"between {low:g} and {high:g}"
    kind = "finite number" if number is not None and math.isinf(number) else "number"
    single = "Use one number for all blocks." if isinstance(value, Mapping) else ""
    raise ParameterError(_join(f"{name} must be a {kind} {bounds}. Got {value!r}.", single, repair))


def check_choice(name: str, value: Any, choices: Collection[Any]) -> Any:
    """Return ``value`` if it is one of ``choices``."""
    if not _is_among(value, choices):
        known = ", ".join(repr(choice) for choice in choices)
        hint = did_you_mean(value, [choice for choice in choices if isinstance(choice, str)])
        raise ParameterError(_join(f"{name} must be one of {known}. Got {value!r}.", hint))
    return value


def check_widths(name: str, value: object) -> tuple[int, ...]:
    """Return ``value``, an int or a sequence of ints, as a tuple of ints >= 1."""
    values = (value,) if isinstance(value, Integral) else value
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ParameterError(f"{name} must be an int or a sequence of ints. Got {value!r}.")
    return tuple(check_int(f"each of {name}", width) for width in values)


def resolve_recipe(
    rule: str, value: object, kind: type[Recipe], aliases: Mapping[str, Callable[[], Recipe]]
) -> Recipe:
    """Return ``value`` if it is a recipe of a ``kind``, or a new one for an alias.

    ``rule`` begins the message: "head must be a recipe such as LinearHead()".
    """
    if isinstance(value, kind):
        return value
    if isinstance(value, str) and value in aliases:
        return aliases[value]()
    known = ", ".join(map(repr, aliases))
    hint = did_you_mean(value, aliases)
    if isinstance(value, type) and issubclass(value, kind):
        hint = f"That is the class: write {value.__name__}()."
    raise ParameterError(_join(f"{rule} or one of {known}. Got {value!r}.", hint))


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return ``Did you mean 'x'?`` for the nearest of the ``known`` words, or nothing."""
    near = difflib.get_close_matches(str(word), list(known), n=1)
    return f"Did you mean {near[0]!r}?" if near else ""


def _as_float(value: object) -> float | None:
    """Return a number as a float, infinite where it is too large for one; None if it is none."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _is_among(value: object, choices: Collection[object]) -> bool:
    try:
        hash(value)
        return value in choices
    except TypeError:  # of what has no hash, and of pandas.NA, which does not say what it equals
        return False


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)
