"""Attention that leaves masked tokens out, and the transformer layer around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from skfusion._checks import check_int
from skfusion.exceptions import ParameterError

__all__ = ["Attention", "KeysAndValues", "TransformerLayer", "check_heads"]

# Gives a new linear layer, of so many matrices one below the other, its first weights.
Initialise = Callable[[nn.Linear, int], nn.Linear]


def _as_torch_does(layer: nn.Linear, n_matrices: int) -> nn.Linear:
    return layer


class KeysAndValues(NamedTuple):
    """What attention keeps of its context: (batch, heads, k, width of a head) each."""

    keys: torch.Tensor
    values: torch.Tensor


class Attention(nn.Module):
    """Multi-head scaled dot-product attention (Vaswani et al., 2017).

    Queries (batch, q, width), context (batch, k, width) and its mask (batch, k), None where all
    are data -> (batch, q, width). A row whose context is masked altogether is for the caller to
    avoid: a softmax over nothing is NaN.
    """

    def __init__(self, width: int, n_heads: int, initialise: Initialise = _as_torch_does) -> None:
        super().__init__()
        self.n_heads, self.width = n_heads, width
        # Queries, keys and values by one matrix: self-attention takes one product for the three.
        self.project = initialise(nn.Linear(width, 3 * width), 3)
        self.output = initialise(nn.Linear(width, width), 1)

    def forward(
        self, queries: torch.Tensor, context: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        query, kept = self._projected(queries, context)
        return self._mixed(query, kept, mask)

    def keys_of(self, context: torch.Tensor) -> KeysAndValues:
        """Return what a context is looked up by and for, to be kept for many queries."""
        width = self.width
        both = F.linear(context, self.project.weight[width:], self.project.bias[width:])
        key, value = both.chunk(2, dim=2)
        return KeysAndValues(self._heads(key), self._heads(value))

    def look_up(
        self, queries: torch.Tensor, kept: KeysAndValues, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Return what ``forward`` does, of a context whose keys were kept."""
        return self._mixed(self._queries(queries), kept, mask)

    def over_past(self, x: torch.Tensor) -> torch.Tensor:
        """Return self-attention in which each place sees itself and those before it."""
        query, kept = self._projected(x, x)
        mixed = F.scaled_dot_product_attention(query, *kept, is_causal=True)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def weights(
        self, queries: torch.Tensor, context: torch.Tensor, mask: torch.Tensor
    ) -> torch.Tensor:
        """Return how much each query attends to each token, averaged over heads: (batch, q, k)."""
        query, kept = self._projected(queries, context)
        scores = query @ kept.keys.transpose(2, 3) / query.shape[-1] ** 0.5
        return scores.masked_fill(~mask[:, None, None, :], -torch.inf).softmax(3).mean(1)

    def _projected(
        self, queries: torch.Tensor, context: torch.Tensor
    ) -> tuple[torch.Tensor, KeysAndValues]:
        """Return queries, keys and values, each (batch, heads, tokens, width of a head)."""
        if queries is not context:
            return self._queries(queries), self.keys_of(context)
        query, key, value = self.project(queries).chunk(3, dim=2)
        return self._heads(query), KeysAndValues(self._heads(key), self._heads(value))

    def _queries(self, x: torch.Tensor) -> torch.Tensor:
        weight, bias = self.project.weight[: self.width], self.project.bias[: self.width]
        return self._heads(F.linear(x, weight, bias))

    def _mixed(
        self, query: torch.Tensor, kept: KeysAndValues, mask: torch.Tensor | None
    ) -> torch.Tensor:
        seen = None if mask is None else mask[:, None, None, :]  # (batch, heads, q, k)
        mixed = F.scaled_dot_product_attention(query, *kept, seen)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _heads(self, x: torch.Tensor) -> torch.Tensor:
        return x.unflatten(2, (self.n_heads, -1)).transpose(1, 2)


class TransformerLayer(nn.Module):
    """Attention and a two-layer perceptron, each behind a layer norm and added to its input.

    ``layer(x, x, mask)`` is self-attention; another context makes it cross-attention.
    Normalisation stands in front of each part (Xiong et al., 2020).
    """

    def __init__(
        self,
        width: int,
        n_heads: int,
        expansion: int,
        dropout: float,
        hidden_dropout: float = 0.0,
        initialise: Initialise = _as_torch_does,
    ) -> None:
        super().__init__()
        self.norm_attention, self.norm_hidden = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, n_heads, initialise)
        self.hidden = initialise(nn.Linear(width, expansion * width), 1)
        self.out = initialise(nn.Linear(expansion * width, width), 1)
        self.dropout, self.hidden_dropout = nn.Dropout(dropout), nn.Dropout(hidden_dropout)

    def forward(
        self, x: torch.Tensor, context: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        x = x + self.dropout(self.attention(*self._normed(x, context), mask))
        hidden = self.hidden_dropout(F.gelu(self.hidden(self.norm_hidden(x))))
        return x + self.dropout(self.out(hidden))

    def weights(self, x: torch.Tensor, context: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return how much each token of ``x`` attends to each of the context: (batch, q, k)."""
        return self.attention.weights(*self._normed(x, context), mask)

    def _normed(self, x: torch.Tensor, context: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        normed = self.norm_attention(x)
        return normed, normed if context is x else self.norm_attention(context)


def check_heads(width: int, n_heads: int) -> tuple[int, int]:
    """Return both if ``width`` splits evenly into ``n_heads``."""
    width, n_heads = check_int("width", width), check_int("n_heads", n_heads)
    if width % n_heads:
        raise ParameterError(
            f"width must be a multiple of n_heads. Got width={width} and n_heads={n_heads}. "
            f"Use width={n_heads * -(-width // n_heads)} or n_heads=1."
        )
    return width, n_heads
