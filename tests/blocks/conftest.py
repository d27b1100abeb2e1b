import numpy as np
import pytest
from scipy import sparse

from skfusion.blocks import Blocks, Ragged

N_ROWS = 12


class LazyFrames:
    """A lazy block as a user writes one; it remembers which rows were read."""

    ndim = 4
    dtype = np.dtype(np.uint8)

    def __init__(self, n):
        self.shape = (n, 4, 4, 3)
        self.reads = []

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, rows):
        numbers = np.arange(len(self))[rows]
        self.reads.append(numbers.tolist())
        return np.broadcast_to(numbers[:, None, None, None], (len(numbers), 4, 4, 3)).astype(
            "uint8"
        )


@pytest.fixture
def lazy():
    return LazyFrames(N_ROWS)


@pytest.fixture
def arrays(lazy, tmp_path):
    """One array of each kind that can be a block, with different content in each row."""
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 5, N_ROWS)
    counts[3] = 0
    table = sparse.random(N_ROWS, 30, density=0.2, random_state=0, format="csr")
    mapped = np.memmap(tmp_path / "map", dtype="float32", mode="w+", shape=(N_ROWS, 7))
    mapped[:] = rng.normal(size=mapped.shape)
    return {
        "csr_matrix": sparse.csr_matrix(table),
        "csr_array": sparse.csr_array(table),
        "vector": rng.normal(size=(N_ROWS, 5)),
        "sequence": rng.normal(size=(N_ROWS, 6, 2)).astype(np.float32),
        "image": rng.integers(0, 255, (N_ROWS, 4, 4, 3)).astype(np.uint8),
        "video": rng.normal(size=(N_ROWS, 3, 4, 4, 1)),
        "mapped": mapped,
        "tokens": Ragged.from_rows([rng.integers(0, 20, n) for n in counts], np.int64),
        "waveform": Ragged.from_rows([rng.normal(size=n) for n in counts]),
        "steps": Ragged.from_rows([rng.normal(size=(n, 2)) for n in counts]),
        "clips": Ragged.from_rows([rng.normal(size=(n, 4, 4, 1)) for n in counts]),
        "lazy": lazy,
    }


@pytest.fixture
def blocks(arrays):
    missing = np.zeros(N_ROWS, dtype=bool)
    missing[[2, 5, 11]] = True
    return Blocks(arrays, missing={"image": missing, "tokens": missing[::-1].copy()})


@pytest.fixture
def row_list():
    """Turn any block into a list of one array a row, by the plainest means."""

    def as_rows(block):
        if sparse.issparse(block):
            return list(block.toarray())
        if isinstance(block, Ragged):
            bounds = zip(block.offsets[:-1], block.offsets[1:], strict=True)
            return [block.values[start:stop] for start, stop in bounds]
        return list(block[np.arange(block.shape[0])])

    return as_rows
