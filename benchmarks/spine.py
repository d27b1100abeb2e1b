"""What the library adds to a hand-written torch loop that does the same work.

Run ``python -m benchmarks.spine``. One thread; CPU seconds, the least of several turns.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from sklearn.neural_network import MLPClassifier
from torch import nn
from torch.nn import functional as F

from benchmarks._measure import Measured, main, ratio, tracked
from skfusion import Blocks, FusionClassifier
from skfusion._training import Rows, Run, fit_net


def dense_rows(n: int, n_columns: int, n_blocks: int = 1) -> tuple[Blocks, np.ndarray]:
    rng = np.random.default_rng(0)
    blocks = {f"b{i}": rng.normal(size=(n, n_columns)).astype(np.float32) for i in range(n_blocks)}
    y = (blocks["b0"][:, 0] > 0).astype(int)
    return Blocks(blocks), y


def sparse_rows(n: int, n_columns: int, per_row: int = 105) -> tuple[Blocks, np.ndarray]:
    rng = np.random.default_rng(0)
    columns = np.sort(rng.integers(0, n_columns, (n, per_row)), axis=1).astype(np.int32).ravel()
    values = np.full(n * per_row, per_row**-0.5, dtype=np.float32)
    offsets = np.arange(0, n * per_row + 1, per_row, dtype=np.int32)
    matrix = csr_array((values, columns, offsets), shape=(n, n_columns))
    return Blocks({"text": matrix}), rng.integers(0, 2, n)


def fitted(X: Blocks, y: np.ndarray, batch_size: int, **params: Any) -> FusionClassifier:
    return FusionClassifier(
        max_epochs=1, batch_size=batch_size, early_stopping=False, random_state=0, **params
    ).fit(X[: 4 * batch_size], y[: 4 * batch_size])


class HandWritten(nn.Module):
    """The same network as the library builds: one branch per block, concatenation, linear."""

    def __init__(self, widths_in: list[int], sparse: bool = False) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.EmbeddingBag(w, 64, mode="sum", include_last_offset=True)
            if sparse
            else nn.Linear(w, 64)
            for w in widths_in
        )
        self.head = nn.Linear(64 * len(widths_in), 1)

    def forward(self, *inputs: Any) -> torch.Tensor:
        encoded = []
        for branch, x in zip(self.branches, inputs, strict=True):
            encoded.append(torch.relu(branch(*x) if isinstance(x, tuple) else branch(x)))
        return self.head(encoded[0] if len(encoded) == 1 else torch.cat(encoded, 1))[:, 0]


def hand_epoch(
    module: nn.Module,
    cut: Callable[[torch.Tensor], tuple[Any, ...]],
    y: np.ndarray,
    batch_size: int,
) -> Callable[[], float]:
    """Return one epoch as one would write it: shuffle, slice, step, keep the mean loss."""
    targets = torch.from_numpy(y.astype(np.float32))
    optimizer = torch.optim.AdamW(module.parameters(), lr=1e-3, weight_decay=1e-4, fused=True)

    def epoch() -> float:
        total = 0.0
        for rows in torch.randperm(len(targets)).split(batch_size):
            optimizer.zero_grad(set_to_none=True)
            loss = F.binary_cross_entropy_with_logits(module(*cut(rows)), targets[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        return total / len(targets)

    return epoch


def our_epoch(model: FusionClassifier, X: Blocks, y: np.ndarray) -> Callable[[], None]:
    run = Run(Rows(X, model.target_.encode(y), None), n_epochs=1, seed=0)
    return lambda: fit_net(model.net_, run)


@tracked("epoch, 50,000 x 200, batch {}", "<= 1.05", over=(64, 256, 1024))
def track_dense_epoch(batch_size: int) -> Measured:
    X, y = dense_rows(50_000, 200)
    tensor = torch.from_numpy(X["b0"])
    epoch = hand_epoch(HandWritten([200]), lambda rows: (tensor[rows],), y, batch_size)
    return ratio(our_epoch(fitted(X, y, batch_size), X, y), epoch, repeats=15)


@tracked("epoch, four blocks of 20,000 x 100, batch {}", "<= 1.08", over=(64, 256))
def track_four_blocks_epoch(batch_size: int) -> Measured:
    X, y = dense_rows(20_000, 100, n_blocks=4)
    tensors = [torch.from_numpy(X[name]) for name in X.names]

    def cut(rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(tensor[rows] for tensor in tensors)

    epoch = hand_epoch(HandWritten([100] * 4), cut, y, batch_size)
    return ratio(our_epoch(fitted(X, y, batch_size), X, y), epoch, repeats=15)


def cut_bag(matrix: csr_array) -> Callable[[torch.Tensor], tuple[Any, ...]]:
    """Return the usual hand-written slicing: scipy cuts the rows, torch gets the parts."""

    def cut(rows: torch.Tensor) -> tuple[Any, ...]:
        part = matrix[rows.numpy()]
        parts = (part.indices, part.indptr, part.data)
        indices, offsets, values = map(torch.from_numpy, parts)
        return ((indices, offsets, values),)

    return cut


N_COLUMNS, FEW = 100_000, slice(0, 2_000)


@tracked("epoch, csr 20,000 x 100,000, against EmbeddingBag", "<= 1.10")
def track_sparse_epoch() -> Measured:
    X, y = sparse_rows(20_000, N_COLUMNS)
    epoch = hand_epoch(HandWritten([N_COLUMNS], sparse=True), cut_bag(X["text"]), y, 256)
    return ratio(our_epoch(fitted(X, y, 256), X, y), epoch, repeats=2)


# A tenth of the rows, and of ours as well: the dense references take minutes.


@tracked("  a tenth of the rows against dense torch", "far below 1")
def track_sparse_against_dense() -> Measured:
    X, y = sparse_rows(20_000, N_COLUMNS)
    matrix = X["text"]

    def cut(rows: torch.Tensor) -> tuple[torch.Tensor]:
        return (torch.from_numpy(matrix[rows.numpy()].toarray()),)

    ours = our_epoch(fitted(X, y, 256), X[FEW], y[FEW])
    return ratio(ours, hand_epoch(HandWritten([N_COLUMNS]), cut, y[FEW], 256), repeats=1)


@tracked("  a tenth of the rows against MLPClassifier", "far below 1")
def track_sparse_against_scikit_learn() -> Measured:
    X, y = sparse_rows(20_000, N_COLUMNS)
    peer = MLPClassifier((64,), batch_size=256, max_iter=1, random_state=0)
    ours = our_epoch(fitted(X, y, 256), X[FEW], y[FEW])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ratio(ours, lambda: peer.fit(X["text"][FEW], y[FEW]), repeats=1)


@tracked("predict 10,000 x 200, {}", "<= 1.05", over=("Blocks", "array"))
def track_predict(kind: str) -> Measured:
    X, y = dense_rows(10_000, 200)
    rows = X if kind == "Blocks" else X["b0"]
    model = FusionClassifier(members=1, max_epochs=1).fit(rows[:600], y[:600])
    module, tensor = HandWritten([200]).eval(), torch.from_numpy(X["b0"])

    def by_hand() -> np.ndarray:
        with torch.inference_mode():
            parts = [module(part) for part in tensor.split(1024)]
        return (torch.cat(parts) > 0).numpy()

    return ratio(lambda: model.predict(rows), by_hand, repeats=20)


@tracked("predict one row 200 times, {}, against the bare module", "<= 4", over=("Blocks", "array"))
def track_predict_one(kind: str) -> Measured:
    X, y = dense_rows(600, 200)
    rows = X if kind == "Blocks" else X["b0"]
    model = FusionClassifier(members=1, max_epochs=1).fit(rows, y)
    module, one = HandWritten([200]).eval(), torch.from_numpy(X["b0"])[:1]

    def bare() -> None:
        with torch.inference_mode():
            for _ in range(200):
                module(one)

    return ratio(repeated(model.predict, rows[:1]), bare)


@tracked("predict one row 200 times, array, against MLPClassifier", "< 1")
def track_predict_one_against_scikit_learn() -> Measured:
    X, y = dense_rows(600, 200)
    array = X["b0"]
    ours = FusionClassifier(members=1, max_epochs=1).fit(array, y)
    peer = MLPClassifier((64,), max_iter=1).fit(array, y)
    return ratio(repeated(ours.predict, array[:1]), repeated(peer.predict, array[:1]))


def repeated(predict: Callable[[Any], Any], row: Any) -> Callable[[], object]:
    return lambda: [predict(row) for _ in range(200)]


if __name__ == "__main__":
    main(__name__)
