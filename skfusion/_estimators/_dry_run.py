"""Recipes built without memory: what is wrong in them is said before a row is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from skfusion._apart import without_memory
from skfusion._checks import check_choice
from skfusion._estimators._recipes import own_copy
from skfusion.blocks import BlockSpec
from skfusion.encoders import Backbone, Encoder, FittedEncoder, Policy, Pretrained, SameAs
from skfusion.encoders._choose import resolve_encoders
from skfusion.exceptions import BlockError, ParameterError, noted
from skfusion.fusion import Fusion
from skfusion.fusion._base import FusionLike
from skfusion.fusion._build import build_fusion
from skfusion.fusion.tree import resolve_fusion
from skfusion.heads import Head
from skfusion.heads._resolve import resolve_head
from skfusion.targets import OutputSpec

__all__ = ["check_encoders", "check_fusion", "check_head"]

# Blocks of each form, from small to large: an encoder is built for the first that it can take. On
# torch's device "meta" size costs nothing, but what flattens a picture has as many weights.
_SIDES = (8, 16, 32, 64, 128, 256, 512, 1024, 4096)
_SHAPES: dict[str, list[tuple[int | None, ...]]] = {
    "csr": [(8,)],
    "vector": [(8,)],
    "tokens": [(None,)],
    "sequence": [(None, 8)],
    "image": [(side, side, 3) for side in _SIDES],
    "video": [(None, side, side, 3) for side in _SIDES],
    "waveform": [(None,)],
}
_DTYPES = {"tokens": np.int64, "image": np.uint8, "video": np.uint8}
_WIDTH = 8
_TAKES = ("vector", "tokens", "either")
_LEFT_ALONE = (Backbone, FittedEncoder, Pretrained, SameAs)
_NAMES = ("first", "second")
_IN_PLACE = (torch.Tensor.normal_, torch.Tensor.uniform_, nn.init.normal_, nn.init.trunc_normal_)
_BYTES_PER_WEIGHT = 4


def check_encoders(given: Mapping[str, Encoder | str] | None) -> dict[str, Encoder]:
    """Return copies of the encoders, by block.

    Raises
    ------
    ParameterError
        For what is wrong with one in any case. What depends on its block is said once that was
        read. Encoders of the user's own, and networks that are built already, are left alone:
        their ``build`` may do anything.
    """
    encoders = own_copy(resolve_encoders(given))
    for name, encoder in encoders.items():
        with noted(f"while building the encoder of block {name!r}"):
            _check_encoder(name, encoder)
    return encoders


def _check_encoder(name: str, encoder: Encoder) -> None:
    if isinstance(encoder, Backbone | Policy):
        encoder.check_training(name)
    params = encoder.get_params(deep=False).values()
    inner = [value for value in params if isinstance(value, Encoder)]
    for one in inner:
        _check_encoder(name, one)
    if not inner and _is_ours(encoder) and not isinstance(encoder, _LEFT_ALONE):
        for spec in _examples(name, encoder.takes[0]):
            if _is_built(encoder, partial(encoder.build, spec)):
                return


def _examples(name: str, form: str) -> Iterator[BlockSpec]:
    dtype, n_tokens = np.dtype(_DTYPES.get(form, np.float32)), 8 if form == "tokens" else None
    for shape in _SHAPES[form]:
        yield BlockSpec(name, form, shape, dtype, n_tokens)


def check_fusion(given: FusionLike) -> Fusion:
    """Return a copy of the fusion, with nothing wrong in it whatever the blocks are."""
    fusion = own_copy(resolve_fusion(given))
    if _is_ours(fusion):
        widths = dict.fromkeys(_NAMES, _WIDTH)
        _is_built(fusion, partial(build_fusion, fusion, widths, n_outputs=2))
    return fusion


def check_head(given: Head | str, fusion: Fusion, outputs: Sequence[OutputSpec]) -> Head:
    """Return a copy of the head, which fits ``fusion``, with nothing wrong whatever it decides.

    It gives outputs of one of these forms at least.
    """
    head = own_copy(resolve_head(given))
    if _is_ours(head):
        _check_some(head, outputs)
    _check_fits(fusion, head)
    return head


def _check_some(head: Head, outputs: Sequence[OutputSpec]) -> None:
    """Raise the first error if the head can be built for none of these outputs."""
    errors = []
    for output in outputs:
        try:
            _is_built(head, partial(head.build, _WIDTH, output))
            return
        except ParameterError as error:
            errors.append(error)
    raise errors[0]


def _check_fits(fusion: Fusion, head: Head) -> None:
    """Raise ``ParameterError`` unless ``fusion`` gives what ``head`` takes."""
    takes = check_choice(f"takes of the head {head!r}", head.takes, _TAKES)
    if takes != "tokens" or "tokens" in fusion.gives:
        return
    raise ParameterError(
        f"the head {head!r} takes the fused tokens, but the fusion {fusion!r} gives one vector a "
        'row. Use a fusion that gives tokens, such as fusion="token_transformer", or a head that '
        'takes the vector, such as head="linear".'
    )


def _is_ours(recipe: Encoder | Fusion | Head) -> bool:
    return type(recipe).__module__.startswith("skfusion.")


def _is_built(recipe: Encoder | Fusion | Head, build: Callable[[], nn.Module]) -> bool:
    """Build without memory, and without drawing weights; whether these made-up blocks suit it."""

    def try_it() -> None:
        with _WithoutDraws():
            _check_size(recipe, build())

    try:
        without_memory(try_it)
    except BlockError:
        return False  # the real blocks are looked at once they were read
    except (MemoryError, OverflowError, RuntimeError, TypeError) as error:
        raise ParameterError(f"{recipe!r} cannot be built: {error}") from error
    return True


class _WithoutDraws(TorchFunctionMode):
    """Leave out what draws first weights: on the device "meta" torch would load its compiler."""

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> object:
        given = kwargs or {}
        if func in _IN_PLACE:
            return args[0] if args else given["tensor"]
        if func is torch.randn:
            return torch.empty(*args, **given)
        if func is torch.Tensor.mul:
            return _shaped_like_product(*args, *given.values())
        return func(*args, **given)


def _shaped_like_product(one: torch.Tensor, other: torch.Tensor | float) -> torch.Tensor:
    shape = one.shape
    if isinstance(other, torch.Tensor):
        shape = torch.broadcast_shapes(shape, other.shape)
    return torch.empty(shape, dtype=torch.result_type(one, other), device=one.device)


def _check_size(recipe: Encoder | Fusion | Head, module: nn.Module) -> None:
    n_weights = sum(parameter.numel() for parameter in module.parameters())
    if n_weights * _BYTES_PER_WEIGHT > _memory():
        raise ParameterError(
            f"{recipe!r} has at least {n_weights:,} weights, more than the memory of this machine "
            "holds. Use a smaller width."
        )


def _memory() -> int:
    """Return the bytes of memory that this machine has, or more than any, if it does not say."""
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 2**48
