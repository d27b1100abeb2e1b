"""The steps of a sequence as vectors, whatever they arrive as."""

from __future__ import annotations

import torch
from torch import nn

from skfusion._checks import check_int
from skfusion.blocks import BlockSpec
from skfusion.encoders._base import as_float

__all__ = ["Embedding", "as_steps"]


def as_steps(spec: BlockSpec, embedding_width: int) -> tuple[nn.Module, int]:
    """Return a module that makes (batch, time, step width) of the block, and the step width."""
    if spec.form == "tokens":
        width = check_int("embedding_width", embedding_width)
        return Embedding(spec.n_tokens or 1, width), width
    return _StepValues(), int(spec.shape[-1] or 1)


class _StepValues(nn.Module):
    """Steps that are vectors already; bytes become floats in [0, 1]."""

    like: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        # No parameter of its own says in which dtype the network is; this does.
        self.register_buffer("like", torch.zeros(()), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return as_float(x, self.like)


class Embedding(nn.Embedding):
    """Embedding whose start is scaled to its width, so that a step's vector has a norm near 1."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, std=self.embedding_dim**-0.5)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return super().forward(ids)
