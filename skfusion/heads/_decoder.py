"""What the decoders share: what they read, and one table of the vectors of tokens."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from skfusion._tokens import Encoded
from skfusion.heads._base import Head
from skfusion.heads._writing import Memory, memory_of

__all__ = ["Decoder", "Reads", "TokenVectors"]


class Decoder(Head):
    """Base of heads that write: they look at fused tokens, or else at the fused vector."""

    @property
    def takes(self) -> str:
        return "either"

    @property
    def writes(self) -> bool:
        return True


class Reads(nn.Module):
    """What a decoder looks at, in its own width: tokens (batch, n, width) and their mask."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.project, self.norm = nn.Linear(width_in, width), nn.LayerNorm(width)

    def forward(self, fused: Encoded) -> Memory:
        values, mask = memory_of(fused)
        return self.norm(self.project(values)), mask


class TokenVectors(nn.Module):
    """A vector for each token, to be read and to be written by (Press and Wolf, 2017).

    ids (...) -> vectors (..., width).
    """

    def __init__(self, n_tokens: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_tokens, width)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        self.bias = nn.Parameter(torch.zeros(n_tokens))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.embedding(ids)

    def scores(self, x: torch.Tensor) -> torch.Tensor:
        """Return the scores of all tokens: (..., width) -> (..., n_tokens)."""
        return F.linear(x, self.embedding.weight, self.bias)

    def begin_at(self, outputs: torch.Tensor) -> None:
        """Let all tokens begin as likely as ``outputs`` (n_tokens,) say."""
        with torch.no_grad():
            self.bias.copy_(outputs)
