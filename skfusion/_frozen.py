"""What is not trained of the encoders: its outputs are computed once per fit, not every epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from joblib import Memory
from joblib.hashing import NumpyHasher
from torch import nn

from skfusion._batch import make_batch, prefetched
from skfusion._module import FusionModule, ModulePlan, rows_per_step
from skfusion._tokens import Encoded
from skfusion.blocks import Block, Blocks, BlockSpec, Ragged
from skfusion.blocks._ragged import offsets_of
from skfusion.blocks._rows import scatter_rows
from skfusion.encoders._measure import encode
from skfusion.exceptions import noted

__all__ = ["encode_frozen"]


def encode_frozen(
    module: FusionModule,
    plan: ModulePlan,
    blocks: Blocks,
    device: torch.device,
    memory: Memory,
    between: Callable[[], None],
) -> tuple[Blocks, frozenset[str]]:
    """Return ``blocks``, encoded so far as their encoders are frozen, and the names of those.

    ``memory`` knows what the same encoder made of the same rows before. ``between`` is called
    between some rows and the next.
    """
    encoded = {}
    for name, part in module.frozen_parts().items():
        frozen = _Frozen(part.eval(), plan.specs[name], plan.dtype, device, between)
        encoded[name] = _remembered(frozen, blocks.select([name]), memory)
    return blocks.assign(encoded) if encoded else blocks, frozenset(encoded)


@dataclass
class _Frozen:
    """An encoder of which some or all is not trained, what its block looks like, and where."""

    encoder: nn.Module
    spec: BlockSpec
    dtype: torch.dtype
    device: torch.device
    between: Callable[[], None]

    def fingerprint(self) -> str:
        """Return the same for the same encoder with the same weights, in any process."""
        where = f"the encoder of block {self.spec.name!r} cannot be pickled"
        with noted(where, "Use memory=None."):
            return _Hasher(hash_name="md5").hash((self.encoder, self.spec, self.dtype))


class _Hasher(NumpyHasher):
    """joblib's, which knows two equal tensors by their values; a pickle of them has addresses."""

    def save(self, obj: Any) -> None:
        if isinstance(obj, torch.Tensor):
            widened = obj.detach().float() if obj.dtype == torch.bfloat16 else obj.detach()
            obj = ("tensor", str(obj.dtype), widened.cpu().numpy())
        super().save(obj)


def _remembered(frozen: _Frozen, block: Blocks, memory: Memory) -> Block:
    if memory.location is None:
        return _encode(frozen, block)
    kept: Block = memory.cache(_known, ignore=["frozen"])(frozen.fingerprint(), frozen, block)
    return kept


def _known(fingerprint: str, frozen: _Frozen, block: Blocks) -> Block:
    """Return what the encoder makes of the block; the fingerprint stands for the encoder."""
    return _encode(frozen, block)


def _encode(frozen: _Frozen, block: Blocks) -> Block:
    missing = block.missing(frozen.spec.name)
    if missing is None:
        return _join(_outputs(frozen, block))
    present = _join(_outputs(frozen, block[~missing]))
    return scatter_rows(present, ~missing)


def _outputs(frozen: _Frozen, block: Blocks) -> Iterator[Encoded]:
    step = rows_per_step([frozen.spec])
    parts = (block[start : start + step] for start in range(0, len(block), step))
    with torch.inference_mode():
        for rows in prefetched(parts):
            batch = make_batch(rows, frozen.dtype, frozen.device)
            yield encode(frozen.encoder, batch.inputs[frozen.spec.name])
            frozen.between()


def _join(parts: Iterable[Encoded]) -> np.ndarray | Ragged:
    """Return vectors as one array, tokens with a mask as one ``Ragged``."""
    values, masks = [], []
    for part in parts:
        one, mask = (part, None) if isinstance(part, torch.Tensor) else part
        values.append(one if mask is None else one[mask])
        masks += [] if mask is None else [mask]
    joined = torch.cat(values).cpu().numpy()
    if not masks:
        return joined
    lengths = torch.cat([mask.sum(1) for mask in masks]).cpu().numpy()
    return Ragged(joined, offsets_of(lengths))
