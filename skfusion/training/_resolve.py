"""From a name to a recipe, for what may also be left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from skfusion._checks import resolve_recipe
from skfusion.training._averaging import EMA, SWA, Averaging
from skfusion.training._schedules import Cosine, OneCycle, Plateau, Schedule

__all__ = ["resolve_averaging", "resolve_schedule"]

_AVERAGES: dict[str, type[Averaging]] = {"ema": EMA, "swa": SWA}
_SCHEDULES: dict[str, type[Schedule]] = {
    "cosine": Cosine,
    "one_cycle": OneCycle,
    "plateau": Plateau,
}


class _Checked(Protocol):
    def check(self) -> None: ...


Recipe = TypeVar("Recipe", bound=_Checked)


def resolve_averaging(averaging: Averaging | str | None) -> Averaging | None:
    """Return ``averaging``, or a new one for an alias such as ``"ema"``.

    Examples
    --------
    >>> from skfusion.training._resolve import resolve_averaging
    >>> resolve_averaging("ema")
    EMA()
    """
    return _resolve_optional("averaging", averaging, Averaging, _AVERAGES)


def resolve_schedule(schedule: Schedule | str | None) -> Schedule | None:
    """Return ``schedule``, or a new one for an alias such as ``"cosine"``.

    Examples
    --------
    >>> from skfusion.training._resolve import resolve_schedule
    >>> resolve_schedule("cosine")
    Cosine()
    """
    return _resolve_optional("schedule", schedule, Schedule, _SCHEDULES)


def _resolve_optional(
    name: str, value: object, kind: type[Recipe], aliases: Mapping[str, Callable[[], Recipe]]
) -> Recipe | None:
    """Return None, or a recipe of a ``kind`` whose parameters were checked."""
    if value is None:
        return None
    example = type(next(iter(aliases.values()))()).__name__
    recipe = resolve_recipe(
        f"{name} must be None, a recipe such as {example}()", value, kind, aliases
    )
    recipe.check()
    return recipe
