"""How one encoder is trained: slower, frozen, thawed later, trained alone first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from skfusion._checks import check_int, check_real
from skfusion._tokens import Encoded
from skfusion.blocks import BlockSpec
from skfusion.encoders._around import AroundEncoder
from skfusion.encoders._base import Encoder, as_encoder, finish, frozen_part
from skfusion.exceptions import ParameterError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Policy"]


class Policy(AroundEncoder):
    """An encoder together with how it is trained.

    The encoder's own parameters are reached through it by their names, so that a search can vary
    both: ``photo__lr_scale`` and ``photo__channels``.

    Takes and returns what ``encoder`` does.

    Parameters
    ----------
    encoder : Encoder
        The recipe.
    lr_scale : float, default=1.0
        Factor on the estimator's learning rate, for the weights of this encoder.
    weight_decay : float or None, default=None
        Weight decay of this encoder; None takes the estimator's.
    frozen : bool, default=False
        Whether the weights stay as they are built. The encoder's outputs are then computed once a
        fit, and layers with moving statistics do not move.
    unfreeze_at : int or None, default=None
        First epoch, counted from 1, in which the weights are trained; until then they are frozen.
    pretrain_epochs : int, default=0
        Epochs in which the encoder is first trained alone, with a linear head of its own.

    Examples
    --------
    >>> from skfusion.encoders import CNN, Policy
    >>> photo = Policy(CNN(), lr_scale=0.1)
    >>> photo.set_params(channels=(16, 32)).encoder.channels
    (16, 32)
    """

    def __init__(
        self,
        encoder: Encoder,
        lr_scale: float = 1.0,
        weight_decay: float | None = None,
        frozen: bool = False,
        unfreeze_at: int | None = None,
        pretrain_epochs: int = 0,
    ) -> None:
        self.encoder = encoder
        self.lr_scale = lr_scale
        self.weight_decay = weight_decay
        self.frozen = frozen
        self.unfreeze_at = unfreeze_at
        self.pretrain_epochs = pretrain_epochs

    def check(self, spec: BlockSpec) -> None:
        self.encoder.check(spec)
        self.check_training(spec.name)

    def check_training(self, name: str) -> None:
        """Check how the encoder of block ``name`` is to be trained."""
        as_encoder("encoder", self.encoder)
        check_real("lr_scale", self.lr_scale)
        check_int("pretrain_epochs", self.pretrain_epochs, 0)
        if self.weight_decay is not None:
            check_real("weight_decay", self.weight_decay)
        if self.unfreeze_at is not None:
            check_int("unfreeze_at", self.unfreeze_at)
        if self.frozen and (self.unfreeze_at is not None or self.pretrain_epochs):
            raise ParameterError(
                f"block {name!r}: frozen=True leaves the weights as they are for good, which "
                "contradicts unfreeze_at and pretrain_epochs. Leave out one of them."
            )

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        module = self.encoder.build(spec, pooled=pooled)
        if self.frozen or self.unfreeze_at is not None:
            return _Frozen(module, None if self.frozen else self.unfreeze_at)
        return module


class _Frozen(nn.Module):
    """Keeps ``module`` in evaluation and without gradients until ``thaw``, if that ever comes."""

    def __init__(self, module: nn.Module, unfreeze_at: int | None) -> None:
        super().__init__()
        self.module, self.unfreeze_at = module.requires_grad_(False), unfreeze_at
        self.frozen = unfreeze_at is None  # for good, so that its outputs can be kept
        self.thawed = False
        self.module.eval()

    @property
    def beginning(self) -> nn.Module | None:
        return frozen_part(self.module)

    def finish(self, *begun: torch.Tensor) -> Encoded:
        return finish(self.module, *begun)

    def thaw(self) -> None:
        """Let the module be trained from now on."""
        self.thawed = True
        self.module.requires_grad_(True)

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        self.module.train(mode and self.thawed)
        return self

    def forward(self, *inputs: torch.Tensor) -> Encoded:
        return self.module(*inputs)
