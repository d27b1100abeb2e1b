"""Any torch module as an encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import torch
from torch import nn

from skfusion._tokens import Encoded
from skfusion.blocks import FORMS, BlockSpec
from skfusion.encoders._backbone import BackboneModule, shaped
from skfusion.encoders._base import Encoder, as_float
from skfusion.exceptions import ParameterError

__all__ = ["Pretrained"]


class Pretrained(Encoder):
    """A torch module that was trained elsewhere: of torchvision, timm, transformers, or your own.

    The module is called as such modules are:

    - images as floats (batch, channels, height, width), bytes scaled to [0, 1];
    - vectors and sequences as they are; ragged rows and token ids with their mask as a second
      argument, as Hugging Face models take them;
    - or as ``preprocess`` says: it gets those arguments, and what it returns is passed on, a tuple
      as positional and a dict as named arguments.

    The module may return vectors (batch, width), tokens (batch, tokens, width), a feature map
    (batch, channels, height, width), or an output with ``last_hidden_state`` (Hugging Face).

    (batch, *shape) -> (batch, width), the mean of the tokens where there are any, or
    (batch, tokens, width) and a mask if not pooled.

    Parameters
    ----------
    module : torch.nn.Module or callable
        The module, or a function without arguments that returns it. Each build has a copy.
    preprocess : callable or None, default=None
        Called on the input first, such as a normalisation. A function of a module, not a lambda,
        where the estimator is to be pickled.
    frozen : bool, default=True
        If True the module is not trained, stays in evaluation mode, and its outputs are computed
        once per fit; else it is trained with the rest.

    Raises
    ------
    BlockError
        If the output is of no known kind.
    ParameterError
        If ``module`` is neither a module nor makes one.

    Examples
    --------
    >>> import numpy as np
    >>> from torch import nn
    >>> from skfusion import FusionClassifier
    >>> from skfusion.encoders import Pretrained
    >>> backbone = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2))
    >>> images = np.random.default_rng(0).integers(0, 255, (20, 8, 8, 3), dtype=np.uint8)
    >>> model = FusionClassifier({"photo": Pretrained(backbone)}, max_epochs=2)
    >>> model.fit({"photo": images}, [0, 1] * 10).transform({"photo": images}).shape
    (20, 8)
    """

    takes: ClassVar[tuple[str, ...]] = tuple(form for form in FORMS if form != "csr")

    def __init__(
        self,
        module: nn.Module | Callable[[], nn.Module],
        preprocess: Callable[..., object] | None = None,
        frozen: bool = True,
    ) -> None:
        self.module = module
        self.preprocess = preprocess
        self.frozen = frozen

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        return _Pretrained(self._module(), self.preprocess, self.frozen, spec, pooled)

    def _module(self) -> nn.Module:
        is_builder = callable(self.module) and not isinstance(self.module, nn.Module)
        module = self.module() if is_builder else self.module
        if not isinstance(module, nn.Module):
            raise ParameterError(
                "module must be a torch.nn.Module or a function without arguments that returns "
                f"one. Got {module!r}."
            )
        return module


class _Pretrained(BackboneModule):
    like: torch.Tensor

    def __init__(
        self,
        module: nn.Module,
        preprocess: Callable[..., object] | None,
        frozen: bool,
        spec: BlockSpec,
        pooled: bool,
    ) -> None:
        super().__init__(module, frozen)
        self.preprocess, self.name, self.pooled = preprocess, spec.name, pooled
        self.is_image = spec.form == "image"
        self.register_buffer("like", torch.zeros(()), persistent=False)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> Encoded:
        x = as_float(x, self.like)
        x = x.permute(0, 3, 1, 2) if self.is_image else x  # (batch, channels, height, width)
        inputs = (x,) if mask is None else (x, mask)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            output = _pass_on(self.backbone, self._prepared(*inputs))
        return shaped(output, mask, self.pooled, f"block {self.name!r}: the module of Pretrained")

    def _prepared(self, *inputs: torch.Tensor) -> object:
        return inputs if self.preprocess is None else self.preprocess(*inputs)


def _pass_on(module: nn.Module, inputs: object) -> object:
    if isinstance(inputs, Mapping):
        return module(**inputs)
    return module(*inputs) if isinstance(inputs, tuple) else module(inputs)
