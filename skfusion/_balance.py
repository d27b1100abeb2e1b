"""Balance between blocks: what each decides alone, its loss, and slower steps for those ahead."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from skfusion.heads import LinearHead
from skfusion.targets import Coding, OutputSpec

__all__ = ["BlockHeads", "block_losses", "mean_of_losses", "modulate_gradients"]


class BlockHeads(nn.Module):
    """One linear decision per block, used while training only."""

    def __init__(self, widths: Mapping[str, int], output: OutputSpec) -> None:
        super().__init__()
        self.heads = nn.ModuleList(LinearHead().build(width, output) for width in widths.values())
        self._seen: tuple[list[torch.Tensor], torch.Tensor | None] | None = None

    def remember(self, vectors: Mapping[str, torch.Tensor], present: torch.Tensor | None) -> None:
        """Keep the vectors of a batch's blocks, until ``decide`` asks."""
        # The heads' dtype, which the vectors have too, unless they come from within autocast.
        dtype = next(self.parameters()).dtype
        self._seen = [vector.to(dtype) for vector in vectors.values()], present

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

    def __getstate__(self) -> dict[str, object]:
        """Leave out what is remembered of a batch, part of a graph that no copy can take."""
        return {**self.__dict__, "_seen": None}


def block_losses(
    heads: BlockHeads,
    target: Coding,
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


def mean_of_losses(losses: torch.Tensor, n_rows: torch.Tensor) -> torch.Tensor:
    """Return the mean over the blocks that some row has; the loss of the others is zero."""
    return losses.sum() / (n_rows > 0).sum().clamp(min=1)


def modulate_gradients(
    encoders: nn.ModuleList, losses: torch.Tensor, n_rows: torch.Tensor, strength: float
) -> None:
    """Shrink the gradients of encoders whose block is ahead of the others, and add noise.

    On-the-fly gradient modulation with generalisation enhancement (OGM-GE, Peng et al., 2022):
    a block whose ratio ``rho`` to the others' mean score exceeds 1 has its gradients multiplied by
    ``1 - tanh(strength * rho)``, and Gaussian noise of their spread is added. Weights whose
    gradient is exactly 0, which the batch says nothing about, get no noise. Blocks that none of the
    ``n_rows`` (n_blocks,) has are left out of the comparison.

    It is meant for plain SGD, as in the paper: AdamW and Adam divide gradients by their running
    size, by which a good part of a factor that stays the same cancels.

    NOTE[DIFF] The paper has two blocks and reads their scores off the halves of the last layer;
    here there are any number, each compared with the mean of the others, and a block's score is
    ``exp(-loss)`` of a head of its own, which also exists for regression and behind fusions that do
    not concatenate. For classes it is the geometric mean probability of the true class, where the
    paper has the arithmetic one. The paper adds noise to the convolution kernels of every block;
    here all weights of the encoder that is slowed get it, and no others.
    """
    there = n_rows > 0
    n_others = int(there.sum()) - 1
    if n_others < 1:
        return
    scores = torch.exp(-losses.detach()).masked_fill(~there, 0)
    others = (scores.sum() - scores) / n_others
    ratios = scores / others.clamp(min=torch.finfo(scores.dtype).tiny)
    # An encoder that blocks share is as far ahead as the least of them.
    least: dict[nn.Module, float] = {}
    for encoder, ratio in zip(encoders, ratios.tolist(), strict=True):
        least[encoder] = min(ratio, least.get(encoder, ratio))
    for encoder, ratio in least.items():
        if ratio <= 1:
            continue
        factor = 1 - torch.tanh(torch.tensor(strength * ratio)).item()
        for parameter in encoder.parameters():
            if parameter.grad is not None:
                _slow(parameter.grad, factor)


def _slow(gradient: torch.Tensor, factor: float) -> None:
    reached = gradient != 0
    if not reached.any():
        return
    noise = torch.randn_like(gradient) * (gradient[reached].std(correction=0) + 1e-8)
    gradient.mul_(factor).add_(noise.masked_fill(~reached, 0))
