"""The same blocks with more rows missing, or with the rows of one block shuffled."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from skfusion.blocks import Blocks

__all__ = ["with_missing", "with_shuffled", "without_blocks"]


def with_missing(blocks: Blocks, missing: Mapping[str, np.ndarray]) -> Blocks:
    """Return ``blocks`` with further rows marked missing: masks of shape (n_rows,) by name."""
    masks = {name: _mask(blocks, name) | missing.get(name, False) for name in blocks.names}
    return _put_together({name: blocks for name in blocks.names}, masks)


def without_blocks(blocks: Blocks, absent: Collection[str]) -> Blocks:
    """Return ``blocks`` with the ``absent`` ones marked missing in all rows."""
    return with_missing(blocks, {name: np.ones(len(blocks), dtype=bool) for name in absent})


def with_shuffled(blocks: Blocks, name: str, order: np.ndarray) -> Blocks:
    """Return ``blocks`` with the rows of block ``name``, and its mask, in another order."""
    other = blocks.take(order)
    sources = {key: other if key == name else blocks for key in blocks.names}
    return _put_together(sources, {key: _mask(source, key) for key, source in sources.items()})


def _put_together(sources: Mapping[str, Blocks], masks: Mapping[str, np.ndarray]) -> Blocks:
    """Return ``Blocks`` with each block from its source."""
    made = Blocks({name: _content(source, name) for name, source in sources.items()}, masks)
    # Selected rows of a view are cut as one array; the view itself would be read row by row.
    return made.take(np.arange(len(made)))


def _mask(blocks: Blocks, name: str) -> np.ndarray:
    mask = blocks.missing(name)
    return np.zeros(len(blocks), dtype=bool) if mask is None else mask


def _content(blocks: Blocks, name: str) -> Any:
    """Return the block; of images, videos and the like a view, so that no rows are read yet."""
    spec = blocks.specs()[name]
    return blocks[name] if spec.ragged or len(spec.shape) == 1 else _View(blocks, name)


class _View:
    """One of some blocks as a lazy block: its rows are cut when they are asked for."""

    def __init__(self, blocks: Blocks, name: str) -> None:
        self._blocks, self._name = blocks.select([name]), name
        spec = self._blocks.specs()[name]
        self.shape, self.dtype = (len(blocks), *spec.shape), spec.dtype
        self.ndim = len(self.shape)

    def __len__(self) -> int:
        return len(self._blocks)

    def __getitem__(self, rows: Any) -> Any:
        return self._blocks[rows][self._name]
