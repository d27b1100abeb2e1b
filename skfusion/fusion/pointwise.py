"""Blocks of a common width, combined number by number."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

import torch
from torch import nn

from skfusion._checks import check_int
from skfusion.fusion._base import Fusion
from skfusion.fusion._parts import Projections, counting, mean_of_blocks, n_counting

__all__ = ["Max", "Mean", "Product", "Sum"]


class Sum(Fusion):
    """Add the blocks, each brought to a common width by a linear map.

    In a row that lacks blocks the sum of the others is scaled up to the number of all blocks.

    {name: (batch, width of the block)} -> (batch, width).

    Parameters
    ----------
    width : int, default=64
        Size of the fused vector.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import Sum
    >>> fuse = Sum(width=8).build({"text": 2, "photo": 3})
    >>> fuse({"text": torch.zeros(5, 2), "photo": torch.ones(5, 3)}, None).shape
    torch.Size([5, 8])
    """

    def __init__(self, width: int = 64) -> None:
        self.width = width

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        return _Sum(widths, check_int("width", self.width))


class Mean(Fusion):
    """Average the blocks that a row has, each brought to a common width by a linear map.

    {name: (batch, width of the block)} -> (batch, width).

    Parameters
    ----------
    width : int, default=64
        Size of the fused vector.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import Mean
    >>> fuse = Mean(width=8).build({"text": 2, "photo": 3})
    >>> fuse({"text": torch.zeros(5, 2), "photo": torch.ones(5, 3)}, None).shape
    torch.Size([5, 8])
    """

    def __init__(self, width: int = 64) -> None:
        self.width = width

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        return _Mean(widths, check_int("width", self.width))


class Max(Fusion):
    """Take the largest number of the blocks that a row has, each brought to a common width.

    {name: (batch, width of the block)} -> (batch, width).

    Parameters
    ----------
    width : int, default=64
        Size of the fused vector.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import Max
    >>> fuse = Max(width=8).build({"text": 2, "photo": 3})
    >>> fuse({"text": torch.zeros(5, 2), "photo": torch.ones(5, 3)}, None).shape
    torch.Size([5, 8])
    """

    def __init__(self, width: int = 64) -> None:
        self.width = width

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        return _Max(widths, check_int("width", self.width))


class Product(Fusion):
    """Multiply the blocks number by number, each brought to a common width by a linear map.

    The maps start around 1, so that a product of many blocks neither vanishes nor grows, and the
    product is layer-normalised. A missing block counts as 1, the neutral element.

    {name: (batch, width of the block)} -> (batch, width).

    Parameters
    ----------
    width : int, default=64
        Size of the fused vector, at least 2.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import Product
    >>> fuse = Product(width=8).build({"text": 2, "photo": 3})
    >>> fuse({"text": torch.zeros(5, 2), "photo": torch.ones(5, 3)}, None).shape
    torch.Size([5, 8])
    """

    def __init__(self, width: int = 64) -> None:
        self.width = width

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        return _Product(widths, check_int("width", self.width, 2))


class _Pointwise(nn.Module):
    def __init__(self, widths: Mapping[str, int], width: int, bias: float | None = None) -> None:
        super().__init__()
        self.projections = Projections(widths, width, bias)

    def forward(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        return self.combine(self.projections(encoded), present)

    def combine(self, stacked: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        raise NotImplementedError


class _Mean(_Pointwise):
    def combine(self, stacked: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        return mean_of_blocks(stacked, present)

    def weights(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        """Return (batch, n_blocks): equal parts for the blocks of a row."""
        first = encoded[self.projections.names[0]]
        equal = first.new_ones(len(first), len(self.projections.names))
        count = counting(present)
        shares = equal if count is None else equal * count
        return shares / n_counting(present, shares.shape[1])


class _Sum(_Pointwise):
    def combine(self, stacked: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        return mean_of_blocks(stacked, present) * stacked.shape[1]


class _Max(_Pointwise):
    def combine(self, stacked: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        count = counting(present)
        if count is not None:
            stacked = stacked.masked_fill(~count[:, :, None], -torch.inf)
        return stacked.amax(1)


class _Product(_Pointwise):
    def __init__(self, widths: Mapping[str, int], width: int) -> None:
        super().__init__(widths, width, bias=1.0)
        self.norm = nn.LayerNorm(width)

    def combine(self, stacked: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        count = counting(present)
        if count is not None:
            stacked = stacked.masked_fill(~count[:, :, None], 1)
        return self.norm(reduce(torch.mul, stacked.unbind(1)))
