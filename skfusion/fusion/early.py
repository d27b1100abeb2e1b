"""Blocks joined at the input."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from skfusion._checks import check_int, check_real
from skfusion._tokens import masked_mean
from skfusion.blocks import BlockSpec
from skfusion.encoders import MLP, Encoder, SparseLinear
from skfusion.fusion._base import Fusion

__all__ = ["Early"]


class Early(Fusion):
    """One network on all blocks joined at the input, as if they were the columns of one table.

    A linear map of joined inputs is the sum of a linear map per block, so nothing is joined: each
    block gets a linear encoder of ``width``, whatever encoder is given for it, and their sum goes
    through ReLU and ``n_layers`` further layers. Images and sequences of one length are flattened,
    rows of different length averaged over their steps, token ids embedded and averaged. A missing
    block is represented by a learned embedding.

    {name: (batch, width), or any width of a group} -> (batch, width).

    Parameters
    ----------
    width : int, default=64
        Size of all layers and of the fused vector.
    n_layers : int, default=1
        Number of layers behind the first.
    dropout : float, default=0.0
        Share of each layer's output set to zero while training.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.blocks import Blocks
    >>> from skfusion.fusion import Early
    >>> Early(width=8).encoder_for(Blocks({"price": np.ones((3, 2))}).specs()["price"])
    MLP(activation='identity', widths=(8,))
    """

    def __init__(self, width: int = 64, n_layers: int = 1, dropout: float = 0.0) -> None:
        self.width = width
        self.n_layers = n_layers
        self.dropout = dropout

    def encoder_for(self, spec: BlockSpec) -> Encoder:
        width = check_int("width", self.width)
        if spec.form == "csr":
            return SparseLinear(width, activation="identity")
        if spec.ragged or spec.form in ("tokens", "waveform"):
            return _StepMean(width)
        return MLP((width,), activation="identity")

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        width, dropout = check_int("width", self.width), check_real("dropout", self.dropout, 0, 1)
        layers: list[nn.Module] = [*_active(dropout)]
        for _ in range(check_int("n_layers", self.n_layers, 0)):
            layers += [nn.Linear(width, width), *_active(dropout)]
        return _Early(widths, width, layers)


class _Early(nn.Module):
    def __init__(self, widths: Mapping[str, int], width: int, layers: list[nn.Module]) -> None:
        super().__init__()
        self.names = tuple(widths)
        # The encoders have made the linear map already, but for groups and for other encoders.
        self.maps = nn.ModuleList(
            nn.Identity() if given == width else nn.Linear(given, width)
            for given in widths.values()
        )
        self.layers = nn.Sequential(*layers)

    def forward(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        maps = zip(self.names, self.maps, strict=True)
        return self.layers(torch.stack([project(encoded[name]) for name, project in maps]).sum(0))


class _StepMean(Encoder):
    """A linear map of the mean of a row's steps; zeros for a row without any."""

    takes = ("tokens", "sequence", "video", "waveform")

    def __init__(self, width: int = 64) -> None:
        self.width = width

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        if spec.form == "tokens":
            embedding = nn.Embedding(spec.n_tokens or 1, self.width)
            nn.init.normal_(embedding.weight, std=self.width**-0.5)
            return _StepMeanModule(embedding)
        n_numbers = 1
        for size in spec.shape[1:]:
            n_numbers *= size or 1
        return _StepMeanModule(nn.Linear(n_numbers, self.width))


class _StepMeanModule(nn.Module):
    def __init__(self, embed: nn.Embedding | nn.Linear) -> None:
        super().__init__()
        self.embed = embed

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        if isinstance(self.embed, nn.Embedding):
            return masked_mean(self.embed(x), mask)
        steps = x.reshape(*x.shape[:2], self.embed.in_features)
        if steps.dtype == torch.uint8:
            steps = steps.to(self.embed.weight.dtype) / 255
        return self.embed(masked_mean(steps, mask))


def _active(dropout: float) -> list[nn.Module]:
    return [nn.ReLU(), nn.Dropout(dropout)] if dropout else [nn.ReLU()]
