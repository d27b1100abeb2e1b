"""Wav files are read right or refused by row, and no header is believed before it is checked."""

import io
import os
import struct

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.io import wavfile

from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs import BlockUnion, LogMel

RATE = 8000
TONE = 0.5 * np.sin(np.arange(4000) / 5)
GOOD = TONE.astype(np.float32)


def chunk(name, data, size=None, order="<"):
    return name + struct.pack(f"{order}I", len(data) if size is None else size) + data


def form(code=1, channels=1, rate=RATE, bits=16, frame=None, order="<"):
    frame = channels * bits // 8 if frame is None else frame
    return struct.pack(f"{order}HHIIHH", code, channels, rate, rate * frame % 2**32, frame, bits)


def wav(data=b"", header=None, size=None, riff=b"RIFF", before=b"", order="<"):
    header = form(order=order) if header is None else header
    body = chunk(b"fmt ", header, order=order) + before + chunk(b"data", data, size, order)
    return riff + struct.pack(f"{order}I", 4 + len(body)) + b"WAVE" + body


def integers(bits, order="<", samples=TONE):
    """The samples as signed integers of ``bits`` bits (bytes are unsigned)."""
    if bits == 8:
        return np.rint(samples * 127 + 128).astype(np.uint8).tobytes()
    whole = np.rint(samples * 2.0 ** (bits - 1)).astype(np.int64).astype(f"{order}i8")
    raw = whole.view(np.uint8).reshape(-1, 8)
    kept = raw[:, : bits // 8] if order == "<" else raw[:, 8 - bits // 8 :]
    return kept.tobytes()


def logmel(**options):
    return LogMel(
        RATE, **{"n_mels": 8, "n_fft": 512, "standardize": False, "top_db": 30, **options}
    )


@pytest.mark.parametrize(("riff", "order"), [(b"RIFF", "<"), (b"RIFX", ">")])
@pytest.mark.parametrize("bits", [8, 16, 24, 32, 64])
@pytest.mark.parametrize("code", [1, 0xFFFE])
def test_integers_of_every_width(bits, riff, order, code):
    header = form(code, bits=bits, order=order)
    if code == 0xFFFE:
        guid = struct.pack(f"{order}H", 1) + b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71"
        header += struct.pack(f"{order}HHI", 22, bits, 4) + guid
    cell = wav(integers(bits, order), header, riff=riff, order=order)
    expected = logmel().fit_transform([TONE])[0]
    found = logmel().fit_transform([cell])[0]
    np.testing.assert_allclose(found, expected, atol=0.5 if bits == 8 else 0.01)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize(("riff", "order"), [(b"RIFF", "<"), (b"RIFX", ">")])
def test_floats(bits, riff, order):
    data = TONE.astype(f"{order}f{bits // 8}").tobytes()
    cell = wav(data, form(3, bits=bits, order=order), riff=riff, order=order)
    np.testing.assert_allclose(
        logmel().fit_transform([cell])[0], logmel().fit_transform([TONE])[0], atol=1e-4
    )


def test_other_chunks_and_long_files_of_rf64():
    data = integers(16)
    expected = logmel().fit_transform([wav(data)])[0]
    ds64 = chunk(b"ds64", struct.pack("<QQQI", 0, len(data), len(TONE), 0))
    long = b"RF64" + b"\xff" * 4 + b"WAVE" + ds64
    long += chunk(b"fmt ", form()) + chunk(b"data", data, 2**32 - 1)
    odd = wav(data, before=chunk(b"LIST", b"odd") + b"\0")
    for cell in (long, odd, wav(data) + chunk(b"LIST", b"after")):
        np.testing.assert_array_equal(logmel().fit_transform([cell])[0], expected)


def test_what_scipy_writes_is_read_to_the_bit():
    for kind in (np.uint8, np.int16, np.int32, np.float32, np.float64):
        samples = TONE if kind in (np.float32, np.float64) else TONE * np.iinfo(kind).max
        samples = np.stack([samples, samples / 2], axis=1).astype(kind)
        buffer = io.BytesIO()
        wavfile.write(buffer, RATE, samples)
        full = 2.0 ** (8 * samples.itemsize - 1) if samples.dtype.kind in "iu" else 1.0
        floats = samples / full - (1.0 if kind is np.uint8 else 0.0)
        np.testing.assert_array_equal(
            logmel().fit_transform([buffer.getvalue()])[0],
            logmel().fit_transform([floats.astype(np.float64).mean(axis=1)])[0],
        )


SHORT = integers(16)


@pytest.mark.parametrize(
    ("cell", "fact"),
    [
        (b"", "it is no wav file"),
        (b"RIFF", "it is no wav file"),
        (b"RIFF\0\0\0\0AVI ", "it is no wav file"),
        (b"FORM\0\0\0\0AIFF", "it is no wav file"),
        (b"RIFF\0\0\0\0WAVE", "it has no data chunk; it was cut short"),
        (wav(SHORT)[:40], "it has no data chunk"),
        (wav(SHORT)[:1000], "its data chunk claims 8,000 bytes, and 956 follow"),
        (wav(SHORT, size=4_000_000_000), "claims 4,000,000,000 bytes, and 8,000 follow"),
        (wav(SHORT, size=2**32 - 1), "claims 4,294,967,295 bytes"),
        (wav(SHORT, b""), "its fmt chunk is missing or too short"),
        (wav(SHORT, form()[:14]), "its fmt chunk is missing or too short"),
        (wav(SHORT, form(channels=65_535, frame=4)), "it claims 65,535 channels"),
        (wav(SHORT, form(channels=0, frame=2)), "it claims 0 channels"),
        (wav(SHORT, form(rate=0)), "it claims 0 samples a second"),
        (wav(SHORT, form(rate=1)), "it claims 1 samples a second"),
        (wav(SHORT, form(rate=4_000_000_000)), "it claims 4,000,000,000 samples a second"),
        (wav(SHORT, form(bits=0, frame=2)), "it claims 0 bits a sample"),
        (wav(SHORT, form(bits=65_535, frame=2)), "it claims 65535 bits a sample"),
        (wav(SHORT, form(bits=16, frame=3)), "its header contradicts itself"),
        (wav(SHORT, form(3, bits=16)), "it claims 16 bits a sample"),
        (wav(SHORT, form(2, bits=4, frame=1)), "its samples are ADPCM of Microsoft"),
        (wav(SHORT, form(6, bits=8)), "its samples are A-law"),
        (wav(SHORT, form(7, bits=8)), "its samples are mu-law"),
        (wav(SHORT, form(0x55, bits=0)), "its samples are MP3"),
        (wav(SHORT, form(0x1234)), "its samples are of format 4660"),
        (wav(SHORT[:-1]), "does not hold whole samples"),
        (wav(np.float32([0, np.nan]).tobytes(), form(3, bits=32)), "NaN or infinite"),
    ],
)
def test_headers_that_lie_are_named_by_row(tmp_path, cell, fact):
    path = tmp_path / "sound.wav"
    path.write_bytes(cell)
    for cells in ([GOOD, cell], [GOOD, str(path)]):
        with pytest.raises(BlockError, match=f"LogMel: row 1.*{fact}"):
            logmel().fit(cells)
    with pytest.raises(BlockError, match=f"LogMel: row 1 .label 'b'.*{fact}"):
        logmel().fit([GOOD]).transform(pd.Series([GOOD, cell], index=["a", "b"]))


def test_damaged_files_are_read_or_named():
    rng = np.random.default_rng(0)
    whole = wav(integers(24), form(bits=24))
    fitted = logmel().fit([GOOD])
    for _ in range(200):
        damaged = bytearray(whole[: rng.integers(1, len(whole))] if rng.random() < 0.5 else whole)
        for place in rng.integers(0, min(48, len(damaged)), 2):
            damaged[place] = rng.integers(256)
        try:
            assert np.isfinite(fitted.transform([bytes(damaged)]).values).all()
        except BlockError as error:
            assert str(error).startswith("LogMel: row 0, ")


def test_what_is_no_regular_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "device.wav").symlink_to("/dev/zero")
    for name, fact in [
        ("pipe.wav", "named pipe"),
        ("folder.wav", "folder"),
        ("device.wav", "device"),
    ]:
        with pytest.raises(BlockError, match=f"row 1, '.*{name}': .*{fact}"):
            logmel().fit([GOOD, f"{tmp_path}/{name}"])
    with pytest.raises(BlockError, match="row 1, .*: embedded null byte"):
        logmel().fit([GOOD, "nul\0.wav"])


