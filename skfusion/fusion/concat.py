"""The encoded blocks side by side."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from skfusion.fusion._base import Fusion

__all__ = ["Concat"]


class Concat(Fusion):
    """Concatenate the encoded blocks; a missing one is represented by its learned stand-in.

    {name: (batch, width)} -> (batch, sum of widths).

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import Concat
    >>> fuse = Concat().build({"text": 2, "photo": 3})
    >>> fuse({"text": torch.zeros(5, 2), "photo": torch.ones(5, 3)}, None).shape
    torch.Size([5, 5])
    """

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        return _Concat()


class _Concat(nn.Module):
    def forward(
        self, encoded: dict[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        vectors = tuple(encoded.values())
        return vectors[0] if len(vectors) == 1 else torch.cat(vectors, dim=1)
