"""Vectors through fully connected layers."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import nn

from skfusion._checks import check_choice, check_real, check_widths
from skfusion.blocks import BlockSpec
from skfusion.encoders._base import Encoder, activation, as_float, row_size

__all__ = ["MLP"]


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
    ) -> None:
        self.widths = widths
        self.activation = activation
        self.dropout = dropout
        self.norm = norm

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        widths = (row_size(spec), *check_widths("widths", self.widths))
        dropout = check_real("dropout", self.dropout, 0, 1)
        norm = check_choice("norm", self.norm, ("layer", None))
        layers: list[nn.Module] = []
        for width_in, width_out in pairwise(widths):
            layers.append(nn.Linear(width_in, width_out))
            layers += [nn.LayerNorm(width_out)] if norm else []
            layers.append(activation(self.activation))
            layers += [nn.Dropout(dropout)] if dropout else []
        if spec.form == "vector":
            return nn.Sequential(*layers)
        first = next(layer for layer in layers if isinstance(layer, nn.Linear))
        return nn.Sequential(_Flatten(first), *layers)


class _Flatten(nn.Module):
    """Rows of any shape, bytes included, as vectors of the dtype of the layer behind."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.dtype_of = (layer,)  # a tuple, so that the layer is not registered twice

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return as_float(x, self.dtype_of[0].weight).flatten(1)
