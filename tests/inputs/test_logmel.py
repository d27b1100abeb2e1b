import io
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import signal
from scipy.io import wavfile
from sklearn.base import clone

from skfusion.blocks import Blocks, Ragged
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs import BlockUnion, LogMel

RATE = 8000
RNG = np.random.default_rng(0)
WAVES = [
    np.sin(2 * np.pi * np.linspace(200, 2500, length).cumsum() / RATE)
    + 0.01 * RNG.normal(size=length)
    for length in (4000, 2500, 300)
]


def slaney(hertz):
    """Mel of Slaney's toolbox: 200/3 Hz a mel up to 1 kHz, then 27 mel per factor 6.4."""
    return 3 * hertz / 200 if hertz < 1000 else 15 + 27 * np.log(hertz / 1000) / np.log(6.4)


def hertz(mel):
    return 200 * mel / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


def reference(wave, rate, n_mels, n_fft, hop, f_min, f_max, top_db):
    """The same by scipy's short-time Fourier transform and filters written as a loop."""
    padded = np.pad(wave, n_fft // 2)
    window = np.hanning(n_fft + 1)[:-1]
    frequencies, _, spectrum = signal.stft(
        padded, rate, window, n_fft, n_fft - hop, boundary=None, padded=False
    )
    power = np.abs(spectrum * window.sum()) ** 2
    corners = [hertz(mel) for mel in np.linspace(slaney(f_min), slaney(f_max), n_mels + 2)]
    mels = np.zeros((power.shape[1], n_mels))
    for band, (low, centre, high) in enumerate(
        zip(corners[:-2], corners[1:-1], corners[2:], strict=True)
    ):
        triangle = np.interp(frequencies, [low, centre, high], [0, 2 / (high - low), 0])
        mels[:, band] = triangle @ power
    level = 10 * np.log10(np.maximum(mels, 1e-10))
    return level if top_db is None else np.maximum(level, level.max() - top_db)


def wav(samples, rate=RATE):
    buffer = io.BytesIO()
    wavfile.write(buffer, rate, samples)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("n_mels", "n_fft", "hop", "f_min", "f_max", "top_db"),
    [
        (40, 512, 128, 0.0, None, 80.0),
        (20, 255, 100, 50.0, 3500.0, None),
        (32, 1024, None, 300.0, None, 30.0),
    ],
)
def test_decibels_equal_an_independent_computation(n_mels, n_fft, hop, f_min, f_max, top_db):
    logmel = LogMel(
        RATE,
        n_mels=n_mels,
        n_fft=n_fft,
        hop_length=hop,
        f_min=f_min,
        f_max=f_max,
        top_db=top_db,
        standardize=False,
    )
    spectrograms = logmel.fit_transform(WAVES)
    assert spectrograms.dtype == np.float32
    for wave, found in zip(WAVES, spectrograms, strict=True):
        expected = reference(
            wave, RATE, n_mels, n_fft, hop or n_fft // 4, f_min, f_max or RATE / 2, top_db
        )
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_bands_are_standardised_over_the_frames_at_fit():
    plain = LogMel(RATE, n_mels=16, n_fft=512, standardize=False).fit_transform(WAVES)
    logmel = LogMel(RATE, n_mels=16, n_fft=512)
    scaled = logmel.fit_transform(WAVES)
    mean, scale = plain.values.mean(axis=0), plain.values.std(axis=0)
    np.testing.assert_allclose(scaled.values, (plain.values - mean) / scale, atol=1e-4)
    again = logmel.transform(WAVES[1:2])
    np.testing.assert_allclose(again[0], scaled[1], atol=1e-6)


def test_a_row_does_not_depend_on_its_neighbours():
    logmel = LogMel(RATE, n_mels=16, n_fft=512).fit(WAVES)
    together = logmel.transform(WAVES)
    for row, wave in enumerate(WAVES):
        np.testing.assert_allclose(logmel.transform([wave])[0], together[row], atol=1e-5)


def test_many_frames_are_the_same_as_few():
    """More frames than one chunk of the computation holds."""
    wave = RNG.normal(size=300_000)
    logmel = LogMel(RATE, n_mels=8, n_fft=512, hop_length=64, standardize=False, top_db=None)
    found = logmel.fit_transform([wave])[0]
    assert len(found) == 1 + 300_000 // 64
    expected = reference(wave, RATE, 8, 512, 64, 0.0, RATE / 2, None)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_kinds_of_waveforms_give_the_same(tmp_path):
    wave = WAVES[0].astype(np.float32)
    path = tmp_path / "voice.wav"
    path.write_bytes(wav(wave))
    logmel = LogMel(RATE, n_mels=16, n_fft=512).fit([wave])
    expected = logmel.transform([wave])[0]
    for column in (
        [str(path)],
        [path],
        pd.Series([str(path)]),
        [wav(wave)],
        [wave.tolist()],
        Ragged.from_rows([wave]),
        wave[None],
        [wav(np.stack([wave, wave], axis=1))],
    ):
        np.testing.assert_allclose(logmel.transform(column)[0], expected, atol=1e-4)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint8])
