"""How the cost of a fit grows: with rows, with blocks, with columns of sparse text.

Run ``python -m benchmarks.scaling``. One thread; CPU seconds of one epoch, the least of several
turns, over those of the size before: 10 for ten times the rows is proportional. Also a fit on four
blocks of four forms against the hand-written loop that does the same work.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks._measure import Measured, main, ratio, tracked
from benchmarks.spine import cut_bag, dense_rows, fitted, hand_epoch, our_epoch, sparse_rows
from skfusion import Blocks, FusionClassifier
from skfusion.encoders import CNN, MLP, RNN, SparseLinear

CHANNELS, STATES, WIDTH = 8, 32, 64


@tracked("epoch, batch 64, {} rows of 100, over a tenth of them", "<= 10.5", over=(10_000, 100_000))
def track_rows(n: int) -> Measured:
    X, y = dense_rows(n, 100)
    model, tenth = fitted(X, y, 64), slice(0, n // 10)
    return ratio(our_epoch(model, X, y), our_epoch(model, X[tenth], y[tenth]), repeats=3)


@tracked("epoch, batch 64, 10,000 rows, {} blocks over half of them", "<= 2", over=(4, 8, 16))
def track_blocks(n_blocks: int) -> Measured:
    X, y = dense_rows(10_000, 50, n_blocks)
    half = X.select(X.names[: n_blocks // 2])
    ours, reference = (our_epoch(fitted(part, y, 64), part, y) for part in (X, half))
    return ratio(ours, reference, repeats=5)


@tracked(
    "epoch, batch 256, 5,000 rows, {} sparse columns over a tenth",
    "<= 10",
    over=(100_000, 1_000_000),
)
def track_columns(n_columns: int) -> Measured:
    ours, reference = (
        our_epoch(fitted(X, y, 256), X, y)
        for X, y in (sparse_rows(5_000, n) for n in (n_columns, n_columns // 10))
    )
    return ratio(ours, reference, repeats=3)


class FourForms(nn.Module):
    """What the library builds for numbers, csr text, an image and a sequence, by hand."""

    def __init__(self, n_numbers: int, n_columns: int, n_channels: int) -> None:
        super().__init__()
        self.numbers = nn.Linear(n_numbers, WIDTH)
        self.text = nn.EmbeddingBag(n_columns, WIDTH, mode="sum", include_last_offset=True)
        convolution = nn.Conv2d(3, CHANNELS, 3, padding=1)
        self.convolution = convolution.to(memory_format=torch.channels_last)
        self.photo = nn.Linear(CHANNELS, WIDTH)
        self.course = nn.GRU(n_channels, STATES, batch_first=True)
        self.head = nn.Linear(3 * WIDTH + STATES, 1)

    def forward(self, numbers: Any, text: Any, photo: Any, course: Any) -> torch.Tensor:
        indices, offsets, values = text
        pixels = photo.permute(0, 3, 1, 2).to(torch.float32).div_(255)
        maps = torch.relu(F.max_pool2d(self.convolution(pixels), 2))
        parts = [
            torch.relu(self.numbers(numbers)),
            torch.relu(self.text(indices, offsets, per_sample_weights=values)),
            torch.relu(self.photo(maps.mean((2, 3)))),
            self.course(course)[0][:, -1],
        ]
        return self.head(torch.cat(parts, 1))[:, 0]


def four_forms(n: int) -> tuple[Blocks, np.ndarray]:
    rng = np.random.default_rng(0)
    text, y = sparse_rows(n, 20_000, per_row=50)
    blocks = {
        "numbers": rng.normal(size=(n, 50)).astype(np.float32),
        "text": text["text"],
        "photo": rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8),
        "course": rng.normal(size=(n, 20, 6)).astype(np.float32),
    }
    return Blocks(blocks), y


@tracked("epoch, four blocks of four forms, batch 64", "<= 1.05")
def track_four_forms() -> Measured:
    X, y = four_forms(4_000)
    encoders = {
        "numbers": MLP(WIDTH),
        "text": SparseLinear(WIDTH),
        "photo": CNN(channels=CHANNELS, width=WIDTH, output="average"),
        "course": RNN(width=STATES),
    }
    model = FusionClassifier(encoders, max_epochs=1, batch_size=64, early_stopping=False)
    ours = our_epoch(model.fit(X[:256], y[:256]), X, y)
    tensors = [torch.from_numpy(X[name]) for name in ("numbers", "photo", "course")]
    bag = cut_bag(X["text"])

    def cut(rows: torch.Tensor) -> tuple[Any, ...]:
        numbers, photo, course = (tensor[rows] for tensor in tensors)
        return (numbers, *bag(rows), photo, course)

    return ratio(ours, hand_epoch(FourForms(50, 20_000, 6), cut, y, 64), repeats=5)


if __name__ == "__main__":
    main(__name__)
