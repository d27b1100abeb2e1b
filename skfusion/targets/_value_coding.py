"""The coding of values: numbers of one output, several or a grid of them, standardised."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from skfusion.blocks import Block
from skfusion.exceptions import ParameterError, TargetError
from skfusion.losses import Loss, Squared, resolve_value_loss
from skfusion.targets._base import Coding, PlainY, TargetOptions, dense
from skfusion.targets._output import OutputSpec

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Means", "ValueCoding", "loss_of", "mean_and_spread", "r2", "r2_of_known", "unit_of"]

_LARGEST_CODE = 1e30  # in standard deviations; more is no number of float32 once it is squared
_LARGEST_VALUE = 1e300
# Squares of numbers between these are neither 0 nor infinite.
_SAFE = (1e-140, 1e140)


def loss_of(options: TargetOptions) -> Loss:
    return resolve_value_loss("squared" if options.loss is None else options.loss)


class ValueCoding(Coding):
    """Values by their distance from the mean, in standard deviations.

    Parameters
    ----------
    y : ndarray of shape (n_rows,) or (n_rows, *shape)
        Values whose mean and spread are learned, per output.
    weight : ndarray of shape (n_rows,) or None
        Weight of each row in them.
    loss : Loss
        What is minimised.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.losses import Squared
    >>> from skfusion.targets import ValueCoding
    >>> coding = ValueCoding(np.array([10.0, 30.0]), None, Squared())
    >>> coding.mean, coding.scale
    (array([20.]), array([10.]))
    """

    def __init__(self, y: np.ndarray, weight: np.ndarray | None, loss: Loss) -> None:
        # A flat y has one output, and so has a column.
        shape = y.shape[1:] or (1,)
        super().__init__(OutputSpec("grid" if len(shape) > 1 else "value", shape))
        self.single, self._loss = y.ndim == 1, loss
        self._learn(y.reshape(len(y), *shape), weight)

    def _learn(self, values: np.ndarray, weight: np.ndarray | None) -> None:
        _check_size(values)
        self.mean, spread = mean_and_spread(values, weight)
        self.scale = np.where(spread > 0, spread, 1.0)

    def encode(self, y: PlainY) -> np.ndarray:
        values = self._shaped(y)
        codes = (values - self.mean) / self.scale
        if (abs(codes) > _LARGEST_CODE).any():
            row, at = _largest(codes)
            raise TargetError(
                f"y, row {row}: {values[at]:g} lies {abs(codes[at]):.2g} standard deviations off "
                f"the mean of the first fit. Leave the row out, or fit anew on all rows."
            )
        return codes

    def _shaped(self, y: PlainY) -> np.ndarray:
        """Return values (n_rows, *shape)."""
        values = np.asarray(y, dtype=np.float64)
        shape = values.shape[1:] or (1,)
        if shape != self.output.shape:
            raise TargetError(
                f"y has {_counted(shape)} outputs, but the first fit had "
                f"{_counted(self.output.fixed_shape)}."
            )
        return values.reshape(len(values), *shape)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return self._as_given(np.asarray(outputs).astype(np.float64) * self.scale + self.mean)

    def _as_given(self, values: np.ndarray) -> np.ndarray:
        return values[:, 0] if self.single else values

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float | None:
        return r2(outputs, codes) if len(codes) > 1 else None

    def prior(self, codes: Block, weight: np.ndarray | None) -> np.ndarray:
        constant = self._loss.constant(dense(codes).reshape(len(codes), -1), weight)
        return constant.reshape(self.output.fixed_shape)

    def with_options(self, options: TargetOptions) -> Self:
        loss = loss_of(options)
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

    @property
    def linear_fit(self) -> str | None:
        return "least squares" if type(self._loss) is Squared else None

    def losses(self, outputs: np.ndarray, codes: Block) -> np.ndarray:
        return np.square(outputs - dense(codes)).reshape(len(outputs), -1).mean(axis=1)


class Means(ValueCoding):
    """Values of at least 0, as multiples of their mean; the outputs are logarithms."""

    def _learn(self, values: np.ndarray, weight: np.ndarray | None) -> None:
        _check_size(values)
        _check_not_negative(values)
        self.mean = mean_and_spread(values, weight)[0]
        if not self.mean.all():
            raise TargetError(
                f"y is 0 in every row of output {_place(self.mean.argmin(), self.mean)}, and the "
                "logarithm of a mean of 0 is not finite. Leave that output out, or use "
                'loss="squared".'
            )

    def encode(self, y: PlainY) -> np.ndarray:
        values = self._shaped(y)
        _check_not_negative(values)
        return values / self.mean

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        return self._as_given(np.exp(np.asarray(outputs).astype(np.float64)) * self.mean)

    def mixed(self, outputs: Sequence[np.ndarray], shares: Sequence[float]) -> np.ndarray:
        return np.log(super().mixed([np.exp(one) for one in outputs], shares))

    @property
    def linear_fit(self) -> str | None:
        return None

    def score(self, outputs: np.ndarray, codes: np.ndarray) -> float | None:
        return super().score(np.exp(outputs), codes)


def mean_and_spread(values: np.ndarray, weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation over the rows, of numbers of any size."""
    unit = unit_of(values)
    values = values if unit is None else values / unit
    mean = np.average(values, axis=0, weights=weight)
    spread = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weight))
    return (mean, spread) if unit is None else (mean * unit, spread * unit)


