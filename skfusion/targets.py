"""The coding of y together with its loss, so that the two cannot disagree."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from scipy.special import expit, logit, softmax
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array
from torch.nn import functional as F

from skfusion.exceptions import TargetError

__all__ = ["Labels", "Target", "Values", "class_target", "value_target"]


class Target:
    """Base of all targets.

    ``encode`` turns y into an array that the loss takes, ``decode`` turns the network's outputs
    (n_rows, n_outputs) into what the user reads.

    Parameters
    ----------
    n_outputs : int
        How many numbers the network gives per row.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.targets import class_target
    >>> target = class_target(["no", "yes", "no"])
    >>> target.n_outputs, target.encode(["yes", "no"]).tolist()
    (1, [1.0, 0.0])
    >>> target.decode(np.array([[2.0], [-1.0]])).tolist()
    ['yes', 'no']
    """

    def __init__(self, n_outputs: int) -> None:
        self.n_outputs = n_outputs

    def encode(self, y: Any) -> np.ndarray:
        """Return y as codes, one row each: int64, or float64 that follows the network's dtype."""
        raise NotImplementedError

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Return the predictions in the user's terms."""
        raise NotImplementedError

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the mean loss; ``weight`` (batch,) has mean 1 over the whole fit."""
        raise NotImplementedError

    def prior(self, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        """Return the outputs (n_outputs,) that stand for knowing nothing about a row."""
        raise NotImplementedError


class Labels(Target):
    """Base of the targets of classifiers.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    n_outputs : int
        How many numbers the network gives per row.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.targets import class_target
    >>> three = class_target(["b", "a", "c"])
    >>> three.probabilities(np.zeros((1, 3))).round(2).tolist()
    [[0.33, 0.33, 0.33]]
    """

    def __init__(self, classes: np.ndarray, n_outputs: int) -> None:
        super().__init__(n_outputs)
        self.classes = classes

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Return (n_rows, n_classes), in float64."""
        raise NotImplementedError

    def _positions(self, y: Any) -> np.ndarray:
        """Return where among the classes each label of ``y`` stands."""
        y = column_or_1d(y)
        positions = np.searchsorted(self.classes, y).clip(max=len(self.classes) - 1)
        unknown = self.classes[positions] != y
        if np.any(unknown):
            row = int(np.argmax(unknown))
            raise TargetError(
                f"y, row {row}: label {y[row]!r} is none of the classes {self.classes.tolist()}. "
                "Name all classes in the first partial_fit(classes=...)."
            )
        return positions


