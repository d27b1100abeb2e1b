"""Cells to waveforms: arrays and wav files, floats in [-1, 1], one channel, one rate."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import TypeAlias, TypeGuard

import numpy as np
import torch

from skfusion.blocks import Ragged
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._arrays import array_of_cell
from skfusion.inputs._files import FilePath, open_file
from skfusion.inputs._sound.wav import read_wav
from skfusion.inputs._tables.one_column import cells_of, describe_cell, row_name
from skfusion.typing import XLike

__all__ = ["MAX_SAMPLES", "WaveReader", "Waves", "is_wave_matrix", "plain_matrix"]

MAX_SAMPLES = 100_000_000
# What floats of full scale may reach by an effect or a filter, and beyond which a power overflows.
_FULL_SCALE, _LOUD, _LARGEST = 16.0, 1000.0, 1e30
_LONGEST_FILTER = 1_000_000


_Source: TypeAlias = "FilePath | bytes | bytearray | memoryview"


@dataclass(frozen=True)
class Waves:
    """Waveforms and what is known of their scale.

    Parameters
    ----------
    waves : Ragged of shape (n, None)
        Samples, float64.
    floats : ndarray of bool of shape (n,)
        Rows that came as floats, whose scale is what the user chose; integers are brought to
        [-1, 1).
    errors : dict of int to BlockError
        Rows that could not be read. They are empty.
    """

    waves: Ragged
    floats: np.ndarray
    errors: dict[int, BlockError] = field(default_factory=dict)

    def peaks(self) -> np.ndarray:
        """Return the largest absolute value of each row; 0 for a row without samples."""
        peaks = np.zeros(len(self.waves))
        filled = np.flatnonzero(self.waves.lengths)
        if len(filled):
            starts = self.waves.offsets[:-1][filled]
            values = self.waves.values[: self.waves.offsets[-1]]
            highest = np.maximum.reduceat(values, starts)
            peaks[filled] = np.maximum(highest, -np.minimum.reduceat(values, starts))
        return peaks


@dataclass(frozen=True)
class WaveReader:
    """Reads the waveforms of a column.

    Parameters
    ----------
    sample_rate : int
        Samples per second to which wav files are resampled.
    max_samples : int
        Waveforms with more samples are an error.
    who : str
        Class that messages name.
    """

    sample_rate: int
    max_samples: int
    who: str

    def read(self, X: XLike) -> Waves:
        """Return the waveforms of ``X``, float64; rows that cannot be read as errors."""
        if is_wave_matrix(X):
            waves = self._matrix(X)
        elif isinstance(X, Ragged):
            waves = Waves(Ragged(_floats(X.values, self.who), X.offsets), _kinds(X.values, len(X)))
        else:
            waves = self._cells(X)
        self._check_values(X, waves)
        return waves

    def name(self, X: XLike, row: int) -> str:
        """Return how a message begins that is about ``row``."""
        return f"{self.who}: {row_name(X, row)}"

    def _matrix(self, X: np.ndarray) -> Waves:
        self._check_length(X.shape[1], f"{self.who}: each row of an array")
        offsets = np.arange(len(X) + 1, dtype=np.int64) * X.shape[1]
        return Waves(Ragged(_floats(X, self.who).reshape(-1), offsets), _kinds(X, len(X)))

    def _cells(self, X: XLike) -> Waves:
        cells = cells_of(X, self.who)
        rows, errors = [np.empty(0)] * len(cells), {}
        floats: np.ndarray = np.zeros(len(cells), dtype=bool)
        for row, cell in enumerate(cells):
            where = self.name(X, row)
            try:
                rows[row], floats[row] = self._wave(cell, where)
            except BlockError as error:
                errors[row] = error
        return Waves(Ragged.from_rows(rows, dtype=np.float64), floats, errors)

    def _wave(self, cell: object, where: str) -> tuple[np.ndarray, bool]:
        if isinstance(cell, (str, os.PathLike, bytes, bytearray, memoryview)):
            return self._file(cell, f"{where}, {describe_cell(cell)}")
        try:
            wave = array_of_cell(cell, 16 * self.max_samples)
        except BlockError as error:
            raise BlockError(f"{where}: {error}.") from error
        except (TypeError, ValueError, RuntimeError) as error:
            raise BlockTypeError(
                f"{where}: the cell is a list of unequal parts, no waveform."
            ) from error
        if wave.ndim != 1 or (wave.dtype.kind not in "fiu" and wave.size):
            raise _no_wave(where, cell, wave)
        self._check_length(len(wave), where)
        if isinstance(cell, (np.ndarray, torch.Tensor)):
            return _floats(wave, where), wave.dtype.kind == "f"
        return wave.astype(np.float64), True

    def _file(self, source: _Source, where: str) -> tuple[np.ndarray, bool]:
        try:
            with open_file(source) as file:
                wav = read_wav(file, self.max_samples)
            return self._resample(wav.samples, wav.rate), wav.is_float
        except (OSError, ValueError, MemoryError) as error:
            fact = "the file does not exist" if isinstance(error, FileNotFoundError) else str(error)
            raise BlockError(
                f"{where}: {fact}. A wav file must be complete and hold integer or float samples; "
                "convert others, or give the samples as arrays."
            ) from error

    def _resample(self, wave: np.ndarray, rate: int) -> np.ndarray:
        if rate == self.sample_rate or not len(wave):
            return wave
        from scipy.signal import resample_poly  # slow to import, and needed by few

        common = math.gcd(rate, self.sample_rate)
        up, down = self.sample_rate // common, rate // common
        if max(up, down) > _LONGEST_FILTER:
            raise BlockError(f"{rate:,} samples a second cannot be brought to {self.sample_rate:,}")
        n_samples = len(wave) * up // down
        if n_samples > self.max_samples:
            raise BlockError(
                f"it has {n_samples:,} samples at {self.sample_rate:,} a second, and max_samples "
                f"is {self.max_samples:,}"
            )
        resampled: np.ndarray = resample_poly(wave, up, down)
        return resampled

    def _check_length(self, n_samples: int, where: str) -> None:
        if n_samples > self.max_samples:
            raise BlockError(
                f"{where} has {n_samples:,} samples, and max_samples is {self.max_samples:,}. "
                "Cut it, or raise max_samples."
            )

    def _check_values(self, X: XLike, waves: Waves) -> None:
        offsets = waves.waves.offsets
        values = waves.waves.values[offsets[0] : offsets[-1]]
        if not len(values) or max(values.max(), -values.min()) < _LARGEST:
            return
        bad = int(offsets[0] + np.flatnonzero(~(np.abs(values) < _LARGEST))[0])
        row = int(np.searchsorted(offsets, bad, side="right")) - 1
        raise BlockError(
            f"{self.name(X, row)} has NaN or infinite samples, the first at position "
            f"{bad - offsets[row]}. Repair the recording or leave the row out."
        )

    def learn_peak(self, X: XLike, waves: Waves) -> float:
        """Return the largest sample of rows of floats, 1 if there are none.

        Raises if rows of integers, which are read as [-1, 1), stand among louder floats.
        """
        peaks = waves.peaks()
        peak = float(peaks.max(initial=1.0))
        integers = np.flatnonzero(~waves.floats & (waves.waves.lengths > 0))
        if peak > _FULL_SCALE and len(integers):
            raise BlockError(
                f"{self.name(X, int(peaks.argmax()))} holds floats up to {peak:g}, but "
                f"{row_name(X, int(integers[0]))} holds integers, which are read as -1 to 1. "
                "Divide the floats by their full scale, such as 32768."
            )
        return peak

    def check_peak(self, X: XLike, waves: Waves, learned: float) -> None:
        """Raise if a row has another scale than the rows at fit, whose largest sample is given."""
        peaks = waves.peaks()
        if learned <= _FULL_SCALE:
            other = peaks > _FULL_SCALE
        else:
            other = ~waves.floats | ((peaks <= 1) & (learned > _LOUD))
        other &= peaks > 0
        if other.any():
            row = int(other.argmax())
            kind = "floats" if waves.floats[row] else "integers, which are read as -1 to 1,"
            raise BlockError(
                f"{self.name(X, row)} holds {kind} up to {peaks[row]:g}, but the samples at fit "
                f"ran to {learned:g}. Bring all to one scale: floats from -1 to 1, or integers."
            )


def plain_matrix(X: XLike) -> XLike:
    """Return a tensor or a masked array (n, n_samples) as an array, anything else as it is."""
    return array_of_cell(X, None) if isinstance(X, (torch.Tensor, np.ma.MaskedArray)) else X


def is_wave_matrix(X: XLike) -> TypeGuard[np.ndarray]:
    """Return whether ``X`` is an array (n, n_samples), not a column of cells."""
    return isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] > 1 and X.dtype.kind in "fiu"


def _floats(wave: np.ndarray, where: str) -> np.ndarray:
    """Return integer samples as floats in [-1, 1); unsigned ones have their zero in the middle."""
    if wave.dtype.kind == "f":
        return wave.astype(np.float64, copy=False)
    if wave.dtype.itemsize > 4:
        raise BlockTypeError(
            f"{where} holds integers of 64 bits, whose full scale is not known. Give them as they "
            "were recorded, such as int16, or as floats from -1 to 1."
        )
    half = 2.0 ** (8 * wave.dtype.itemsize - 1)
    return wave.astype(np.float64) / half - (1.0 if wave.dtype.kind == "u" else 0.0)


def _kinds(array: np.ndarray, n_rows: int) -> np.ndarray:
    return np.full(n_rows, array.dtype.kind == "f")


def _no_wave(where: str, cell: object, wave: np.ndarray) -> BlockTypeError:
    return BlockTypeError(
        f"{where}: a waveform is a 1-D array of numbers, or the path or bytes of a wav file. "
        f"Got {type(cell).__name__} of shape {wave.shape}, dtype {wave.dtype}. "
        "Average channels before, as by array.mean(axis=1)."
    )
