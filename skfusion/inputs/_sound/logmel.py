"""Waveforms to log-mel spectrograms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skfusion._checks import check_choice, check_int, check_real
from skfusion._warn import warn_user
from skfusion.blocks import MaskedBlock, Ragged
from skfusion.exceptions import BlockError, ParameterError
from skfusion.inputs._no_set_output import NO_SET_OUTPUT
from skfusion.inputs._sound.mel import count_frames, decibels, mel_filters, mel_power
from skfusion.inputs._sound.waves import (
    MAX_SAMPLES,
    WaveReader,
    Waves,
    is_wave_matrix,
    plain_matrix,
)
from skfusion.typing import XLike

if TYPE_CHECKING:
    from sklearn.utils import Tags
    from typing_extensions import Self

__all__ = ["LogMel"]


_MOST_N_FFT, _MOST_N_MELS = 2**20, 4096


class LogMel(TransformerMixin, BaseEstimator, **NO_SET_OUTPUT):
    """Waveforms to log-mel spectrograms, sequences (n, time, n_mels).

    With ``standardize=False`` these are the decibels of librosa's
    ``power_to_db(melspectrogram(...))``, to 1e-4: frames centred (``n_fft // 2`` zeros on both
    sides), periodic Hann window of ``n_fft`` samples, power spectrum ``|STFT|**2``, triangular
    filters on Slaney's mel scale with unit area, then ``10 log10(max(power, 1e-10))``, relative
    to 1 and at most ``top_db`` below the row's maximum. By default each mel band is then brought
    to mean 0 and standard deviation 1 over the frames seen at fit, which networks learn from.

    Takes n waveforms: arrays in cells, a ``Ragged``, an array (n, n_samples), or paths or bytes
    of wav files (integer or float PCM; channels are averaged, other rates resampled by
    ``scipy.signal.resample_poly``). Integer samples of up to 32 bits are scaled to
    [-1, 1); floats are taken as they are, and all rows must be on the scale of those at fit.
    Gives float32: a ``Ragged`` (n, None, n_mels), or an ndarray (n, time, n_mels) where all
    waveforms have one length by construction: with ``duration``, and for an array (n, n_samples).
    A waveform of L samples has ``1 + L // hop_length`` frames (for even ``n_fft``), one of 0
    samples has none.

    Parameters
    ----------
    sample_rate : int, default=16_000
        Samples per second of arrays, and what wav files are resampled to.
    n_mels : int, default=64
        Mel bands.
    n_fft : int, default=1024
        Samples of a frame.
    hop_length : int, default=None
        Samples from frame to frame. None for ``n_fft // 4``.
    f_min, f_max : float, default=0.0 and None
        Lowest and highest frequency of the filters, in hertz. None for ``sample_rate / 2``.
    top_db : float or None, default=80.0
        Largest range of a row in decibels. None for no limit.
    duration : float, default=None
        Seconds to which each waveform is cut or filled with silence at its end, so that all rows
        have the same number of frames. None keeps their length.
    standardize : bool, default=True
        Whether each band is standardised; False gives decibels.
    on_error : {"raise", "missing"}, default="raise"
        What happens to a wav file that cannot be read, and with ``duration`` to a waveform
        without samples. "missing" makes ``transform`` return a ``MaskedBlock``, from which
        ``BlockUnion`` marks the rows.
    max_samples : int, default=100_000_000
        A waveform with more samples, before or after it is resampled, is an error before memory
        is taken for it; at 16 kHz the default is 1.7 hours.

    Attributes
    ----------
    peak_ : float
        Largest sample at fit, at least 1.
    mean_, scale_ : ndarray of shape (n_mels,)
        Of the bands in decibels at fit; 0 and 1 with ``standardize=False``.

    Raises
    ------
    BlockError
        For a wav file that cannot be read, was cut short or claims what cannot be, and samples
        that are not finite or on another scale than at fit; names row and path.
    BlockTypeError
        For a cell that is no waveform.
    ParameterError
        For an argument out of range.

    Warns
    -----
    UserWarning
        If a mel band is so narrow that it holds no frequency of the transform.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.inputs import LogMel
    >>> time = np.arange(8000) / 8000
    >>> tones = [np.sin(2 * np.pi * 440 * time), np.sin(2 * np.pi * 880 * time[:4000])]
    >>> spectrograms = LogMel(sample_rate=8000, n_mels=32, n_fft=512).fit_transform(tones)
    >>> spectrograms.shape, spectrograms.lengths.tolist()
    ((2, None, 32), [63, 32])
    """

    def __init__(
        self,
        sample_rate: int = 16_000,
        *,
        n_mels: int = 64,
        n_fft: int = 1024,
        hop_length: int | None = None,
        f_min: float = 0.0,
        f_max: float | None = None,
        top_db: float | None = 80.0,
        duration: float | None = None,
        standardize: bool = True,
        on_error: str = "raise",
        max_samples: int = MAX_SAMPLES,
    ) -> None:
        self.sample_rate = sample_rate
        self.n_mels = n_mels
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.f_min = f_min
        self.f_max = f_max
        self.top_db = top_db
        self.duration = duration
        self.standardize = standardize
        self.on_error = on_error
        self.max_samples = max_samples

    def fit(self, X: XLike, y: object = None) -> Self:
        """Learn the scale of the samples, and mean and scale of each mel band."""
        self._check_parameters()
        X = plain_matrix(X)
        waves = self._learn_waves(X)
        if self.standardize:
            self._fit_bands(self._spectrograms(waves))
        else:
            self._keep_bands()
        return self

    def fit_transform(self, X: XLike, y: object = None) -> Ragged | np.ndarray | MaskedBlock:
        """Fit and return the spectrograms of ``X``, computing them once."""
        self._check_parameters()
        X = plain_matrix(X)
        waves = self._learn_waves(X)
        spectrograms = self._spectrograms(waves)
        if self.standardize:
            self._fit_bands(spectrograms)
        else:
            self._keep_bands()
        return self._finish(X, waves, spectrograms)

    def transform(self, X: XLike) -> Ragged | np.ndarray | MaskedBlock:
        """Return the spectrograms of ``X``, float32 (n, time, n_mels)."""
        check_is_fitted(self)
        X = plain_matrix(X)
        waves = self._read(X)
        self._reader().check_peak(X, waves, self.peak_)
        return self._finish(X, waves, self._spectrograms(waves))

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the names of the bands, shape (n_mels,)."""
        return np.array([f"mel{band}" for band in range(self.n_mels)], dtype=object)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        return tags

    def _check_parameters(self) -> None:
        check_int("sample_rate", self.sample_rate)
        check_int("n_mels", self.n_mels)
        check_int("n_fft", self.n_fft, 2)
        if self.hop_length is not None:
            check_int("hop_length", self.hop_length)
        check_real("f_max", self._highest(), 0.0, self.sample_rate / 2, "Half the rate is the top.")
        check_real("f_min", self.f_min, 0.0)
        if self.f_min >= self._highest():
            raise ParameterError(
                f"f_min must be below f_max, {self._highest():g}. Got {self.f_min}."
            )
        for name in ("top_db", "duration"):
            if getattr(self, name) is not None:
                check_real(name, getattr(self, name))
        check_choice("on_error", self.on_error, ("raise", "missing"))
        check_int("max_samples", self.max_samples)
        self._check_sizes()
        self._warn_of_empty_bands()

    def _check_sizes(self) -> None:
        for name, value, most in (
            ("n_fft", self.n_fft, _MOST_N_FFT),
            ("n_mels", self.n_mels, _MOST_N_MELS),
            ("hop_length", self._hop(), self.max_samples),
            ("duration * sample_rate", self._n_samples(), self.max_samples),
        ):
            if value > most:
                raise ParameterError(f"{name} must be at most {most:,}. Got {value:,}.")

    def _warn_of_empty_bands(self) -> None:
        empty = np.flatnonzero(self._filters().max(axis=1) == 0)
        if len(empty):
            warn_user(
                f"{len(empty)} of {self.n_mels} mel bands hold no frequency of a transform of "
                f"n_fft={self.n_fft} samples (the first is band {empty[0]}) and will be constant. "
                "Use a larger n_fft or fewer n_mels.",
                UserWarning,
            )

    def _reader(self) -> WaveReader:
        return WaveReader(self.sample_rate, self.max_samples, "LogMel")

    def _read(self, X: XLike) -> Waves:
        """Return the waveforms of ``X``; those that cannot be read are errors or empty."""
        reader = self._reader()
        waves = reader.read(X)
        if self.duration is not None:
            for row in np.flatnonzero(waves.waves.lengths == 0).tolist():
                waves.errors.setdefault(row, _no_samples(reader.name(X, row)))
        if waves.errors and self.on_error == "raise":
            raise waves.errors[min(waves.errors)]
        return waves

    def _learn_waves(self, X: XLike) -> Waves:
        waves = self._read(X)
        self.peak_ = self._reader().learn_peak(X, waves)
        return waves

    def _fit_bands(self, spectrograms: Ragged) -> None:
        if not len(spectrograms.values):
            raise BlockError("LogMel.fit needs at least one waveform with samples. Got none.")
        self.mean_ = spectrograms.values.mean(axis=0)
        scale = spectrograms.values.std(axis=0)
        self.scale_ = np.where(scale > 1e-6, scale, 1.0)

    def _keep_bands(self) -> None:
        self.mean_, self.scale_ = np.zeros(self.n_mels), np.ones(self.n_mels)

    def _spectrograms(self, waves: Waves) -> Ragged:
        """Return decibels, float64 (n, None, n_mels)."""
        samples = waves.waves
        if self.duration is not None:
            samples = _fit_length(samples, self._n_samples())
        return decibels(mel_power(samples, self._filters(), self.n_fft, self._hop()), self.top_db)

    def _finish(
        self, X: XLike, waves: Waves, spectrograms: Ragged
    ) -> Ragged | np.ndarray | MaskedBlock:
        values = ((spectrograms.values - self.mean_) / self.scale_).astype(np.float32)
        block: Ragged | np.ndarray = Ragged(values, spectrograms.offsets)
        if self.duration is not None or is_wave_matrix(X):
            n_samples = X.shape[1] if is_wave_matrix(X) else 0
            n_samples = n_samples if self.duration is None else self._n_samples()
            n_frames = int(count_frames(n_samples, self.n_fft, self._hop()))
            block = values.reshape(len(spectrograms), n_frames, self.n_mels)
        if self.on_error == "raise":
            return block
        missing: np.ndarray = np.zeros(len(spectrograms), dtype=bool)
        missing[list(waves.errors)] = True
        return MaskedBlock(block, missing)

    def _filters(self) -> np.ndarray:
        return mel_filters(self.sample_rate, self.n_fft, self.n_mels, self.f_min, self._highest())

    def _hop(self) -> int:
        return max(1, self.n_fft // 4) if self.hop_length is None else self.hop_length

    def _n_samples(self) -> int:
        return max(1, round((self.duration or 0.0) * self.sample_rate))

    def _highest(self) -> float:
        return self.sample_rate / 2 if self.f_max is None else self.f_max


def _fit_length(waves: Ragged, length: int) -> Ragged:
    """Return the waves cut to ``length`` samples, or filled with zeros at their end."""
    fitted = np.zeros((len(waves), length))
    for row, (start, n_samples) in enumerate(zip(waves.offsets, waves.lengths, strict=False)):
        kept = min(n_samples, length)
        fitted[row, :kept] = waves.values[start : start + kept]
    return Ragged(fitted.reshape(-1), np.arange(len(waves) + 1) * length)


def _no_samples(where: str) -> BlockError:
    return BlockError(
        f"{where} has no samples, and duration= would make silence of it. Leave the row out, or "
        'mark such rows as missing with on_error="missing".'
    )
