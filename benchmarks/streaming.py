"""A fit on a Parquet file larger than the memory it may take: chunks, and a flat peak.

Run ``python -m benchmarks.streaming``. Two passes over files of numbers: ``BlockUnion.partial_fit``
learns the scaling, ``partial_fit`` of the estimator trains an epoch. A budget says how much the
process may grow; the files are 1, 3 and 10 times as large as the budget when read into memory.
Each size is fitted in a process of its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

BUDGET_MB, SIZES = 100, (1, 3, 10)
N_COLUMNS, CHUNK_ROWS = 50, 20_000


def write_file(path: Path, megabytes: float) -> None:
    """Write rows of float32 columns and a target, in row groups of the size of a chunk."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(0)
    names = [f"x{i}" for i in range(N_COLUMNS)]
    n_chunks = round(megabytes * 2**20 / (4 * N_COLUMNS * CHUNK_ROWS))
    writer = None
    for _ in range(n_chunks):
        values = rng.normal(size=(CHUNK_ROWS, N_COLUMNS)).astype(np.float32)
        frame = pd.DataFrame(values, columns=names).assign(y=(values[:, 0] > 0).astype(np.int8))
        table = pa.Table.from_pandas(frame, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def chunks(path: str) -> Iterator[pd.DataFrame]:
    import pyarrow.parquet as pq

    # Without pre_buffer=False, and with iter_batches, pyarrow holds what it has read so far.
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for number in range(file.num_row_groups):
            yield file.read_row_group(number).to_pandas()


def fit(path: str) -> None:
    """Print by how many MB the process has grown at its peak, the seconds and the score."""
    import pyarrow.parquet  # libraries are loaded before the first reading
    from sklearn.preprocessing import StandardScaler

    from skfusion import BlockUnion, FusionClassifier

    columns = [name for name in pyarrow.parquet.read_schema(path).names if name != "y"]
    halves = columns[: N_COLUMNS // 2], columns[N_COLUMNS // 2 :]
    union = BlockUnion(
        [(name, StandardScaler(), part) for name, part in zip("ab", halves, strict=True)]
    )
    model = FusionClassifier(random_state=0, device="cpu")
    tiny = next(chunks(path)).iloc[:200]
    FusionClassifier(max_epochs=1).fit(union.fit_transform(tiny), tiny["y"])
    union = BlockUnion(union.transformers)
    before, start = psutil.Process().memory_info().rss, time.perf_counter()
    for chunk in chunks(path):
        union.partial_fit(chunk)
    for chunk in chunks(path):
        model.partial_fit(union.transform(chunk), chunk["y"], classes=[0, 1])
    seconds = time.perf_counter() - start
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before / 2**20
    score = model.score(union.transform(chunk), chunk["y"])
    print(f"{grown:.0f} {seconds:.1f} {score:.3f}")


def main() -> None:
    if "--fit" in sys.argv:
        fit(sys.argv[-1])
        return
    print(
        f"{'file':>10} {'peak':>8} {'peak / budget':>14} {'peak / file':>12} {'seconds':>8} score"
    )
    with tempfile.TemporaryDirectory() as folder:
        for size in SIZES:
            path = Path(folder) / f"{size}.parquet"
            write_file(path, size * BUDGET_MB)
            command = [sys.executable, "-m", "benchmarks.streaming", "--fit", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            grown, seconds, score = map(float, done.stdout.split())
            megabytes = size * BUDGET_MB
            print(
                f"{megabytes:>7} MB {grown:>5.0f} MB {grown / BUDGET_MB:>14.2f} "
                f"{grown / megabytes:>12.2f} {seconds:>8.1f} {score:.3f}",
                flush=True,
            )
            path.unlink()


if __name__ == "__main__":
    main()
