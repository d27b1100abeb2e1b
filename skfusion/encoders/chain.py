"""One encoder's tokens into the next encoder."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from skfusion._tokens import Encoded
from skfusion.blocks import BlockSpec
from skfusion.encoders._base import Encoder, as_encoder, finish, frozen_part, is_frozen
from skfusion.encoders._measure import output_spec
from skfusion.exceptions import BlockError, noted

__all__ = ["Chain"]


class Chain(Encoder):
    """Hand one encoder's tokens to a second: a CNN's feature map to a Transformer, for example.

    ``first`` is built without pooling; ``then`` reads its tokens as a sequence, or its output as
    vectors if it has no tokens. ``Chain(a, Chain(b, c))`` makes three. The forms taken are those
    of ``first``. If ``first`` is frozen, what it returns is computed once per fit.

    (batch, *shape) -> what ``then`` makes of it: (batch, width), or (batch, tokens, width) and a
    mask if not pooled.

    Parameters
    ----------
    first : Encoder
        Encoder of the block.
    then : Encoder
        Encoder of what ``first`` returns.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionClassifier
    >>> from skfusion.encoders import CNN, Chain, Transformer
    >>> images = np.random.default_rng(0).integers(0, 255, (20, 16, 16, 3), dtype=np.uint8)
    >>> encoder = Chain(CNN(channels=(8, 16)), Transformer(width=16, n_layers=1))
    >>> model = FusionClassifier({"photo": encoder}, max_epochs=2)
    >>> model.fit({"photo": images}, [0, 1] * 10).transform({"photo": images}).shape
    (20, 16)
    """

    def __init__(self, first: Encoder, then: Encoder) -> None:
        self.first = first
        self.then = then

    def accepts(self, form: str) -> bool:
        return as_encoder("first", self.first).accepts(form)

    def reads(self, kind: str) -> object | None:
        return as_encoder("first", self.first).reads(kind)

    def misfit(self, name: str, what: str, forms: Iterable[str]) -> BlockError:
        return self.first.misfit(name, what, forms)

    def check(self, spec: BlockSpec) -> None:
        as_encoder("then", self.then)
        as_encoder("first", self.first).check(spec)

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        first = self.first.build(spec, pooled=False)
        return _Chain(first, self._build_then(output_spec(first, spec), pooled))

    def _build_then(self, spec: BlockSpec, pooled: bool) -> nn.Module:
        with noted(f"as `then` of Chain, behind {type(self.first).__name__}"):
            return self.then.build(spec, pooled=pooled)


class _Chain(nn.Module):
    def __init__(self, first: nn.Module, then: nn.Module) -> None:
        super().__init__()
        self.first, self.then = first, then

    @property
    def frozen(self) -> bool:
        return is_frozen(self.first) and is_frozen(self.then)

    @property
    def beginning(self) -> nn.Module | None:
        return frozen_part(self.first)

    def finish(self, *begun: torch.Tensor) -> Encoded:
        if is_frozen(self.first):
            return self.then(*begun)
        return self._hand_on(finish(self.first, *begun))

    def forward(self, *x: torch.Tensor) -> Encoded:
        return self._hand_on(self.first(*x))

    def _hand_on(self, output: Encoded) -> Encoded:
        if not isinstance(output, tuple):
            return self.then(output)
        tokens, mask = output
        return self.then(tokens) if mask is None else self.then(tokens, mask)
