"""Small parts that several fusions share: projections, masks, weights over blocks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import torch
from torch import nn

from skfusion._checks import did_you_mean
from skfusion._tokens import Encoded, ModuleListOf, as_tokens
from skfusion.exceptions import BlockError

__all__ = [
    "MaskedTokens",
    "Projections",
    "TokenProjections",
    "check_block",
    "counting",
    "join",
    "masked_softmax",
    "mean_of_blocks",
    "n_counting",
]


# Tokens (batch, tokens, width) with a mask (batch, tokens) in any case.
MaskedTokens: TypeAlias = tuple[torch.Tensor, torch.Tensor]


class Projections(nn.Module):
    """{name: (batch, width of the block)} -> (batch, n_blocks, width): one linear map a block.

    Their biases all start at ``bias`` where it is given.
    """

    def __init__(self, widths: Mapping[str, int], width: int, bias: float | None = None) -> None:
        super().__init__()
        self.names = tuple(widths)
        self.maps: ModuleListOf[nn.Linear] = ModuleListOf(
            nn.Linear(given, width) for given in widths.values()
        )
        if bias is not None:
            for project in self.maps:
                nn.init.constant_(project.bias, bias)

    def forward(self, encoded: Mapping[str, torch.Tensor]) -> torch.Tensor:
        maps = zip(self.names, self.maps, strict=True)
        return torch.stack([project(encoded[name]) for name, project in maps], dim=1)


class TokenProjections(nn.Module):
    """The tokens of all blocks with a common width, and which of them are data.

    {name: vectors, or tokens and mask} -> a pair (batch, tokens, width), (batch, tokens) a block.
    The bias of a block's linear map tells its tokens from those of other blocks.
    """

    def __init__(self, widths: Mapping[str, int], width: int) -> None:
        super().__init__()
        self.names = tuple(widths)
        self.maps = nn.ModuleList(nn.Linear(given, width) for given in widths.values())

    def forward(self, encoded: Mapping[str, Encoded]) -> list[MaskedTokens]:
        maps = zip(self.names, self.maps, strict=True)
        return [self._project(encoded[name], project) for name, project in maps]

    def _project(self, encoded: Encoded, project: nn.Module) -> MaskedTokens:
        tokens, mask = as_tokens(encoded)
        if mask is None:
            mask = tokens.new_ones(tokens.shape[:2], dtype=torch.bool)
        return project(tokens), mask


def counting(present: torch.Tensor | None) -> torch.Tensor | None:
    """Return which blocks count in a row: those present, or all where none is.

    In a row without any block the embeddings of missing blocks speak.
    """
    return None if present is None else present | ~present.any(1, keepdim=True)


def n_counting(present: torch.Tensor | None, n_blocks: int) -> torch.Tensor | int:
    """Return how many blocks count in each row, (batch, 1) or an int."""
    count = counting(present)
    return n_blocks if count is None else count.sum(1, keepdim=True)


def mean_of_blocks(stacked: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
    """Return the mean over the blocks that count: (batch, n_blocks, width) -> (batch, width)."""
    count = counting(present)
    if count is None:
        return stacked.mean(1)
    return stacked.masked_fill(~count[:, :, None], 0).sum(1) / count.sum(1, keepdim=True)


def masked_softmax(scores: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
    """Softmax over the blocks that count, (batch, n_blocks, ...); the others get zero."""
    count = counting(present)
    if count is None:
        return scores.softmax(1)
    shape = (*count.shape, *[1] * (scores.ndim - 2))
    return scores.masked_fill(~count.view(shape), -torch.inf).softmax(1)


def join(encoded: Mapping[str, torch.Tensor], names: Iterable[str]) -> torch.Tensor:
    """Return the vectors of all blocks side by side: (batch, sum of widths)."""
    return torch.cat([encoded[name] for name in names], dim=1)


def check_block(name: object, known: Iterable[str], where: str) -> str:
    """Return ``name`` if it is one of the ``known`` blocks."""
    known = tuple(known)
    if name not in known:
        raise BlockError(
            f"{where} names a block {name!r} that does not exist; the blocks are "
            f"{', '.join(map(repr, known))}. {did_you_mean(name, known)}".rstrip()
        )
    return str(name)
