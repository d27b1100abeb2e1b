"""What single encoders ask of the training: other rates, later starts, a start alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import torch

from skfusion._module import FusionModule, ModulePlan
from skfusion._training._callbacks import OwnCallback
from skfusion.encoders import Policy

if TYPE_CHECKING:
    from skfusion._training._net import Net

__all__ = ["Thaw", "parameter_groups", "set_weight_decay", "to_pretrain"]


class Thaws(Protocol):
    """The module of an encoder that is not trained until an epoch that its policy names."""

    unfreeze_at: int | None  # None: never
    thawed: bool

    def thaw(self) -> None:
        """Let the module be trained from now on."""


class Thaw(OwnCallback):
    """Let encoders be trained from the epoch on that their policy names."""

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        late = [cast(Thaws, one) for one in net.module_.encoders if hasattr(one, "thaw")]
        for encoder in late:
            start = encoder.unfreeze_at
            # Later than that in a fit that goes on from a file.
            if start is not None and not encoder.thawed and start <= len(net.history):
                encoder.thaw()


def parameter_groups(
    module: FusionModule, plan: ModulePlan, lr: float, weight_decay: float
) -> list[dict[str, object]] | None:
    """Return a group of parameters per encoder with a policy, and one of all others."""
    groups, own = [], set()
    for name, encoder in zip(module.names, module.encoders, strict=True):
        recipe = plan.encoders[name]
        if not isinstance(recipe, Policy):
            continue
        decay = weight_decay if recipe.weight_decay is None else recipe.weight_decay
        parameters = list(encoder.parameters())
        own |= set(map(id, parameters))
        groups.append({"params": parameters, "lr": lr * recipe.lr_scale, "weight_decay": decay})
    if not groups:
        return None
    rest = [parameter for parameter in module.parameters() if id(parameter) not in own]
    return [{"params": rest}, *groups]


def set_weight_decay(
    optimizer: torch.optim.Optimizer, plan: ModulePlan, weight_decay: float
) -> None:
    """Give the groups of parameters another weight decay, but those whose policy has its own."""
    policies = [recipe for recipe in plan.encoders.values() if isinstance(recipe, Policy)]
    own = [None, *(policy.weight_decay for policy in policies)]
    groups = optimizer.param_groups
    if not policies:  # the groups may be the user's
        own = [None] * len(groups)
    for group, decay in zip(groups, own, strict=True):
        group["weight_decay"] = weight_decay if decay is None else decay


def to_pretrain(plan: ModulePlan) -> dict[str, int]:
    """Return the epochs of training alone, by block, for blocks whose policy asks for it."""
    return {
        name: recipe.pretrain_epochs
        for name, recipe in plan.encoders.items()
        if isinstance(recipe, Policy) and recipe.pretrain_epochs
    }
