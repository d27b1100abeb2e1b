"""Draws of tokens by their probabilities, that a seed repeats."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["keep_likely", "noise"]

_STEP = np.uint64(0x9E3779B97F4A7C15)


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


def noise(seed: int, keys: np.ndarray, place: int, n_beams: int, n_tokens: int) -> torch.Tensor:
    """Return standard Gumbel noise for the tokens at ``place``: (n_rows, n_beams, n_tokens).

    It is computed from counters (Salmon et al., 2011), by the mixing of SplitMix64 (Steele et al.,
    2014), so that what is drawn for a row follows from the seed and the row's key (n_rows,), and
    not from its neighbours.
    """
    rows = _mixed(keys.astype(np.uint64) ^ _mixed(np.array([seed, place], np.uint64)).sum())
    beams = _mixed(rows[:, None] + np.arange(1, n_beams + 1, dtype=np.uint64))
    drawn = _mixed(beams[:, :, None] + np.arange(1, n_tokens + 1, dtype=np.uint64) * _STEP)
    uniform = ((drawn >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53
    return torch.from_numpy(-np.log(-np.log(uniform)))


def _mixed(values: np.ndarray) -> np.ndarray:
    """Return 64 bits for each of 64, of which half change where one does."""
    values = values + _STEP
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
