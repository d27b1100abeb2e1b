"""What single encoders ask of the training: other rates, later starts, a start alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skfusion._module import FusionModule, ModulePlan
from skfusion._training._callbacks import OwnCallback
from skfusion.encoders import Policy

if TYPE_CHECKING:
    from skfusion._training._net import Net

__all__ = ["Thaw", "parameter_groups", "to_pretrain"]


class Thaw(OwnCallback):
    """Let encoders be trained from the epoch on that their policy names."""

    def on_epoch_begin(self, net: Net, **kwargs: Any) -> None:
        for encoder in net.module_.encoders:
            start: int | None = getattr(encoder, "unfreeze_at", None)
            # Later than that in a fit that goes on from a file.
            if start is not None and not encoder.thawed and start <= len(net.history):
                thaw: Any = encoder.thaw
                thaw()


def parameter_groups(
    module: FusionModule, plan: ModulePlan, lr: float, weight_decay: float
) -> list[dict[str, Any]] | None:
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


def to_pretrain(plan: ModulePlan) -> dict[str, int]:
    """Return the epochs of training alone, by block, for blocks whose policy asks for it."""
    return {
        name: recipe.pretrain_epochs
        for name, recipe in plan.encoders.items()
        if isinstance(recipe, Policy) and recipe.pretrain_epochs
    }
