"""A number for what each row of a batch holds, the same in any batch."""

from __future__ import annotations

import numpy as np
import torch

from skfusion._batch import Batch, Input, Padded, SparseRows
from skfusion._gather import Places

__all__ = ["row_keys"]

_INTS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def row_keys(batch: Batch) -> np.ndarray:
    """Return an int64 for each row (n_rows,), which follows from its blocks bit by bit."""
    keys = torch.zeros(len(batch), dtype=torch.int64)
    for number, (name, x) in enumerate(batch.inputs.items()):
        found, places = _of_input(x), batch.lookups.get(name)
        found = found if places is None else _of_rows(found, places)
        factor = int(_factors(number + 1)[-1])
        present = batch.present.get(name)
        if present is None:
            keys += found * factor
        else:  # a block that is missing adds nothing
            keys[present.cpu()] += found * factor + 1
    return keys.numpy()


def _of_input(x: Input) -> torch.Tensor:
    if isinstance(x, SparseRows):
        return _sums(_bits(x.values) * _factors(2)[0] + x.columns.cpu() * _factors(2)[1], x.offsets)
    if isinstance(x, Padded):
        values = _bits(x.values).reshape(*x.mask.shape, -1)
        per_item = (values * _factors(values.shape[2])).sum(2)
        return (per_item * x.mask.cpu() * _factors(x.mask.shape[1])).sum(1)
    flat = _bits(x).reshape(len(x), -1)
    return (flat * _factors(flat.shape[1])).sum(1)


def _of_rows(things: torch.Tensor, places: Places) -> torch.Tensor:
    """Return the sums over the things that each row looks up."""
    found = things[places.numbers.cpu()]
    return found if places.offsets is None else _sums(found, places.offsets)


def _sums(values: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """Return the sum of each run of values; sums of int64 wrap around, and need no order."""
    offsets = offsets.cpu() - int(offsets[0])
    rows = torch.repeat_interleave(torch.arange(len(offsets) - 1), offsets.diff())
    found = torch.zeros(len(offsets) - 1, dtype=torch.int64)
    return found.index_add(0, rows, _mixed(values[: len(rows)]))


def _bits(x: torch.Tensor) -> torch.Tensor:
    """Return the bits of each number as an int64."""
    x = x.detach().cpu().contiguous()
    if x.is_floating_point():
        x = x.view(_INTS[x.element_size()])
    return _mixed(x.to(torch.int64))


def _mixed(values: torch.Tensor) -> torch.Tensor:
    return (values ^ (values >> 31)) * 0x9E3779B97F4A7C1 + 0x632BE59BD9B4E01


def _factors(n: int) -> torch.Tensor:
    """Return ``n`` odd numbers (n,), the same each time."""
    drawn = np.random.Generator(np.random.Philox(key=0)).integers(0, 2**62, n)
    return torch.from_numpy(2 * drawn + 1)
