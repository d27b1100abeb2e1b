"""Checks of the arguments that skorch and torch would only look at when a net is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import nn

from skfusion._checks import check_choice, did_you_mean
from skfusion._training._settings import CallbackLike, OptimizerLike
from skfusion.exceptions import ParameterError

__all__ = ["OPTIMIZERS", "check_callbacks", "check_net_params", "check_optimizer"]

# torch's, by their usual names. Left out are those that need a closure (LBFGS), sparse gradients
# (SparseAdam) or matrices alone (Muon), and Rprop, which has no weight decay and is for whole sets.
OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {
    "adadelta": torch.optim.Adadelta,
    "adagrad": torch.optim.Adagrad,
    "adam": torch.optim.Adam,
    "adamax": torch.optim.Adamax,
    "adamw": torch.optim.AdamW,
    "asgd": torch.optim.ASGD,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}

# What skorch.NeuralNet takes and this library leaves to it; all else is made from other arguments.
_NET_PARAMS = ("compile", "torch_load_kwargs", "use_caching")
_PREFIXES = ("callbacks__", "compile__", "optimizer__")
_OPTIMIZER = "optimizer__"


def check_callbacks(callbacks: Sequence[CallbackLike] | None) -> tuple[CallbackLike, ...]:
    """Return the callbacks, each one of skorch's kind."""
    if callbacks is not None and not isinstance(callbacks, list | tuple):
        raise ParameterError(
            f"callbacks must be a list of skorch callbacks. Got {callbacks!r}. "
            "Write callbacks=[...], also for one."
        )
    for position, one in enumerate(callbacks or ()):
        if not _is_callback(one):
            raise ParameterError(
                "callbacks must be a list of skorch callbacks, each one a Callback, a class of "
                f"them or a pair (name, callback). Got {one!r} at position {position}. Those of "
                "scikit-learn are set by set_callbacks."
            )
    return tuple(callbacks or ())


def _is_callback(one: object) -> bool:
    if isinstance(one, tuple):
        return len(one) == 2 and isinstance(one[0], str) and _is_callback(one[1])
    return isinstance(one, Callback) or (isinstance(one, type) and issubclass(one, Callback))


def check_net_params(net_params: Mapping[str, object] | None) -> dict[str, object]:
    """Return the further arguments of the net, those that have an effect."""
    if net_params is None:
        return {}
    if not isinstance(net_params, Mapping):
        raise ParameterError(
            'net_params must be a dict, such as {"optimizer__betas": (0.8, 0.99)}. '
            f"Got {net_params!r}."
        )
    for name in net_params:
        known = isinstance(name, str) and (name in _NET_PARAMS or name.startswith(_PREFIXES))
        if not known:
            near = did_you_mean(str(name).partition("__")[0], ["optimizer", *_NET_PARAMS])
            raise ParameterError(
                f"net_params has no place for {name!r}: it takes "
                f"{', '.join(map(repr, _NET_PARAMS))}, and what begins with 'optimizer__', "
                f"'compile__' or 'callbacks__'; all else is an argument of its own. {near}".rstrip()
            )
    return dict(net_params)


def check_optimizer(
    optimizer: OptimizerLike, lr: float, weight_decay: float, net_params: Mapping[str, object]
) -> OptimizerLike:
    """Return the optimiser, which can be made with these settings."""
    if not (isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer)):
        check_choice("optimizer", optimizer, OPTIMIZERS)
    make: Any = OPTIMIZERS[optimizer] if isinstance(optimizer, str) else optimizer
    given = {
        name.removeprefix(_OPTIMIZER): value
        for name, value in net_params.items()
        if name.startswith(_OPTIMIZER) and name != "optimizer__param_groups"
    }
    try:
        make([nn.Parameter(torch.zeros(1, 1))], **{"lr": lr, "weight_decay": weight_decay, **given})
    except (TypeError, ValueError) as error:
        told = f" and net_params={dict(net_params)!r}" if given else ""
        raise ParameterError(
            f"optimizer={optimizer!r} cannot be made with lr={lr:g}, "
            f"weight_decay={weight_decay:g}{told}: {error}."
        ) from error
    return optimizer
