"""Rows of different length through a network that is not trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch.nn import functional as F

from skfusion._tokens import Encoded, Tokens

__all__ = ["by_length"]

# Padded tokens at a time: a language model holds thousands of numbers for each of them.
_AT_A_TIME = 2**13


def by_length(
    run: Callable[[torch.Tensor, torch.Tensor], Encoded], ids: torch.Tensor, mask: torch.Tensor
) -> Encoded:
    """Return ``run(ids, mask)``; without gradients, a few rows of similar length at a time.

    So that little padding is computed, and memory does not grow with the longest row.

    Parameters
    ----------
    run : callable
        Returns of each row its vector, or that of each of its tokens.
    ids, mask : Tensor of shape (batch, tokens)
        Data stand in front of what is padding.
    """
    if torch.is_grad_enabled() or ids.numel() <= _AT_A_TIME:
        return run(ids, mask)
    lengths = mask.sum(1)
    order = lengths.argsort(descending=True, stable=True)
    parts = [
        run(ids[rows, :longest], mask[rows, :longest])
        for rows, longest in _steps(order, lengths[order].clamp(min=1).tolist())
    ]
    return _joined(parts, order.argsort(), mask)


def _steps(order: torch.Tensor, lengths: list[int]) -> Iterator[tuple[torch.Tensor, int]]:
    """Yield which rows go together, of which none is shorter than half the longest."""
    start = 0
    while start < len(lengths):
        longest, end = lengths[start], start + 1
        most = start + max(1, _AT_A_TIME // longest)
        while end < min(most, len(lengths)) and 2 * lengths[end] >= longest:
            end += 1
        yield order[start:end], longest
        start = end


def _joined(parts: list[Encoded], places: torch.Tensor, mask: torch.Tensor) -> Encoded:
    if isinstance(parts[0], torch.Tensor):
        return torch.cat([part for part in parts if isinstance(part, torch.Tensor)])[places]
    longest = mask.shape[1]
    values = [F.pad(part[0], (0, 0, 0, longest - part[0].shape[1])) for part in parts]
    return Tokens(torch.cat(values)[places], mask)
