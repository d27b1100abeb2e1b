"""What encoders hand on, and lists of modules whose kind is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeAlias, TypeVar, overload

import torch
from torch import nn

__all__ = ["Encoded", "ModuleListOf", "Tokens", "as_tokens", "as_vector", "masked_mean"]


class Tokens(NamedTuple):
    """Several vectors a row: words of a text, frames of a clip, cells of an image.

    Parameters
    ----------
    values : Tensor of shape (batch, tokens, width)
        The vectors; behind the end of a short row anything may stand.
    mask : bool Tensor of shape (batch, tokens) or None, default=None
        True for data; None where every token is data.

    Examples
    --------
    >>> import torch
    >>> from skfusion.encoders import Tokens
    >>> frames = Tokens(torch.ones(2, 5, 8))
    >>> frames.values.shape, frames.mask
    (torch.Size([2, 5, 8]), None)
    """

    values: torch.Tensor
    mask: torch.Tensor | None = None


# What is known of the rows of a block: one vector each (batch, width), or several.
Encoded: TypeAlias = torch.Tensor | Tokens


def as_tokens(encoded: Encoded) -> Tokens:
    """Return the tokens; a vector is the only token of its row."""
    if isinstance(encoded, tuple):
        return Tokens(*encoded)
    return Tokens(encoded if encoded.ndim == 3 else encoded[:, None])


def as_vector(encoded: Encoded) -> torch.Tensor:
    """Return one vector a row (batch, width): the mean of its tokens where there are several."""
    return masked_mean(*encoded) if isinstance(encoded, tuple) else encoded


def masked_mean(values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Return the mean of the tokens that are data, zeros for a row without any.

    (batch, tokens, width) -> (batch, width); what stands behind the end of a row plays no part.
    """
    if mask is None:
        return values.mean(1)
    n_tokens = mask.sum(1, keepdim=True).clamp(min=1)  # (batch, 1)
    return values.masked_fill(~mask[:, :, None], 0).sum(1) / n_tokens


Kind = TypeVar("Kind", bound=nn.Module)


class ModuleListOf(nn.ModuleList, Generic[Kind]):
    """An ``nn.ModuleList`` of modules of one kind, so that their methods are known."""

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[Kind]: ...

        @overload
        def __getitem__(self, idx: slice) -> ModuleListOf[Kind]: ...

        @overload
        def __getitem__(self, idx: int) -> Kind: ...

        def __getitem__(self, idx: int | slice) -> Kind | ModuleListOf[Kind]: ...
