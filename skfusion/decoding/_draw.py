"""Draws of tokens by their probabilities, that a seed repeats."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["keep_likely", "noise"]


def keep_likely(scores: torch.Tensor, top_k: int | None, top_p: float) -> torch.Tensor:
    """Return scores (..., n_tokens) in which unlikely tokens are minus infinity."""
    if top_k is not None and top_k < scores.shape[-1]:
        least = scores.topk(top_k, dim=-1).values[..., -1:]
        scores = scores.masked_fill(scores < least, -torch.inf)
    if top_p < 1:
        ranked, order = scores.softmax(-1).sort(dim=-1, descending=True, stable=True)
        before = ranked.cumsum(-1) - ranked  # of those that are likelier
        unlikely = torch.zeros_like(before, dtype=torch.bool).scatter_(-1, order, before >= top_p)
        scores = scores.masked_fill(unlikely, -torch.inf)
    return scores


def noise(seed: int, place: int, shape: tuple[int, ...]) -> torch.Tensor:
    """Return standard Gumbel noise for the token at ``place``, the same for every row.

    So what is drawn for a row follows from the row and the seed, and not from its neighbours.
    """
    drawn = np.random.Generator(np.random.Philox(key=seed, counter=place)).gumbel(size=shape)
    return torch.from_numpy(drawn)
