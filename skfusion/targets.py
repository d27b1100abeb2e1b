"""The coding of y together with its loss, so that the two cannot disagree."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy.sparse import issparse
from scipy.special import expit, logit, softmax
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array

from skfusion.exceptions import ParameterError, TargetError
from skfusion.losses import Loss, resolve_class_loss, resolve_value_loss

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Labels", "Target", "Values", "class_target", "value_target"]


class Target:
    """Base of all targets.

    ``encode`` turns y into an array that the loss takes, ``decode`` turns the network's outputs
    (n_rows, n_outputs) into what the user reads.

    Parameters
    ----------
    n_outputs : int
        How many numbers the network gives per row.

    Attributes
    ----------
    exclusive : bool
        Whether these numbers are classes, of which one is right.

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

    exclusive = False

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

    def blended(self, prior: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
        """Return the prior of all rows from that of some and that of the ``share`` of others.

        Medians and quantiles are averaged, which is close to that of all rows; the rest is exact.
        """
        return (1 - share) * prior + share * other

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float | None:
        """Return what the estimator's ``score`` would be; None where it has no meaning."""
        return None

    def with_loss(self, loss: Loss) -> Self:
        """Return the same coding of y with another loss, for a fit that goes on."""
        raise NotImplementedError


class Labels(Target):
    """Base of the targets of classifiers.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    n_outputs : int
        How many numbers the network gives per row.
    loss : Loss
        What is minimised.
    label_smoothing : float, default=0.0
        Share of the labels' weight that is spread evenly over all labels.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.targets import class_target
    >>> three = class_target(["b", "a", "c"])
    >>> three.probabilities(np.zeros((1, 3))).round(2).tolist()
    [[0.33, 0.33, 0.33]]
    """

    def __init__(
        self, classes: np.ndarray, n_outputs: int, loss: Loss, label_smoothing: float = 0.0
    ) -> None:
        super().__init__(n_outputs)
        self.classes, self._loss, self._smoothing = classes, loss, label_smoothing

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Return (n_rows, n_classes), in float64."""
        raise NotImplementedError

    def with_loss(self, loss: Loss, label_smoothing: float = 0.0) -> Self:
        other = copy.copy(self)
        other._loss, other._smoothing = loss, label_smoothing
        return other

    def _smooth(self, codes: torch.Tensor) -> torch.Tensor:
        """Return 0 and 1 as the shares that smoothing makes of them."""
        return codes * (1 - self._smoothing) + self._smoothing / 2 if self._smoothing else codes

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
    """Two classes: one output, the log-odds of the second."""

    def __init__(self, classes: np.ndarray, loss: Loss, label_smoothing: float) -> None:
        super().__init__(classes, 1, loss, label_smoothing)

    def encode(self, y: Any) -> np.ndarray:
        return self._positions(y).astype(np.float64)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return self.classes[(outputs[:, 0] > 0).astype(int)]

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float:
        return float(np.mean((outputs[:, 0] > 0) == (codes > 0.5)))

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        positive = expit(outputs[:, 0].astype(np.float64))
        return np.stack([1 - positive, positive], axis=1)

    def prior(self, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        return logit(_share(np.average(codes, weights=weight)))[None]

    def blended(self, prior: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
        return logit(super().blended(expit(prior), expit(other), share))

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        return self._loss.mean(outputs[:, 0], self._smooth(codes), weight)


class _Multiclass(Labels):
    """Three classes and more: softmax."""

    exclusive = True

    def __init__(self, classes: np.ndarray, loss: Loss, label_smoothing: float) -> None:
        super().__init__(classes, len(classes), loss, label_smoothing)

    def encode(self, y: Any) -> np.ndarray:
        return self._positions(y).astype(np.int64)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return self.classes[outputs.argmax(axis=1)]

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float:
        return float(np.mean(outputs.argmax(axis=1) == codes))

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        return softmax(outputs.astype(np.float64), axis=1)

    def prior(self, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        return np.log(_share(np.bincount(codes, weight, self.n_outputs) / len(codes)))

    def blended(self, prior: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
        return np.log(super().blended(np.exp(prior), np.exp(other), share))

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        right = self._loss.mean(outputs, codes, weight)
        if not self._smoothing:
            return right
        each = self._loss.any_class(outputs)
        anything = (each if weight is None else each * weight).mean()
        return (1 - self._smoothing) * right + self._smoothing * anything


class _Multilabel(Labels):
    """Any number of labels a row: y is an indicator matrix; the log-odds of each label."""

    def __init__(self, n_labels: int, loss: Loss, label_smoothing: float) -> None:
        super().__init__(np.arange(n_labels), n_labels, loss, label_smoothing)

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

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float:
        return float(np.mean(np.all((outputs > 0) == (codes > 0.5), axis=1)))

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        return expit(outputs.astype(np.float64))

    def prior(self, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        return logit(_share(np.average(codes, axis=0, weights=weight)))

    def blended(self, prior: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
        return logit(super().blended(expit(prior), expit(other), share))

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        return self._loss.mean(outputs, self._smooth(codes), weight)


class Values(Target):
    """Real values, one output or several; standardised inside.

    Parameters
    ----------
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
        Values whose mean and spread are learned.
    weight : ndarray of shape (n_rows,) or None
        Weight of each row in them.
    loss : Loss or str, default="squared"
        What is minimised.

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

    def __init__(
        self, y: np.ndarray, weight: np.ndarray | None = None, loss: Any = "squared"
    ) -> None:
        columns = y.reshape(len(y), -1)
        super().__init__(n_outputs=columns.shape[1])
        self.single, self._loss = y.ndim == 1, resolve_value_loss(loss)
        self._learn(columns, weight)

    def _learn(self, columns: np.ndarray, weight: np.ndarray | None) -> None:
        self.mean = np.average(columns, axis=0, weights=weight)
        spread = np.sqrt(np.average((columns - self.mean) ** 2, axis=0, weights=weight))
        self.scale = np.where(spread > 0, spread, 1.0)

    def encode(self, y: Any) -> np.ndarray:
        return (self._columns(y) - self.mean) / self.scale

    def _columns(self, y: Any) -> np.ndarray:
        columns = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        if columns.shape[1] != self.n_outputs:
            raise TargetError(
                f"y has {columns.shape[1]} outputs, but the first fit had {self.n_outputs}."
            )
        return columns

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        values = outputs.astype(np.float64) * self.scale + self.mean
        return values[:, 0] if self.single else values

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float | None:
        return _r2(outputs, codes) if len(codes) > 1 else None

    def prior(self, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        return self._loss.constant(codes, weight)

    def with_loss(self, loss: Loss) -> Self:
        if loss.link != self._loss.link:
            raise ParameterError(
                f"loss was {self._loss!r} and is {loss!r} now, whose outputs are on another scale "
                "(logarithms), and this fit goes on from the weights of the last. Fit anew: call "
                "fit with warm_start=False. Or set the argument back."
            )
        other = copy.copy(self)
        other._loss = loss
        return other

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        return self._loss.mean(outputs, codes, weight)


class _Means(Values):
    """Values of at least 0, as multiples of their mean; the outputs are logarithms."""

    def _learn(self, columns: np.ndarray, weight: np.ndarray | None) -> None:
        _check_not_negative(columns)
        self.mean = np.average(columns, axis=0, weights=weight)
        if not self.mean.all():
            raise TargetError(
                f"y is 0 in every row of output {int(self.mean.argmin())}, and the logarithm of a "
                'mean of 0 is not finite. Leave that output out, or use loss="squared".'
            )

    def encode(self, y: Any) -> np.ndarray:
        columns = self._columns(y)
        _check_not_negative(columns)
        return columns / self.mean

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        values = np.exp(outputs.astype(np.float64)) * self.mean
        return values[:, 0] if self.single else values

    def blended(self, prior: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
        return np.log(super().blended(np.exp(prior), np.exp(other), share))

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float | None:
        return super().score(np.exp(outputs), codes)


def _check_not_negative(columns: np.ndarray) -> None:
    if columns.min(initial=0) < 0:
        row, column = (int(i) for i in np.argwhere(columns < 0)[0])
        raise TargetError(
            'loss="poisson" needs y >= 0. Got '
            f"{columns[row, column]:g} in row {row}, output {column}. "
            'Use loss="squared" for values that may be negative.'
        )


def _r2(outputs: np.ndarray, codes: np.ndarray) -> float:
    """Return scikit-learn's ``r2_score``, in a hundredth of its time: it is asked every epoch."""
    wrong = np.square(outputs - codes).sum(axis=0)
    spread = np.square(codes - codes.mean(axis=0)).sum(axis=0)
    explained = 1 - wrong / np.where(spread > 0, spread, 1)
    return float(np.where(spread > 0, explained, wrong == 0).mean())


def _share(share: Any) -> Any:
    """Keep shares off 0 and 1, where log-odds are infinite."""
    return np.clip(share, 1e-7, 1 - 1e-7)


def class_target(
    y: Any, classes: Any = None, loss: Any = "cross_entropy", label_smoothing: float = 0.0
) -> Labels:
    """Return the target of labels ``y``; of ``classes`` where they are named.

    Examples
    --------
    >>> from skfusion.targets import class_target
    >>> class_target(["b", "a", "c"]).classes.tolist()
    ['a', 'b', 'c']
    """
    check_classification_targets(y)
    kind, how = type_of_target(y), (resolve_class_loss(loss), label_smoothing)
    if kind == "multilabel-indicator":
        return _Multilabel(y.shape[1] if hasattr(y, "shape") else len(y[0]), *how)
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
    return _Binary(found, *how) if len(found) == 2 else _Multiclass(found, *how)


def value_target(y: Any, weight: np.ndarray | None = None, loss: Any = "squared") -> Values:
    """Return the target of real values ``y``.

    Examples
    --------
    >>> from skfusion.targets import value_target
    >>> value_target([[1.0, 2.0], [3.0, 4.0]]).n_outputs
    2
    """
    y = check_array(y, ensure_2d=False, allow_nd=False, dtype=np.float64, input_name="y")
    loss = resolve_value_loss(loss)
    return (_Means if loss.link == "log" else Values)(y, weight, loss)
