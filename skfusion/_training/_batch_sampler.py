"""Which rows make a batch while training: drawn at random, or by similar length as well."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["draw_batches", "draw_batches_by_length"]

_POOL = 50  # batches: enough that lengths within one are nearly alike
_LEAST_POOLS = 4  # an epoch: else the same rows would meet in one batch again and again


def draw_batches(n_rows: int, batch_size: int) -> tuple[torch.Tensor, ...]:
    """Return the numbers of all rows once, in random batches. Uses torch's random state."""
    return torch.randperm(n_rows).split(batch_size)


def draw_batches_by_length(lengths: np.ndarray, batch_size: int) -> tuple[torch.Tensor, ...]:
    """Return the numbers of all rows once, in random batches of rows of similar length.

    Rows are drawn into pools at random, sorted by length within a pool, cut into batches, and the
    batches of all pools shuffled. Uses torch's random state.
    """
    sizes, batches = torch.from_numpy(lengths), []
    n_batches = len(lengths) // batch_size
    pool_size = batch_size * max(1, min(_POOL, n_batches // _LEAST_POOLS))
    for pool in torch.randperm(len(lengths)).split(pool_size):
        batches += pool[sizes[pool].argsort(stable=True)].split(batch_size)
    return tuple(batches[i] for i in torch.randperm(len(batches)).tolist())
