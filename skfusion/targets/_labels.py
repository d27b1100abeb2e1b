"""Labels: one of two, one of more, or several a row."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.special import expit, log_expit, log_softmax, logit, logsumexp, softmax
from sklearn.utils import column_or_1d

from skfusion._checks import check_choice
from skfusion._warn import warn_user
from skfusion.blocks import Block
from skfusion.blocks._kinds import is_csr
from skfusion.exceptions import TargetError
from skfusion.losses import CrossEntropy, Loss, resolve_class_loss
from skfusion.targets._base import Coding, PlainY, Target, TargetOptions, dense
from skfusion.targets._output import OutputSpec
from skfusion.targets._reading import kind_of_labels, read_labels
from skfusion.targets._same_labels import are_comparable, listed
from skfusion.typing import YLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LabelCoding", "Labels"]


class Labels(Target):
    """One label a row, of two or more classes, or several labels a row.

    Labels are texts, numbers, booleans or dates; they come back as they went in. Several labels a
    row are an indicator matrix of 0 and 1, dense or csr, which stays sparse.

    Parameters
    ----------
    several : bool or "auto", default="auto"
        Whether a row has several labels; "auto" says so of an indicator matrix, and warns where
        each of its rows has exactly one.

    Examples
    --------
    >>> from skfusion.targets import Labels
    >>> Labels().learn(Labels().read(["b", "a", "c"])).classes.tolist()
    ['a', 'b', 'c']
    """

    def __init__(self, several: bool | str = "auto") -> None:
        self.several = several

    @property
    def takes_loss(self) -> bool:
        return True

    def read(self, y: YLike) -> PlainY:
        return read_labels(y)

    def learn(
        self,
        y: PlainY,
        weight: np.ndarray | None = None,
        options: TargetOptions | None = None,
    ) -> LabelCoding:
        options = options or TargetOptions()
        several = check_choice("several", self.several, ("auto", True, False))
        kind = kind_of_labels(y)
        how = _loss_of(options), options.label_smoothing
        if kind == "multilabel-indicator":
            _check_several(y, several)
            return _Multilabel(y.shape[1], *how)
        if several is True:
            raise TargetError(
                "several labels a row need y as an indicator matrix of 0 and 1, a column a label. "
                f"Got shape {y.shape}. Make it by sklearn.preprocessing.MultiLabelBinarizer."
            )
        if kind.endswith("multioutput"):
            raise TargetError(
                "y has several columns of more than two classes, which one classifier does not "
                "learn. Wrap it: sklearn.multioutput.MultiOutputClassifier(FusionClassifier())."
            )
        found = _classes(y, options)
        return _Binary(found, *how) if len(found) == 2 else _Multiclass(found, *how)


def _loss_of(options: TargetOptions) -> Loss:
    return resolve_class_loss("cross_entropy" if options.loss is None else options.loss)


def _classes(y: PlainY, options: TargetOptions) -> np.ndarray:
    given = y if options.classes is None else read_labels(options.classes)
    try:
        found = np.unique(given)
    except TypeError as error:  # such as times with and without a zone
        raise TargetError(
            f"y holds labels that cannot be sorted: {error}. Make them texts: y.astype(str)."
        ) from error
    if len(found) < 2:
        raise TargetError(
            f"y has one class only, {listed(found)}, so there is nothing to tell apart. "
            "A classifier needs at least two classes, each with a row of weight above 0; "
            "partial_fit takes those yet to come in classes=."
        )
    return found


def _check_several(y: PlainY, several: bool | str) -> None:
    """Refuse an indicator matrix, or warn of one in which each row has exactly one label."""
    repair = "If a row has one label, pass it as y.argmax(axis=1)."
    if several is False:
        raise TargetError(f"y of shape {y.shape} holds several labels a row. {repair}")
    counts = np.asarray(y.sum(axis=1)).ravel()
    if several == "auto" and len(counts) > 1 and (counts == 1).all():
        warn_user(
            f"y of shape {y.shape} has exactly one 1 in every row. It is read as several labels a "
            f"row, each of which is predicted by itself. {repair} If rows may have several, "
            'target="labels" says so and ends this warning.',
            UserWarning,
        )


class LabelCoding(Coding):
    """Base of the codings of classifiers; one of your own defines what it does not.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    output : OutputSpec
        What the network gives for a row.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.targets import Labels
    >>> three = Labels().learn(np.array(["b", "a", "c"]))
    >>> three.probabilities(np.zeros((1, 3))).round(2).tolist()
    [[0.33, 0.33, 0.33]]
    """

    def __init__(self, classes: np.ndarray, output: OutputSpec) -> None:
        super().__init__(output)
        self.classes = classes

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        """Return (n_rows, n_classes), in float64."""
        raise NotImplementedError

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """Return what ``decision_function`` does: one score a row for two classes, else all.

        (n_rows, n_outputs) -> (n_rows,) or (n_rows, n_outputs)
        """
        flat = self.n_outputs == 1 and len(self.classes) == 2
        return outputs[:, 0] if flat else outputs

    def encode(self, y: PlainY) -> Block:
        return self.positions(y)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return self.classes[self.probabilities(outputs).argmax(axis=1)]

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float:
        return float(np.mean(self.probabilities(outputs).argmax(axis=1) == codes))

    def strata(self, y: PlainY) -> np.ndarray | None:
        return y if isinstance(y, np.ndarray) and y.ndim == 1 else None

    def positions(self, y: PlainY) -> np.ndarray:
        """Return where among the classes each label of ``y`` stands (n_rows,).

        Raises
        ------
        TargetError
            If a label is none of the classes; names the row.
        """
        labels = column_or_1d(y)
        if len(labels) and not are_comparable(labels, self.classes):
            positions, unknown = np.zeros(len(labels), np.int64), np.ones(len(labels), bool)
        else:
            positions = np.searchsorted(self.classes, labels).clip(max=len(self.classes) - 1)
            unknown = np.asarray(self.classes[positions] != labels)
        if np.any(unknown):
            row = int(np.argmax(unknown))
            raise TargetError(
                f"y, row {row}: label {listed(labels)[row]!r} is none of the classes "
                f"{listed(self.classes)} of the fit. Leave the row out; a model that learns in "
                "parts is told all classes at its start: partial_fit(classes=...)."
            )
        return positions.astype(np.int64)


class _WithLoss(LabelCoding):
    """Labels whose loss the user chose."""

    def __init__(
        self, classes: np.ndarray, output: OutputSpec, loss: Loss, label_smoothing: float
    ) -> None:
        super().__init__(classes, output)
        self._loss, self._smoothing = loss, label_smoothing

    def with_options(self, options: TargetOptions) -> Self:
        other = copy.copy(self)
        other._loss, other._smoothing = _loss_of(options), options.label_smoothing
        return other

    @property
    def linear_fit(self) -> str | None:
        return "logistic" if type(self._loss) is CrossEntropy else None

    def losses(self, outputs: np.ndarray, codes: Block) -> np.ndarray:
        codes = codes.toarray() if is_csr(codes) else dense(codes)
        scores = outputs[:, 0] if self.output.shape == (1,) and codes.ndim == 1 else outputs
        scores = scores.astype(np.float64)
        each = self._loss.each(torch.from_numpy(scores), torch.from_numpy(codes)).numpy()
        return each.reshape(len(each), -1).mean(axis=1)

    def _smooth(self, codes: torch.Tensor) -> torch.Tensor:
        """Return 0 and 1 as the shares that smoothing makes of them."""
        return codes * (1 - self._smoothing) + self._smoothing / 2 if self._smoothing else codes


class _Binary(_WithLoss):
    """Two classes: one output, the log-odds of the second."""

    def __init__(self, classes: np.ndarray, loss: Loss, label_smoothing: float) -> None:
        super().__init__(classes, OutputSpec("classes", (1,), 2), loss, label_smoothing)

    def encode(self, y: PlainY) -> np.ndarray:
        return self.positions(y).astype(np.float64)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return self.classes[(outputs[:, 0] > 0).astype(int)]

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float:
        return float(np.mean((outputs[:, 0] > 0) == (codes > 0.5)))

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        positive = expit(outputs[:, 0].astype(np.float64))
        return np.stack([1 - positive, positive], axis=1)

    def prior(self, codes: Block, weight: np.ndarray | None) -> np.ndarray:
        return logit(_share(np.average(dense(codes), weights=weight)))[None]

    def mixed(self, outputs: Sequence[np.ndarray], shares: Sequence[float]) -> np.ndarray:
        return _mixed_log_odds(outputs, shares)

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        return self._loss.mean(outputs[:, 0], self._smooth(codes), weight)


class _Multiclass(_WithLoss):
    """Three classes and more: softmax."""

    def __init__(self, classes: np.ndarray, loss: Loss, label_smoothing: float) -> None:
        output = OutputSpec("classes", (len(classes),), len(classes))
        super().__init__(classes, output, loss, label_smoothing)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return self.classes[outputs.argmax(axis=1)]

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float:
        return float(np.mean(outputs.argmax(axis=1) == codes))

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        return softmax(outputs.astype(np.float64), axis=1)

    def prior(self, codes: Block, weight: np.ndarray | None) -> np.ndarray:
        return np.log(_share(np.bincount(dense(codes), weight, self.n_outputs) / len(codes)))

    def mixed(self, outputs: Sequence[np.ndarray], shares: Sequence[float]) -> np.ndarray:
        return logsumexp([log_softmax(one, -1) for one in outputs], 0, _column(shares, outputs))

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        right = self._loss.mean(outputs, codes, weight)
        if not self._smoothing:
            return right
        each = self._loss.any_class(outputs)
        anything = (each if weight is None else each * weight).mean()
        return (1 - self._smoothing) * right + self._smoothing * anything


class _Multilabel(_WithLoss):
    """Any number of labels a row: y is an indicator matrix; the log-odds of each label."""

    def __init__(self, n_labels: int, loss: Loss, label_smoothing: float) -> None:
        output = OutputSpec("labels", (n_labels,), n_labels)
        super().__init__(np.arange(n_labels), output, loss, label_smoothing)

    def encode(self, y: PlainY) -> Block:
        if y.ndim != 2 or y.shape[1] != self.n_outputs:
            raise TargetError(
                f"y must be an indicator matrix with {self.n_outputs} columns, as in the first "
                f"fit. Got shape {y.shape}."
            )
        codes = y.astype(np.float64)
        stored = codes.data if is_csr(codes) else codes
        if not np.isin(stored, (0, 1)).all():
            wrong = np.argwhere(~np.isin(y.toarray() if is_csr(y) else y, (0, 1)))[0]
            row, column = (int(i) for i in wrong)
            raise TargetError(
                f"y, row {row}, output {column}: {y[row, column]} in a matrix of several labels a "
                "row. 1 is a label that the row has, and 0 one that it has not."
            )
        return codes

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return (outputs > 0).astype(int)

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float:
        return float(np.mean(np.all((outputs > 0) == (codes > 0.5), axis=1)))

    def probabilities(self, outputs: np.ndarray) -> np.ndarray:
        return expit(outputs.astype(np.float64))

    def prior(self, codes: Block, weight: np.ndarray | None) -> np.ndarray:
        if is_csr(codes):
            rows = np.ones(codes.shape[0]) if weight is None else weight
            return logit(_share(codes.T @ rows / rows.sum()))
        return logit(_share(np.average(dense(codes), axis=0, weights=weight)))

    def mixed(self, outputs: Sequence[np.ndarray], shares: Sequence[float]) -> np.ndarray:
        return _mixed_log_odds(outputs, shares)

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        return self._loss.mean(outputs, self._smooth(codes), weight)


def _mixed_log_odds(outputs: Sequence[np.ndarray], shares: Sequence[float]) -> np.ndarray:
    """Return the log-odds of the mean of probabilities that are given as log-odds."""
    weights, stacked = _column(shares, outputs), np.stack(outputs)
    yes, no = (logsumexp(log_expit(sign * stacked), 0, weights) for sign in (1, -1))
    return yes - no


def _column(shares: Sequence[float], outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Return the shares as (n_networks, 1, ...), beside stacked outputs."""
    return np.reshape(shares, (-1, *[1] * outputs[0].ndim))


def _share(share: np.ndarray) -> np.ndarray:
    """Keep shares off 0 and 1, where log-odds are infinite."""
    return np.clip(share, 1e-7, 1 - 1e-7)
