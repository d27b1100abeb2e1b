"""Products of the numbers of two blocks, for every pair of blocks."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import torch
from torch import nn

from skfusion._checks import check_int
from skfusion.fusion._base import Fusion
from skfusion.fusion._parts import Projections

__all__ = ["Bilinear"]


class Bilinear(Fusion):
    """A bilinear form of every pair of blocks (Tenenbaum and Freeman, 2000).

    Each block is brought to ``block_width`` numbers ``p_i``; the fused vector is the layer norm of
    ``sum_i A_i p_i + sum_{i<j} p_i' B_ij p_j + c``. It grows with the square of the number of
    blocks, where ``Tensor`` grows exponentially, and has products of two blocks only. A missing
    block is represented by a learned embedding.

    {name: (batch, width of the block)} -> (batch, width).

    Parameters
    ----------
    width : int, default=64
        Size of the fused vector, at least 2.
    block_width : int, default=16
        Size of each block in front of the products.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import Bilinear
    >>> fuse = Bilinear(width=8, block_width=4).build({"text": 2, "photo": 3})
    >>> fuse({"text": torch.randn(5, 2), "photo": torch.randn(5, 3)}, None).shape
    torch.Size([5, 8])

    Notes
    -----
    NOTE[DIFF] The projections, the linear terms, more than two blocks and the layer norm are
    additions; the projection is that of Kim et al. (2017).
    """

    def __init__(self, width: int = 64, block_width: int = 16) -> None:
        self.width = width
        self.block_width = block_width

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        width = check_int("width", self.width, 2)
        return _Bilinear(widths, width, check_int("block_width", self.block_width))


class _Bilinear(nn.Module):
    def __init__(self, widths: Mapping[str, int], width: int, block_width: int) -> None:
        super().__init__()
        self.projections = Projections(widths, block_width)
        pairs = list(combinations(range(len(widths)), 2))
        self.left, self.right = [i for i, _ in pairs], [j for _, j in pairs]
        self.linear = nn.Linear(len(widths) * block_width, width)
        n_products = len(pairs) * block_width**2
        self.products = nn.Linear(n_products, width, bias=False) if pairs else None
        self.norm = nn.LayerNorm(width)

    def forward(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        blocks = self.projections(encoded)
        fused = self.linear(blocks.flatten(1))
        if self.products is not None:
            pairs = blocks[:, self.left, :, None] * blocks[:, self.right, None, :]
            fused = fused + self.products(pairs.flatten(1))
        return self.norm(fused)
