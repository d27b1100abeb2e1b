"""From a name to a fusion."""

from __future__ import annotations

from typing import Any

from skfusion._checks import did_you_mean
from skfusion.exceptions import ParameterError
from skfusion.fusion._base import Fusion
from skfusion.fusion.concat import Concat

__all__ = ["resolve_fusion"]

_ALIASES = {"concat": Concat}


def resolve_fusion(fusion: Any) -> Fusion:
    """Return ``fusion``, or a new one for an alias such as ``"concat"``."""
    if isinstance(fusion, Fusion):
        return fusion
    if isinstance(fusion, str) and fusion in _ALIASES:
        return _ALIASES[fusion]()
    known = ", ".join(map(repr, _ALIASES))
    raise ParameterError(
        f"fusion must be a recipe such as Concat() or one of {known}. Got {fusion!r}. "
        f"{did_you_mean(fusion, _ALIASES)}".rstrip()
    )
