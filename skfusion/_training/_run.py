"""What one call of ``fit`` or ``partial_fit`` trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from skorch.callbacks import Callback

from skfusion._training._checkpoint import Checkpoint
from skfusion._training._rows import Rows

__all__ = ["Run"]


@dataclass(frozen=True)
class Run:
    """Everything that a net is told when it is trained.

    Parameters
    ----------
    rows : Rows
        What is trained on.
    n_epochs : int
        Passes over the rows, at most; those of a checkpoint are among them.
    seed : int
        What all randomness of this training follows from.
    held_out : Rows or None
        Rows that are only measured after each epoch; early stopping watches them.
    score : callable or None
        Scores the outputs (n_held_out, *shape) for the held-out rows, in place of the target's own
        score; early stopping then watches it instead of the loss.
    stops : bool
        Whether the training ends early by the loss of the held-out rows.
    whole : bool
        Whether all rows are known and all epochs planned. Else it is one part of an unknown
        number (``partial_fit``), in which schedule and averaging rest.
    checkpoint : Checkpoint or None
        Where the state is kept after each epoch, and taken up from.
    callbacks : sequence of (name, Callback)
        Callbacks of this run alone. They come before all others, and the net does not keep them.
    """

    rows: Rows
    n_epochs: int
    seed: int
    held_out: Rows | None = None
    score: Callable[[np.ndarray], float] | None = None
    stops: bool = True
    whole: bool = True
    checkpoint: Checkpoint | None = None
    callbacks: Sequence[tuple[str, Callback]] = ()

    @property
    def n_rows(self) -> int:
        """Number of all rows, those held out among them."""
        return len(self.rows) + (0 if self.held_out is None else len(self.held_out))
