"""Warnings that point at the user's line."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn_user"]

# Whose frames stand between a user's call and what warns.
_BETWEEN = frozenset({"concurrent", "contextlib", "joblib", "sklearn", "skfusion", "skorch"})


def warn_user(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn as from the line that called the library.

    So it shows which call it is of, and filters of the user's modules reach it.

    Examples
    --------
    >>> import warnings
    >>> from skfusion._warn import warn_user
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_user("two scales")
    >>> str(caught[0].message)
    'two scales'
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_between(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_between(module: str) -> bool:
    return module.partition(".")[0] in _BETWEEN