def test_limits_are_checked_before_memory_is_taken():
    cell = wav(SHORT)
    with pytest.raises(BlockError, match="row 0, .*: it holds 4,000 samples, and max_samples is 9"):
        logmel(max_samples=900, hop_length=100).fit([cell])
    slow = wav(SHORT, form(rate=100))
    with pytest.raises(BlockError, match="row 0, .*: it has 320,000 samples at 8,000 a second"):
        logmel(max_samples=100_000).fit([slow])
    endless = np.broadcast_to(np.float32(0), 10**12)
    with pytest.raises(BlockError, match="row 0.*(bytes of memory|max_samples)"):
        logmel().fit([endless])
    with pytest.raises(BlockError, match="each row of an array has 1,000,000,000,000 samples"):
        logmel().fit(np.broadcast_to(np.float32(0), (3, 10**12)))


def test_cells_that_cannot_be_read_may_be_missing():
    cells = [GOOD, b"no sound", "absent.wav", wav(integers(16))]
    found = logmel(on_error="missing").fit_transform(cells)
    assert found.missing.tolist() == [False, True, True, False]
    assert found.block.lengths.tolist() == [32, 0, 0, 32]
    union = BlockUnion([("sound", logmel(on_error="missing", duration=0.2), "sound")])
    blocks = union.fit_transform(pd.DataFrame({"sound": [*cells, np.zeros(0), None]}))
    assert blocks.missing("sound").tolist() == [False, True, True, False, True, True]
    assert np.isfinite(blocks["sound"]).all()


