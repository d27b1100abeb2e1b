"""What a built encoder hands on, found out by running it once on zeros."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from skfusion._batch import Input, Padded, dummy_input
from skfusion._tokens import Encoded, as_tokens
from skfusion.blocks import BlockSpec
from skfusion.exceptions import BlockError

__all__ = ["encode", "encoded_width", "measuring", "output_spec"]


def encode(encoder: Callable[..., Encoded], x: Input) -> Encoded:
    """Return what ``encoder`` makes of ``x``; ragged rows come with their mask beside them."""
    return encoder(*x) if isinstance(x, Padded) else encoder(x)


@contextmanager
def measuring(module: nn.Module) -> Iterator[None]:
    """Run ``module`` on made-up rows: no gradient, and no moving statistics in it change."""
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        module.train(was_training)


def encoded_width(module: nn.Module, spec: BlockSpec, dtype: torch.dtype) -> int:
    """Return how wide the vectors, or the tokens, are that ``module`` makes of its block."""
    return int(_values(_measured(module, spec, dtype)).shape[-1])


def output_spec(module: nn.Module, spec: BlockSpec) -> BlockSpec:
    """Return the spec of what ``module``, built for ``spec``, hands on to the next encoder.

    Vectors are of the form "vector", tokens of the form "sequence"; ragged rows stay ragged.
    """
    encoded = _measured(module, spec, torch.float32)
    result = replace(spec, dtype=np.dtype(np.float32), n_tokens=None)
    if _values(encoded).ndim == 2:
        return replace(result, form="vector", shape=(_values(encoded).shape[1],))
    values, mask = as_tokens(encoded)
    n_tokens = values.shape[1] if mask is None else None
    return replace(result, form="sequence", shape=(n_tokens, values.shape[2]))


def _measured(module: nn.Module, spec: BlockSpec, dtype: torch.dtype) -> Encoded:
    with measuring(module):
        encoded = encode(module, dummy_input(spec, dtype))
    values = _values(encoded)
    if not isinstance(values, torch.Tensor) or values.ndim not in (2, 3):
        raise BlockError(
            f"the encoder of block {spec.name!r} must return (batch, width), or "
            f"(batch, tokens, width) and a mask. Got {getattr(values, 'shape', values)!r}."
        )
    return encoded


def _values(encoded: Encoded) -> torch.Tensor:
    return encoded[0] if isinstance(encoded, tuple) else encoded
