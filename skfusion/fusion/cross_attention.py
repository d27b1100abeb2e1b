"""Each block looks at the others."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from skfusion._attention import TransformerLayer, check_heads
from skfusion._checks import check_int, check_real
from skfusion._tokens import Encoded, ModuleListOf, masked_mean
from skfusion.fusion._base import Fusion
from skfusion.fusion._parts import MaskedTokens, TokenProjections, counting, n_counting

__all__ = ["CrossAttention"]


class CrossAttention(Fusion):
    """Cross-modal attention (Tsai, Bai, Liang, Kolter, Morency and Salakhutdinov, 2019).

    The tokens of each block are queries to the tokens of all other blocks, through layers of its
    own; then the tokens of a block are averaged and normalised, and the blocks stand side by side.
    Nothing attends to a missing block or to padding; a missing block asks with its learned
    embedding. A single block attends to itself.

    {name: (tokens (batch, n_tokens, width of the block), mask)} -> (batch, n_blocks * width).

    Parameters
    ----------
    width : int, default=64
        Size of the tokens; a multiple of ``n_heads``.
    n_heads : int, default=4
        Number of attention heads.
    n_layers : int, default=1
        Number of layers per block.
    dropout : float, default=0.1
        Share of each layer's outputs set to zero while training.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import CrossAttention
    >>> fuse = CrossAttention(width=8).build({"words": 2, "photo": 3})
    >>> encoded = {"words": (torch.randn(5, 7, 2), None), "photo": (torch.randn(5, 4, 3), None)}
    >>> fuse(encoded, None).shape, fuse.weights(encoded, None).shape
    (torch.Size([5, 16]), torch.Size([5, 2]))

    Notes
    -----
    NOTE[DIFF] The paper has a stack for each of the n (n - 1) pairs of blocks and a self-attention
    stack behind; here a block has one stack, and the others are its context together. A learned
    token is part of every context, so that a block may look at nothing. Tokens carry no positions:
    the encoders know the order.
    """

    takes = "tokens"

    def __init__(
        self, width: int = 64, n_heads: int = 4, n_layers: int = 1, dropout: float = 0.1
    ) -> None:
        self.width = width
        self.n_heads = n_heads
        self.n_layers = n_layers
        self.dropout = dropout

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        width, n_heads = check_heads(self.width, self.n_heads)
        dropout = check_real("dropout", self.dropout, 0, 1)
        n_layers = check_int("n_layers", self.n_layers)
        stacks: list[ModuleListOf[TransformerLayer]] = [
            ModuleListOf(
                TransformerLayer(width, n_heads, 2, dropout, dropout) for _ in range(n_layers)
            )
            for _ in widths
        ]
        return _CrossAttention(TokenProjections(widths, width), width, stacks)


class _CrossAttention(nn.Module):
    def __init__(
        self, blocks: TokenProjections, width: int, stacks: list[ModuleListOf[TransformerLayer]]
    ) -> None:
        super().__init__()
        self.blocks = blocks
        self.nothing = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.stacks: ModuleListOf[ModuleListOf[TransformerLayer]] = ModuleListOf(stacks)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in stacks)

    def forward(self, encoded: Mapping[str, Encoded], present: torch.Tensor | None) -> torch.Tensor:
        blocks = self.blocks(encoded)
        pooled = []
        for i, norm in enumerate(self.norms):
            x, context, mask = self._last_step(i, blocks, present)
            x = self.stacks[i][-1](x, context, mask)
            pooled.append(norm(masked_mean(x, blocks[i][1])))
        return torch.cat(pooled, dim=1)

    def weights(self, encoded: Mapping[str, Encoded], present: torch.Tensor | None) -> torch.Tensor:
        """Return (batch, n_blocks): the last layers' attention that each block receives.

        Averaged over heads and tokens, summed over the blocks that a row has and that look at it.
        """
        blocks = self.blocks(encoded)
        n_rows, count = len(blocks[0][0]), counting(present)
        received = blocks[0][0].new_zeros(n_rows, len(blocks))
        for i in range(len(blocks)):
            given = self._given(i, blocks, present)
            received = received + (given if count is None else given * count[:, i : i + 1])
        shares = torch.ones_like(received) if count is None else count.to(received.dtype)
        total = received.sum(1, keepdim=True)
        equal = shares / n_counting(present, len(blocks))
        return torch.where(total > 0, received / total.where(total > 0, 1), equal)

    def _given(
        self, i: int, blocks: list[MaskedTokens], present: torch.Tensor | None
    ) -> torch.Tensor:
        """Return how much block ``i`` attends to each block: (batch, n_blocks)."""
        x, context, mask = self._last_step(i, blocks, present)
        attention = self.stacks[i][-1].weights(x, context, mask)[:, :, 1:]
        attention = masked_mean(attention, blocks[i][1])
        others = _others(i, len(blocks))
        parts = attention.split([blocks[j][0].shape[1] for j in others], dim=1)
        given = attention.new_zeros(len(attention), len(blocks))
        given[:, others] = torch.stack([part.sum(1) for part in parts], dim=1)
        return given

    def _last_step(
        self, i: int, blocks: list[MaskedTokens], present: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return what goes into the last layer of block ``i``: its tokens, context and mask."""
        context, mask = self._context(i, blocks, counting(present))
        x = blocks[i][0]
        for layer in self.stacks[i][:-1]:
            x = layer(x, context, mask)
        return x, context, mask

    def _context(
        self, i: int, blocks: list[MaskedTokens], count: torch.Tensor | None
    ) -> MaskedTokens:
        others = _others(i, len(blocks))
        n_rows = len(blocks[0][0])
        masks = [blocks[j][1] for j in others]
        if count is not None:
            masks = [blocks[j][1] & count[:, j : j + 1] for j in others]
        tokens = [self.nothing.expand(n_rows, -1, -1), *[blocks[j][0] for j in others]]
        return torch.cat(tokens, dim=1), torch.cat([masks[0].new_ones(n_rows, 1), *masks], dim=1)


def _others(i: int, n_blocks: int) -> list[int]:
    return [j for j in range(n_blocks) if j != i] or [i]
