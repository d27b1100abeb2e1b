"""From a name to a recipe, for what may also be left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

from skfusion._checks import resolve_recipe

__all__ = ["resolve_optional"]


class _Checked(Protocol):
    def check(self) -> None: ...


Recipe = TypeVar("Recipe", bound=_Checked)


def resolve_optional(
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
