"""All tokens of all blocks in one row."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from skfusion._checks import check_int
from skfusion._positions import SinusoidalPositions
from skfusion._tokens import Encoded, Tokens, masked_mean
from skfusion.fusion._base import Fusion
from skfusion.fusion._parts import TokenProjections, counting

__all__ = ["TokenConcat"]


class TokenConcat(Fusion):
    """The tokens of all blocks one after the other, for a head that looks at them.

    Cells of an image, frames of a clip, words of a text; a block that is one vector is one token.
    Each token carries its place in its block, by sines and cosines (Vaswani et al., 2017), and the
    block that it is of, by the bias of the block's linear map. A head that takes one vector is
    given their mean. Missing blocks and padding are left out.

    {name: tokens and mask} -> (batch, width), or tokens (batch, tokens of all blocks, width).

    Parameters
    ----------
    width : int, default=128
        Size of the tokens and of the fused vector.

    Examples
    --------
    >>> import torch
    >>> from skfusion.encoders import Tokens
    >>> from skfusion.fusion import TokenConcat
    >>> fuse = TokenConcat(width=8).build({"text": 2, "photo": 3})
    >>> encoded = {"text": Tokens(torch.randn(5, 4, 2)), "photo": Tokens(torch.randn(5, 9, 3))}
    >>> fuse.tokens(encoded, None).values.shape, fuse(encoded, None).shape
    (torch.Size([5, 13, 8]), torch.Size([5, 8]))
    """

    def __init__(self, width: int = 128) -> None:
        self.width = width

    @property
    def takes(self) -> str:
        return "tokens"

    @property
    def gives(self) -> tuple[str, ...]:
        return ("vector", "tokens")

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        width = check_int("width", self.width)
        return _TokenConcat(TokenProjections(widths, width), width)


class _TokenConcat(nn.Module):
    def __init__(self, blocks: TokenProjections, width: int) -> None:
        super().__init__()
        self.blocks, self.positions = blocks, SinusoidalPositions(width)
        self.norm = nn.LayerNorm(width)

    def forward(self, encoded: Mapping[str, Encoded], present: torch.Tensor | None) -> torch.Tensor:
        return masked_mean(*self.tokens(encoded, present))

    def tokens(self, encoded: Mapping[str, Encoded], present: torch.Tensor | None) -> Tokens:
        """Return all tokens (batch, tokens, width), and which of them are data."""
        parts, count = self.blocks(encoded), counting(present)
        values = torch.cat([self.positions(tokens) for tokens, _ in parts], dim=1)
        masks = [mask for _, mask in parts]
        if count is not None:
            masks = [mask & count[:, i : i + 1] for i, mask in enumerate(masks)]
        return Tokens(self.norm(values), torch.cat(masks, dim=1))
