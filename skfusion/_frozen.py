"""Encoders that are not trained: their outputs are computed once per fit, not once per epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from skfusion._batch import make_batch
from skfusion._module import FusionModule, ModulePlan, rows_per_step
from skfusion.blocks import Blocks, Ragged, scatter_rows

__all__ = ["encode_frozen"]


def encode_frozen(
    module: FusionModule, plan: ModulePlan, blocks: Blocks, device: str
) -> tuple[Blocks, frozenset[str]]:
    """Return ``blocks`` with those of frozen encoders already encoded, and their names."""
    names = frozenset(module.frozen())
    encoded = {name: _encode(module, plan, blocks.select([name]), device) for name in names}
    return blocks.assign(encoded) if encoded else blocks, names


def _encode(module: FusionModule, plan: ModulePlan, block: Blocks, device: str) -> Any:
    (name,) = block.names
    missing = block.missing(name)
    if missing is None:
        return _join(list(_outputs(module, plan, block, device)))
    present = _join(list(_outputs(module, plan, block[~missing], device)))
    return scatter_rows(present, ~missing)


def _outputs(module: FusionModule, plan: ModulePlan, block: Blocks, device: str) -> Iterator[Any]:
    (name,) = block.names
    position, step = module.names.index(name), rows_per_step([plan.specs[name]])
    module.eval()
    with torch.inference_mode():
        for start in range(0, len(block), step):
            batch = make_batch(block[start : start + step], plan.dtype, torch.device(device))
            yield module.encode_block(position, batch.inputs[name])


def _join(parts: list[Any]) -> Any:
    """Return vectors as one array, tokens with a mask as one ``Ragged``."""
    if isinstance(parts[0], torch.Tensor):
        return torch.cat(parts).cpu().numpy()
    if parts[0][1] is None:
        return torch.cat([tokens for tokens, _ in parts]).cpu().numpy()
    values = torch.cat([tokens[mask] for tokens, mask in parts]).cpu().numpy()
    lengths = torch.cat([mask.sum(1) for _, mask in parts]).cpu().numpy()
    return Ragged(values, np.concatenate([[0], np.cumsum(lengths)]))
