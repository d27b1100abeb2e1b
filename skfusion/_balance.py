"""Balance between blocks: what each decides alone, its loss, and slower steps for those ahead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from skfusion.targets import Target

__all__ = ["BlockHeads", "block_losses", "slow_leaders"]


class BlockHeads(nn.Module):
    """One linear decision per block, used while training only."""

    def __init__(self, widths: Mapping[str, int], n_outputs: int) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(width, n_outputs) for width in widths.values())
        self._seen: tuple[list[torch.Tensor], torch.Tensor | None] | None = None

    def remember(self, encoded: Mapping[str, Any], present: torch.Tensor | None) -> None:
        """Keep what the blocks of a batch were encoded to, until ``decide`` asks."""
        # The heads' dtype, which the vectors have too, unless they come from within autocast.
        dtype = next(self.parameters()).dtype
        self._seen = [_vector(block).to(dtype) for block in encoded.values()], present

    def n_rows(self) -> torch.Tensor:
        """Return how many rows of the batch that is remembered have each block (n_blocks,)."""
        assert self._seen is not None
        vectors, present = self._seen
        if present is None:
            return torch.tensor([len(vector) for vector in vectors], device=vectors[0].device)
        return present.sum(0)

    def decide(self, detached: bool) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
        """Return per block its decisions for the rows that have it, and which rows these are.

        ``detached`` decisions train the heads, not the encoders.
        """
        assert self._seen is not None
        (vectors, present), self._seen = self._seen, None
        decisions = []
        for i, (head, vector) in enumerate(zip(self.heads, vectors, strict=True)):
            rows = None if present is None else present[:, i]
            vector = vector.detach() if detached else vector
            decisions.append((head(vector if rows is None else vector[rows]), rows))
        return decisions


def block_losses(
    heads: BlockHeads,
    target: Target,
    codes: torch.Tensor,
    weight: torch.Tensor | None,
    detached: bool,
) -> torch.Tensor:
    """Return the loss of each block alone (n_blocks,); zero where no row of the batch has it."""
    losses = []
    for outputs, rows in heads.decide(detached):
        if len(outputs) == 0:
            losses.append(outputs.sum())
            continue
        own_codes = codes if rows is None else codes[rows]
        own_weight = weight if rows is None or weight is None else weight[rows]
        losses.append(target.loss(outputs, own_codes, own_weight))
    return torch.stack(losses)


def slow_leaders(encoders: nn.ModuleList, losses: torch.Tensor, strength: float) -> None:
    """Shrink the gradients of encoders whose block is ahead of the others, and add noise.

    On-the-fly gradient modulation with generalisation enhancement (OGM-GE, Peng et al., 2022):
    a block whose share ``rho`` of the others' mean score exceeds 1 has its gradients multiplied by
    ``1 - tanh(strength * rho)``, and Gaussian noise of their spread is added.

    NOTE[DIFF] The paper has two blocks and reads their scores off the halves of the last layer;
    here there are any number, each compared with the mean of the others, and a block's score is
    ``exp(-loss)`` of a head of its own (the mean probability of the true class), which also exists
    for regression and behind fusions that do not concatenate.
    """
    scores = torch.exp(-losses.detach())
    n_blocks = len(scores)
    if n_blocks < 2:
        return
    others = (scores.sum() - scores) / (n_blocks - 1)
    ratios = scores / others.clamp(min=torch.finfo(scores.dtype).tiny)
    for encoder, ratio in zip(encoders, ratios.tolist(), strict=True):
        if ratio <= 1:
            continue
        factor = 1 - torch.tanh(torch.tensor(strength * ratio)).item()
        for parameter in encoder.parameters():
            if parameter.grad is not None:
                _slow(parameter.grad, factor)


def _slow(gradient: torch.Tensor, factor: float) -> None:
    noise = torch.randn_like(gradient) * (gradient.std(correction=0) + 1e-8)
    gradient.mul_(factor).add_(noise)


def _vector(encoded: Any) -> torch.Tensor:
    """Return one vector a row: tokens are averaged over those that are data."""
    if isinstance(encoded, torch.Tensor):
        return encoded
    tokens, mask = encoded
    if mask is None:
        return tokens.mean(1)
    return (tokens * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
