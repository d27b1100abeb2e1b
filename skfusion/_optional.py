"""The only guard for optional imports."""

from __future__ import annotations

import importlib
from types import ModuleType

from skfusion.exceptions import MissingDependencyError

__all__ = ["import_optional"]


def import_optional(name: str, purpose: str, extra: str | None = None) -> ModuleType:
    """Import module ``name``, or say what needs it and how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = f"skfusion[{extra}]" if extra else name.partition(".")[0]
        raise MissingDependencyError(
            f"{purpose} needs the package {name.partition('.')[0]!r}, which is not installed. "
            f"Install it with: pip install {package!r}"
        ) from error
