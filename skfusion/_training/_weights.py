"""A fitted net as plan and weights: small, and of no device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from skfusion._training._net import Net
from skfusion._training._outputs import evaluate

__all__ = ["load_weights", "pack_nets"]


def pack_nets(nets: Sequence[Net]) -> list[dict[str, Any]]:
    """Return fitted nets as plan, weights and history: small, and of no device.

    Weights that several nets share are there once.
    """
    known: dict[tuple[object, ...], np.ndarray] = {}

    def array(weight: torch.Tensor) -> np.ndarray:
        if not weight.numel():
            return weight.cpu().numpy()
        place = (weight.data_ptr(), weight.shape, weight.stride(), weight.dtype)
        return known.setdefault(place, weight.cpu().numpy())

    return [
        {
            "plan": net.module,
            "weights": {key: array(value) for key, value in net.module_.state_dict().items()},
            "history": net.history.to_list(),
        }
        for net in nets
    ]


def load_weights(net: Net, packed: Mapping[str, Any]) -> Net:
    """Give ``net``, made anew from the same plan, the weights and the history of ``packed``."""
    weights = {key: torch.from_numpy(np.array(value)) for key, value in packed["weights"].items()}
    net.take_up(weights, packed["history"])
    evaluate(net.module_)
    return net
