"""What is not trained of the encoders: its outputs are computed once per fit, not every epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from skfusion.blocks import Block, Blocks, BlockSpec, Lookup, Ragged
from skfusion.blocks._ragged import offsets_of
from skfusion.blocks._rows import n_rows, scatter_rows
from skfusion.encoders._measure import encode
from skfusion.exceptions import noted

__all__ = ["encode_frozen"]


def encode_frozen(
    module: FusionModule,
    plan: ModulePlan,
    parts: Sequence[Blocks],
    device: torch.device,
    memory: Memory,
    between: Callable[[], None],
    names: Iterable[str],
) -> tuple[list[Blocks], frozenset[str]]:
    """Return ``parts``, encoded so far as their encoders are frozen, and the names of those blocks.

    Only blocks of ``names`` are. What lookups share, also those of several parts, is encoded once.
    ``memory`` knows what the same encoder made of the same rows before. ``between`` is called
    between some rows and the next.
    """
    parts_of_encoders = module.frozen_parts()
    frozen = {
        name: _Frozen(parts_of_encoders[name].eval(), plan.specs[name], plan.dtype, device, between)
        for name in names
        if name in parts_of_encoders
    }
    tables = _Tables(frozen, parts, memory)
    encoded = [
        blocks.assign({name: _encoded(one, blocks, tables) for name, one in frozen.items()})
        if frozen
        else blocks
        for blocks in parts
    ]
    return encoded, frozenset(frozen)


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


class _Tables:
    """The tables of the lookups that frozen encoders have, encoded when they are asked for."""

    def __init__(
        self, frozen: Mapping[str, _Frozen], parts: Sequence[Blocks], memory: Memory
    ) -> None:
        self.memory = memory
        looked_up = [
            (one.encoder, blocks[name])
            for blocks in parts
            for name, one in frozen.items()
            if blocks.is_lookup(name)
        ]
        self._lookups: list[tuple[nn.Module, Lookup]] = looked_up
        self._known: list[tuple[nn.Module, Block, Block]] = []

    def encoded(self, frozen: _Frozen, table: Block) -> Block:
        """Return what the encoder makes of each thing, in the place of that."""
        for encoder, known, encoded in self._known:
            if encoder is frozen.encoder and known is table:
                return encoded
        things = Blocks({frozen.spec.name: table}, {frozen.spec.name: self._unused(frozen, table)})
        encoded = _remembered(frozen, things, self.memory)
        self._known.append((frozen.encoder, table, encoded))
        return encoded

    def _unused(self, frozen: _Frozen, table: Block) -> np.ndarray:
        """Return which things no row has; with a memory all are made, for other fits too."""
        used = np.full(n_rows(table), self.memory.location is not None)
        for encoder, lookup in self._lookups:
            if encoder is frozen.encoder and lookup.table is table:
                used |= lookup.used()
        return ~used


def _encoded(frozen: _Frozen, blocks: Blocks, tables: _Tables) -> Block:
    """Return what the encoder makes of its block; a lookup has a table of encoded things."""
    name = frozen.spec.name
    if not blocks.is_lookup(name):
        return _remembered(frozen, blocks.select([name]), tables.memory)
    lookup = blocks[name]
    if not lookup.used().any():
        return lookup
    return lookup.with_table(tables.encoded(frozen, lookup.table))


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
