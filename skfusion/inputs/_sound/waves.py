"""Cells to waveforms: arrays and wav files, floats in [-1, 1], one channel, one rate."""

from __future__ import annotations

import io
import math
import os
import warnings
from typing import Any

import numpy as np

from skfusion.blocks import Ragged
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._tables.one_column import cells_of, describe_cell, row_name

__all__ = ["is_wave_matrix", "waves_of"]


def waves_of(X: Any, sample_rate: int, who: str) -> Ragged:
    """Return the waveforms of ``X`` at ``sample_rate``, a ``Ragged`` (n, None) of float64."""
    if is_wave_matrix(X):
        offsets = np.arange(len(X) + 1, dtype=np.int64) * X.shape[1]
        waves = Ragged(_floats(X).reshape(-1), offsets)
    elif isinstance(X, Ragged):
        waves = Ragged(_floats(X.values), X.offsets)
    else:
        cells = cells_of(X, who)
        rows = [
            _wave(cell, sample_rate, f"{who}: {row_name(X, i)}") for i, cell in enumerate(cells)
        ]
        waves = Ragged.from_rows(rows, dtype=np.float64)
    _check_finite(X, waves, who)
    return waves


def is_wave_matrix(X: Any) -> bool:
    """Return whether ``X`` is an array (n, n_samples), not a column of cells."""
    return isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] > 1 and X.dtype.kind in "fiu"


def _wave(cell: Any, sample_rate: int, where: str) -> np.ndarray:
    if isinstance(cell, (str, os.PathLike, bytes)):
        return _read_wav(cell, sample_rate, where)
    try:
        wave = np.asarray(cell)
    except ValueError as error:
        raise BlockTypeError(
            f"{where}: the cell is a list of unequal parts, no waveform."
        ) from error
    if wave.ndim != 1 or wave.dtype.kind not in "fiu":
        raise BlockTypeError(
            f"{where}: a waveform is a 1-D array of numbers, or the path or bytes of a wav file. "
            f"Got {type(cell).__name__} of shape {wave.shape}, dtype {wave.dtype}."
        )
    return _floats(wave) if isinstance(cell, np.ndarray) else wave.astype(np.float64)


def _read_wav(cell: Any, sample_rate: int, where: str) -> np.ndarray:
    from scipy.io import wavfile

    where = f"{where}, {describe_cell(cell)}"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Chunk", wavfile.WavFileWarning)
            warnings.filterwarnings("error", "Reached EOF", wavfile.WavFileWarning)
            rate, wave = wavfile.read(io.BytesIO(cell) if isinstance(cell, bytes) else cell)
    except (OSError, EOFError, ValueError, UnboundLocalError, wavfile.WavFileWarning) as error:
        fact = "the file does not exist" if isinstance(error, FileNotFoundError) else str(error)
        raise BlockError(
            f"{where}: {fact}. A wav file must be complete and hold integer or float samples; "
            "convert others, or give the samples as arrays."
        ) from error
    wave = _floats(wave)
    return _resample(wave.mean(axis=1) if wave.ndim == 2 else wave, rate, sample_rate)


def _resample(wave: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    if rate == sample_rate or not len(wave):
        return wave
    from scipy.signal import resample_poly  # slow to import, and needed by few

    common = math.gcd(rate, sample_rate)
    return resample_poly(wave, sample_rate // common, rate // common)


def _floats(wave: np.ndarray) -> np.ndarray:
    """Return integer samples as floats in [-1, 1); bytes are unsigned, as in wav files."""
    if wave.dtype.kind == "f":
        return wave.astype(np.float64, copy=False)
    half = 2.0 ** (8 * wave.dtype.itemsize - 1)
    return wave.astype(np.float64) / half - (1.0 if wave.dtype.kind == "u" else 0.0)


def _check_finite(X: Any, waves: Ragged, who: str) -> None:
    bad = np.flatnonzero(~np.isfinite(waves.values))
    if len(bad):
        row = int(np.searchsorted(waves.offsets, bad[0], side="right")) - 1
        raise BlockError(
            f"{who}: {row_name(X, row)} has NaN or infinite samples, the first at position "
            f"{bad[0] - waves.offsets[row]}. Repair the recording or leave the row out."
        )
