"""Networks that were trained elsewhere, inside an encoder."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch
from torch import nn

from skfusion._tokens import Encoded, Tokens, masked_mean
from skfusion.exceptions import BlockError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["BackboneModule", "shaped"]


class BackboneModule(nn.Module):
    """A copy of ``module``; if ``frozen``, not trained and in evaluation mode for good."""

    def __init__(self, module: nn.Module, frozen: bool) -> None:
        super().__init__()
        self.backbone = copy.deepcopy(module).to("cpu")
        self.frozen = bool(frozen)
        self.backbone.requires_grad_(not self.frozen)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Set the mode, but leave a frozen network as it is: its statistics must not move."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self


def shaped(output: object, mask: torch.Tensor | None, pooled: bool, who: str) -> Encoded:
    """Return what a network made of its rows as vectors (batch, width), or as tokens.

    Parameters
    ----------
    output : Tensor, tuple or model output of Hugging Face
        Vectors, tokens (batch, tokens, width) or a feature map (batch, channels, height, width).
    mask : Tensor of bool of shape (batch, tokens) or None
        Which tokens are data, if they are those of the rows.
    pooled : bool
        Whether the mean of the tokens is wanted.
    who : str
        Whose output it is, for messages.

    Raises
    ------
    BlockError
        If it is something else.
    """
    values = _tensor_of(output, who)
    if values.ndim == 2:
        return values
    if values.ndim not in (3, 4):
        raise BlockError(
            f"{who} returned the shape {tuple(values.shape)}. It must return vectors (batch, "
            "width), tokens (batch, tokens, width) or a feature map (batch, channels, height, "
            "width)."
        )
    tokens = values if values.ndim == 3 else values.flatten(2).transpose(1, 2)
    mask = mask if mask is not None and mask.shape == tokens.shape[:2] else None
    return masked_mean(tokens, mask) if pooled else Tokens(tokens, mask)


def _tensor_of(output: object, who: str) -> torch.Tensor:
    """Return the tensor in what a network returns."""
    if isinstance(output, torch.Tensor):
        return output
    hidden = getattr(output, "last_hidden_state", None)
    if isinstance(hidden, torch.Tensor):
        return hidden
    if isinstance(output, tuple) and output and isinstance(output[0], torch.Tensor):
        return output[0]
    raise BlockError(
        f"{who} returned a {type(output).__name__}. It must return a tensor, a tuple that begins "
        "with one, or an output with last_hidden_state."
    )