def test_a_sound_without_samples_is_not_taken_for_silence():
    for empty in (np.zeros(0), [], wav()):
        with pytest.raises(BlockError, match="row 1 has no samples, and duration= would make sil"):
            logmel(duration=0.2).fit([GOOD, empty])
        assert logmel().fit_transform([GOOD, empty]).lengths.tolist() == [32, 0]


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("wave", [[0.5], [0.0], np.full(3, 0.1), np.zeros(900), np.ones(511)])
def test_short_and_constant_sounds_are_finite(wave, standardize):
    found = logmel(standardize=standardize).fit([GOOD, wave]).transform([wave])
    assert np.isfinite(found.values).all() and found.lengths[0] >= 1


def test_kinds_of_arrays_give_the_same():
    expected = logmel().fit_transform([GOOD])[0]
    whole = np.rint(TONE * 2**15).astype(np.int16)
    for cell in (
        torch.from_numpy(GOOD),
        torch.from_numpy(GOOD).requires_grad_(),
        GOOD.astype(">f4"),
        GOOD.astype(np.longdouble),
        np.ma.array(GOOD),
        whole,
        whole.astype(">i2"),
        (whole.astype(np.int32) << 16),
        (whole.astype(np.int32) + 2**15).astype(np.uint16),
    ):
        np.testing.assert_allclose(logmel().fit_transform([cell])[0], expected, atol=0.01)
    rough = logmel().fit_transform([torch.from_numpy(GOOD).bfloat16()])[0]
    np.testing.assert_allclose(rough, expected, atol=1.5)
    matrix = torch.from_numpy(np.stack([GOOD, GOOD]))
    np.testing.assert_allclose(logmel().fit_transform(matrix)[1], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("cell", "error", "message"),
    [
        (np.zeros((2, 900)), BlockTypeError, r"shape \(2, 900\).*Average channels"),
        (np.zeros((900, 2)), BlockTypeError, r"shape \(900, 2\).*Average channels"),
        (np.arange(9), BlockTypeError, "integers of 64 bits"),
        (["0.1", "0.2"], BlockTypeError, "dtype <U3"),
        ([0.1, None], BlockTypeError, "dtype object"),
        ([[0.1], [0.1, 0.2]], BlockTypeError, "unequal parts"),
        (np.array([1j]), BlockTypeError, "dtype complex"),
        (pd.NA, BlockTypeError, r"shape \(\)"),
        (np.datetime64("2024-01-01"), BlockTypeError, r"shape \(\)"),
        (np.array(["2024-01-01"], "M8[ns]"), BlockTypeError, "dtype datetime64"),
        (np.array([0.1, np.inf]), BlockError, "NaN or infinite samples, the first at position 1"),
        (np.array([0.1, 1e200]), BlockError, "NaN or infinite samples, the first at position 1"),
        (np.ma.array([0.1, 0.2], mask=[0, 1]), BlockError, "NaN .* position 1"),
    ],
)
def test_what_is_no_waveform_is_refused_by_row(cell, error, message):
    fitted = logmel().fit([GOOD])
    for call in (logmel().fit, fitted.transform):
        with pytest.raises(error, match=f"LogMel: row 1.*{message}"):
            call([GOOD, cell])


def test_one_scale_for_all_rows():
    whole = np.rint(TONE * 2**15).astype(np.int16)
    loud = whole.astype(np.float64)
    with pytest.raises(BlockError, match="row 1 holds floats up to 16384, but the samples at fit"):
        logmel().fit([GOOD, whole]).transform([GOOD, loud])
    with pytest.raises(
        BlockError, match="row 0 holds floats up to 16384, but row 1 holds integers"
    ):
        logmel().fit([loud, whole])
    with pytest.raises(BlockError, match="row 0 holds integers, which are read as -1 to 1"):
        logmel().fit([loud]).transform([whole])
    with pytest.raises(
        BlockError, match="row 0 holds floats up to 0.5, but the samples at fit ran"
    ):
        logmel().fit([loud]).transform([GOOD])
    assert len(logmel().fit([loud]).transform([loud, np.zeros(9)])) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_fft": 10**12}, "n_fft must be at most 1,048,576"),
        ({"n_mels": 10**9}, "n_mels must be at most 4,096"),
        ({"hop_length": 10**30}, "hop_length must be at most 100,000,000"),
        ({"duration": 1e12}, r"duration \* sample_rate must be at most 100,000,000"),
        ({"on_error": "skip"}, "on_error must be one of 'raise', 'missing'"),
        ({"max_samples": 0}, "max_samples must be an int >= 1"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ParameterError, match=message):
        logmel(**options).fit([GOOD])
