"""A network that has learned nothing yet answers as the prior does."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import torch
from torch import nn

from skfusion._training._net import Net
from skfusion.fusion._base import BeginsAt

__all__ = ["begin_at_prior"]


def begin_at_prior(net: Net, prior: np.ndarray) -> None:
    """Let the last linear layer of a new net start with ``prior`` (*shape,) as its bias.

    So do the decisions of a fusion that decides. What ends in anything else starts as it is.
    """
    module, plan = net.module_, net.module
    outputs = torch.from_numpy(np.asarray(prior, dtype=np.float64).reshape(-1))
    if plan.fusion.decides:
        for part in module.fusion.modules():
            if hasattr(part, "begin_at"):
                cast(BeginsAt, part).begin_at(outputs)
        return
    linear = [one for one in module.head.modules() if isinstance(one, nn.Linear)]
    n_outputs = math.prod(size or 1 for size in plan.output.shape)
    for layer in linear[-1:]:
        if layer.bias is not None and layer.out_features == n_outputs == len(outputs):
            with torch.no_grad():
                layer.bias.copy_(outputs)
