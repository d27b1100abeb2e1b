"""The steps of a sequence as vectors, whatever they arrive as."""

from __future__ import annotations

import torch
from torch import nn

from skfusion._checks import check_int
from skfusion.blocks import BlockSpec

__all__ = ["as_steps"]


def as_steps(spec: BlockSpec, embedding_width: int) -> tuple[nn.Module, int]:
    """Return a module that makes (batch, time, step width) of the block, and the step width."""
    if spec.form == "tokens":
        width = check_int("embedding_width", embedding_width)
        return _Embedding(spec.n_tokens or 1, width), width
    return nn.Identity(), int(spec.shape[-1] or 1)


class _Embedding(nn.Embedding):
    """Embedding whose start is scaled to its width, so that a step's vector has a norm near 1."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=self.embedding_dim**-0.5)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return super().forward(ids)
