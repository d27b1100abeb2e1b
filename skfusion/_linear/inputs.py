"""Blocks as one matrix, in which each block has the same weight."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.sparse import csr_array, hstack

from skfusion.blocks import Block, Blocks, BlockSpec, Ragged
from skfusion.blocks._kinds import is_csr

__all__ = ["LinearInputs", "Matrix"]

# Numbers of a row: longer sequences are summed up, more columns than that are not for this model.
_LONGEST, _MOST = 512, 4096
_FORMS = ("csr", "vector", "sequence")

Matrix: TypeAlias = np.ndarray | csr_array


@dataclass(frozen=True)
class _Scale:
    """How the columns of a block are scaled: (x - mean) * factor."""

    mean: np.ndarray | float
    factor: np.ndarray | float


class LinearInputs:
    """Makes a matrix of blocks: csr and vectors as they are, short sequences flattened.

    Sequences that are long, or of different length, are summed up by the mean, spread, least and
    largest value of each channel. Dense columns are standardised; then each block is divided by the
    root of its mean squared norm, so that all have the same weight under one penalty. A missing
    block is a row of zeros, with a column that says so.

    Parameters
    ----------
    blocks : Blocks
        Rows to learn the scales from.

    Attributes
    ----------
    names : list of str
        The blocks that a linear model can use; the others are passed over.
    """

    def __init__(self, blocks: Blocks) -> None:
        self.names = self.usable(blocks)
        self._scales: Mapping[str, _Scale] = {
            name: _learn_scale(*_present(blocks, name)) for name in self.names
        }
        self._may_lack = {name for name in self.names if blocks.missing(name) is not None}

    @staticmethod
    def usable(blocks: Blocks) -> list[str]:
        """Return the names of the blocks that a linear model can use."""
        specs = blocks.specs()
        return [
            name for name, spec in specs.items() if _is_usable(spec) and not blocks.is_lookup(name)
        ]

    def matrix(self, blocks: Blocks, names: Sequence[str] | None = None) -> Matrix:
        """Return the rows as float32, csr where a block is csr: (n_rows, n_columns).

        Of all blocks, or of those of ``names``.
        """
        names = self.names if names is None else names
        parts = [part for name in names for part in self._parts(name, blocks)]
        if not any(isinstance(part, csr_array) for part in parts):
            return np.hstack(parts).astype(np.float32, copy=False)
        return csr_array(hstack([csr_array(part) for part in parts], format="csr"))

    def _parts(self, name: str, blocks: Blocks) -> list[Matrix]:
        missing = blocks.missing(name)
        values, _ = _flat(blocks[name])
        scale = self._scales[name]
        if isinstance(values, csr_array):
            scaled: Matrix = values * np.float32(scale.factor)
        else:
            scaled = np.asarray((values - scale.mean) * scale.factor, dtype=np.float32)
        if missing is not None and not isinstance(scaled, csr_array):
            scaled[missing] = 0
        if name not in self._may_lack:
            return [scaled]
        absent = np.zeros(len(blocks)) if missing is None else missing
        return [scaled, absent[:, None].astype(np.float32)]


def _is_usable(spec: BlockSpec) -> bool:
    if spec.form not in _FORMS:
        return False
    if spec.form != "sequence":
        return spec.form == "csr" or (spec.shape[0] or 0) <= _MOST
    return math.prod(size or 1 for size in spec.shape[1:]) * 4 <= _MOST


def _present(blocks: Blocks, name: str) -> tuple[Matrix, int]:
    missing = blocks.missing(name)
    return _flat((blocks if missing is None else blocks[~missing])[name])


def _flat(block: Block) -> tuple[Matrix, int]:
    """Return a block as a matrix, and its number of rows."""
    if is_csr(block):
        return csr_array(block).astype(np.float32), block.shape[0]
    if isinstance(block, Ragged):
        return _summary(block.values.reshape(len(block.values), -1), block.offsets), len(block)
    values = np.asarray(block[:])
    if values.ndim == 2:
        return values, len(values)
    per_step = values.reshape(*values.shape[:2], -1)
    if per_step.shape[1] * per_step.shape[2] <= _LONGEST:
        return per_step.reshape(len(values), -1), len(values)
    steps = np.arange(len(values) + 1) * per_step.shape[1]
    return _summary(per_step.reshape(-1, per_step.shape[2]), steps), len(values)


def _summary(steps: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Return mean, spread, least and largest value of the steps of each row (n_rows, 4 * d)."""
    lengths = np.diff(offsets)
    found = np.zeros((len(lengths), 4, steps.shape[1]))
    rows = np.flatnonzero(lengths)
    if not len(rows):
        return found.reshape(len(lengths), -1)
    starts, counts = offsets[rows], lengths[rows][:, None]
    steps = steps[offsets[0] : offsets[-1]].astype(np.float64)
    starts = starts - offsets[0]
    mean = np.add.reduceat(steps, starts) / counts
    square = np.add.reduceat(np.square(steps), starts) / counts
    found[rows, 0], found[rows, 1] = mean, np.sqrt(np.maximum(square - mean**2, 0))
    found[rows, 2] = np.minimum.reduceat(steps, starts)
    found[rows, 3] = np.maximum.reduceat(steps, starts)
    return found.reshape(len(lengths), -1)


def _learn_scale(values: Matrix, n_rows: int) -> _Scale:
    if not n_rows:
        return _Scale(0.0, 0.0)
    if isinstance(values, csr_array):
        norm = math.sqrt(float(np.square(values.data, dtype=np.float64).sum()) / n_rows)
        return _Scale(0.0, 1 / norm if norm else 0.0)
    mean, spread = values.mean(axis=0, dtype=np.float64), values.std(axis=0, dtype=np.float64)
    varies = spread > 1e-7 * np.maximum(1e-12, abs(mean))
    factor = np.where(varies, 1 / np.where(varies, spread, 1), 0.0)
    return _Scale(mean, factor / math.sqrt(max(1, int(varies.sum()))))
