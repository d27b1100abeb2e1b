"""From a fitted estimator and its input to what learned from blocks, and these blocks."""

from __future__ import annotations

import copy

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skfusion._estimators._fitted import FittedNetwork
from skfusion.blocks import Blocks
from skfusion.blocks._kinds import is_mapping
from skfusion.exceptions import BlockTypeError
from skfusion.typing import XLike

__all__ = ["allow_missing", "final_step", "split_off", "unwrapped"]


def split_off(estimator: BaseEstimator, X: XLike) -> tuple[BaseEstimator, Blocks]:
    """Return the part of a fitted ``estimator`` that takes ``Blocks``, and X as these ``Blocks``.

    Of a pipeline the part behind the last step that makes ``Blocks``; of a search its best
    estimator. A fusion estimator reads X as its ``predict`` would, and takes the blocks that it
    made of a table or a matrix as they are from then on.

    Raises
    ------
    BlockError
        If X lacks a block of the fit and ``missing="error"``.
    BlockTypeError
        If X never becomes ``Blocks``.
    """
    estimator = unwrapped(estimator)
    check_is_fitted(estimator)
    if isinstance(estimator, Pipeline):
        estimator, X = _behind_blocks(estimator, X)
    if isinstance(estimator, FittedNetwork):
        estimator, X = estimator._split_reading(X)
    elif is_mapping(X):
        X = Blocks(X)
    if not isinstance(X, Blocks):
        raise BlockTypeError(
            f"X must be Blocks, or become Blocks inside the estimator. Got {type(X).__name__} and "
            f"{type(estimator).__name__}. Put a BlockUnion in front, in a Pipeline."
        )
    return estimator, X.assign({})  # cuts selected rows once, and not in every variant


def unwrapped(estimator: BaseEstimator) -> BaseEstimator:
    """Return ``estimator`` with the best one in place of a fitted search, also as a last step.

    A pipeline that ends in a pipeline is joined with it.
    """
    if hasattr(estimator, "best_estimator_"):
        return unwrapped(estimator.best_estimator_)
    if not isinstance(estimator, Pipeline):
        return estimator
    *steps, (name, last) = estimator.steps
    best = unwrapped(last)
    if isinstance(best, Pipeline):
        inner = [(f"{name}-{inner_name}", step) for inner_name, step in best.steps]
        return Pipeline([*steps, *inner], memory=estimator.memory)
    if best is last:
        return estimator
    return Pipeline([*steps, (name, best)], memory=estimator.memory)


def _behind_blocks(pipeline: Pipeline, X: XLike) -> tuple[BaseEstimator, XLike]:
    """Run the steps up to the last that makes ``Blocks``; return the rest, and what it takes."""
    place, made = 0, X
    if not isinstance(X, Blocks):
        place, made = len(pipeline.steps) - 1, None
    for i, (_, step) in enumerate(pipeline.steps[:-1], start=1):
        X = X if step in (None, "passthrough") else step.transform(X)
        if isinstance(X, Blocks):
            place, made = i, X
    rest = pipeline.steps[place:]
    return (rest[0][1] if len(rest) == 1 else Pipeline(rest)), X if made is None else made


def allow_missing(estimator: BaseEstimator) -> BaseEstimator:
    """Return ``estimator`` as one that takes rows that lack blocks, or all of them.

    An estimator without a parameter ``missing`` is returned as it is.
    """
    if isinstance(estimator, Pipeline):
        *steps, (name, final) = estimator.steps
        return Pipeline([*steps, (name, allow_missing(final))])
    if "missing" not in estimator.get_params(deep=False):
        return estimator
    return copy.copy(estimator).set_params(missing="allow")


def final_step(estimator: BaseEstimator) -> BaseEstimator:
    """Return the estimator itself, or the last step of a pipeline; of a search, of its best."""
    estimator = unwrapped(estimator)
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
