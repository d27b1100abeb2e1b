"""Several batches for one step of the optimiser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import nn

from skfusion._training._rows import TrainingBatch

__all__ = ["Accumulation"]


class Accumulation:
    """The batches whose gradients are added up for one step, each by its number of rows."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.begins = self.ends = True  # whether the batch at hand is the first, the last of it
        self._n_rows: list[int] = []
        self._losses: list[tuple[torch.Tensor, torch.Tensor]] = []

    def over(self, batches: Iterable[TrainingBatch]) -> Iterable[TrainingBatch]:
        """Return ``batches``, of which this then knows where they stand."""
        return batches if self.size == 1 else _Marked(self, batches)

    def scaled(self, loss: torch.Tensor, n_rows: int) -> torch.Tensor:
        """Return what the mean ``loss`` of ``n_rows`` rows counts beside the first batch."""
        if self.size == 1:
            return loss
        self._n_rows = [n_rows] if self.begins else [*self._n_rows, n_rows]
        return loss * (n_rows / self._n_rows[0])

    def block_losses(
        self, losses: torch.Tensor, n_rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the losses of the blocks alone over all batches so far, and how many rows."""
        if self.size == 1:
            return losses, n_rows
        one = (losses.detach(), n_rows)
        self._losses = [one] if self.begins else [*self._losses, one]
        each, counts = (torch.stack(parts) for parts in zip(*self._losses, strict=True))
        total = counts.sum(0)
        return (each * counts).sum(0) / total.clamp(min=1), total

    def finish(self, parameters: Iterable[nn.Parameter]) -> None:
        """Turn the gradients that were added up into that of the mean over all rows."""
        if self.size > 1:
            gradients = [each.grad for each in parameters if each.grad is not None]
            torch._foreach_mul_(gradients, self._n_rows[0] / sum(self._n_rows))


class _Marked:
    """Batches, one read ahead, so that the last one is known to be it."""

    def __init__(self, steps: Accumulation, batches: Iterable[TrainingBatch]) -> None:
        self.steps, self.batches = steps, batches

    def __iter__(self) -> Iterator[TrainingBatch]:
        steps, batches = self.steps, iter(self.batches)
        number, batch = 0, next(batches, None)
        while batch is not None:
            following = next(batches, None)
            steps.begins = number % steps.size == 0
            steps.ends = following is None or (number + 1) % steps.size == 0
            yield batch
            number, batch = number + 1, following
