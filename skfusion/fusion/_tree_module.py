"""The network of a tree of fusions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import cast

import torch
from torch import nn

from skfusion._tokens import Encoded, ModuleListOf, as_tokens, as_vector
from skfusion.fusion._base import Weighs, auxiliary_loss

__all__ = ["Step", "TreeModule", "WeighedTreeModule"]


class Step(nn.Module):
    """One fusion of the tree: what is fused, how, and what that is called."""

    def __init__(
        self,
        name: str,
        fusion: nn.Module,
        inside: tuple[str, ...],
        tokens: bool,
        width: int | None = None,  # of what a group becomes
    ) -> None:
        super().__init__()
        self.width = width
        self.name, self.fusion, self.inside = name, fusion, inside
        self.convert: Callable[[Encoded], Encoded] = as_tokens if tokens else as_vector

    def inputs(
        self, values: Mapping[str, Encoded], shown: Mapping[str, torch.Tensor]
    ) -> tuple[dict[str, Encoded], torch.Tensor | None]:
        """Return what the fusion is called with."""
        present = torch.stack([shown[name] for name in self.inside], dim=1) if shown else None
        return {name: self.convert(values[name]) for name in self.inside}, present


class TreeModule(nn.Module):
    """The fusions of the groups, then the last one."""

    def __init__(self, names: tuple[str, ...], steps: list[Step]) -> None:
        super().__init__()
        self.names = names
        self.steps: ModuleListOf[Step] = ModuleListOf(steps)

    def forward(self, encoded: Mapping[str, Encoded], present: torch.Tensor | None) -> torch.Tensor:
        *_, (_, _, _, fused) = self.walk(encoded, present)
        return fused

    @property
    def auxiliary_loss(self) -> torch.Tensor | None:
        """Sum of the losses that the fusions of the tree left behind."""
        given = [auxiliary_loss(step.fusion) for step in self.steps]
        losses = [loss for loss in given if loss is not None]
        return torch.stack(losses).sum() if losses else None

    def walk(
        self, encoded: Mapping[str, Encoded], present: torch.Tensor | None
    ) -> Iterator[tuple[Step, dict[str, Encoded], torch.Tensor | None, torch.Tensor]]:
        """Yield each step, its two inputs and what it makes of them, from the leaves up."""
        values = dict(encoded)
        shown = {} if present is None else dict(zip(self.names, present.unbind(1), strict=True))
        for step in self.steps:
            inside, there = step.inputs(values, shown)
            fused = step.fusion(inside, there)
            yield step, inside, there, fused
            values[step.name] = fused
            if there is not None:
                shown[step.name] = there.any(1)


class WeighedTreeModule(TreeModule):
    """A tree whose fusions all weigh what they fuse."""

    def weights(self, encoded: Mapping[str, Encoded], present: torch.Tensor | None) -> torch.Tensor:
        """Return (batch, n_blocks): a block's weight in its group times that of the group."""
        shares: dict[str, torch.Tensor] = {}
        for step, inside, there, _ in reversed([*self.walk(encoded, present)]):
            weights = cast(Weighs, step.fusion).weights(inside, there)
            whole = shares.get(step.name)
            for name, part in zip(step.inside, weights.unbind(1), strict=True):
                shares[name] = part if whole is None else part * whole
        return torch.stack([shares[name] for name in self.names], dim=1)
