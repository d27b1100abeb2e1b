"""Cloning without a copy of what is large and never changed."""

from __future__ import annotations

import copy
from typing import TypeVar

from sklearn.base import BaseEstimator

__all__ = ["clone_sharing"]

Estimator = TypeVar("Estimator", bound=BaseEstimator)


def clone_sharing(estimator: Estimator, name: str) -> Estimator:
    """Return a clone of ``estimator`` that shares its argument ``name`` instead of copying it.

    scikit-learn's ``clone`` deep-copies every argument that is no estimator. For a language model
    or a table of millions of lines, that is one copy a fold.
    """
    shell = copy.copy(estimator)
    setattr(shell, name, None)
    cloned: Estimator = BaseEstimator.__sklearn_clone__(shell)
    setattr(cloned, name, getattr(estimator, name))
    return cloned
