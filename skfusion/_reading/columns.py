"""How many columns a matrix has and what they are called, in the words of scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skfusion._warn import warn_user

__all__ = ["Columns", "names_of"]

_SHOWN = 5


@dataclass(frozen=True)
class Columns:
    """Number and names of the columns of a fit; ``names`` is None where they have none.

    What ``validate_data`` checks of an estimator, for whoever is none: ``owner`` is the class that
    the messages speak of.
    """

    n: int
    names: np.ndarray | None

    def is_found_in(self, names: np.ndarray | None) -> bool:
        """Whether ``names`` are all of those of the fit and others, or a part of them."""
        if names is None or self.names is None:
            return False
        fitted, shown = set(self.names), set(names)
        return fitted <= shown or shown <= fitted

    def check_names(self, names: np.ndarray | None, owner: str) -> None:
        """Raise ``ValueError`` if columns with names have others than at fit, or another order."""
        if names is None or self.names is None:
            if names is not None:
                warn_user(f"X has feature names, but {owner} was fitted without feature names")
            if self.names is not None:
                warn_user(
                    f"X does not have valid feature names, but {owner} was fitted with feature "
                    "names"
                )
        elif list(names) != list(self.names):
            raise ValueError(
                "The feature names should match those that were passed during fit.\n"
                + _difference(set(self.names), set(names))
            )

    def check_number(self, n: int, owner: str) -> None:
        """Raise ``ValueError`` if there are more or fewer columns than at fit."""
        if n != self.n:
            raise ValueError(
                f"X has {n} features, but {owner} is expecting {self.n} features as input."
            )


def names_of(X: object) -> np.ndarray | None:
    """Return the names of the columns of a frame; None where there are none, or none are strings.

    Raises
    ------
    TypeError
        If some names are strings, and others are not.
    """
    columns = getattr(X, "columns", None)
    names = np.asarray(columns, dtype=object) if columns is not None else np.empty(0, dtype=object)
    kinds = sorted({type(name).__qualname__ for name in names})
    if "str" not in kinds:
        return None
    if len(kinds) > 1:
        raise TypeError(
            "Feature names are only supported if all input features have string names, but your "
            f"input has {kinds} as feature name / column name types. Convert them all to strings "
            "with X.columns = X.columns.astype(str)."
        )
    return names


def _difference(fitted: set[str], shown: set[str]) -> str:
    lines = [
        *_listed("Feature names unseen at fit time:", sorted(shown - fitted)),
        *_listed("Feature names seen at fit time, yet now missing:", sorted(fitted - shown)),
    ]
    lines = lines or ["Feature names must be in the same order as they were in fit."]
    return "\n".join(lines) + "\n"


def _listed(title: str, names: list[str]) -> list[str]:
    if not names:
        return []
    more = ["- ..."] * (len(names) > _SHOWN)
    return [title, *(f"- {name}" for name in names[:_SHOWN]), *more]
