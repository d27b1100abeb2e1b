"""The encoded blocks side by side."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from skfusion.fusion._base import Fusion
from skfusion.fusion._parts import join

__all__ = ["Concat"]


class Concat(Fusion):
    """Concatenate the encoded blocks; a missing one is represented by a learned embedding.

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
        return _Concat(tuple(widths))


class _Concat(nn.Module):
    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names

    def forward(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        return encoded[self.names[0]] if len(self.names) == 1 else join(encoded, self.names)
