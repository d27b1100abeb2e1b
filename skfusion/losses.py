"""Losses by name, and as recipes with parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch.nn import functional as F

from skfusion._checks import check_real, resolve_recipe
from skfusion.exceptions import ParameterError, noted

__all__ = [
    "Absolute",
    "CrossEntropy",
    "Focal",
    "Huber",
    "Loss",
    "LossLike",
    "Poisson",
    "Quantile",
    "Squared",
]


class Loss(BaseEstimator):
    """Base of all losses; one of your own overrides ``each``.

    What ``each`` takes depends on the target:

    ==================  =================================  =======================================
    target              outputs                            codes
    ==================  =================================  =======================================
    two classes         log-odds (batch,)                  0 or 1 (batch,), floating
    more classes        scores (batch, n_classes)          position of the class (batch,), int64
    several labels      log-odds (batch, n_labels)         0 or 1 (batch, n_labels), floating
    values              standardised (batch, *shape)       standardised (batch, *shape)
    ==================  =================================  =======================================

    Label smoothing turns 0 and 1 into numbers in between.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionRegressor
    >>> from skfusion.losses import Loss
    >>> class Cubed(Loss):
    ...     def each(self, outputs, codes):
    ...         return (outputs - codes).abs() ** 3
    >>> model = FusionRegressor(loss=Cubed(), max_epochs=2).fit(np.eye(4), [1.0, 2.0, 3.0, 4.0])
    >>> model.predict(np.eye(4)).shape
    (4,)
    """

    link = "identity"  # "log": the outputs are logarithms of means, as in Poisson

    def check(self) -> None:
        """Raise ``ParameterError`` for parameters out of range."""

    def each(self, outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return the loss of each row (batch,), or of each of its outputs (batch, *shape)."""
        raise NotImplementedError

    def mean(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the mean loss of the batch; ``weight`` (batch,) multiplies that of each row."""
        each = self.each(outputs, codes)
        return each.mean() if weight is None else (each * _like(weight, each)).mean()

    def any_class(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the loss (batch,) of more than two classes if any of them is as likely true."""
        n_rows, n_classes = outputs.shape
        codes = torch.arange(n_classes, device=outputs.device).expand(n_rows, -1)
        return torch.stack([self.each(outputs, column) for column in codes.unbind(1)]).mean(0)

    def constant(self, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        """Return the outputs (n_outputs,) of least loss among those equal for all rows.

        Grids come flat: ``codes`` are (n_rows, n_outputs), ``weight`` is (n_rows,).
        """
        return np.average(codes, axis=0, weights=weight)


class CrossEntropy(Loss):
    """Minus the logarithm of the probability of the true class: what a classifier learns by.

    Examples
    --------
    >>> import torch
    >>> from skfusion.losses import CrossEntropy
    >>> CrossEntropy().each(torch.zeros(1, 4), torch.tensor([2])).exp().round()
    tensor([4.])
    """

    def each(self, outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        if codes.dtype == torch.int64:
            return F.cross_entropy(outputs, codes, reduction="none")
        return F.binary_cross_entropy_with_logits(outputs, codes, reduction="none")

    def mean(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        if codes.dtype != torch.int64:
            per_output = None if weight is None else _like(weight, outputs)
            return F.binary_cross_entropy_with_logits(outputs, codes, per_output)
        if weight is None:
            return F.cross_entropy(outputs, codes)
        return super().mean(outputs, codes, weight)

    def any_class(self, outputs: torch.Tensor) -> torch.Tensor:
        return -outputs.log_softmax(1).mean(1)


class Focal(Loss):
    """Cross-entropy that cares less for rows that are right already (Lin et al., 2017).

    The logarithm of the true class' probability ``p`` is multiplied by ``(1 - p) ** gamma``. For
    rare classes; the paper's alpha is ``class_weight``. Probabilities come out less sure.

    Parameters
    ----------
    gamma : float, default=2.0
        0 is cross-entropy; the larger, the less do rows count that are right.

    Examples
    --------
    >>> import torch
    >>> from skfusion.losses import Focal
    >>> outputs, codes = torch.tensor([0.0, 4.0]), torch.ones(2)  # one row undecided, one right
    >>> Focal(gamma=0.0).each(outputs, codes)
    tensor([0.6931, 0.0181])
    >>> Focal(gamma=2.0).each(outputs, codes).round(decimals=4)
    tensor([0.1733, 0.0000])
    """

    def __init__(self, gamma: float = 2.0) -> None:
        self.gamma = gamma

    def check(self) -> None:
        check_real("gamma", self.gamma)

    def each(self, outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        if codes.dtype == torch.int64:
            return self._focused(outputs.log_softmax(1)).gather(1, codes[:, None])[:, 0]
        yes, no = self._focused(F.logsigmoid(outputs)), self._focused(F.logsigmoid(-outputs))
        return codes * yes + (1 - codes) * no

    def any_class(self, outputs: torch.Tensor) -> torch.Tensor:
        return self._focused(outputs.log_softmax(1)).mean(1)

    def _focused(self, log_share: torch.Tensor) -> torch.Tensor:
        if self.gamma == 0:
            return -log_share
        # Off zero, where the gradient of a power below 1 is infinite.
        doubt = (-torch.expm1(log_share)).clamp(min=torch.finfo(log_share.dtype).tiny)
        return -(doubt**self.gamma) * log_share


class Squared(Loss):
    """Squared error: what a regressor learns by; predicts means.

    Examples
    --------
    >>> import torch
    >>> from skfusion.losses import Squared
    >>> Squared().each(torch.tensor([[3.0]]), torch.tensor([[1.0]]))
    tensor([[4.]])
    """

    def each(self, outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        return (outputs - codes).square()

    def mean(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        return (
            F.mse_loss(outputs, codes) if weight is None else super().mean(outputs, codes, weight)
        )


class Quantile(Loss):
    """Pinball loss: predicts what a share ``level`` of the values lies below.

    Parameters
    ----------
    level : float, default=0.5
        Share strictly between 0 and 1; 0.5 predicts medians.

    Examples
    --------
    >>> import torch
    >>> from skfusion.losses import Quantile
    >>> Quantile(level=0.9).each(torch.tensor([[0.0], [0.0]]), torch.tensor([[1.0], [-1.0]]))
    tensor([[0.9000],
            [0.1000]])
    """

    def __init__(self, level: float = 0.5) -> None:
        self.level = level

    def check(self) -> None:
        if not 0 < check_real("level", self.level) < 1:
            raise ParameterError(
                f"level must lie strictly between 0 and 1. Got {self.level!r}. "
                "The 90 per cent quantile is Quantile(level=0.9)."
            )

    def each(self, outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        above = codes - outputs
        return torch.maximum(self.level * above, (self.level - 1) * above)

    def constant(self, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        return np.array([_quantile(column, weight, self.level) for column in codes.T])


class Absolute(Loss):
    """Absolute error: predicts medians, and is not led astray by single values far out.

    Examples
    --------
    >>> import torch
    >>> from skfusion.losses import Absolute
    >>> Absolute().each(torch.tensor([[3.0]]), torch.tensor([[1.0]]))
    tensor([[2.]])
    """

    def each(self, outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        return (outputs - codes).abs()

    def constant(self, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        return np.array([_quantile(column, weight, 0.5) for column in codes.T])


class Huber(Loss):
    """Squared error of small residuals, absolute error of large ones.

    Parameters
    ----------
    delta : float, default=1.0
        Where large begins, in standard deviations of y.

    Examples
    --------
    >>> import torch
    >>> from skfusion.losses import Huber
    >>> Huber(delta=1.0).each(torch.tensor([[0.5], [3.0]]), torch.zeros(2, 1))
    tensor([[0.1250],
            [2.5000]])
    """

    def __init__(self, delta: float = 1.0) -> None:
        self.delta = delta

    def check(self) -> None:
        if check_real("delta", self.delta) == 0:
            raise ParameterError('delta must be > 0. Got 0. Use loss="absolute" instead.')

    def each(self, outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        return F.huber_loss(outputs, codes, reduction="none", delta=self.delta)


class Poisson(Loss):
    """Half the Poisson deviance, for counts and rates: y >= 0, and the prediction is a mean > 0.

    The network gives logarithms; y is divided by its mean, not standardised.

    Examples
    --------
    >>> import torch
    >>> from skfusion.losses import Poisson
    >>> Poisson().each(torch.zeros(2, 1), torch.tensor([[1.0], [0.0]]))
    tensor([[0.],
            [1.]])
    """

    link = "log"

    def each(self, outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        return outputs.exp() - codes * outputs + torch.xlogy(codes, codes) - codes

    def constant(self, codes: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
        mean = np.average(codes, axis=0, weights=weight)
        return np.log(np.maximum(mean, np.finfo(np.float64).tiny))


# A recipe, a name, or a function (outputs, codes) -> losses.
LossLike: TypeAlias = Loss | str | Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class _Callable(Loss):
    """A function (outputs, codes) -> losses, in the place of a recipe."""

    def __init__(self, function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> None:
        self.function = function

    def each(self, outputs: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        with noted("in the function given as loss, which is called with (outputs, codes)"):
            losses = self.function(outputs, codes)
        shape = getattr(losses, "shape", None)
        if shape not in (outputs.shape, outputs.shape[:1]):
            raise ParameterError(
                "a function given as loss must return a loss for each row or each output, of shape "
                f"{tuple(outputs.shape[:1])} or {tuple(outputs.shape)}. Got "
                f'{losses if shape is None else tuple(shape)}. Use reduction="none" in torch\'s.'
            )
        return losses


_OF_CLASSES: dict[str, type[Loss]] = {"cross_entropy": CrossEntropy, "focal": Focal}
_OF_VALUES: dict[str, type[Loss]] = {
    "squared": Squared,
    "absolute": Absolute,
    "huber": Huber,
    "quantile": Quantile,
    "poisson": Poisson,
}


def resolve_class_loss(loss: LossLike) -> Loss:
    """Return the loss of a classifier: a recipe, or what a name or a function stands for.

    Examples
    --------
    >>> from skfusion.losses import resolve_class_loss
    >>> resolve_class_loss("focal")
    Focal()
    """
    return _resolve(loss, _OF_CLASSES, _OF_VALUES)


def resolve_value_loss(loss: LossLike) -> Loss:
    """Return the loss of a regressor: a recipe, or what a name or a function stands for.

    Examples
    --------
    >>> from skfusion.losses import resolve_value_loss
    >>> resolve_value_loss("quantile")
    Quantile()
    """
    return _resolve(loss, _OF_VALUES, _OF_CLASSES)


def _resolve(
    loss: LossLike, known: Mapping[str, type[Loss]], others: Mapping[str, type[Loss]]
) -> Loss:
    if callable(loss) and not isinstance(loss, (Loss, type)):
        return _Callable(loss)
    example = next(iter(known.values())).__name__
    rule = f"loss must be a function (outputs, codes) -> losses, a recipe such as {example}()"
    if type(loss) in others.values():
        names = ", ".join(map(repr, known))
        raise ParameterError(f"loss={loss!r} is for another kind of target. Use one of {names}.")
    chosen = resolve_recipe(rule, loss, Loss, known)
    chosen.check()
    return chosen


def _like(weight: torch.Tensor, each: torch.Tensor) -> torch.Tensor:
    """Return the weights of rows in a shape that multiplies ``each``."""
    return weight.view(-1, *[1] * (each.ndim - 1))


def _quantile(values: np.ndarray, weight: np.ndarray | None, level: float) -> float:
    """Return the least value that has a share ``level`` of the weight at or below it."""
    order = np.argsort(values)
    below = np.cumsum(np.ones(len(values)) if weight is None else weight[order])
    return float(values[order][np.searchsorted(below, level * below[-1])])
