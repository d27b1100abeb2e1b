"""Small blocks of every form, with the rows that go wrong elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from skfusion.blocks import Block, Ragged

__all__ = ["N_ROWS", "samples"]

N_ROWS = 6
_LENGTHS = (3, 5, 2, 4, 6, 3)


def samples(forms: Sequence[str]) -> dict[str, Block]:
    """Return blocks of ``N_ROWS`` rows of each of ``forms``, by a description of each."""
    rng = np.random.default_rng(0)
    return {
        description: block for form in forms for description, block in _MAKERS[form](rng).items()
    }


def _csr(rng: np.random.Generator) -> dict[str, Block]:
    dense = rng.normal(size=(N_ROWS, 12)) * (rng.random((N_ROWS, 12)) < 0.6)
    dense[2] = 0
    return {"csr rows, one of them empty": csr_array(dense.astype(np.float32))}


def _vector(rng: np.random.Generator) -> dict[str, Block]:
    return {"vectors": _normal(rng, N_ROWS, 5)}


def _tokens(rng: np.random.Generator) -> dict[str, Block]:
    rows = [rng.permutation(8)[:length] for length in _LENGTHS]
    return {"token ids": Ragged.from_rows(rows, n_tokens=8)}


def _sequence(rng: np.random.Generator) -> dict[str, Block]:
    return {
        "sequences of one length": _normal(rng, N_ROWS, 6, 4),
        "sequences of bytes": _bytes(rng, N_ROWS, 6, 4),
        "sequences of different length": _ragged(rng, _LENGTHS, 4),
    }


def _image(rng: np.random.Generator) -> dict[str, Block]:
    return {
        "images of floats": _normal(rng, N_ROWS, 12, 12, 3),
        "images of bytes": _bytes(rng, N_ROWS, 12, 12, 3),
    }


def _video(rng: np.random.Generator) -> dict[str, Block]:
    clips = [_bytes(rng, length, 12, 12, 3) for length in _LENGTHS]
    return {
        "clips of one length": _bytes(rng, N_ROWS, 4, 12, 12, 3),
        "clips of different length": _ragged(rng, _LENGTHS, 12, 12, 3),
        "clips of bytes and of different length": Ragged.from_rows(clips),
    }


def _waveform(rng: np.random.Generator) -> dict[str, Block]:
    return {"waveforms": _ragged(rng, [60 * length for length in _LENGTHS])}


def _normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def _bytes(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.integers(0, 256, shape, dtype=np.uint8)


def _ragged(rng: np.random.Generator, lengths: Sequence[int], *item_shape: int) -> Ragged:
    return Ragged.from_rows([_normal(rng, length, *item_shape) for length in lengths])


_MAKERS = {
    "csr": _csr,
    "vector": _vector,
    "tokens": _tokens,
    "sequence": _sequence,
    "image": _image,
    "video": _video,
    "waveform": _waveform,
}
