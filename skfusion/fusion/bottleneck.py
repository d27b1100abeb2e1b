"""Blocks exchange through a few shared tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import torch
from torch import nn

from skfusion._attention import TransformerLayer, check_heads
from skfusion._checks import check_int, check_real
from skfusion._tokens import Encoded, ModuleListOf
from skfusion.fusion._base import Fusion
from skfusion.fusion._parts import MaskedTokens, TokenProjections, mean_of_blocks

__all__ = ["Bottleneck"]

_LayerOfBlocks: TypeAlias = ModuleListOf[TransformerLayer]  # one for each block


class Bottleneck(Fusion):
    """Attention bottlenecks (Nagrani, Yang, Arnab, Jansen, Schmid and Sun, 2021).

    Each block has layers of its own, over its tokens, a token CLS and a few bottleneck tokens.
    Behind each layer the bottleneck tokens are averaged over the blocks that a row has: all
    exchange goes through them. The fused vector is the average of the CLS tokens of those blocks.

    {name: (tokens (batch, n_tokens, width of the block), mask)} -> (batch, width).

    Parameters
    ----------
    n_bottlenecks : int, default=4
        Number of shared tokens.
    width : int, default=64
        Size of the tokens and of the fused vector; a multiple of ``n_heads``.
    n_heads : int, default=4
        Number of attention heads.
    n_layers : int, default=2
        Number of layers; blocks exchange between layers, so at least 2.
    dropout : float, default=0.1
        Share of each layer's outputs set to zero while training.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import Bottleneck
    >>> fuse = Bottleneck(width=8).build({"words": 2, "photo": 3})
    >>> encoded = {"words": (torch.randn(5, 7, 2), None), "photo": (torch.randn(5, 4, 3), None)}
    >>> fuse(encoded, None).shape
    torch.Size([5, 8])

    Notes
    -----
    NOTE[DIFF] The paper averages the decisions of a linear head on each CLS token, which is the
    decision on their average; its layers in front of the exchange are our encoders. Tokens carry no
    positions: the encoders know the order.
    """

    takes = "tokens"

    def __init__(
        self,
        n_bottlenecks: int = 4,
        width: int = 64,
        n_heads: int = 4,
        n_layers: int = 2,
        dropout: float = 0.1,
    ) -> None:
        self.n_bottlenecks = n_bottlenecks
        self.width = width
        self.n_heads = n_heads
        self.n_layers = n_layers
        self.dropout = dropout

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        width, n_heads = check_heads(self.width, self.n_heads)
        dropout = check_real("dropout", self.dropout, 0, 1)
        layers: list[_LayerOfBlocks] = [
            ModuleListOf(TransformerLayer(width, n_heads, 2, dropout, dropout) for _ in widths)
            for _ in range(check_int("n_layers", self.n_layers, 2))
        ]
        n_bottlenecks = check_int("n_bottlenecks", self.n_bottlenecks)
        return _Bottleneck(TokenProjections(widths, width), width, n_bottlenecks, layers)


class _Bottleneck(nn.Module):
    def __init__(
        self, blocks: TokenProjections, width: int, n_bottlenecks: int, layers: list[_LayerOfBlocks]
    ) -> None:
        super().__init__()
        self.blocks = blocks
        self.cls = nn.Parameter(torch.randn(len(blocks.names), 1, width) * 0.02)
        self.shared = nn.Parameter(torch.randn(1, n_bottlenecks, width) * 0.02)
        self.layers: ModuleListOf[_LayerOfBlocks] = ModuleListOf(layers)
        self.norm = nn.LayerNorm(width)

    def forward(self, encoded: Mapping[str, Encoded], present: torch.Tensor | None) -> torch.Tensor:
        states = self._start(encoded)
        shared = self.shared.expand(len(states[0][0]), -1, -1)
        for layers in self.layers[:-1]:
            states, shared = self._exchange(layers, states, shared, present)
        # Nothing but CLS leaves the last layers.
        ends = []
        for layer, (own, mask) in zip(self.layers[-1], states, strict=True):
            context, context_mask = self._context(own, mask, shared)
            ends.append(layer(own[:, :1], context, context_mask)[:, 0])
        return mean_of_blocks(self.norm(torch.stack(ends, dim=1)), present)

    def _start(self, encoded: Mapping[str, Encoded]) -> list[MaskedTokens]:
        """Return CLS and the tokens of each block, and which are data."""
        states = []
        for cls, (tokens, mask) in zip(self.cls, self.blocks(encoded), strict=True):
            own = torch.cat([cls.expand(len(tokens), 1, -1), tokens], dim=1)
            states.append((own, nn.functional.pad(mask, (1, 0), value=True)))
        return states

    def _exchange(
        self,
        layers: _LayerOfBlocks,
        states: list[MaskedTokens],
        shared: torch.Tensor,
        present: torch.Tensor | None,
    ) -> tuple[list[MaskedTokens], torch.Tensor]:
        """One layer: each block on its own, then the bottleneck tokens averaged over blocks."""
        after, told = [], []
        for layer, (own, mask) in zip(layers, states, strict=True):
            context, context_mask = self._context(own, mask, shared)
            x = layer(context, context, context_mask)
            after.append((x[:, : own.shape[1]], mask))
            told.append(x[:, own.shape[1] :].flatten(1))
        mean = mean_of_blocks(torch.stack(told, dim=1), present)
        return after, mean.unflatten(1, shared.shape[1:])

    @staticmethod
    def _context(
        own: torch.Tensor, mask: torch.Tensor, shared: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        everywhere = mask.new_ones(shared.shape[:2])
        return torch.cat([own, shared], dim=1), torch.cat([mask, everywhere], dim=1)
