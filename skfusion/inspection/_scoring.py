"""What an estimator is scored with, and its scores on variants of the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring
from sklearn.pipeline import Pipeline
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_consistent_length

from skfusion.blocks import Blocks
from skfusion.exceptions import ParameterError
from skfusion.inspection._splitting import allow_missing, final_step, split_off
from skfusion.typing import Scorer, WeightLike, XLike, YLike

__all__ = ["ScoreAll", "check_y", "find_scorer", "prepare"]

ScoreAll = Callable[[Iterable[Blocks]], np.ndarray]


def prepare(
    estimator: BaseEstimator,
    X: XLike,
    y: YLike,
    scoring: str | Scorer | None,
    sample_weight: WeightLike | None,
    n_jobs: int | None,
) -> tuple[Blocks, ScoreAll]:
    """Return X as ``Blocks``, and the function that scores ``estimator`` on variants of them."""
    check_y(y)
    scorer = find_scorer(estimator, scoring)
    learner, blocks = split_off(estimator, X)
    learner = allow_missing(learner)
    check_consistent_length(blocks, y, sample_weight)
    weight = {} if sample_weight is None else {"sample_weight": sample_weight}
    parallel = Parallel(n_jobs=n_jobs, prefer="threads")

    def score_all(variants: Iterable[Blocks]) -> np.ndarray:
        return np.array(parallel(delayed(scorer)(learner, rows, y, **weight) for rows in variants))

    return blocks, score_all


def check_y(y: YLike) -> None:
    """Raise ``ParameterError`` without a target."""
    if y is None:
        raise ParameterError("y must be the target of the rows, to score against. Got None.")


def find_scorer(estimator: BaseEstimator, scoring: str | Scorer | None) -> Scorer:
    """Return the scorer that ``scoring`` names; for None that of a search, or ``score``."""
    if isinstance(scoring, list | tuple | set | Mapping):
        raise ParameterError(
            "scoring must be one scorer, by name or as a callable. "
            f"Got {type(scoring).__name__}. Call once for each."
        )
    searched = _scorer_of_search(estimator) if scoring is None else None
    return searched or check_scoring(final_step(estimator), scoring=scoring)


def _scorer_of_search(estimator: BaseEstimator) -> Scorer | None:
    """Return what a fitted search, itself or as a last step, chose by; None without one."""
    if isinstance(estimator, Pipeline):
        return _scorer_of_search(estimator.steps[-1][1])
    if not hasattr(estimator, "best_estimator_"):
        return None
    if estimator.scoring is None:
        return _scorer_of_search(estimator.best_estimator_)
    return _refit_scorer(estimator) if estimator.multimetric_ else estimator.scorer_


def _refit_scorer(search: BaseEstimator) -> Scorer:
    """Return the one of several scorers that the search was refitted by."""
    if not isinstance(search.refit, str):
        raise ParameterError(
            f"{type(search).__name__} has several scorers, and refit names none of them. "
            "Pass one as scoring."
        )
    if isinstance(search.scorer_, Mapping):
        return search.scorer_[search.refit]
    return partial(_one_score, search.scorer_, search.refit)


def _one_score(
    scorer: Callable[..., Mapping[str, float]], name: str, *arguments: object, **weight: object
) -> float:
    return scorer(*arguments, **weight)[name]
