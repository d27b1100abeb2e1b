"""Scores of held-out rows by scorers of scikit-learn, while the network is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.metrics import get_scorer, get_scorer_names

from skfusion._checks import did_you_mean
from skfusion._training import Rows
from skfusion.exceptions import ParameterError, noted
from skfusion.targets import Coding, PlainY
from skfusion.targets._labels import LabelCoding
from skfusion.typing import Scorer, XLike

__all__ = ["HeldOut", "check_scoring", "scorer_of_outputs"]


@dataclass(frozen=True)
class HeldOut:
    """Rows that are held out, and their y in the user's terms."""

    rows: Rows
    y: PlainY


def check_scoring(scoring: str | Scorer | None) -> Scorer | None:
    """Return the scorer, or None for the loss."""
    if scoring is None or (callable(scoring) and not isinstance(scoring, type)):
        return scoring
    if not isinstance(scoring, str):
        raise ParameterError(
            "scoring must be None, the name of a scorer of scikit-learn such as "
            f'"balanced_accuracy", or a callable (estimator, X, y). Got {scoring!r}.'
        )
    if scoring not in get_scorer_names():
        near = did_you_mean(scoring, get_scorer_names())
        raise ParameterError(
            f"scoring={scoring!r} is none of scikit-learn's scorers, which "
            f"sklearn.metrics.get_scorer_names() lists. {near}".rstrip()
        )
    return get_scorer(scoring)


def scorer_of_outputs(
    scorer: Scorer, coding: Coding, held_out: HeldOut
) -> Callable[[np.ndarray], float]:
    """Return what scores the network's outputs for the held-out rows, in their order."""

    def score(outputs: np.ndarray) -> float:
        kind = _Labels if isinstance(coding, LabelCoding) else _Values
        with noted(
            f"scoring={scorer!r} of the held-out rows",
            lambda said: "Use a score for such a y; None takes the estimator's own.",
        ):
            found = float(scorer(kind(coding, outputs), held_out.rows.blocks, held_out.y))
        if np.isnan(found):
            raise ParameterError(
                f"scoring returned nan on the {len(held_out.rows)} held-out rows. Use a score that "
                "is defined there, or hold out more rows by validation_split."
            )
        return found

    return score


class _Answers(BaseEstimator):
    """Stands for the estimator in front of a scorer; it knows the outputs already."""

    def __init__(self, coding: Coding, outputs: np.ndarray) -> None:
        self.coding = coding
        self.outputs = outputs

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: XLike) -> np.ndarray:
        return self.coding.decode(self.outputs)


class _Values(RegressorMixin, _Answers):
    pass


class _Labels(ClassifierMixin, _Answers):
    coding: LabelCoding

    @property
    def classes_(self) -> np.ndarray:
        return self.coding.classes

    def predict_proba(self, X: XLike) -> np.ndarray:
        return self.coding.probabilities(self.outputs)

    def decision_function(self, X: XLike) -> np.ndarray:
        return self.coding.scores(self.outputs)
