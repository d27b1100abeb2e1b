"""Mel filters and power spectrograms of many waveforms at once, by librosa's conventions."""

from __future__ import annotations

import numpy as np

from skfusion.blocks import Ragged
from skfusion.blocks._ragged import offsets_of

__all__ = ["count_frames", "decibels", "hertz_of_mel", "mel_filters", "mel_of_hertz", "mel_power"]

# Slaney's mel scale (Auditory Toolbox, 1998): linear up to 1 kHz, logarithmic above.
_HERTZ_PER_MEL = 200 / 3
_BREAK_HERTZ = 1000.0
_BREAK_MEL = _BREAK_HERTZ / _HERTZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27

_VALUES_PER_CHUNK = 2**21


def mel_of_hertz(hertz: np.ndarray) -> np.ndarray:
    """Return frequencies in mel.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.inputs._sound.mel import mel_of_hertz
    >>> mel_of_hertz(np.array([0.0, 1000.0, 6400.0])).round(6).tolist()
    [0.0, 15.0, 42.0]
    """
    high = np.maximum(hertz, _BREAK_HERTZ)
    logarithmic = _BREAK_MEL + np.log(high / _BREAK_HERTZ) / _LOG_STEP
    return np.where(hertz < _BREAK_HERTZ, hertz / _HERTZ_PER_MEL, logarithmic)


def hertz_of_mel(mel: np.ndarray) -> np.ndarray:
    """Return frequencies in hertz, the inverse of ``mel_of_hertz``."""
    high = np.maximum(mel, _BREAK_MEL)
    logarithmic = _BREAK_HERTZ * np.exp(_LOG_STEP * (high - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _HERTZ_PER_MEL, logarithmic)


def mel_filters(
    sample_rate: float, n_fft: int, n_mels: int, f_min: float, f_max: float
) -> np.ndarray:
    """Return triangular filters (n_mels, 1 + n_fft // 2), each of unit area over hertz."""
    bins = np.fft.rfftfreq(n_fft, 1 / sample_rate)
    lowest, highest = mel_of_hertz(np.array([f_min, f_max])).tolist()
    corners = hertz_of_mel(np.linspace(lowest, highest, n_mels + 2))
    low, centre, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (bins - low) / (centre - low), (high - bins) / (high - centre)
    return np.maximum(0, np.minimum(rising, falling)) * (2 / (high - low))


def mel_power(waves: Ragged, filters: np.ndarray, n_fft: int, hop_length: int) -> Ragged:
    """Return the mel power of each frame, a ``Ragged`` of shape (n, None, n_mels), float64.

    Frames are centred: a wave is padded by ``n_fft // 2`` zeros on both sides, and frame ``t`` is
    centred on sample ``t * hop_length``. The window is the periodic Hann window. A wave of no
    samples has no frames.
    """
    from scipy.fft import rfft
    from scipy.signal import get_window  # slow to import, and needed by few

    signal, starts, offsets = _frame_starts(waves, n_fft, hop_length)
    window = get_window("hann", n_fft)
    frames = np.lib.stride_tricks.sliding_window_view(signal, n_fft)
    power = np.empty((len(starts), len(filters)))
    size = max(1, _VALUES_PER_CHUNK // n_fft)
    for start in range(0, len(starts), size):
        spectrum = rfft(frames[starts[start : start + size]] * window, axis=1)
        power[start : start + size] = (spectrum.real**2 + spectrum.imag**2) @ filters.T
    return Ragged(power, offsets)


def count_frames(n_samples: int | np.ndarray, n_fft: int, hop_length: int) -> np.ndarray:
    """Return the number of frames of waves of ``n_samples``; no samples, no frames."""
    padded = n_samples + 2 * (n_fft // 2)
    return np.where(n_samples > 0, 1 + np.maximum(padded - n_fft, 0) // hop_length, 0)


def decibels(power: Ragged, top_db: float | None) -> Ragged:
    """Return ``10 log10(max(power, 1e-10))``, per row at most ``top_db`` below its maximum."""
    values = 10 * np.log10(np.maximum(power.values, 1e-10))
    filled = np.flatnonzero(power.lengths)
    if top_db is not None and len(filled):
        peaks = np.maximum.reduceat(values.max(axis=1), power.offsets[:-1][filled])
        floor = np.repeat(peaks - top_db, power.lengths[filled])
        values = np.maximum(values, floor[:, None])
    return Ragged(values, power.offsets)


def _frame_starts(
    waves: Ragged, n_fft: int, hop_length: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return all padded waves in one signal, where each frame starts, and offsets of frames."""
    lengths, margin = waves.lengths, n_fft // 2
    widths = lengths + 2 * margin
    ends = np.cumsum(widths)
    signal = np.zeros(max(int(widths.sum()), n_fft))
    shift = np.repeat(ends - widths + margin - waves.offsets[:-1], lengths)
    samples = np.arange(waves.offsets[0], waves.offsets[-1])
    signal[samples + shift] = waves.values[samples]
    n_frames = count_frames(lengths, n_fft, hop_length)
    offsets = offsets_of(n_frames)
    steps = np.arange(offsets[-1]) - np.repeat(offsets[:-1], n_frames)
    return signal, np.repeat(ends - widths, n_frames) + hop_length * steps, offsets
