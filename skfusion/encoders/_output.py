"""What a built encoder hands on, found out by running it once on zeros."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import nn

from skfusion._batch import Input, Padded, dummy_input
from skfusion._tokens import Encoded
from skfusion.blocks import BlockSpec
from skfusion.exceptions import BlockError

__all__ = ["call", "output_spec"]


def call(module: nn.Module, x: Input) -> Encoded:
    """Ragged rows come with their mask as a second argument."""
    return module(x.values, x.mask) if isinstance(x, Padded) else module(x)


def output_spec(module: nn.Module, spec: BlockSpec) -> BlockSpec:
    """Return the spec of what ``module``, built for ``spec``, hands on to the next encoder.

    Vectors are of the form "vector", tokens of the form "sequence"; ragged rows stay ragged.
    """
    was_training = module.training
    module.eval()
    with torch.no_grad():
        output = call(module, dummy_input(spec, torch.float32))
    module.train(was_training)
    tokens, mask = output if isinstance(output, tuple) else (output, None)
    if not isinstance(tokens, torch.Tensor) or tokens.ndim not in (2, 3):
        raise BlockError(
            f"block {spec.name!r}: an encoder must return (batch, width), or (batch, tokens, "
            f"width) and a mask. Got {getattr(tokens, 'shape', tokens)!r}."
        )
    result = replace(spec, dtype=np.dtype(np.float32), n_tokens=None)
    if tokens.ndim == 2:
        return replace(result, form="vector", shape=(tokens.shape[1],))
    n_tokens = tokens.shape[1] if mask is None else None
    return replace(result, form="sequence", shape=(n_tokens, tokens.shape[2]))
