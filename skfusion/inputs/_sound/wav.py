"""Wav files: every size in the header is checked before memory is taken for samples."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from skfusion.exceptions import BlockError
from skfusion.inputs._files import size_of

__all__ = ["Wav", "read_wav"]

_BYTE_ORDERS = {b"RIFF": "<", b"RF64": "<", b"RIFX": ">"}
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_CODECS = {
    2: "ADPCM of Microsoft",
    6: "A-law",
    7: "mu-law",
    0x11: "ADPCM of IMA",
    0x31: "GSM",
    0x50: "MPEG",
    0x55: "MP3",
}
_INTEGER_BYTES, _FLOAT_BYTES = (1, 2, 3, 4, 8), (4, 8)
_RATES = (100, 1_000_000)
_MAX_CHANNELS = 256
_UNKNOWN_SIZE = 2**32 - 1


@dataclass(frozen=True)
class Wav:
    """What a wav file holds.

    Parameters
    ----------
    samples : ndarray of shape (time,)
        Float64, in [-1, 1) where the file holds integers; the mean of its channels.
    rate : int
        Samples a second.
    is_float : bool
        Whether the file holds floats.
    """

    samples: np.ndarray
    rate: int
    is_float: bool


@dataclass(frozen=True)
class _Format:
    """How samples are coded; ``width`` is the number of bytes of one sample."""

    is_float: bool
    channels: int
    rate: int
    width: int
    byte_order: str


def read_wav(file: BinaryIO, max_samples: int) -> Wav:
    """Return what an open wav file holds.

    Integers of 8 to 64 bits and floats of 32 and 64 bits are read, in
    RIFF, RIFX and RF64.

    Raises
    ------
    BlockError
        If the file is no wav file, was cut short, contradicts itself, holds another coding, or
        more than ``max_samples`` samples.
    """
    size = size_of(file)
    head = file.read(12)
    if head[:4] not in _BYTE_ORDERS or head[8:] != b"WAVE":
        raise BlockError("it is no wav file")
    byte_order = _BYTE_ORDERS[head[:4]]
    header, n_bytes = _find_chunks(file, size, byte_order)
    coding = _format_of(header, byte_order)
    if n_bytes % (coding.width * coding.channels):
        raise BlockError("its data chunk does not hold whole samples; it was cut short")
    n_samples = n_bytes // coding.width
    if n_samples > max_samples:
        raise BlockError(f"it holds {n_samples:,} samples, and max_samples is {max_samples:,}")
    samples = _decode(file.read(n_bytes), coding)
    if coding.channels > 1:
        samples = samples.reshape(-1, coding.channels).mean(axis=1)
    return Wav(samples, coding.rate, coding.is_float)


def _find_chunks(file: BinaryIO, size: int, byte_order: str) -> tuple[bytes, int]:
    """Return the chunk ``fmt`` and the bytes of ``data``, whose beginning the file stands at."""
    start, header, n_long = 12, b"", 0
    while start + 8 <= size:
        file.seek(start)
        name, n_bytes = struct.unpack(f"{byte_order}4sI", file.read(8))
        start += 8
        if name == b"data":
            n_bytes = n_long if n_bytes == _UNKNOWN_SIZE and n_long else n_bytes
            return header, _checked_data(header, n_bytes, size - start)
        if name == b"fmt ":
            header = file.read(min(n_bytes, 40))
        elif name == b"ds64":
            n_long = int.from_bytes(file.read(28)[8:16], "little")
        start += n_bytes + n_bytes % 2
    raise BlockError("it has no data chunk; it was cut short")


def _checked_data(header: bytes, n_bytes: int, n_left: int) -> int:
    if len(header) < 16:
        raise BlockError("its fmt chunk is missing or too short")
    if n_bytes > n_left:
        raise BlockError(
            f"its data chunk claims {n_bytes:,} bytes, and {n_left:,} follow; it was cut short"
        )
    return n_bytes


def _format_of(header: bytes, byte_order: str) -> _Format:
    code, channels, rate, _, frame, bits = struct.unpack(f"{byte_order}HHIIHH", header[:16])
    if code == _EXTENSIBLE and len(header) >= 26:
        code = struct.unpack(f"{byte_order}H", header[24:26])[0]
    if code not in (_PCM, _FLOAT):
        raise BlockError(
            f"its samples are {_CODECS.get(code, f'of format {code}')}, not plain ones"
        )
    if not 1 <= channels <= _MAX_CHANNELS:
        raise BlockError(f"it claims {channels:,} channels, and 1 to {_MAX_CHANNELS} are read")
    if not _RATES[0] <= rate <= _RATES[1]:
        raise BlockError(
            f"it claims {rate:,} samples a second, and {_RATES[0]} to {_RATES[1]:,} are read"
        )
    width = -(-bits // 8)
    if width not in (_FLOAT_BYTES if code == _FLOAT else _INTEGER_BYTES):
        raise BlockError(f"it claims {bits} bits a sample, which is no size of its format")
    if frame != width * channels:
        raise BlockError(
            f"its header contradicts itself: {channels} channels of {bits} bits are not {frame} "
            "bytes"
        )
    return _Format(code == _FLOAT, channels, rate, width, byte_order)


def _decode(data: bytes, coding: _Format) -> np.ndarray:
    """Return samples as float64; bytes are unsigned, all other integers are signed."""
    if coding.is_float:
        return np.frombuffer(data, f"{coding.byte_order}f{coding.width}").astype(np.float64)
    if coding.width == 1:
        return np.frombuffer(data, np.uint8).astype(np.float64) / 128 - 1.0
    if coding.width == 3:
        data = _widen(data, coding.byte_order)
    width = 4 if coding.width == 3 else coding.width
    integers = np.frombuffer(data, f"{coding.byte_order}i{width}")
    return integers.astype(np.float64) / 2.0 ** (8 * width - 1)


def _widen(data: bytes, byte_order: str) -> bytes:
    """Return 24-bit integers as the upper bytes of 32-bit ones."""
    narrow = np.frombuffer(data, np.uint8).reshape(-1, 3)
    wide = np.zeros((len(narrow), 4), np.uint8)
    wide[:, slice(1, 4) if byte_order == "<" else slice(0, 3)] = narrow
    return wide.tobytes()