def test_integer_samples_are_scaled_to_one(kind):
    info = np.iinfo(kind)
    wave = 0.5 * np.sin(np.arange(4000) / 5)
    middle = (info.max + info.min + 1) // 2
    samples = np.rint(wave * (info.max - middle) + middle).astype(kind)
    logmel = LogMel(RATE, n_mels=8, n_fft=512, standardize=False, top_db=20)
    expected = logmel.fit_transform([wave])[0]
    for cell in (samples, wav(samples)):
        np.testing.assert_allclose(logmel.transform([cell])[0], expected, atol=0.2)


def test_another_sampling_rate_is_resampled():
    time = np.arange(16_000) / 16_000
    tone = np.sin(2 * np.pi * 500 * time)
    logmel = LogMel(RATE, n_mels=16, n_fft=512, top_db=30, standardize=False).fit([tone[::2]])
    found = logmel.transform([wav(tone.astype(np.float32), 16_000)])[0]
    expected = logmel.transform([tone[::2]])[0]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found[3:-3], expected[3:-3], atol=0.5)


def test_dense_where_length_is_fixed_ragged_elsewhere():
    logmel = LogMel(RATE, n_mels=16, n_fft=512)
    assert logmel.fit_transform(np.stack([WAVES[0]] * 2)).shape == (2, 32, 16)
    assert logmel.fit_transform([WAVES[0]] * 2).shape == (2, None, 16)
    assert Blocks({"voice": logmel.transform(WAVES)}).specs()["voice"].form == "sequence"
    fixed = LogMel(RATE, n_mels=16, n_fft=512, duration=0.4).fit(WAVES)
    spectrograms = fixed.transform(WAVES)
    assert spectrograms.shape == (3, 26, 16)
    silent = np.concatenate([WAVES[2], np.zeros(3200 - len(WAVES[2]))])
    np.testing.assert_allclose(spectrograms[2], fixed.transform([silent])[0], atol=1e-5)
    np.testing.assert_allclose(spectrograms[0], fixed.transform([WAVES[0][:3200]])[0], atol=1e-5)
    assert fixed.transform([]).shape == (0, 26, 16)


def test_empty_waveform_has_no_frames_and_silence_is_finite():
    logmel = LogMel(RATE, n_mels=16, n_fft=512).fit(WAVES)
    spectrograms = logmel.transform([np.zeros(0), WAVES[2], np.zeros(1000), []])
    assert spectrograms.lengths.tolist() == [0, 3, 8, 0]
    assert np.isfinite(spectrograms.values).all()


def test_in_a_union_with_a_missing_recording():
    frame = pd.DataFrame({"voice": [WAVES[0], None, WAVES[2]]})
    blocks = BlockUnion([("voice", LogMel(RATE, n_fft=512, n_mels=16), "voice")]).fit_transform(
        frame
    )
    assert blocks.missing("voice").tolist() == [False, True, False]
    assert blocks["voice"].lengths.tolist() == [32, 0, 3]


def test_clone_and_pickle():
    logmel = pickle.loads(pickle.dumps(clone(LogMel(RATE, n_fft=512, n_mels=16)).fit(WAVES)))
    assert logmel.transform(WAVES).lengths.tolist() == [32, 20, 3]
    assert logmel.get_feature_names_out()[-1] == "mel15"


def test_unreadable_files_are_named(tmp_path):
    whole = wav((WAVES[0] * 30_000).astype(np.int16))
    (tmp_path / "short.wav").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.wav").write_text("not a sound at all")
    for name, fact in [
        ("short.wav", ".*must be complete"),
        ("text.wav", ".*must be complete"),
        ("absent.wav", " the file does not exist"),
    ]:
        with pytest.raises(BlockError, match=f"LogMel: row 1, '.*{name}':{fact}"):
            LogMel(RATE).fit([WAVES[0], str(tmp_path / name)])


def test_wrong_samples_are_named():
    broken = WAVES[1].copy()
    broken[7] = np.nan
    with pytest.raises(BlockError, match=r"row 1 \(label 'b'\) has NaN .* the first at position 7"):
        LogMel(RATE).fit(pd.Series([WAVES[0], broken], index=["a", "b"]))
    with pytest.raises(BlockTypeError, match="row 1: a waveform is a 1-D array"):
        LogMel(RATE).fit([WAVES[0], np.zeros((3, 2))])
    with pytest.raises(BlockTypeError, match="row 0: a waveform is .* Got NoneType"):
        LogMel(RATE).fit([None])
    with pytest.raises(BlockError, match="at least one waveform with samples"):
        LogMel(RATE).fit([[]])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_rate": 0}, "sample_rate must be an int >= 1"),
        ({"n_mels": 0}, "n_mels must be an int >= 1"),
        ({"hop_length": 0}, "hop_length must be an int >= 1"),
        ({"f_max": 5000.0}, "f_max must be a number between 0 and 4000. Got 5000"),
        ({"f_min": 4000.0}, "f_min must be below f_max, 4000. Got 4000"),
        ({"duration": -1.0}, "duration must be a number >= 0"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ParameterError, match=message):
        LogMel(**{"sample_rate": RATE, **options}).fit(WAVES)


def test_too_many_bands_warn():
    with pytest.warns(UserWarning, match="of 128 mel bands hold no frequency"):
        LogMel(RATE, n_mels=128, n_fft=128).fit(WAVES)