class _Binary(Labels):
    """Two classes: one output, logistic loss."""

    def __init__(self, classes: np.ndarray) -> None:
        super().__init__(classes, n_outputs=1)

    def encode(self, y: Any) -> np.ndarray:
        return self._positions(y).astype(np.float64)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return self.classes[(outputs[:, 0] > 0).astype(int)]

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        positive = expit(outputs[:, 0].astype(np.float64))
        return np.stack([1 - positive, positive], axis=1)

    def prior(self, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        return logit(_share(np.average(codes, weights=weight)))[None]

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        return F.binary_cross_entropy_with_logits(outputs[:, 0], codes, weight)


class _Multiclass(Labels):
    """Three classes and more: softmax, cross-entropy."""

    def __init__(self, classes: np.ndarray) -> None:
        super().__init__(classes, n_outputs=len(classes))

    def encode(self, y: Any) -> np.ndarray:
        return self._positions(y).astype(np.int64)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return self.classes[outputs.argmax(axis=1)]

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        return softmax(outputs.astype(np.float64), axis=1)

    def prior(self, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        return np.log(_share(np.bincount(codes, weight, self.n_outputs) / len(codes)))

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        if weight is None:
            return F.cross_entropy(outputs, codes)
        return (F.cross_entropy(outputs, codes, reduction="none") * weight).mean()


class _Multilabel(Labels):
    """Any number of labels a row: y is an indicator matrix; one logistic loss per label."""

    def __init__(self, n_labels: int) -> None:
        super().__init__(np.arange(n_labels), n_outputs=n_labels)

    def encode(self, y: Any) -> np.ndarray:
        y = y.toarray() if issparse(y) else np.asarray(y)
        if y.ndim != 2 or y.shape[1] != self.n_outputs:
            raise TargetError(
                f"y must be an indicator matrix with {self.n_outputs} columns, as in the first "
                f"fit. Got shape {y.shape}."
            )
        return y.astype(np.float64)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return (outputs > 0).astype(int)

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        return expit(outputs.astype(np.float64))

    def prior(self, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        return logit(_share(np.average(codes, axis=0, weights=weight)))

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        per_row = None if weight is None else weight[:, None]
        return F.binary_cross_entropy_with_logits(outputs, codes, per_row)


class Values(Target):
    """Real values, one output or several; standardised inside, squared error.

    Parameters
    ----------
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Values whose mean and spread are learned.
    weight : ndarray of shape (n_rows,) or None
        Weight of each row in them.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.targets import Values
    >>> target = Values(np.array([10.0, 30.0]))
    >>> target.encode([10.0, 30.0, 20.0]).ravel().tolist()
    [-1.0, 1.0, 0.0]
    >>> target.decode(np.array([[0.5]])).tolist()
    [25.0]
    """

    def __init__(self, y: np.ndarray, weight: np.ndarray | None = None) -> None:
        columns = y.reshape(len(y), -1)
        super().__init__(n_outputs=columns.shape[1])
        self.single = y.ndim == 1
        self.mean = np.average(columns, axis=0, weights=weight)
        spread = np.sqrt(np.average((columns - self.mean) ** 2, axis=0, weights=weight))
        self.scale = np.where(spread > 0, spread, 1.0)

    def encode(self, y: Any) -> np.ndarray:
        columns = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        if columns.shape[1] != self.n_outputs:
            raise TargetError(
                f"y has {columns.shape[1]} outputs, but the first fit had {self.n_outputs}."
            )
        return (columns - self.mean) / self.scale

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        values = outputs.astype(np.float64) * self.scale + self.mean
        return values[:, 0] if self.single else values

    def prior(self, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        return np.average(codes, axis=0, weights=weight)

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        if weight is None:
            return F.mse_loss(outputs, codes)
        return ((outputs - codes).square() * weight[:, None]).mean()


def _share(share: Any) -> Any:
    """Keep shares off 0 and 1, where log-odds are infinite."""
    return np.clip(share, 1e-7, 1 - 1e-7)


def class_target(y: Any, classes: Any = None) -> Labels:
    """Return the target of labels ``y``; of ``classes`` where they are named.

    Examples
    --------
    >>> from skfusion.targets import class_target
    >>> class_target(["b", "a", "c"]).classes.tolist()
    ['a', 'b', 'c']
    """
    check_classification_targets(y)
    kind = type_of_target(y)
    if kind == "multilabel-indicator":
        return _Multilabel(y.shape[1] if hasattr(y, "shape") else len(y[0]))
    if kind == "multiclass-multioutput":
        raise TargetError(
            "y has several columns of more than two classes, which one classifier does not learn. "
            "Wrap it: sklearn.multioutput.MultiOutputClassifier(FusionClassifier())."
        )
    found = np.unique(column_or_1d(y) if classes is None else np.asarray(classes))
    if len(found) < 2:
        raise TargetError(
            f"y has one class only, {found.tolist()}, so there is nothing to tell apart. "
            "A classifier needs at least two classes."
        )
    return _Binary(found) if len(found) == 2 else _Multiclass(found)


def value_target(y: Any, weight: np.ndarray | None = None) -> Values:
    """Return the target of real values ``y``.

    Examples
    --------
    >>> from skfusion.targets import value_target
    >>> value_target([[1.0, 2.0], [3.0, 4.0]]).n_outputs
    2
    """
    y = check_array(y, ensure_2d=False, allow_nd=False, dtype=np.float64, input_name="y")
    return Values(y, weight)
