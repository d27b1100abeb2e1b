"""How the values of a block are read: learned at fit, applied to the same values of any dtype.

Encoders divide bytes by 255 and take all else as it is, so that the dtype alone would decide how
bright an image is. Here its values do, and a range that cannot be that of the fit is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from skfusion._reading.finite import check_finite
from skfusion._reading.row_values import RowValues
from skfusion.blocks import Block, Blocks, BlockSpec, LazyBlock, Lookup, Ragged
from skfusion.exceptions import BlockError, noted

__all__ = ["Scale", "learn_scales", "rescaled"]

Eager: TypeAlias = np.ndarray | Ragged

_PICTURES = ("image", "video")
_BYTE = 255
# Images of 0 to 1 may overshoot a little where they were resampled.
_ABOVE_ONE = 2
# Images whose values stay below are no bytes.
_SMALL = 16


@dataclass(frozen=True)
class Scale:
    """The values of a block at fit.

    Parameters
    ----------
    name, form : str
        Of the block.
    dtype : numpy.dtype
        Of the fit.
    low, high : float
        Smallest and largest value of the fit; NaN where none is known, as of a lazy block.
    whole : bool
        Whether all values are whole numbers.
    """

    name: str
    form: str
    dtype: np.dtype
    low: float
    high: float
    whole: bool

    @property
    def within_one(self) -> bool:
        """Whether the values were fractions of 0 to 1."""
        return self.low >= 0 and self.high <= 1 and not self.whole

    def is_asked(self, dtype: np.dtype) -> bool:
        """Whether the values of a block of ``dtype`` have to be looked at."""
        return dtype != np.uint8 or self.dtype != np.uint8

    def apply(self, block: Eager, missing: np.ndarray | None, numbers: np.ndarray | None) -> Eager:
        """Return the block with its values as those of the fit were.

        Parameters
        ----------
        block : ndarray or Ragged of n_rows rows
            Of a dtype for which the scale ``is_asked``.
        missing : ndarray of bool of shape (n_rows,) or None
            Rows that lack the block.
        numbers : ndarray of int of shape (n_rows,) or None
            What the user calls the rows.

        Raises
        ------
        BlockError
            If the values cannot be on the scale of the fit; names the row.
        """
        rows = RowValues(block, missing, numbers)
        if block.dtype == bool and self.high > 1:
            raise self._refusal("X holds True and False")
        if self.dtype == np.uint8:
            return self._as_bytes(block, rows)
        if self.dtype == bool:
            self._refuse(rows, (rows.low < 0) | (rows.high > 1) | rows.fractional())
            return _as_type(block, np.dtype(bool))
        if block.dtype == np.uint8:
            return self._as_numbers(block, rows)
        self._check_range(rows)
        return block

    def _as_bytes(self, block: Eager, rows: RowValues) -> Eager:
        self._refuse(rows, ~((rows.low >= 0) & (rows.high <= _BYTE)))
        fractional = rows.fractional()
        self._refuse(rows, fractional & (rows.high <= 1))
        if not fractional.any():
            if block.dtype.kind == "f" and self.high > 1 and rows.high.max(initial=0) == 1:
                raise self._refusal("X holds 0.0 and 1.0 only")
            return _as_type(block, np.dtype(np.uint8))
        # In the dtype of the network, where whole numbers give the bits that bytes give.
        return _divided(block, np.dtype(np.float64 if block.dtype == np.float64 else np.float32))

    def _as_numbers(self, block: Eager, rows: RowValues) -> Eager:
        """Return bytes as numbers on the scale of the fit, which encoders do not divide."""
        if self.within_one:
            if self.form not in _PICTURES or rows.high.max(initial=0) == 1:
                raise self._refusal("X holds bytes")
            return _divided(block, np.result_type(self.dtype, np.float32))
        self._check_range(rows)
        if self.form in _PICTURES and self.high > 2 * _BYTE:
            raise self._refusal("X holds bytes")
        return _as_type(block, np.dtype(np.float32 if self.dtype.kind == "f" else np.int16))

    def _check_range(self, rows: RowValues) -> None:
        largest = max(abs(self.low), abs(self.high))
        if not largest > 0:  # nothing is known
            return
        if self.form in _PICTURES and self.low >= 0 and self.high <= 1:
            if rows.rise_above(_ABOVE_ONE):
                self._refuse(rows, rows.high > _ABOVE_ONE)
        elif largest < _SMALL:
            if rows.rise_above(_SMALL * largest):
                self._refuse(rows, self._larger(rows, largest))
        elif self.low >= 0 and (self.form in _PICTURES or self.whole):
            if self.form in _PICTURES and self.high <= _BYTE and rows.rise_above(2 * _BYTE):
                self._refuse(rows, rows.high > 2 * _BYTE)  # 16 bits
            smaller = rows.high <= 1
            if smaller.any():
                self._refuse(rows, smaller & rows.fractional())

    def _larger(self, rows: RowValues, largest: float) -> np.ndarray:
        larger = (rows.low >= 0) & (rows.high > _SMALL * largest)
        if self.form in _PICTURES:
            return larger
        # Measurements may lie far off those of the fit; whole numbers for fractions are bytes.
        return larger & ~rows.fractional() & (not self.whole)

    def _refuse(self, rows: RowValues, wrong: np.ndarray) -> None:
        if wrong.any():
            place = int(wrong.argmax())
            low, high = float(rows.low[place]), float(rows.high[place])
            raise self._refusal(f"row {rows.numbers[place]} holds {low:.4g} to {high:.4g}")

    def _refusal(self, shown: str) -> BlockError:
        known = "" if np.isnan(self.high) else f" from {self.low:.4g} to {self.high:.4g}"
        return BlockError(
            f"block {self.name!r} held {self.dtype} values{known} at fit, but {shown}, which "
            "cannot be on the same scale. Pass values as at fit: "
            "(255 * X).round().astype('uint8') makes bytes of fractions, X / 255 the reverse."
        )


class ScaledRows:
    """A lazy block whose values are read as those of the fit were."""

    __slots__ = ("_block", "_scale")

    def __init__(self, block: LazyBlock, scale: Scale) -> None:
        self._block, self._scale = block, scale

    @property
    def shape(self) -> tuple[int | None, ...]:
        return self._block.shape

    @property
    def ndim(self) -> int:
        return self._block.ndim

    @property
    def dtype(self) -> np.dtype:
        return self._block.dtype

    def __len__(self) -> int:
        return len(self._block)

    def __getitem__(self, rows: slice | np.ndarray) -> Eager:
        block = self._block[rows]
        return self._scale.apply(block, None, np.arange(len(self))[rows])

    def prefetch(self, rows: np.ndarray) -> None:
        """Let the lazy block begin with ``rows``, where it can."""
        if hasattr(self._block, "prefetch"):
            self._block.prefetch(rows)


def learn_scales(blocks: Blocks, specs: Mapping[str, BlockSpec]) -> dict[str, Scale]:
    """Return how the values of each block are read; vectors, csr and ids are on no scale."""
    return {
        name: _scale_of(spec, blocks[name], blocks.missing(name))
        for name, spec in specs.items()
        if spec.form not in ("vector", "csr", "tokens")
    }


def _scale_of(spec: BlockSpec, block: Block, missing: np.ndarray | None) -> Scale:
    if isinstance(block, Lookup):
        return _scale_of(spec, block.table, ~block.used())
    low, high, whole = np.nan, np.nan, spec.dtype.kind != "f"
    if isinstance(block, np.ndarray | Ragged):
        rows = RowValues(block, missing)
        if len(rows.numbers):
            low, high = float(rows.low.min()), float(rows.high.max())
        whole = rows.are_whole()
    elif spec.dtype == np.uint8:
        low, high = 0, _BYTE
    return Scale(spec.name, spec.form, spec.dtype, low, high, whole)


def rescaled(blocks: Blocks, specs: Mapping[str, BlockSpec], scales: Mapping[str, Scale]) -> Blocks:
    """Return ``blocks``, of these ``specs``, with their values as those of the fit were."""
    changed = {}
    for name, scale in scales.items():
        if scale.is_asked(specs[name].dtype):
            block = blocks[name]
            read = _read(block, scale, blocks.missing(name))
            if read is not block:
                changed[name] = read
    return blocks.assign(changed) if changed else blocks


def _read(block: Block, scale: Scale, missing: np.ndarray | None) -> Block:
    if isinstance(block, Lookup):
        with noted(f"in the table of the lookup {scale.name!r}, whose rows are things"):
            return block.with_table(_read(block.table, scale, ~block.used()))
    if not isinstance(block, np.ndarray | Ragged):
        return ScaledRows(block, scale)
    if block.dtype.kind == "f" and scale.dtype.kind != "f":
        masks = None if missing is None else {scale.name: missing}
        check_finite(Blocks({scale.name: block}, masks))
    return scale.apply(block, missing, None)


def _as_type(block: Eager, dtype: np.dtype) -> Eager:
    with np.errstate(invalid="ignore"):  # what stands in missing rows is never read
        return block.astype(dtype)


def _divided(block: Eager, dtype: np.dtype) -> Eager:
    """Return ``block / 255``, computed in ``dtype`` as encoders compute it."""
    if isinstance(block, Ragged):
        return Ragged(_divided(block.values, dtype), block.offsets)
    return np.divide(block, _BYTE, dtype=dtype, casting="unsafe")
