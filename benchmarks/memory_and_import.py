"""Peak memory of fits on sparse text and on files of images, and what importing the library adds.

Run ``python -m benchmarks.memory_and_import``. Each figure is taken in a process of its own.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile

import psutil

from benchmarks.spine import sparse_rows
from skfusion import FusionClassifier

N_ROWS, N_COLUMNS = 20_000, 100_000


def sparse_fit() -> None:
    """Print how much the process grows over data, weights, gradients and the optimiser's state."""
    X, y = sparse_rows(400, 100)
    FusionClassifier(max_epochs=1).fit(X, y)  # libraries are loaded, buffers are there
    before = psutil.Process().memory_info().rss
    X, y = sparse_rows(N_ROWS, N_COLUMNS)
    matrix = X["text"]
    data = matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
    model = FusionClassifier(max_epochs=1, early_stopping=False, batch_size=256).fit(X, y)
    weights = sum(p.numel() * p.element_size() for p in model.net_.module_.parameters())
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    # AdamW keeps two numbers a weight; the gradient is a third.
    for what, parts in (("data, weights, state", 3), ("data, weights, state, gradients", 4)):
        total = data + parts * weights
        sizes = f"{grown / 2**20:.0f} MB / {total / 2**20:.0f} MB"
        print(f"peak of a sparse fit over {what}: {sizes} = {grown / total:.2f}")


def lazy_fit(n_files: int) -> None:
    """Print the peak of a process that fits on so many files of images, read when needed."""
    import numpy as np
    from PIL import Image

    from skfusion.inputs import ImageLoader

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, f"{number}.jpg") for number in range(n_files)]
        for path in paths:
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(path)
        photos = ImageLoader(size=(32, 32), lazy=True).fit_transform(paths)
        model = FusionClassifier(max_epochs=1, early_stopping=False, batch_size=64)
        model.fit({"photo": photos}, np.arange(n_files) % 2).predict({"photo": photos})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak of a fit on {n_files:>6,} lazily loaded images: {peak:.0f} MB")


def import_seconds(code: str, cache: str) -> float:
    """Return the least CPU seconds of a new process that runs ``code``, byte code kept."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    timed = f"import time; t = time.process_time(); {code}; print(time.process_time() - t)"
    runs = [
        subprocess.run(
            [sys.executable, "-c", timed],
            capture_output=True,
            text=True,
            env=environment,
            check=True,
        )
        for _ in range(7)
    ]
    return min(float(run.stdout) for run in runs)


def main() -> None:
    if "--fit" in sys.argv:
        sparse_fit()
        return
    if "--images" in sys.argv:
        lazy_fit(int(sys.argv[-1]))
        return
    again = [sys.executable, "-m", "benchmarks.memory_and_import"]
    subprocess.run([*again, "--fit"], check=True)
    for n_files in (1_000, 4_000, 16_000):
        subprocess.run([*again, "--images", str(n_files)], check=True)
    with tempfile.TemporaryDirectory() as cache:
        reference = import_seconds("import torch, sklearn, skorch", cache)
        ours = import_seconds("import skfusion", cache)
    seconds = f"{ours:.2f} s over {reference:.2f} s"
    print(f"import skfusion over torch, sklearn, skorch: {seconds} = {ours / reference:.2f}")


if __name__ == "__main__":
    main()
