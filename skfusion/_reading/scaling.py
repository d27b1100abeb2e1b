"""How the values of a block are read: learned at fit, and applied to the same values of any dtype.

Encoders divide bytes by 255 and take all else as it is. So the dtype alone would decide how bright an
image is; here the values do, and a range that cannot be that of the fit is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skfusion._reading.finite import check_finite
from skfusion._reading.row_values import RowValues, extremes, has_fractions
from skfusion.blocks import Block, Blocks, BlockSpec, LazyBlock, Ragged, is_lazy
from skfusion.exceptions import BlockError

__all__ = ["Scale", "learn_scales", "rescaled"]

_PICTURES = ("image", "video")
_BYTE = 255
# An image of 0 to 1 may overshoot a little where it was resampled.
_ABOVE_ONE = 2
# From here on a range is one of bytes, or up to here one of small numbers.
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
        Smallest and largest value of the fit; NaN for a lazy block, which is not read.
    fractions : bool
        Whether values are within 0 to 1, and not only 0 and 1.
    """

    name: str
    form: str
    dtype: np.dtype
    low: float
    high: float
    fractions: bool

    def changes(self, dtype: np.dtype) -> bool:
        """Whether a block of ``dtype`` has to be looked at."""
        return dtype != self.dtype or (self.form in _PICTURES and dtype != np.uint8)

    def apply(self, block: Block, missing: np.ndarray | None, first_row: int = 0) -> Block:
        """Return the block with its values as those of the fit were.

        Raises
        ------
        BlockError
            If the values cannot be on the scale of the fit; names the row.
        """
        if isinstance(block, LazyBlock) and is_lazy(block):
            return ScaledRows(block, self)
        rows = RowValues(block, missing, first_row)
        if self.dtype == np.uint8:
            return self._as_bytes(block, rows)
        if block.dtype == bool and not self.high <= 1 and not np.isnan(self.high):
            raise self._other("holds True and False")
        if self.dtype == bool:
            self._refuse(rows, (rows.high > 1) | (rows.low < 0) | rows.fractional(), "values")
            return block.astype(bool)
        if block.dtype == np.uint8:
            block = self._as_numbers(block)
        if self.form in _PICTURES:
            self._check_range(RowValues(block, missing, first_row))
        return block

    def _as_bytes(self, block: Block, rows: RowValues) -> Block:
        if block.dtype == bool:
            if self.high > 1:
                raise self._other("holds True and False")
            return block.astype(np.uint8)
        check_finite(rows.as_blocks(self.name), rows.first_row)
        self._refuse(rows, (rows.low < 0) | (rows.high > _BYTE), "values")
        fractional = rows.fractional()
        self._refuse(rows, fractional & (rows.high <= 1), "fractions")
        if not fractional.any():
            of_one = block.dtype.kind == "f" and self.high > 1
            if of_one and rows.high.max(initial=0) == 1:
                raise self._other("holds no number but 0.0 and 1.0, be they of 0 to 1 or of 0 to 255")
            with np.errstate(invalid="ignore"):  # what stands in missing rows is never read
                return block.astype(np.uint8)
        # In the dtype of the network, so that whole numbers give the bits of bytes.
        return _divided(block, np.dtype(np.float64 if block.dtype == np.float64 else np.float32))

    def _as_numbers(self, block: Block) -> Block:
        """Return bytes as numbers on the scale of the fit, which encoders do not divide."""
        if not self.fractions:
            if self.form in _PICTURES and self.high > 2 * _BYTE:
                raise self._other("holds bytes")
            return block.astype(np.float32 if self.dtype.kind == "f" else np.int16)
        if self.form not in _PICTURES:
            raise self._other("holds bytes")
        return _divided(block, self.dtype if self.dtype.itemsize > 2 else np.dtype(np.float32))

    def _check_range(self, rows: RowValues) -> None:
        largest = max(abs(self.low), abs(self.high))
        if not largest > 0:  # nothing is known
            return
        if self.low >= 0 and self.high <= 1:
            self._refuse(rows, rows.high > _ABOVE_ONE, "values")
        elif largest < _SMALL:
            self._refuse(rows, (rows.low >= 0) & (rows.high > _SMALL * largest), "values")
        elif self.low >= 0:
            small = rows.high <= 1
            if small.any():
                self._refuse(rows, small & rows.fractional(), "fractions")

    def _refuse(self, rows: RowValues, wrong: np.ndarray, what: str) -> None:
        if wrong.any():
            place = int(wrong.argmax())
            row, low, high = rows.number(place), rows.low[place], rows.high[place]
            raise self._other(f"row {row} has {what} from {low:g} to {high:g}")

    def _other(self, shown: str) -> BlockError:
        known = "" if np.isnan(self.high) else f" from {self.low:g} to {self.high:g}"
        return BlockError(
            f"block {self.name!r} had values of {self.dtype}{known} at fit, and {shown}, which "
            "cannot be on the same scale. Pass values as at fit: (255 * X).round().astype('uint8') "
            "makes bytes of fractions, X / 255 fractions of bytes."
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
        return self._scale.dtype

    def __len__(self) -> int:
        return len(self._block)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        values = np.asarray(self._block[rows])
        if not self._scale.changes(values.dtype):
            return values
        return np.asarray(self._scale.apply(values, None))

    def prefetch(self, rows: np.ndarray) -> None:
        """Let the lazy block begin with ``rows``, where it can."""
        if hasattr(self._block, "prefetch"):
            self._block.prefetch(rows)


def learn_scales(blocks: Blocks, specs: dict[str, BlockSpec]) -> dict[str, Scale]:
    """Return how the values of each block are read; vectors, csr and ids are on no scale."""
    return {
        name: _scale_of(spec, blocks[name], blocks.missing(name))
        for name, spec in specs.items()
        if spec.form not in ("vector", "csr", "tokens")
    }


def _scale_of(spec: BlockSpec, block: Block, missing: np.ndarray | None) -> Scale:
    if is_lazy(block):
        low, high = (0.0, float(_BYTE)) if spec.dtype == np.uint8 else (np.nan, np.nan)
    else:
        low, high = extremes(block, missing)
    within = low >= 0 and high <= 1 and spec.dtype.kind == "f"
    fractions = within and has_fractions(block, missing)
    return Scale(spec.name, spec.form, spec.dtype, low, high, fractions)


def rescaled(blocks: Blocks, specs: dict[str, BlockSpec], scales: dict[str, Scale]) -> Blocks:
    """Return ``blocks``, of these ``specs``, with their values as those of the fit were."""
    changed = {
        name: scale.apply(blocks[name], blocks.missing(name))
        for name, scale in scales.items()
        if name in specs and scale.changes(specs[name].dtype)
    }
    return blocks.assign(changed) if changed else blocks


def _divided(block: Block, dtype: np.dtype) -> Block:
    if isinstance(block, Ragged):
        return block.with_values(block.values.astype(dtype) / dtype.type(_BYTE))
    return np.asarray(block).astype(dtype) / dtype.type(_BYTE)
