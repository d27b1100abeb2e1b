"""The tensor product of all blocks, in factors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import torch
from torch import nn

from skfusion._checks import check_int
from skfusion.fusion._base import Fusion
from skfusion.fusion._parts import Projections

__all__ = ["LowRank"]


class LowRank(Fusion):
    """Low-rank multimodal fusion (Liu, Shen, Lakshminarasimhan, Liang, Zadeh and Morency, 2018).

    Every product of one number from each block, as ``Tensor``, at a cost that grows with the
    number of blocks instead of exploding: the tensor's weights are a sum of ``rank`` terms, each
    a product of one factor per block, ``sum_r prod_i F_ri [x_i; 1]``. The appended 1 keeps the
    products of fewer blocks. A missing block is represented by a learned embedding.

    {name: (batch, width of the block)} -> (batch, width).

    Parameters
    ----------
    width : int, default=64
        Size of the fused vector, at least 2.
    rank : int, default=8
        Number of terms. A high enough rank can express all that ``Tensor`` can.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import LowRank
    >>> fuse = LowRank(width=8, rank=2).build({"text": 2, "photo": 3})
    >>> fuse({"text": torch.randn(5, 2), "photo": torch.randn(5, 3)}, None).shape
    torch.Size([5, 8])

    Notes
    -----
    NOTE[DIFF] The fused vector is layer-normalised, and the factors' column of the appended 1
    starts at 1: each term starts as a product of numbers around 1, not around 0, and does not
    vanish with many blocks. The paper's code weighs the terms; factors can express that.
    """

    def __init__(self, width: int = 64, rank: int = 8) -> None:
        self.width = width
        self.rank = rank

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        width = check_int("width", self.width, 2)
        repair = 'Use fusion="concat" for no products of blocks.'
        return _LowRank(widths, width, check_int("rank", self.rank, repair=repair))


class _LowRank(nn.Module):
    def __init__(self, widths: Mapping[str, int], width: int, rank: int) -> None:
        super().__init__()
        # A linear map with a bias is a linear map of the vector with a 1 appended.
        self.factors = Projections(widths, rank * width, bias=1.0)
        self.rank = rank
        self.norm = nn.LayerNorm(width)

    def forward(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        terms = reduce(torch.mul, self.factors(encoded).unbind(1))
        return self.norm(terms.unflatten(1, (self.rank, -1)).sum(1))
