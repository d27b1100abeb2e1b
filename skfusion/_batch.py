"""Rows of ``Blocks`` as tensors: one batch, cut and padded once, for all encoders."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np
import torch

from skfusion._gather import Places
from skfusion._mixing import Mixing
from skfusion.blocks import Block, Blocks, BlockSpec, Lookup, Ragged
from skfusion.blocks._kinds import is_csr
from skfusion.exceptions import raise_located

__all__ = [
    "Batch",
    "Input",
    "Padded",
    "SparseRows",
    "as_tensor",
    "draw_dropped",
    "dummy_input",
    "make_batch",
    "prefetched",
]

# The dtypes that torch shares with numpy in all versions.
_SHARED = {np.dtype(kind) for kind in ("b1", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8")}


class SparseRows(NamedTuple):
    """Rows of a csr block: what an encoder of sparse data receives.

    ``columns`` and ``values`` (n_stored,) are the stored entries of all rows, one row after the
    other; row ``i`` is ``offsets[i]:offsets[i + 1]`` of them. The layout of ``EmbeddingBag``.
    """

    offsets: torch.Tensor
    columns: torch.Tensor
    values: torch.Tensor


class Padded(NamedTuple):
    """Ragged rows: ``values`` (batch, longest, ...), ``mask`` (batch, longest), True for data."""

    values: torch.Tensor
    mask: torch.Tensor


# What an encoder is called with: dense rows, csr rows, or rows of different length.
Input: TypeAlias = torch.Tensor | SparseRows | Padded


@dataclass
class Batch:
    """The inputs of the network for some rows.

    Parameters
    ----------
    inputs : dict of str to Tensor, SparseRows or Padded
        Per block, the rows that have it.
    present : dict of str to Tensor of bool of shape (n_rows,)
        Which rows have the block; only blocks that some row of the batch lacks.
    n_rows : int
        Number of rows of the batch.
    encoded : frozenset of str
        Blocks whose inputs are the outputs of their encoder already, so far as it is frozen.
    mixing : Mixing or None
        How the fused vectors of the rows are mixed with each other, where they are.
    lookups : dict of str to Places
        Where rows find their things, of blocks whose inputs are distinct things and not rows.
    codes : int64 Tensor of shape (n_rows, length) or None
        What is to be written, while training: a head that writes is told what stands before.
    """

    inputs: dict[str, Input]
    present: dict[str, torch.Tensor]
    n_rows: int
    encoded: frozenset[str] = frozenset()
    mixing: Mixing | None = None
    lookups: dict[str, Places] = field(default_factory=dict)
    codes: torch.Tensor | None = None

    def __len__(self) -> int:
        return self.n_rows

    def is_finite(self) -> bool:
        """Whether the sum of each input is finite: False if a value is not, or if all are huge."""
        values = [x if isinstance(x, torch.Tensor) else x.values for x in self.inputs.values()]
        return all(math.isfinite(x.sum().item()) for x in values if x.is_floating_point())


def make_batch(
    blocks: Blocks,
    dtype: torch.dtype,
    device: torch.device,
    encoded: frozenset[str] = frozenset(),
    dropped: Mapping[str, np.ndarray] = MappingProxyType({}),
    mixing: Mixing | None = None,
) -> Batch:
    """Return all rows of ``blocks`` as one batch on ``device``, floating values as ``dtype``.

    Blocks are left out of the rows where they are missing, or ``dropped``. The network mixes
    the rows by ``mixing``.
    """
    inputs, present, lookups, tables = {}, {}, {}, blocks.shared_tables()
    for name in blocks.names:
        absent = _either(blocks.missing(name), dropped.get(name))
        if absent is not None:
            present[name] = torch.from_numpy(~absent).to(device)
        try:  # a lazy block is read here, and may be damaged
            block = blocks[name] if absent is None else blocks[~absent][name]
            if isinstance(block, Lookup):
                keys, lookups[name] = _looked_up(block, dtype, device)
                block = tables.things(block, keys)
            inputs[name] = _input(block, dtype, device)
        except Exception as error:
            raise_located(error, f"block {name!r}")
    return Batch(inputs, present, len(blocks), encoded, mixing, lookups)


def prefetched(parts: Iterable[Blocks]) -> Iterator[Blocks]:
    """Yield ``parts``, of which lazy blocks read the next while one is worked on."""
    parts = iter(parts)
    part, following = next(parts, None), next(parts, None)
    if part is not None and following is not None:
        part.prefetch()
    while part is not None:
        if following is not None:
            following.prefetch()
        yield part
        part, following = following, next(parts, None)


def draw_dropped(blocks: Blocks, share: float) -> dict[str, np.ndarray]:
    """Draw, row by row, which blocks to drop; each row keeps one of those that it has.

    Uses torch's random state.
    """
    names = blocks.names
    there = torch.ones(len(blocks), len(names), dtype=torch.bool)
    for i, name in enumerate(names):
        if (missing := blocks.missing(name)) is not None:
            there[:, i] = torch.from_numpy(~missing)
    drawn = torch.rand(there.shape)
    # The block with the highest draw among those that are there is kept in any case.
    kept = (drawn >= share).scatter_(1, (drawn * there).argmax(1, keepdim=True), True)
    dropped = (~kept & there).numpy()
    return {name: dropped[:, i] for i, name in enumerate(names)}


def dummy_input(spec: BlockSpec, dtype: torch.dtype) -> Input:
    """Return an input of two rows of zeros, of the form that ``spec`` describes."""
    n_rows = 2
    if spec.form == "csr":
        empty = torch.zeros(0, dtype=torch.int64)
        return SparseRows(torch.zeros(n_rows + 1, dtype=torch.int64), empty, empty.to(dtype))
    shape = (n_rows, *(2 if size is None else size for size in spec.shape))
    values = torch.zeros(shape, dtype=_input_dtype(spec.form, spec.dtype, dtype))
    return Padded(values, torch.ones(shape[:2], dtype=torch.bool)) if spec.ragged else values


def _either(missing: np.ndarray | None, dropped: np.ndarray | None) -> np.ndarray | None:
    if dropped is None or not dropped.any():
        return missing
    return dropped if missing is None else missing | dropped


def _looked_up(
    block: Lookup, dtype: torch.dtype, device: torch.device
) -> tuple[np.ndarray, Places]:
    """Return the distinct keys of the rows, and where among them each row finds its own."""
    keys, places = block.distinct()
    numbers = torch.from_numpy(places).to(device)
    if not isinstance(block.keys, Ragged):
        return keys, Places(numbers)
    offsets = torch.from_numpy(block.keys.offsets - block.keys.offsets[0]).to(device)
    shares = block.shares()
    weights = None if shares is None else torch.from_numpy(shares).to(device, dtype)
    return keys, Places(numbers, offsets, weights)


def _input(block: Block, dtype: torch.dtype, device: torch.device) -> Input:
    if is_csr(block):
        return SparseRows(
            as_tensor(block.indptr, None, device),
            as_tensor(block.indices, None, device),
            as_tensor(block.data, dtype, device),
        )
    if isinstance(block, Ragged):
        values, mask = block.pad()
        form = "tokens" if values.ndim == 2 and values.dtype.kind in "iu" else "ragged"
        kind = _input_dtype(form, values.dtype, dtype)
        return Padded(as_tensor(values, kind, device), torch.from_numpy(mask).to(device))
    values = np.asarray(block[:])  # a lazy block is read here
    form = "vector" if values.ndim == 2 else "dense"
    return as_tensor(values, _input_dtype(form, values.dtype, dtype), device)


def _input_dtype(form: str, given: np.dtype, dtype: torch.dtype) -> torch.dtype:
    """Bytes travel as bytes, ids as int64, all else in the dtype of the network."""
    if form == "tokens":
        return torch.int64
    return torch.uint8 if given == np.uint8 and form != "vector" else dtype


def as_tensor(array: np.ndarray, dtype: torch.dtype | None, device: torch.device) -> torch.Tensor:
    """Return the array as a tensor; a copy only where torch cannot share its memory."""
    if array.dtype not in _SHARED:  # another order of bytes, or long doubles
        kind = array.dtype.kind
        array = array.astype(np.int64 if kind in "iu" else np.float64)
    flags, size = array.flags, array.itemsize
    if not flags.writeable or not (
        flags.c_contiguous or all(step >= 0 and step % size == 0 for step in array.strides)
    ):
        array = array.copy()
    return torch.from_numpy(array).to(device, dtype)
