"""What tells a token its place in the row."""

from __future__ import annotations

import math

import torch
from torch import nn

from skfusion.exceptions import BlockError

__all__ = ["LearnedPositions", "SinusoidalPositions"]


class LearnedPositions(nn.Module):
    """Add a learned vector per position: (batch, tokens, width) -> the same shape."""

    def __init__(self, name: str, n_tokens: int, width: int) -> None:
        super().__init__()
        self.name = name
        self.weight = nn.Parameter(torch.randn(n_tokens, width) * 0.02)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        n_tokens = tokens.shape[1]
        if n_tokens > len(self.weight):
            raise BlockError(
                f"block {self.name!r} has a row of {n_tokens} tokens, but positions are learned "
                f'for {len(self.weight)}. Use positions="sinusoidal" or a larger max_length.'
            )
        return tokens + self.weight[:n_tokens]


class SinusoidalPositions(nn.Module):
    """Add sines and cosines of the position, of wavelengths from 2 pi to 20,000 pi steps."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, tokens: torch.Tensor, first: int = 0) -> torch.Tensor:
        last = first + tokens.shape[1]
        position = torch.arange(first, last, device=tokens.device, dtype=tokens.dtype)
        half = torch.arange(0, self.width, 2, device=tokens.device, dtype=tokens.dtype)
        angles = position[:, None] * torch.exp(half * (-math.log(10_000.0) / self.width))
        waves = torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)
        return tokens + waves[:, : self.width]
