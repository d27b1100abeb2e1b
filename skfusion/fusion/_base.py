"""What a fusion promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

import torch
from sklearn.base import BaseEstimator
from torch import nn

from skfusion._tokens import Encoded, Tokens
from skfusion.blocks import BlockSpec

if TYPE_CHECKING:
    from skfusion.encoders import Encoder

__all__ = ["Decides", "Fusion", "FusionLike", "GivesTokens", "Group", "Weighs"]

# A recipe, the alias of one, or groups of blocks, each with a name and a fusion.
FusionLike: TypeAlias = "Fusion | str | Sequence[Group]"
Group: TypeAlias = "tuple[str, Sequence[str], FusionLike]"


class Fusion(BaseEstimator):
    """Recipe of how the encoded blocks become one vector.

    Subclass it and return from ``build`` any ``nn.Module``; nothing is registered. The module is
    called as ``module(encoded, present)`` and returns ``(batch, width)``:

    - ``encoded`` maps each block's name to its vectors ``(batch, width)``, or, where ``takes`` is
      ``"tokens"``, to ``Tokens``: values ``(batch, tokens, width)`` and a mask ``(batch, tokens)``
      (None where all are data). A row that lacks a block has the block's learned embedding there.
    - ``present`` is a bool tensor ``(batch, n_blocks)``, or None where no row lacks a block.

    Three attributes of the module are used where it has them:

    - ``auxiliary_loss``, a scalar that the last training step's forward left behind and that is
      added to the loss, or None;
    - ``weights(encoded, present)``, a method that returns ``(batch, n_blocks)``: how much each
      block counts in each row, as numbers that sum to 1;
    - ``exclusive``, a bool that is set, on parts of the module too: whether the outputs are classes
      of which one is right, as opposed to labels or values. For modules that decide.

    Examples
    --------
    >>> from torch import nn
    >>> from skfusion.fusion import Fusion
    >>> class Total(Fusion):
    ...     def build(self, widths):
    ...         return TotalModule()
    >>> class TotalModule(nn.Module):
    ...     def forward(self, encoded, present):
    ...         return sum(encoded.values())
    """

    # Properties, so that a recipe may decide by its parameters; a plain class attribute does too.
    @property
    def takes(self) -> str:
        """What the module is given of each block: "vectors" or "tokens"."""
        return "vectors"

    @property
    def gives(self) -> tuple[str, ...]:
        """What a head can be given of each row: the fused "vector", or the fused "tokens" too.

        A module that gives tokens has a method ``tokens(encoded, present)``, which returns
        ``Tokens``: values ``(batch, tokens, width)`` and a mask.
        """
        return ("vector",)

    @property
    def decides(self) -> bool:
        """Whether the module returns the outputs themselves, so that no head follows."""
        return False

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        """Return a new module for blocks of these ``widths``, in the order of the blocks.

        Where ``decides`` is True the fusion comes after the decisions: it is built as
        ``build(widths, n_outputs=n)``, returns ``(batch, n_outputs)``, and no head follows.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define build(self, widths) and return an nn.Module from it"
        )

    def encoder_for(self, spec: BlockSpec) -> Encoder | None:
        """Return the encoder that this fusion insists on for a block; None leaves the choice."""
        return None


class Weighs(Protocol):
    """The module of a fusion that says how much each block counts in each row."""

    def weights(self, encoded: Mapping[str, Encoded], present: torch.Tensor | None) -> torch.Tensor:
        """Return (batch, n_blocks), numbers that sum to 1."""


class LeavesLoss(Protocol):
    """The module of a fusion that leaves behind a loss of its own while training."""

    @property
    def auxiliary_loss(self) -> torch.Tensor | None:
        """A scalar that is added to the loss; None after a run without training."""


def auxiliary_loss(module: nn.Module) -> torch.Tensor | None:
    """Return what the last training step left to be added to the loss, if the fusion does that."""
    left = hasattr(module, "auxiliary_loss")
    return cast(LeavesLoss, module).auxiliary_loss if left else None


class GivesTokens(Protocol):
    """The module of a fusion that leaves several fused vectors a row."""

    def tokens(self, encoded: Mapping[str, Encoded], present: torch.Tensor | None) -> Tokens:
        """Return values (batch, tokens, width) and a mask (batch, tokens)."""


class BeginsAt(Protocol):
    """The module of a fusion that decides, whose first decisions can be told it."""

    def begin_at(self, outputs: torch.Tensor) -> None:
        """Let the module decide ``outputs`` (n_outputs,) on average, as long as nothing is learned.

        They are the prior: what is predicted of a row of which nothing is known.
        """


class Decides(Protocol):
    """The module of a fusion, or a part of it, whose outputs are decisions."""

    exclusive: bool  # whether the outputs are classes, of which one is right
