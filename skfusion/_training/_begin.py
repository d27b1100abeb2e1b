"""What a new network takes from its rows before it is trained: scales of columns, the prior."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import torch
from torch import nn

from skfusion._training._net import Net
from skfusion._training._rows import Rows
from skfusion.blocks import Lookup, Ragged
from skfusion.encoders.mlp import Standardize
from skfusion.fusion._base import BeginsAt

__all__ = ["begin_at_prior", "learn_columns"]


def learn_columns(net: Net, rows: Rows) -> None:
    """Let encoders that standardise columns learn mean and spread from ``rows``."""
    for name, encoder in zip(net.module_.names, net.module_.encoders, strict=True):
        layers = [part for part in encoder.modules() if isinstance(part, Standardize)]
        values, weight = _present(rows, name) if layers else (np.empty(0), None)
        if len(values):
            for layer in layers:
                layer.learn(values, weight)


def _present(rows: Rows, name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the vectors of the rows that have a block, with their weights.

    Of a lookup it is the things, each with the weight of the rows that hold it.
    """
    block, missing = rows.blocks[name], rows.blocks.missing(name)
    there = np.arange(len(rows)) if missing is None else np.flatnonzero(~missing)
    weight = None if rows.weight is None else rows.weight[there]
    if not isinstance(block, Lookup):
        return np.asarray(block, dtype=np.float64)[there], weight
    keys = block[there].keys
    if isinstance(keys, Ragged):
        weight = None if weight is None else np.repeat(weight, keys.lengths)
        keys = keys.values[keys.offsets[0] : keys.offsets[-1]]
    used, places = np.unique(keys, return_inverse=True)
    return np.asarray(block.table[used], dtype=np.float64), np.bincount(places, weight)


def begin_at_prior(net: Net, prior: np.ndarray) -> None:
    """Let the last linear layer of a new net start with ``prior`` (*shape,) as its bias.

    So do the decisions of a fusion that decides, and the tokens of a head that writes. What ends in
    anything else starts as it is.
    """
    module, plan = net.module_, net.module
    outputs = torch.from_numpy(np.asarray(prior, dtype=np.float64).reshape(-1))
    if plan.fusion.decides or plan.head.writes:
        for part in (module.fusion if plan.fusion.decides else module.head).modules():
            if hasattr(part, "begin_at"):
                cast(BeginsAt, part).begin_at(outputs)
        return
    linear = [one for one in module.head.modules() if isinstance(one, nn.Linear)]
    n_outputs = math.prod(size or 1 for size in plan.output.shape)
    for layer in linear[-1:]:
        if layer.bias is not None and layer.out_features == n_outputs == len(outputs):
            with torch.no_grad():
                layer.bias.copy_(outputs)
