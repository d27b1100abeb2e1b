"""What batches by similar length save, and what decoding the next batch in the background does.

Run ``python -m benchmarks.batches``. Tokens: CPU seconds of an epoch on ragged rows, one thread.
Images: per second of wall clock while torch has one thread. From JPEG files, which need a free core
to gain anything, and from storage that takes its time. The best of several turns each.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks._measure import header, ratio, report
from skfusion import Blocks, FusionClassifier
from skfusion.blocks import Ragged
from skfusion.encoders import CNN, RNN, Encoder, TemporalCNN, Transformer
from skfusion.inputs import ImageLoader
from skfusion.inputs._images.lazy_cells import LazyCells

N_TEXTS, N_TOKENS = 2_000, 5_000
N_IMAGES, SIDE = 400, 320


class Unready:
    """A lazy block that is not told what is needed next."""

    def __init__(self, block: Any) -> None:
        self._block = block
        self.shape, self.ndim, self.dtype = block.shape, block.ndim, block.dtype

    def __len__(self) -> int:
        return len(self._block)

    def __getitem__(self, rows: Any) -> np.ndarray:
        return self._block[rows]


def texts() -> Blocks:
    """Return rows of 1 to 512 tokens, half of them below 67 and a tenth above 210."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(4.2, 0.9, N_TEXTS), 1, 512).astype(int)
    offsets = np.concatenate([[0], lengths.cumsum()])
    return Blocks({"words": Ragged(rng.integers(2, N_TOKENS, offsets[-1]), offsets, N_TOKENS)})


def epoch(
    X: Blocks, block: str, encoder: Encoder, **settings: Any
) -> Callable[[], FusionClassifier]:
    y = np.arange(len(X)) % 2
    model = FusionClassifier(
        {block: encoder}, max_epochs=1, early_stopping=False, random_state=0, **settings
    )
    return lambda: model.fit(X, y)


def bench_lengths() -> None:
    X = texts()
    for encoder in (RNN(32), Transformer(32, n_layers=1), TemporalCNN(32)):
        grouped, drawn = (
            epoch(X, "words", encoder, batch_size=64, batch_by_length=by_length)
            for by_length in (True, False)
        )
        name = type(encoder).__name__
        report(f"epoch of {name} by length, against at random", ratio(grouped, drawn, 2), "< 1")


def photos(folder: Path) -> list[str]:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (N_IMAGES, 20, 20, 3), dtype=np.uint8)
    paths = [str(folder / f"{i}.jpg") for i in range(N_IMAGES)]
    for path, pixels in zip(paths, small, strict=True):
        Image.fromarray(pixels).resize((SIDE, SIDE)).save(path, quality=90)
    return paths


def images_per_second(runs: dict[str, Callable[[], object]], repeats: int = 4) -> dict[str, float]:
    """Return the best rate of each, measured in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: N_IMAGES / min(times) for name, times in seconds.items()}


class SlowStorage:
    """Waits as for a file from far away, and computes nothing."""

    def read(self, pixels: np.ndarray) -> np.ndarray:
        time.sleep(0.004)
        return pixels


def bench_images(what: str, lazy: Any) -> None:
    training, predict = {}, {}
    for name, block in (("when needed", Unready(lazy)), ("in the background", lazy)):
        X = Blocks({"photo": block})
        training[name] = epoch(X, "photo", CNN(channels=(16, 32)), batch_size=32)
        predict[name] = partial(training[name]().predict, X)
    print(f"\n{what} into a CNN, images / s (load {os.getloadavg()[0]:.1f})")
    print(f"{'read':<30}{'training':>10}{'predict':>10}")
    rates = images_per_second(training), images_per_second(predict)
    for name in training:
        print(f"{name:<30}{rates[0][name]:>10.0f}{rates[1][name]:>10.0f}", flush=True)


def bench_files() -> None:
    loader = ImageLoader(size=(96, 96), lazy=True, n_threads=1)
    with tempfile.TemporaryDirectory() as folder:
        bench_images(f"JPEG files of {SIDE} x {SIDE}", loader.fit_transform(photos(Path(folder))))
    pixels = list(np.random.default_rng(0).integers(0, 256, (N_IMAGES, 96, 96, 3), dtype=np.uint8))
    nothing = np.zeros(N_IMAGES, dtype=bool)
    bench_images("4 ms an image", LazyCells(pixels, SlowStorage(), (96, 96, 3), nothing, 1))


def main() -> None:
    header()
    bench_lengths()
    bench_files()


if __name__ == "__main__":
    main()
