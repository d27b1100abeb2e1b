"""From a recipe to a module that is known to work, with errors that say whose they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn

from skfusion._checks import check_choice
from skfusion.exceptions import ParameterError, noted
from skfusion.fusion._base import Fusion

__all__ = ["build_fusion", "fused_width", "hands_tokens", "takes_tokens"]


def takes_tokens(fusion: Fusion) -> bool:
    """Whether ``fusion`` takes tokens of each block, instead of vectors."""
    name = f"takes of the fusion {fusion!r}"
    return check_choice(name, fusion.takes, ("vectors", "tokens")) == "tokens"


def hands_tokens(fusion: Fusion, takes: str) -> bool:
    """Whether a head that ``takes`` this is handed the fused tokens, instead of the vector."""
    return not fusion.decides and (
        takes == "tokens" or (takes == "either" and "tokens" in fusion.gives)
    )


def build_fusion(fusion: Fusion, widths: Mapping[str, int], n_outputs: int) -> nn.Module:
    """Return a new module of ``fusion``, which is told ``n_outputs`` if it decides."""
    build: Callable[..., object] = fusion.build
    with noted(f"while building the fusion {fusion!r}"):
        module = build(widths, n_outputs=n_outputs) if fusion.decides else build(widths)
    if not isinstance(module, nn.Module):
        raise ParameterError(
            f"build of the fusion {fusion!r} must return an nn.Module. Got {module!r}. "
            "Return a new module, one whose forward takes (encoded, present)."
        )
    return module


def fused_width(fusion: Fusion, fuse: Callable[[], object], n_rows: int) -> int:
    """Return how wide the vectors are that ``fuse`` makes of ``n_rows`` rows by ``fusion``."""
    with noted(f"while measuring the fusion {fusion!r}"):
        fused = fuse()
    found = tuple(fused.shape) if isinstance(fused, torch.Tensor) else repr(fused)
    if not isinstance(found, tuple) or len(found) != 2 or found[0] != n_rows:
        raise ParameterError(
            f"the module of the fusion {fusion!r} must return (batch, width). Got {found} of a "
            f"batch of {n_rows} rows. Return one vector a row, such as tokens.mean(1)."
        )
    return int(found[1])
