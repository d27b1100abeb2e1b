"""Networks that were trained elsewhere, inside an encoder."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["BackboneModule"]


class BackboneModule(nn.Module):
    """A copy of ``module``; if ``frozen``, not trained and in evaluation mode for good."""

    def __init__(self, module: nn.Module, frozen: bool) -> None:
        super().__init__()
        self.backbone = copy.deepcopy(module).to("cpu")
        self.frozen = bool(frozen)
        self.backbone.requires_grad_(not self.frozen)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Set the mode, but leave a frozen network as it is: its statistics must not move."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self
