"""Blocks as the tokens of a transformer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from skfusion._attention import TransformerLayer, check_heads
from skfusion._checks import check_choice, check_int, check_real
from skfusion._tokens import Encoded, ModuleListOf, Tokens
from skfusion.fusion._base import Fusion
from skfusion.fusion._parts import TokenProjections, counting

__all__ = ["TokenTransformer"]


class TokenTransformer(Fusion):
    """A transformer over one token per block, or over all tokens of all blocks.

    A learned token CLS is put in front (Devlin et al., 2019); what the last layer makes of it is
    the fused vector. Layers normalise their input (Xiong et al., 2020). Nothing attends to a
    missing block or to padding.

    {name: (batch, width of the block)} or tokens and masks -> (batch, width).

    Parameters
    ----------
    tokens : {"one", "all"}, default="one"
        "one": each block is one token. "all": each step of a sequence and each place of an image
        is a token of its own, where the block's encoder has tokens. Tokens carry no positions: the
        encoders know the order.
    width : int, default=64
        Size of the tokens and of the fused vector; a multiple of ``n_heads``.
    n_heads : int, default=4
        Number of attention heads.
    n_layers : int, default=2
        Number of layers.
    dropout : float, default=0.1
        Share of each layer's outputs set to zero while training.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import TokenTransformer
    >>> fuse = TokenTransformer(width=8).build({"text": 2, "photo": 3})
    >>> encoded = {"text": torch.randn(5, 2), "photo": torch.randn(5, 3)}
    >>> fuse(encoded, None).shape, fuse.weights(encoded, None).shape
    (torch.Size([5, 8]), torch.Size([5, 2]))
    """

    def __init__(
        self,
        tokens: str = "one",
        width: int = 64,
        n_heads: int = 4,
        n_layers: int = 2,
        dropout: float = 0.1,
    ) -> None:
        self.tokens = tokens
        self.width = width
        self.n_heads = n_heads
        self.n_layers = n_layers
        self.dropout = dropout

    @property
    def takes(self) -> str:
        return "tokens" if self.tokens == "all" else "vectors"

    @property
    def gives(self) -> tuple[str, ...]:
        return ("vector", "tokens")

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        check_choice("tokens", self.tokens, ("one", "all"))
        width, n_heads = check_heads(self.width, self.n_heads)
        dropout = check_real("dropout", self.dropout, 0, 1)
        n_layers = check_int("n_layers", self.n_layers)
        layers = [TransformerLayer(width, n_heads, 2, dropout, dropout) for _ in range(n_layers)]
        return _TokenTransformer(TokenProjections(widths, width), width, layers)


class _TokenTransformer(nn.Module):
    def __init__(
        self, blocks: TokenProjections, width: int, layers: list[TransformerLayer]
    ) -> None:
        super().__init__()
        self.blocks = blocks
        self.cls = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.layers: ModuleListOf[TransformerLayer] = ModuleListOf(layers)
        self.norm = nn.LayerNorm(width)

    def forward(self, encoded: Mapping[str, Encoded], present: torch.Tensor | None) -> torch.Tensor:
        x, mask, _ = self._up_to_last_layer(encoded, present)
        # Nothing but CLS leaves the last layer, so nothing else needs to go through it.
        return self.norm(self.layers[-1](x[:, :1], x, mask)[:, 0])

    def tokens(self, encoded: Mapping[str, Encoded], present: torch.Tensor | None) -> Tokens:
        """Return CLS and all tokens, fused: (batch, 1 + tokens, width)."""
        x, mask, _ = self._up_to_last_layer(encoded, present)
        return Tokens(self.norm(self.layers[-1](x, x, mask)), mask)

    def weights(self, encoded: Mapping[str, Encoded], present: torch.Tensor | None) -> torch.Tensor:
        """Return (batch, n_blocks): what CLS attends to in the last layer, itself left out."""
        x, mask, lengths = self._up_to_last_layer(encoded, present)
        attention = self.layers[-1].weights(x[:, :1], x, mask)[:, 0, 1:]
        shares = torch.stack([part.sum(1) for part in attention.split(lengths, 1)], dim=1)
        return shares / shares.sum(1, keepdim=True).clamp(min=torch.finfo(shares.dtype).tiny)

    def _up_to_last_layer(
        self, encoded: Mapping[str, Encoded], present: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
        x, mask, lengths = self._tokens(encoded, present)
        for layer in self.layers[:-1]:
            x = layer(x, x, mask)
        return x, mask, lengths

    def _tokens(
        self, encoded: Mapping[str, Encoded], present: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, list[int]]:
        """Return CLS and all tokens in a row, which are data, and the number of each block."""
        blocks, count = self.blocks(encoded), counting(present)
        masks = [mask for _, mask in blocks]
        if count is not None:
            masks = [mask & count[:, i : i + 1] for i, mask in enumerate(masks)]
        n_rows = len(masks[0])
        x = torch.cat([self.cls.expand(n_rows, -1, -1), *[tokens for tokens, _ in blocks]], dim=1)
        mask = torch.cat([masks[0].new_ones(n_rows, 1), *masks], dim=1)
        return x, mask, [one.shape[1] for one in masks]
