"""Vectors through fully connected layers."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from skfusion._checks import check_choice, check_real, check_widths
from skfusion.blocks import BlockSpec
from skfusion.encoders._base import Encoder, activation, as_float, row_size
from skfusion.exceptions import ParameterError

__all__ = ["MLP", "Standardize"]

_LEAST_SPREAD = 1e-7  # of a column, as a share of its mean: less is rounding


class MLP(Encoder):
    """Multi-layer perceptron on vectors; images, sequences and clips of one size are flattened.

    (batch, *shape) -> (batch, widths[-1]).

    Parameters
    ----------
    widths : int or sequence of int, default=(64,)
        Size of each layer; the last is the size of the encoded vector.
    activation : {"relu", "gelu", "silu", "tanh", "identity"}, default="relu"
        Function behind each layer.
    dropout : float, default=0.0
        Share of each layer's output set to zero while training.
    norm : {"layer"} or None, default=None
        Normalisation in front of each activation.
    standardize : bool, default=False
        Whether each column of a vector block is brought to mean 0 and standard deviation 1 first,
        those of the rows of the fit. A column that is constant there has no influence.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionRegressor
    >>> from skfusion.encoders import MLP
    >>> X = np.linspace(-1, 1, 40).reshape(-1, 1)
    >>> model = FusionRegressor({"X": MLP(widths=(32, 16))}, random_state=0).fit(X, X.ravel() ** 2)
    >>> model.transform(X).shape
    (40, 16)
    """

    takes: ClassVar[tuple[str, ...]] = ("vector", "sequence", "image", "video")

    def __init__(
        self,
        widths: int | tuple[int, ...] = (64,),
        activation: str = "relu",
        dropout: float = 0.0,
        norm: str | None = None,
        standardize: bool = False,
    ) -> None:
        self.widths = widths
        self.activation = activation
        self.dropout = dropout
        self.norm = norm
        self.standardize = standardize

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        widths = (row_size(spec), *check_widths("widths", self.widths))
        dropout = check_real("dropout", self.dropout, 0, 1)
        norm = check_choice("norm", self.norm, ("layer", None))
        layers: list[nn.Module] = [Standardize(widths[0])] if self._standardizes(spec) else []
        for width_in, width_out in pairwise(widths):
            layers.append(nn.Linear(width_in, width_out))
            layers += [nn.LayerNorm(width_out)] if norm else []
            layers.append(activation(self.activation))
            layers += [nn.Dropout(dropout)] if dropout else []
        if spec.form == "vector":
            return nn.Sequential(*layers)
        first = next(layer for layer in layers if isinstance(layer, nn.Linear))
        return nn.Sequential(_Flatten(first), *layers)

    def _standardizes(self, spec: BlockSpec) -> bool:
        if check_choice("standardize", self.standardize, (True, False)) and spec.form != "vector":
            raise ParameterError(
                f"standardize=True is for vectors, but block {spec.name!r} has the form "
                f"{spec.form!r}. Use standardize=False."
            )
        return self.standardize


class Standardize(nn.Module):
    """Each column as ``(x - mean) * factor``: (batch, n_columns) -> the same.

    Parameters
    ----------
    n_columns : int
        Number of columns.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skfusion.encoders.mlp import Standardize
    >>> layer = Standardize(1)
    >>> layer.learn(np.array([[10.0], [30.0]]), None)
    >>> layer(torch.tensor([[10.0], [25.0]])).tolist()
    [[-1.0], [0.5]]
    """

    mean: torch.Tensor
    factor: torch.Tensor

    def __init__(self, n_columns: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_columns))
        self.register_buffer("factor", torch.ones(n_columns))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean) * self.factor

    def learn(self, values: np.ndarray, weight: np.ndarray | None) -> None:
        """Take mean and spread of rows (n_rows, n_columns), with a weight for each row or None."""
        mean = np.average(values, axis=0, weights=weight)
        spread = np.sqrt(np.average(np.square(values - mean), axis=0, weights=weight))
        varies = spread > _LEAST_SPREAD * np.maximum(abs(mean), 1)
        factor = np.where(varies, 1 / np.where(varies, spread, 1), 0)
        self.mean.copy_(torch.from_numpy(mean))
        self.factor.copy_(torch.from_numpy(factor))


class _Flatten(nn.Module):
    """Rows of any shape, bytes included, as vectors of the dtype of the layer behind."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.dtype_of = (layer,)  # a tuple, so that the layer is not registered twice

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return as_float(x, self.dtype_of[0].weight).flatten(1)
