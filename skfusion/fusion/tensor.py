"""Every product of one number from each block."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import nn

from skfusion._checks import check_int
from skfusion.exceptions import ParameterError
from skfusion.fusion._base import Fusion

__all__ = ["Tensor"]

_ENTRIES = 4096  # of the tensor, that block_width="auto" aims at
_WIDEST = 32
_MOST_WEIGHTS = 2**24


class Tensor(Fusion):
    """Tensor fusion network (Zadeh, Chen, Poria, Cambria and Morency, 2017).

    The outer product of all blocks, each with a 1 appended, so that products of fewer blocks and
    the blocks themselves are in it; a linear layer and a layer norm make the fused vector of it.
    A missing block is represented by a learned embedding.

    {name: (batch, width of the block)} -> (batch, width).

    Parameters
    ----------
    width : int, default=64
        Size of the fused vector, at least 2.
    block_width : int, "auto" or None, default="auto"
        Size to which a linear map brings each block in front of the product. "auto" takes the
        largest, up to 32, that keeps the tensor under 4,096 entries; None leaves the blocks as
        they come, as in the paper.

    Raises
    ------
    ParameterError
        If the linear layer behind the tensor would have more than 16,777,216 weights.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import Tensor
    >>> fuse = Tensor(width=8, block_width=None).build({"text": 2, "photo": 3})
    >>> fuse.linear
    Linear(in_features=12, out_features=8, bias=True)
    >>> fuse({"text": torch.randn(5, 2), "photo": torch.randn(5, 3)}, None).shape
    torch.Size([5, 8])

    Notes
    -----
    NOTE[DIFF] The projection to ``block_width`` and the layer norm are not in the paper, whose
    tensor is the input of a deeper network.
    """

    def __init__(self, width: int = 64, block_width: int | str | None = "auto") -> None:
        self.width = width
        self.block_width = block_width

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        width = check_int("width", self.width, 2)
        block_width = self._block_width(len(widths))
        into = {name: block_width or given for name, given in widths.items()}
        _check_size(list(into.values()), width)
        return _Tensor(widths, into, width, project=block_width is not None)

    def _block_width(self, n_blocks: int) -> int | None:
        if self.block_width is None:
            return None
        if self.block_width != "auto":
            repair = 'Or leave it to block_width="auto".'
            return check_int("block_width", self.block_width, repair=repair)
        return max(1, min(_WIDEST, int(_ENTRIES ** (1 / n_blocks) + 1e-9) - 1))


class _Tensor(nn.Module):
    def __init__(
        self, widths: Mapping[str, int], into: Mapping[str, int], width: int, project: bool
    ) -> None:
        super().__init__()
        self.names = tuple(widths)
        self.projections = nn.ModuleList(
            nn.Linear(widths[name], into[name]) if project else nn.Identity() for name in widths
        )
        self.linear = nn.Linear(_n_entries(into.values()), width)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        product = next(iter(encoded.values()))[:, :1].new_ones(1, 1)
        for name, project in zip(self.names, self.projections, strict=True):
            block = nn.functional.pad(project(encoded[name]), (0, 1), value=1.0)
            product = (product[:, :, None] * block[:, None, :]).flatten(1)
        return self.norm(self.linear(product))


def _n_entries(widths: Iterable[int]) -> int:
    return math.prod(width + 1 for width in widths)


def _check_size(widths: list[int], width: int) -> None:
    n_weights = _n_entries(widths) * width
    if n_weights > _MOST_WEIGHTS:
        raise ParameterError(
            f"Tensor of {len(widths)} blocks of widths {widths} has {_n_entries(widths):,} "
            f"entries, and {n_weights:,} weights behind it; at most {_MOST_WEIGHTS:,} are allowed. "
            'Use block_width="auto" or a smaller one, group the blocks, or take LowRank(), which '
            "has the same products at a cost that grows with the number of blocks."
        )