def unit_of(values: np.ndarray) -> np.ndarray | None:
    """Return what to divide outputs by whose squares are 0 or infinite; None where there are none.

    (n_rows, *shape) -> (*shape,)
    """
    largest = np.fmax.reduce(abs(values), axis=0, initial=0)
    extreme = (largest > _SAFE[1]) | ((largest < _SAFE[0]) & (largest > 0))
    return np.where(extreme, largest, 1.0) if extreme.any() else None


def _check_size(values: np.ndarray) -> None:
    if abs(values).max(initial=0) > _LARGEST_VALUE:
        row, at = _largest(values)
        raise TargetError(
            f"y, row {row}: {values[at]:g} is too large to be standardised (more than "
            f"{_LARGEST_VALUE:g}). Divide y by a constant, or leave the row out."
        )


def _check_not_negative(values: np.ndarray) -> None:
    if values.min(initial=0) < 0:
        at = tuple(int(i) for i in np.argwhere(values < 0)[0])
        raise TargetError(
            'loss="poisson" needs y >= 0. Got '
            f"{values[at]:g} in row {at[0]}, output {at[1] if len(at) == 2 else at[1:]}. "
            'Use loss="squared" for values that may be negative.'
        )


def _counted(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _largest(values: np.ndarray) -> tuple[int, tuple[int, ...]]:
    at = tuple(int(i) for i in np.unravel_index(np.nanargmax(abs(values)), values.shape))
    return at[0], at


def _place(position: np.intp, values: np.ndarray) -> str:
    at = tuple(int(i) for i in np.unravel_index(position, values.shape))
    return str(at[0] if len(at) == 1 else at)


def r2(outputs: np.ndarray, codes: np.ndarray) -> float:
    """Return scikit-learn's ``r2_score``, in a hundredth of its time: it is asked every epoch."""
    wrong = np.square(outputs - codes).sum(axis=0)
    spread = np.square(codes - codes.mean(axis=0)).sum(axis=0)
    explained = 1 - wrong / np.where(spread > 0, spread, 1)
    return float(np.where(spread > 0, explained, wrong == 0).mean())


def r2_of_known(outputs: np.ndarray, codes: np.ndarray) -> float | None:
    """Return R2 where ``codes`` are known, averaged over outputs known of two rows and more."""
    flat, known = outputs.reshape(len(codes), -1), codes.reshape(len(codes), -1)
    rows_of = [np.flatnonzero(~np.isnan(column)) for column in known.T]
    each = [
        r2(flat[rows, i, None], known[rows, i, None])
        for i, rows in enumerate(rows_of)
        if len(rows) > 1
    ]
    return float(np.mean(each)) if each else None
