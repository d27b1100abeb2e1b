"""What looking things up saves against the same rows written out: 12,000 ratings of 1,002 posters.

Run ``python -m benchmarks.lookup``. CPU seconds in turns, one thread; peaks of memory each in a
process of its own. Rows draw their posters all alike, or a few far more often than most, as films
are rated. A small batch has few posters twice, so that an epoch gains by popularity and by size of
batch; predictions, frozen encoders, files to decode and histories gain at once.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from PIL import Image

from benchmarks._measure import header, ratio, report
from skfusion import Blocks, FusionRegressor
from skfusion.blocks import Lookup, Ragged
from skfusion.encoders import CNN, Encoder, Pretrained, TimeDistributed
from skfusion.inputs import ImageLoader

N_ROWS, N_THINGS, SIDE, LARGE = 12_000, 1_002, 32, 96
N_HISTORIES, N_SEEN = 1_000, 20
SKETCH = CNN(channels=(16, 32))


def keys(popular: bool, n: int = N_ROWS) -> np.ndarray:
    """Return which poster each row has; popularity falls with the rank, as in MovieLens."""
    chances = 1 / (np.arange(N_THINGS) + 20.0) if popular else np.ones(N_THINGS)
    return np.random.default_rng(0).choice(N_THINGS, n, p=chances / chances.sum())


def posters(side: int = SIDE) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (N_THINGS, side, side, 3), dtype=np.uint8)


def fit(X: Blocks, encoder: Encoder, batch_size: int, n_epochs: int = 1) -> FusionRegressor:
    model = FusionRegressor(
        {"poster": encoder},
        max_epochs=n_epochs,
        batch_size=batch_size,
        early_stopping=False,
        random_state=0,
    )
    return model.fit(X, np.arange(len(X)) % 7)


def both(table: Any, found: np.ndarray) -> tuple[Blocks, Blocks]:
    """Return the rows looked up, and written out."""
    return Blocks({"poster": Lookup(found, table)}), Blocks({"poster": table[found]})


def compare(what: str, run: Callable[[Blocks], object], X: tuple[Blocks, Blocks]) -> None:
    report(what, ratio(partial(run, X[0]), partial(run, X[1]), 2), "< 1")


def bench_epochs() -> None:
    for popular in (False, True):
        X = both(posters(), keys(popular))
        kind = "some popular" if popular else "all alike"
        for size in (64, 256, 1024):
            compare(
                f"epoch of a CNN, {kind}, batch {size}",
                partial(fit, encoder=SKETCH, batch_size=size),
                X,
            )


def bench_frozen() -> None:
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 32, 3, 2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1)
    )
    encoder = Pretrained(torch.nn.Sequential(layers, torch.nn.Flatten()))
    X = both(posters(), keys(popular=False))
    compare("fit of 5 epochs, a frozen CNN", partial(fit, encoder=encoder, batch_size=256), X)
    model = fit(X[0], SKETCH, 256)
    compare("predict, a CNN", model.predict, X)


def bench_files() -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / f"{number}.jpg") for number in range(N_THINGS)]
        for path, pixels in zip(paths, posters(), strict=True):
            Image.fromarray(pixels).resize((160, 160)).save(path)
        found = keys(popular=False)
        loader = ImageLoader(size=(SIDE, SIDE), lazy=True, n_threads=1)
        names = np.array(paths)[found]
        now = ImageLoader(size=(SIDE, SIDE), n_threads=1).fit_transform(paths)
        for what, table in (("lazy", loader.fit_transform(paths)), ("in memory", now)):
            X = (
                Blocks({"poster": Lookup(found, table)}),
                Blocks({"poster": loader.fit_transform(list(names))}),
            )
            run = partial(fit, encoder=SKETCH, batch_size=256)
            compare(f"epoch of a CNN, a table of files ({what}), rows of files", run, X)


def bench_histories() -> None:
    """Of films seen, against clips whose frames are the posters of these films."""
    seen = Ragged(keys(True, N_HISTORIES * N_SEEN), np.arange(N_HISTORIES + 1) * N_SEEN)
    table = posters()
    looked_up = Blocks({"poster": Lookup(seen, table)})
    written = Blocks({"poster": Ragged(table[seen.values], seen.offsets)})
    ours = partial(fit, looked_up, SKETCH, 64)
    reference = partial(fit, written, TimeDistributed(SKETCH), 64)
    report(f"epoch, histories of {N_SEEN}, some popular", ratio(ours, reference, 2), "< 1")


def grown(written: bool) -> None:
    """Print by how many MB a process grows at its peak that makes rows, fits and predicts."""
    few = both(posters(LARGE), keys(False, 512))[int(written)]
    fit(few, SKETCH, 64).predict(few)  # libraries are loaded, buffers are there
    before = psutil.Process().memory_info().rss
    table, found = posters(LARGE), keys(popular=False)
    X = Blocks({"poster": table[found] if written else Lookup(found, table)})
    fit(X, SKETCH, 64).predict(X)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(f"{(peak - before) / 2**20:.1f}")


def bench_memory() -> None:
    code = "from benchmarks.lookup import grown; grown({})"
    ours, reference = (
        float(subprocess.check_output([sys.executable, "-c", code.format(written)], text=True))
        for written in (False, True)
    )
    print(
        f"\npeak of rows of {LARGE} x {LARGE}, fit and predict: {ours:.0f} MB / {reference:.0f} MB",
        end=" ",
    )
    print(f"= {ours / reference:.2f}")


def main() -> None:
    for popular in (False, True):
        found = keys(popular)
        shares = [len(np.unique(found[:size])) / size for size in (64, 256, 1024)]
        kind = "some popular" if popular else "all alike"
        print(f"distinct posters of a batch of 64, 256, 1024, {kind}:", *np.round(shares, 2))
    header()
    bench_epochs()
    bench_frozen()
    bench_files()
    bench_histories()
    bench_memory()


if __name__ == "__main__":
    main()
