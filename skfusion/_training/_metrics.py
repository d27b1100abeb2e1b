"""What is known of an epoch besides its losses, gathered on the way and without extra passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from skfusion.targets import Coding

__all__ = ["EpochMetrics"]


class EpochMetrics:
    """The losses of the blocks alone, and the decisions for the held-out rows, of one epoch."""

    def __init__(self) -> None:
        self._losses: list[torch.Tensor] = []
        self._n_rows: list[torch.Tensor] = []
        self._outputs: list[torch.Tensor] = []
        self._codes: list[torch.Tensor] = []

    def add_blocks(self, losses: torch.Tensor, n_rows: torch.Tensor) -> None:
        """Add a batch's loss of each block alone, and the number of rows that have the block."""
        self._losses.append(losses.detach())
        self._n_rows.append(n_rows)

    def add_held_out(self, outputs: torch.Tensor, codes: torch.Tensor) -> None:
        """Add the outputs for held-out rows."""
        self._outputs.append(outputs)
        self._codes.append(codes)

    def records(
        self,
        names: Sequence[str],
        target: Coding,
        score: Callable[[np.ndarray], float] | None = None,
    ) -> Iterator[tuple[str, float]]:
        """Yield what the history keeps of the epoch: ``loss_<block>`` and ``valid_score``.

        ``score`` takes the place of the target's own score.
        """
        if self._losses:
            losses, n_rows = torch.stack(self._losses), torch.stack(self._n_rows)
            means = (losses * n_rows).sum(0) / n_rows.sum(0)  # NaN where no row had the block
            for name, mean in zip(names, means.tolist(), strict=True):
                yield f"loss_{name}", mean
        if self._outputs:
            outputs = torch.cat(self._outputs).double().cpu().numpy()
            codes = torch.cat(self._codes).cpu().numpy()
            found = target.score(outputs, codes) if score is None else score(outputs)
            if found is not None:
                yield "valid_score", found
