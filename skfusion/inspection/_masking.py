"""The same blocks with more rows missing, or with the rows of one block shuffled."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from skfusion.blocks import Blocks

__all__ = ["with_missing", "with_shuffled", "without_blocks"]


def with_missing(blocks: Blocks, missing: Mapping[str, np.ndarray]) -> Blocks:
    """Return ``blocks`` with further rows marked missing: masks of shape (n_rows,) by name."""
    masks = {name: _mask(blocks, name) | mask for name, mask in missing.items()}
    return _all_rows(blocks.assign({}, masks))


def without_blocks(blocks: Blocks, absent: Collection[str]) -> Blocks:
    """Return ``blocks`` with the ``absent`` ones marked missing in all rows."""
    return with_missing(blocks, {name: np.ones(len(blocks), dtype=bool) for name in absent})


def with_shuffled(blocks: Blocks, name: str, order: np.ndarray) -> Blocks:
    """Return ``blocks`` with the rows of block ``name``, and its mask, in another order."""
    shuffled = blocks.select([name]).take(order).assign({})
    return _all_rows(blocks.assign({name: shuffled[name]}, {name: _mask(shuffled, name)}))


def _mask(blocks: Blocks, name: str) -> np.ndarray:
    mask = blocks.missing(name)
    return np.zeros(len(blocks), dtype=bool) if mask is None else mask


def _all_rows(blocks: Blocks) -> Blocks:
    """Return ``blocks`` as a selection: rows of a lazy block are then cut out of it as an array."""
    return blocks.take(np.arange(len(blocks)))
