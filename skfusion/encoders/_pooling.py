"""From the tokens of a row to one vector, padding left out."""

from __future__ import annotations

import torch
from torch import nn

from skfusion._checks import check_choice
from skfusion._tokens import masked_mean

__all__ = ["POOLINGS", "Pooling"]

POOLINGS = ("last", "mean", "max", "attention")


class Pooling(nn.Module):
    """(batch, tokens, width) and mask -> (batch, width); a row without tokens becomes zeros."""

    def __init__(self, how: str, width: int) -> None:
        super().__init__()
        self.how = check_choice("pooling", how, POOLINGS)
        self.score = nn.Linear(width, 1, bias=False) if how == "attention" else None

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        if self.how == "last":
            return _last(tokens, mask)
        if self.how == "mean":
            return masked_mean(tokens, mask)
        if self.how == "max":
            return _max(tokens, mask)
        return self._attend(tokens, mask)

    def _attend(self, tokens: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        assert self.score is not None
        scores = self.score(tokens).squeeze(2)
        if mask is None:
            return torch.einsum("bt,btw->bw", scores.softmax(1), tokens)
        # The lowest finite number, not -inf: a row without tokens must not become 0 / 0.
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        weights = scores.softmax(1) * mask
        return torch.einsum("bt,btw->bw", weights, tokens)


def _last(tokens: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    if mask is None:
        return tokens[:, -1]
    lengths = mask.sum(1)
    rows = torch.arange(len(tokens), device=tokens.device)
    return tokens[rows, (lengths - 1).clamp(min=0)] * (lengths > 0)[:, None]


def _max(tokens: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    if mask is None:
        return tokens.amax(1)
    lowest = torch.finfo(tokens.dtype).min
    highest = tokens.masked_fill(~mask[:, :, None], lowest).amax(1)
    return highest * mask.any(1, keepdim=True)
