"""Texts by self-attention over what is written, and attention to the fused tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from skfusion._attention import Attention, KeysAndValues, check_heads
from skfusion._checks import check_int, check_real
from skfusion._positions import SinusoidalPositions
from skfusion._tokens import Encoded, ModuleListOf
from skfusion.heads._decoder import Decoder, Reads, TokenVectors
from skfusion.heads._writing import n_tokens_of, shifted
from skfusion.targets import OutputSpec

__all__ = ["TransformerDecoder"]


class TransformerDecoder(Decoder):
    """Transformer decoder (Vaswani et al., 2017) over the fused tokens.

    Normalisation stands in front of each part (Xiong et al., 2020); tokens have one table of
    vectors, to be read and to be written by (Press and Wolf, 2017). What was computed of the
    tokens written so far is kept.

    Parameters
    ----------
    width : int, default=128
        Size of the vectors of tokens; a multiple of ``n_heads``.
    n_layers : int, default=2
        Number of layers.
    n_heads : int, default=4
        Number of attention heads.
    expansion : int, default=4
        Size of the hidden layer behind each attention, as a multiple of ``width``.
    dropout : float, default=0.1
        Share of each part's output set to zero while training.

    Examples
    --------
    >>> import torch
    >>> from skfusion.heads import TransformerDecoder
    >>> from skfusion.targets import OutputSpec
    >>> output = OutputSpec("tokens", (None,), n_classes=30)
    >>> decoder = TransformerDecoder(width=8).build(16, output)
    >>> decoder(torch.randn(2, 16), torch.tensor([[3, 4, 1], [5, 1, -100]])).shape
    torch.Size([2, 3, 30])
    """

    def __init__(
        self,
        width: int = 128,
        n_layers: int = 2,
        n_heads: int = 4,
        expansion: int = 4,
        dropout: float = 0.1,
    ) -> None:
        self.width = width
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.expansion = expansion
        self.dropout = dropout

    def build(self, width: int, output: OutputSpec) -> nn.Module:
        inner, n_heads = check_heads(self.width, self.n_heads)
        expansion = check_int("expansion", self.expansion)
        dropout = check_real("dropout", self.dropout, 0, 1)
        n_layers = check_int("n_layers", self.n_layers)
        layers = [_Layer(inner, n_heads, expansion, dropout) for _ in range(n_layers)]
        return _TransformerWriter(width, inner, layers, n_tokens_of(output), dropout)


class _Layer(nn.Module):
    """Self-attention over the past, attention to the memory, and a two-layer perceptron."""

    def __init__(self, width: int, n_heads: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.norm_past, self.norm_memory = nn.LayerNorm(width), nn.LayerNorm(width)
        self.past, self.memory = Attention(width, n_heads), Attention(width, n_heads)
        self.hidden = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, expansion * width),
            nn.GELU(),
            nn.Linear(expansion * width, width),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: torch.Tensor, memory: KeysAndValues, mask: torch.Tensor | None
    ) -> torch.Tensor:
        x = x + self.dropout(self.past.over_past(self.norm_past(x)))
        return self._rest(x, memory, mask)

    def step(
        self,
        x: torch.Tensor,
        past: KeysAndValues | None,
        memory: KeysAndValues,
        mask: torch.Tensor | None,
    ) -> tuple[torch.Tensor, KeysAndValues]:
        """Return what ``forward`` does at the last place, and the past with it.

        ``x`` is (rows, beams, width); the past is of each beam, (rows * beams, heads, time, ...).
        """
        normed = self.norm_past(x).reshape(-1, 1, x.shape[2])
        new = self.past.keys_of(normed)
        past = new if past is None else KeysAndValues(*map(_behind, past, new))
        x = x + self.past.look_up(normed, past, None).reshape(x.shape)
        return self._rest(x, memory, mask), past

    def _rest(
        self, x: torch.Tensor, memory: KeysAndValues, mask: torch.Tensor | None
    ) -> torch.Tensor:
        x = x + self.dropout(self.memory.look_up(self.norm_memory(x), memory, mask))
        return x + self.dropout(self.hidden(x))


def _behind(past: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    return torch.cat([past, new], dim=2)


@dataclass(frozen=True)
class _State:
    """By layer, of each row what it looks at, of each beam the past; and how many were written."""

    memory: tuple[KeysAndValues, ...]
    mask: torch.Tensor | None
    past: tuple[KeysAndValues | None, ...]
    n_beams: int = 1
    n_written: int = 0

    def select(self, rows: torch.Tensor | None, beams: torch.Tensor | None) -> _State:
        state, n_rows = self, len(self.memory[0].keys)
        if rows is not None:
            memory = tuple(KeysAndValues(*(part[rows] for part in one)) for one in self.memory)
            mask = None if self.mask is None else self.mask[rows]
            state = replace(self, memory=memory, mask=mask)
        if rows is None and beams is None:
            return state
        rows = torch.arange(n_rows, device=self.memory[0].keys.device) if rows is None else rows
        if beams is None:
            beams = torch.arange(self.n_beams, device=rows.device).expand(len(rows), -1)
        kept = (rows[:, None] * self.n_beams + beams).flatten()
        past = tuple(
            None if one is None else KeysAndValues(*(part[kept] for part in one))
            for one in self.past
        )
        return replace(state, past=past, n_beams=beams.shape[1])


class _TransformerWriter(nn.Module):
    def __init__(
        self, width_in: int, width: int, layers: list[_Layer], n_tokens: int, dropout: float
    ) -> None:
        super().__init__()
        self.reads, self.table = Reads(width_in, width), TokenVectors(n_tokens, width)
        self.positions = SinusoidalPositions(width)
        self.layers: ModuleListOf[_Layer] = ModuleListOf(layers)
        self.norm, self.dropout, self.width = nn.LayerNorm(width), nn.Dropout(dropout), width

    def forward(self, fused: Encoded, codes: torch.Tensor) -> torch.Tensor:
        state, x = self.begin(fused), self.dropout(self._told(shifted(codes), 0))
        for layer, memory in zip(self.layers, state.memory, strict=True):
            x = layer(x, memory, state.mask)
        return self._scores(x)

    def begin(self, fused: Encoded) -> _State:
        values, mask = self.reads(fused)
        memory = tuple(layer.memory.keys_of(values) for layer in self.layers)
        return _State(memory, mask, (None,) * len(memory))

    def step(self, ids: torch.Tensor, state: _State) -> tuple[torch.Tensor, _State]:
        x = self._told(ids.reshape(-1, 1), state.n_written).reshape(*ids.shape, self.width)
        parts, past = zip(self.layers, state.past, state.memory, strict=True), []
        for layer, before, memory in parts:
            x, after = layer.step(x, before, memory, state.mask)
            past.append(after)
        after_all = replace(
            state, past=tuple(past), n_beams=ids.shape[1], n_written=state.n_written + 1
        )
        return self._scores(x), after_all

    def _told(self, ids: torch.Tensor, first: int) -> torch.Tensor:
        """Return the vectors of tokens at their places, from the ``first`` on."""
        return self.positions(self.table(ids) * self.width**0.5, first)

    def _scores(self, x: torch.Tensor) -> torch.Tensor:
        return self.table.scores(self.norm(x))
