"""Numbers as vectors, one per feature."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from scipy.special import ndtri
from torch import nn

from skfusion._checks import check_choice, check_int, check_real, check_widths
from skfusion._tokens import Tokens
from skfusion.blocks import BlockSpec
from skfusion.encoders._base import Encoder, activation, initialise
from skfusion.exceptions import ParameterError

__all__ = ["NumericEmbedding"]


class NumericEmbedding(Encoder):
    """Embeddings of numerical features (Gorishniy, Rubachev and Babenko, 2022).

    Each feature becomes a vector of its own, from which a network reads bends and steps that it
    would not see in the bare number. Expects standardised features (``StandardScaler``).

    (batch, features) -> (batch, widths[-1]), or (batch, features, embedding_width) and None if not
    pooled: the tokens of an FT-Transformer, ``Chain(NumericEmbedding(), Transformer())``.

    Parameters
    ----------
    kind : {"periodic", "piecewise"}, default="periodic"
        "periodic" is linear + ReLU behind sines and cosines of learned frequencies; "piecewise"
        behind a piecewise linear code, which says how far a value has gone through each bin.
    embedding_width : int, default=16
        Size of a feature's vector.
    n_frequencies : int, default=16
        Learned frequencies per feature, for "periodic".
    scale : float, default=0.1
        Standard deviation of the frequencies at the start, in periods per unit: the parameter to
        search, between 0.01 and 10; higher ones follow faster changes.
    bins : int or increasing sequence of float, default=16
        Number of bins per feature for "piecewise", or the edges between them.
    widths : int or sequence of int, default=(64,)
        Sizes of the layers behind the vectors of all features, side by side.
    activation : {"relu", "gelu", "silu", "tanh", "identity"}, default="relu"
        Function behind each of those layers.
    dropout : float, default=0.0
        Share of each layer's output set to zero while training.

    Notes
    -----
    NOTE[DIFF]: the paper puts the edges of bins at quantiles of the training data. An encoder sees
    no data before it is built, so they stand at the quantiles of the standard normal distribution,
    which are those of standardised, bell-shaped data; the first and last bin are open. For others
    put a ``QuantileTransformer(output_distribution="normal")`` in front, which makes them the
    paper's bins again. The ReLU stands behind both kinds ("PLR" and "Q-LR").

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionRegressor
    >>> from skfusion.encoders import NumericEmbedding
    >>> X = np.linspace(-2, 2, 40).reshape(-1, 1)
    >>> model = FusionRegressor({"X": NumericEmbedding(widths=8)}, max_epochs=2)
    >>> model.fit(X, np.sin(5 * X.ravel())).transform(X).shape
    (40, 8)
    """

    takes: ClassVar[tuple[str, ...]] = ("vector",)

    def __init__(
        self,
        kind: str = "periodic",
        embedding_width: int = 16,
        n_frequencies: int = 16,
        scale: float = 0.1,
        bins: int | Sequence[float] = 16,
        widths: int | tuple[int, ...] = (64,),
        activation: str = "relu",
        dropout: float = 0.0,
    ) -> None:
        self.kind = kind
        self.embedding_width = embedding_width
        self.n_frequencies = n_frequencies
        self.scale = scale
        self.bins = bins
        self.widths = widths
        self.activation = activation
        self.dropout = dropout

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        n_features, width = (
            int(spec.shape[0] or 0),
            check_int("embedding_width", self.embedding_width),
        )
        code, n_numbers = self._code(n_features)
        embed = nn.Sequential(code, _PerFeature(n_features, n_numbers, width), nn.ReLU())
        if not pooled:
            return _FeatureTokens(embed)
        return nn.Sequential(embed, nn.Flatten(), *self._layers(n_features * width))

    def _code(self, n_features: int) -> tuple[nn.Module, int]:
        if check_choice("kind", self.kind, ("periodic", "piecewise")) == "piecewise":
            edges = _edges(self.bins)
            return _Piecewise(edges), len(edges) - 1
        n = check_int("n_frequencies", self.n_frequencies)
        return _Periodic(n_features, n, check_real("scale", self.scale)), 2 * n

    def _layers(self, width: int) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for width_out in check_widths("widths", self.widths):
            layers += [initialise(nn.Linear(width, width_out)), activation(self.activation)]
            layers.append(nn.Dropout(check_real("dropout", self.dropout, 0, 1)))
            width = width_out
        return layers


class _Periodic(nn.Module):
    """(batch, features) -> (batch, features, 2 * frequencies)."""

    def __init__(self, n_features: int, n_frequencies: int, scale: float) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(n_features, n_frequencies) * scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        angles = 2 * math.pi * x[:, :, None] * self.frequencies
        return torch.cat([angles.cos(), angles.sin()], dim=2)


class _Piecewise(nn.Module):
    """(batch, features) -> (batch, features, bins)."""

    starts: torch.Tensor
    sizes: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor

    def __init__(self, edges: np.ndarray) -> None:
        super().__init__()
        n_bins = len(edges) - 1
        low, high = torch.zeros(n_bins), torch.ones(n_bins)
        low[0], high[-1] = -math.inf, math.inf
        values = {"starts": edges[:-1], "sizes": np.diff(edges), "low": low, "high": high}
        for name, value in values.items():
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        share = (x[:, :, None] - self.starts) / self.sizes
        return share.clamp(self.low, self.high)


class _PerFeature(nn.Module):
    """A linear layer of its own for each feature: (batch, features, n) -> (batch, features, w)."""

    def __init__(self, n_features: int, n_in: int, n_out: int) -> None:
        super().__init__()
        bound = n_in**-0.5
        self.weight = nn.Parameter(torch.empty(n_features, n_in, n_out).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(n_features, n_out).uniform_(-bound, bound))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bfn,fnw->bfw", x, self.weight) + self.bias


class _FeatureTokens(nn.Module):
    def __init__(self, embed: nn.Module) -> None:
        super().__init__()
        self.embed = embed

    def forward(self, x: torch.Tensor) -> Tokens:
        return Tokens(self.embed(x))


def _edges(bins: int | Sequence[float]) -> np.ndarray:
    """Return the edges of the bins, n_bins + 1 of them."""
    if isinstance(bins, (int, np.integer)):
        n_bins = check_int("bins", bins, low=2)
        # The outer bins are open; their outer edges only fix how steep their lines are.
        return ndtri(np.array([0.1, *range(1, n_bins), n_bins - 0.1]) / n_bins)
    edges = np.asarray(bins, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0):
        raise ParameterError(
            f"bins must be an int >= 2 or an increasing sequence of edges. Got {bins!r}."
        )
    return edges
