"""Sequences, token ids and image patches through self-attention."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from skfusion._attention import TransformerLayer, check_heads
from skfusion._checks import check_choice, check_int, check_real
from skfusion._positions import LearnedPositions, SinusoidalPositions
from skfusion._tokens import Encoded, Tokens
from skfusion.blocks import BlockSpec
from skfusion.encoders._base import Encoder, as_float, initialise
from skfusion.encoders._pooling import Pooling
from skfusion.encoders._steps import as_steps

__all__ = ["Transformer"]


class Transformer(Encoder):
    """Transformer encoder (Vaswani et al., 2017) on sequences, token ids and image patches.

    Normalisation stands in front of each part (Xiong et al., 2020), which trains without warm-up.
    Images are cut into patches, each one token (Dosovitskiy et al., 2021). Another encoder's
    tokens come in by ``Chain(CNN(), Transformer())``. A row attends to its own tokens alone; one
    without tokens is encoded as zeros, or with ``pooling="cls"`` as the class token sees itself.

    (batch, time, d), ids (batch, time), with a mask where ragged, or (batch, height, width,
    channels) -> (batch, width), or (batch, tokens, width) and the mask if not pooled.

    Parameters
    ----------
    width : int, default=64
        Size of the tokens inside, and of the encoded vector.
    n_layers : int, default=2
        Number of layers.
    n_heads : int, default=4
        Number of attention heads; divides ``width``.
    expansion : int, default=4
        Size of the hidden layer behind each attention, as a multiple of ``width``.
    positions : {"auto", "learned", "sinusoidal"} or None, default="auto"
        How tokens know their place. "auto" learns it where all rows have one length; None leaves
        a set without order.
    max_length : int, default=512
        Most tokens that learned positions allow for, where rows differ in length.
    patch_size : int, default=8
        Side of a patch in pixels; images are filled up with zeros to whole patches.
    pooling : {"mean", "max", "last", "attention", "cls"}, default="mean"
        How the tokens become one vector; "cls" reads a learned token put in front of them.
    dropout : float, default=0.1
        Share of each part's output set to zero while training.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionClassifier
    >>> from skfusion.encoders import Transformer
    >>> images = np.random.default_rng(0).integers(0, 255, (20, 16, 16, 3), dtype=np.uint8)
    >>> model = FusionClassifier({"photo": Transformer(width=16, patch_size=4)}, max_epochs=2)
    >>> model.fit({"photo": images}, [0, 1] * 10).transform({"photo": images}).shape
    (20, 16)
    """

    takes: ClassVar[tuple[str, ...]] = ("sequence", "tokens", "image")

    def __init__(
        self,
        width: int = 64,
        n_layers: int = 2,
        n_heads: int = 4,
        expansion: int = 4,
        positions: str | None = "auto",
        max_length: int = 512,
        patch_size: int = 8,
        pooling: str = "mean",
        dropout: float = 0.1,
    ) -> None:
        self.width = width
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.expansion = expansion
        self.positions = positions
        self.max_length = max_length
        self.patch_size = patch_size
        self.pooling = pooling
        self.dropout = dropout

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        width, _ = check_heads(self.width, self.n_heads)
        dropout = check_real("dropout", self.dropout, 0, 1)
        with_class = pooled and self.pooling == "cls"
        pooling = None if with_class or not pooled else Pooling(self.pooling, width)
        return _Transformer(
            self._steps(spec, width),
            self._positions(spec, width),
            [self._layer(width, dropout) for _ in range(check_int("n_layers", self.n_layers))],
            nn.LayerNorm(width),
            nn.Dropout(dropout),
            nn.Parameter(torch.randn(width) * 0.02) if with_class else None,
            pooling,
        )

    def _layer(self, width: int, dropout: float) -> TransformerLayer:
        expansion = check_int("expansion", self.expansion)
        return TransformerLayer(width, self.n_heads, expansion, dropout, initialise=initialise)

    def _steps(self, spec: BlockSpec, width: int) -> nn.Module:
        if spec.form == "image":
            return _Patches(
                int(spec.shape[2] or 1), width, check_int("patch_size", self.patch_size)
            )
        steps, width_in = as_steps(spec, width)
        if spec.form == "tokens":
            return nn.Sequential(steps, _Scale(width**0.5))
        return nn.Sequential(steps, initialise(nn.Linear(width_in, width)))

    def _positions(self, spec: BlockSpec, width: int) -> nn.Module:
        kind = check_choice("positions", self.positions, ("auto", "learned", "sinusoidal", None))
        if kind == "auto":
            kind = "sinusoidal" if spec.ragged else "learned"
        if kind is None:
            return nn.Identity()
        if kind == "sinusoidal":
            return SinusoidalPositions(width)
        return LearnedPositions(spec.name, self._n_tokens(spec), width)

    def _n_tokens(self, spec: BlockSpec) -> int:
        if spec.form == "image":
            return math.prod(-(-int(side or 0) // self.patch_size) for side in spec.shape[:2])
        return spec.shape[0] or check_int("max_length", self.max_length)


class _Patches(nn.Module):
    """(batch, height, width, channels) -> (batch, patches, width), row by row of patches."""

    def __init__(self, n_channels: int, width: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.linear = initialise(nn.Linear(size * size * n_channels, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = as_float(x, self.linear.weight)
        size, (height, width) = self.size, x.shape[1:3]
        x = F.pad(x, (0, 0, 0, -width % size, 0, -height % size))
        x = x.unflatten(1, (-1, size)).unflatten(3, (-1, size)).transpose(2, 3)
        return self.linear(x.flatten(3).flatten(1, 2))


class _Scale(nn.Module):
    """Bring embeddings of norm 1 to the scale of sines and cosines."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


class _Transformer(nn.Module):
    def __init__(
        self,
        steps: nn.Module,
        positions: nn.Module,
        layers: list[TransformerLayer],
        norm: nn.Module,
        dropout: nn.Module,
        class_token: nn.Parameter | None,
        pooling: nn.Module | None,
    ) -> None:
        super().__init__()
        self.steps, self.positions = steps, positions
        self.layers, self.norm, self.dropout = nn.ModuleList(layers), norm, dropout
        self.class_token, self.pooling = class_token, pooling

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> Encoded:
        tokens = self.positions(self.steps(x))
        if self.class_token is not None:
            tokens = torch.cat([self.class_token.expand(len(tokens), 1, -1), tokens], dim=1)
            mask = None if mask is None else F.pad(mask, (1, 0), value=True)
        tokens, seen = self.dropout(tokens), _seen(mask)
        for layer in self.layers:
            tokens = layer(tokens, tokens, seen)
        tokens = self.norm(tokens)
        if self.class_token is not None:
            return tokens[:, 0]
        return Tokens(tokens, mask) if self.pooling is None else self.pooling(tokens, mask)


def _seen(mask: torch.Tensor | None) -> torch.Tensor | None:
    """Return which tokens a row attends to, (batch, tokens)."""
    if mask is None:
        return None
    # A row without tokens looks at its padding, which pooling leaves out: a softmax over nothing
    # would be NaN.
    return mask | ~mask.any(1, keepdim=True)
