"""What a classifier says of rows: probabilities, scores, accuracy."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import check_consistent_length

from skfusion._estimators._fitted import PredictsArrays
from skfusion._estimators._rows import read_score_weight
from skfusion._estimators._state import FittedState
from skfusion.targets import LabelCoding
from skfusion.targets._reading import read_labels
from skfusion.targets._same_labels import check_label_type, same_labels
from skfusion.typing import WeightLike, XLike, YLike

__all__ = ["GivesProbabilities", "labels_of"]


class GivesProbabilities(ClassifierMixin, PredictsArrays):
    """Adds what is asked of a fitted classifier."""

    @property
    def target_(self) -> LabelCoding:
        return labels_of(self._snapshot())

    @property
    def classes_(self) -> np.ndarray:
        return self.target_.classes

    def predict_proba(self, X: XLike) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.

        Returns
        -------
        probabilities : ndarray of shape (n_rows, n_classes)
            Columns in the order of ``classes_``; for multilabel targets, the probability of each
            label.
        """
        fitted = self._snapshot()
        return labels_of(fitted).probabilities(fitted.outputs(fitted.read(X, self.missing)))

    def _answers(self, outputs: np.ndarray) -> np.ndarray:
        return self.target_.probabilities(outputs)

    def decision_function(self, X: XLike) -> np.ndarray:
        """Return the outputs of the network: log-odds, or scores whose softmax is the probability.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.

        Returns
        -------
        scores : ndarray of shape (n_rows,) or (n_rows, n_classes)
            One score a row for two classes (above 0 means ``classes_[1]``), else one a class.
        """
        fitted = self._snapshot()
        outputs = fitted.outputs(fitted.read(X, self.missing)).astype(np.float64)
        return labels_of(fitted).scores(outputs)

    def score(self, X: XLike, y: YLike, sample_weight: WeightLike | None = None) -> float:
        """Return the accuracy: the share of rows whose label, or all of whose labels, are right.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.
        y : array-like of shape (n_rows,) or (n_rows, n_labels)
            True labels.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row.

        Returns
        -------
        accuracy : float
            Between 0 and 1.
        """
        labels, predicted = read_labels(y), self.predict(X)
        check_consistent_length(labels, predicted)
        check_label_type(labels, predicted)
        weight = read_score_weight(sample_weight, predicted)
        return float(np.average(same_labels(labels, predicted), weights=weight))


def labels_of(fitted: FittedState) -> LabelCoding:
    """Return the coding of y, which is one of labels."""
    assert isinstance(fitted.target, LabelCoding)
    return fitted.target
