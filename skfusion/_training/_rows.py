"""Rows to train on, and the batches that are cut from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch

from skfusion._batch import Batch, draw_dropped, make_batch, prefetched
from skfusion._mixing import draw_mixing
from skfusion._training._batch_sampler import draw_batches, draw_batches_by_length
from skfusion._training._codes import Codes
from skfusion._training._torch_state import offer
from skfusion.blocks import Block, Blocks, Ragged
from skfusion.blocks._rows import cut_rows

__all__ = ["BatchIterator", "Rows", "TrainingBatch", "codes_of"]


class Rows:
    """Rows to train on: blocks, codes of the target, and weights of mean 1 (or None).

    ``encoded`` names blocks that are the outputs of their encoder already, so far as it is frozen.
    """

    def __init__(
        self,
        blocks: Blocks,
        codes: Block,
        weight: np.ndarray | None,
        encoded: frozenset[str] = frozenset(),
    ) -> None:
        self.blocks, self.codes, self.weight, self.encoded = blocks, codes, weight, encoded

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, rows: np.ndarray) -> Rows:
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows
        weight = None if self.weight is None else self.weight[rows]
        return Rows(self.blocks[rows], cut_rows(self.codes, rows), weight, self.encoded)

    def having(self, name: str) -> Rows:
        """Return the rows that have block ``name``, with that block alone."""
        missing = self.blocks.missing(name)
        rows = self if missing is None else self[~missing]
        return Rows(rows.blocks.select([name]), rows.codes, rows.weight)


def codes_of(rows: Rows) -> np.ndarray:
    """Return the codes of all rows as one array; csr ones dense, ragged ones padded."""
    codes = Codes(rows.codes, torch.float64, torch.device("cpu"))
    return codes.take(torch.arange(len(rows))).numpy()


class TrainingBatch(NamedTuple):
    """Some rows to train on: inputs, codes of the target, and weights of mean 1 (or None)."""

    inputs: Batch
    codes: torch.Tensor
    weight: torch.Tensor | None


class BatchIterator:
    """Whole batches, cut by one selection each; a new order every epoch while training."""

    def __init__(
        self,
        rows: Rows,
        batch_size: int,
        training: bool,
        dtype: torch.dtype,
        device: torch.device,
        block_dropout: float = 0.0,
        mixup: float = 0.0,
        by_length: bool = False,
        tells_codes: bool = False,
    ) -> None:
        self.rows, self.batch_size, self.training = rows, batch_size, training
        self.dtype, self.device = dtype, device
        self.block_dropout, self.mixup = (block_dropout, mixup) if training else (0.0, 0.0)
        self.lengths = _lengths_of(rows, by_length, tells_codes)
        self.tells_codes = tells_codes
        self.codes = Codes(rows.codes, dtype, device)
        weight = rows.weight
        self.weight = None if weight is None else torch.from_numpy(weight).to(device, dtype)

    def __iter__(self) -> Iterator[TrainingBatch]:
        batches = self._batches()
        cut = (self.rows.blocks.take(chosen.numpy()) for chosen in batches)
        for chosen, rows in zip(batches, prefetched(cut), strict=True):
            dropped = draw_dropped(rows, self.block_dropout) if self.block_dropout else {}
            mixing = draw_mixing(len(rows), self.mixup, self.device) if self.mixup else None
            batch = make_batch(rows, self.dtype, self.device, self.rows.encoded, dropped, mixing)
            codes = self.codes.take(chosen)
            batch.codes = codes if self.tells_codes else None
            weight = None if self.weight is None else self.weight[chosen.to(self.device)]
            yield TrainingBatch(batch, codes, weight)
            offer()

    def _batches(self) -> tuple[torch.Tensor, ...]:
        n, size, lengths = len(self.rows), self.batch_size, self.lengths
        if lengths is None:
            return draw_batches(n, size) if self.training else torch.arange(n).split(size)
        if self.training:
            return draw_batches_by_length(lengths, size)
        return torch.from_numpy(lengths.argsort(kind="stable")).split(size)


def _lengths_of(rows: Rows, by_length: bool, of_codes: bool) -> np.ndarray | None:
    """Return how long each row is, where batches are to have rows of similar length.

    By its blocks if that is asked for, and by its text where one is written.
    """
    lengths = rows.blocks.lengths() if by_length else None
    if not of_codes or not isinstance(rows.codes, Ragged):
        return lengths
    return rows.codes.lengths if lengths is None else lengths + rows.codes.lengths
