"""A fitted net as plan and weights: small, and of no device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from skfusion._training._net import Net
from skfusion._training._outputs import evaluate

__all__ = ["load_weights", "pack_net"]


def pack_net(net: Net) -> dict[str, Any]:
    """Return a fitted net as its plan, weights and history: small, and of no device."""
    weights = {key: value.cpu().numpy() for key, value in net.module_.state_dict().items()}
    return {
        "plan": net.module,
        "weights": weights,
        "history": net.history.to_list(),
    }


def load_weights(net: Net, packed: Mapping[str, Any]) -> Net:
    """Give ``net``, made anew from the same plan, the weights and the history of ``packed``."""
    weights = {key: torch.from_numpy(np.array(value)) for key, value in packed["weights"].items()}
    net.take_up(weights, packed["history"])
    evaluate(net.module_)
    return net
