"""From the rows of a block to what a model of Hugging Face is called with."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from skfusion.encoders._base import as_float
from skfusion.encoders._hugging_face import Known, ModelConfig, Pixels
from skfusion.exceptions import BlockError

__all__ = ["Inputs", "inputs_of"]


class Inputs(nn.Module):
    """Rows of block ``name`` -> the arguments of a model, by their names."""

    name: str

    def blank(self, hidden: torch.Tensor, mask: torch.Tensor | None) -> dict[str, torch.Tensor]:
        """Return arguments of which only shapes and mask count, for rows that are ``hidden``."""
        raise NotImplementedError

    def example(self) -> dict[str, torch.Tensor]:
        """Return the arguments of two made-up rows."""
        raise NotImplementedError


def inputs_of(known: Known, name: str) -> Inputs:
    """Return how the rows of block ``name`` are handed to a model."""
    return _Ids(known.config, name) if known.pixels is None else _Images(known.pixels, name)


class _Ids(Inputs):
    """(batch, tokens) ids and a mask."""

    def __init__(self, config: ModelConfig, name: str) -> None:
        super().__init__()
        self.config, self.name = config, name

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        longest = int(getattr(self.config, "max_position_embeddings", x.shape[1]))
        if x.shape[1] > longest:
            raise BlockError(
                f"block {self.name!r} has rows of {x.shape[1]:,} tokens, and the model takes "
                f"{longest:,}. Cut the texts: Backbone(..., max_length={longest})."
            )
        mask = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
        return {"input_ids": x.long(), "attention_mask": mask.long()}

    def blank(self, hidden: torch.Tensor, mask: torch.Tensor | None) -> dict[str, torch.Tensor]:
        ids = torch.zeros(hidden.shape[:2], dtype=torch.long, device=hidden.device)
        return self(ids, mask)

    def example(self) -> dict[str, torch.Tensor]:
        ids = (torch.arange(16) % int(self.config.vocab_size)).reshape(2, 8)
        return self(ids, torch.arange(8) < torch.tensor([[8], [5]]))


class _Images(Inputs):
    """(batch, height, width, channels), bytes or floats in [0, 1]."""

    like: torch.Tensor
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, pixels: Pixels, name: str) -> None:
        super().__init__()
        self.size, self.name = pixels.size, name
        self.register_buffer("like", torch.zeros(()), persistent=False)
        for what in ("mean", "std"):
            scale = torch.tensor(getattr(pixels, what)).reshape(-1, 1, 1)
            self.register_buffer(what, scale, persistent=False)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        x = as_float(x, self.like).permute(0, 3, 1, 2)  # (batch, channels, height, width)
        x = x.expand(-1, 3, -1, -1)
        if x.shape[2:] != self.size:
            x = F.interpolate(x, self.size, mode="bilinear", antialias=True, align_corners=False)
        return {"pixel_values": (x - self.mean) / self.std}

    def blank(self, hidden: torch.Tensor, mask: torch.Tensor | None) -> dict[str, torch.Tensor]:
        return {"pixel_values": hidden.new_zeros(1).expand(len(hidden), 3, *self.size)}

    def example(self) -> dict[str, torch.Tensor]:
        height, width = self.size
        rows = torch.linspace(-1, 1, 6 * height * width)
        return {"pixel_values": rows.reshape(2, 3, height, width)}
