"""Attention that leaves masked tokens out, and the transformer layer around it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from skfusion._checks import check_int
from skfusion.exceptions import ParameterError

__all__ = ["Attention", "TransformerLayer", "check_heads"]


class Attention(nn.Module):
    """Multi-head scaled dot-product attention (Vaswani et al., 2017).

    Queries (batch, q, width), context (batch, k, width) and its mask (batch, k), at least one True
    in each row -> (batch, q, width).
    """

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query = nn.Linear(width, width)
        # A bias of the keys adds the same to all scores of a query and cancels in the softmax.
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(
        self, queries: torch.Tensor, context: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        query, key = self._heads(self.query(queries)), self._heads(self.key(context))
        value = self._heads(self.value(context))
        mixed = F.scaled_dot_product_attention(query, key, value, mask[:, None, None, :])
        return self.output(mixed.transpose(1, 2).flatten(2))

    def weights(
        self, queries: torch.Tensor, context: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Return how much each query attends to each token, averaged over heads: (batch, q, k)."""
        query, key = self._heads(self.query(queries)), self._heads(self.key(context))
        scores = query @ key.transpose(2, 3) / query.shape[-1] ** 0.5
        return scores.masked_fill(~mask[:, None, None, :], -torch.inf).softmax(3).mean(1)

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(2, (self.n_heads, -1)).transpose(1, 2)


class TransformerLayer(nn.Module):
    """Attention and a feed-forward part, each behind a layer norm and added to its input.

    ``layer(x, x, mask)`` is self-attention; another context makes it cross-attention.
    """

    def __init__(self, width: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, n_heads)
        self.dropout = nn.Dropout(dropout)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
            nn.Dropout(dropout),
        )

    def forward(self, x: torch.Tensor, context: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        mixed = self.attention(self.attention_norm(x), self.attention_norm(context), mask)
        x = x + self.dropout(mixed)
        return x + self.feed_forward(x)

    def weights(self, x: torch.Tensor, context: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return how much each token of ``x`` attends to each of the context: (batch, q, k)."""
        return self.attention.weights(self.attention_norm(x), self.attention_norm(context), mask)


def check_heads(width: int, n_heads: int) -> tuple[int, int]:
    """Return both if ``width`` splits evenly into ``n_heads``."""
    width, n_heads = check_int("width", width), check_int("n_heads", n_heads)
    if width % n_heads:
        raise ParameterError(
            f"width must be a multiple of n_heads. Got width={width} and n_heads={n_heads}. "
            f"Use width={n_heads * -(-width // n_heads)} or n_heads=1."
        )
    return width, n_heads
