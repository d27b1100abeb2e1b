"""Texts by a recurrent network that looks at the fused tokens."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from skfusion._attention import Attention, KeysAndValues, check_heads
from skfusion._checks import check_real
from skfusion._tokens import Encoded
from skfusion.heads._decoder import Decoder, Reads, TokenVectors
from skfusion.heads._writing import mean_of, n_tokens_of, shifted
from skfusion.targets import OutputSpec

__all__ = ["GRUDecoder"]


class GRUDecoder(Decoder):
    """Recurrent decoder with attention (Bahdanau et al., 2015), of gated units (Cho et al., 2014).

    A first layer reads the tokens written so far, what it knows by then asks the fused tokens, and
    a second layer takes both, so that it knows what was looked at before. Tokens have one table of
    vectors, to be read and to be written by (Press and Wolf, 2017).

    Parameters
    ----------
    width : int, default=128
        Size of the states and of the vectors of tokens; a multiple of ``n_heads``.
    n_heads : int, default=4
        Number of attention heads (Vaswani et al., 2017).
    dropout : float, default=0.2
        Share of the vectors of tokens, and of what they are chosen by, set to zero while training.

    Examples
    --------
    >>> import torch
    >>> from skfusion.encoders import Tokens
    >>> from skfusion.heads import GRUDecoder
    >>> from skfusion.targets import OutputSpec
    >>> decoder = GRUDecoder(width=8).build(16, OutputSpec("tokens", (None,), n_classes=30))
    >>> decoder(Tokens(torch.randn(2, 5, 16)), torch.tensor([[3, 4, 1], [5, 1, -100]])).shape
    torch.Size([2, 3, 30])
    """

    def __init__(self, width: int = 128, n_heads: int = 4, dropout: float = 0.2) -> None:
        self.width = width
        self.n_heads = n_heads
        self.dropout = dropout

    def build(self, width: int, output: OutputSpec) -> nn.Module:
        inner, n_heads = check_heads(self.width, self.n_heads)
        dropout = check_real("dropout", self.dropout, 0, 1)
        return _GRUWriter(width, inner, n_heads, n_tokens_of(output), dropout)


@dataclass(frozen=True)
class _State:
    """Of each row what it looks at, of each beam the states of both layers (rows, beams, width)."""

    memory: KeysAndValues
    mask: torch.Tensor | None
    first: torch.Tensor
    second: torch.Tensor

    def select(self, rows: torch.Tensor | None, beams: torch.Tensor | None) -> _State:
        memory, mask, first, second = self.memory, self.mask, self.first, self.second
        if rows is not None:
            memory = KeysAndValues(memory.keys[rows], memory.values[rows])
            mask = None if mask is None else mask[rows]
            first, second = first[rows], second[rows]
        if beams is not None:
            at = torch.arange(len(beams), device=beams.device)[:, None]
            first, second = first[at, beams], second[at, beams]
        return _State(memory, mask, first, second)


class _GRUWriter(nn.Module):
    def __init__(
        self, width_in: int, width: int, n_heads: int, n_tokens: int, dropout: float
    ) -> None:
        super().__init__()
        self.reads, self.table = Reads(width_in, width), TokenVectors(n_tokens, width)
        self.start = nn.Linear(width, 2 * width)
        self.first = nn.GRU(width, width, batch_first=True)
        self.attention = Attention(width, n_heads)
        self.second = nn.GRU(2 * width, width, batch_first=True)
        self.out, self.dropout = nn.Linear(3 * width, width), nn.Dropout(dropout)

    def forward(self, fused: Encoded, codes: torch.Tensor) -> torch.Tensor:
        state = self.begin(fused)
        told = self.dropout(self.table(shifted(codes)))
        first, _ = self.first(told, state.first.transpose(0, 1).contiguous())
        context = self.attention.look_up(first, state.memory, state.mask)
        both = torch.cat([first, context], dim=2)
        second, _ = self.second(both, state.second.transpose(0, 1).contiguous())
        return self._scores(second, both)

    def begin(self, fused: Encoded) -> _State:
        values, mask = self.reads(fused)
        first, second = self.start(mean_of((values, mask))).tanh()[:, None].chunk(2, dim=2)
        return _State(self.attention.keys_of(values), mask, first, second)

    def step(self, ids: torch.Tensor, state: _State) -> tuple[torch.Tensor, _State]:
        told = self.table(ids)
        first = _next(self.first, told, state.first)
        context = self.attention.look_up(first, state.memory, state.mask)
        both = torch.cat([first, context], dim=2)
        second = _next(self.second, both, state.second)
        scores = self._scores(second, both)
        return scores, _State(state.memory, state.mask, first, second)

    def _scores(self, second: torch.Tensor, both: torch.Tensor) -> torch.Tensor:
        chosen = self.dropout(self.out(torch.cat([second, both], dim=2)).tanh())
        return self.table.scores(chosen)


def _next(layer: nn.GRU, x: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    """Return the states behind one step: (rows, beams, width) each."""
    shape, flat = state.shape, state.reshape(1, -1, state.shape[2]).contiguous()
    return layer(x.reshape(-1, 1, x.shape[2]), flat)[1].reshape(shape)
