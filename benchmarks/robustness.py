"""Rows that lack a block at predict: block dropout against zeros in the place of what is missing.

Run ``python -m benchmarks.robustness --data FOLDER [--write docs/results.md] [--picture FILE]``.
Two networks with the library's defaults are fitted on the same complete rows: one with
``block_dropout``, which is told what is missing, and one without, which gets zeros instead (the
mean, since all blocks are standardised). A share of the test rows loses one block, drawn for each
row; the same for both. Goal at 30 % of the rows: at most half the drop in accuracy.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from benchmarks._data import Job, jobs
from benchmarks._page import write_part
from skfusion import Blocks, FusionClassifier

HEAD = """## Rows that lack a block

`python -m benchmarks.robustness`: two networks fitted on the same complete rows; at predict a share
of the rows lacks one block, drawn for each. Mean accuracy over folds and draws."""
SHARES = (0.0, 0.1, 0.3, 0.5, 0.7, 1.0)
GOAL_AT = 0.3
BLOCK_DROPOUT = 0.3
N_REPEATS = 5
ZEROS, DROPPED = "zeros instead", f"block_dropout={BLOCK_DROPOUT:g}"


def measure(job: Job, **params: Any) -> pd.DataFrame:
    """Return the accuracy per variant, share of rows, fold and draw."""
    records = []
    for fold, (train, test) in enumerate(job.cv.split(np.zeros(len(job.y)), job.y)):
        models = {ZEROS: 0.0, DROPPED: BLOCK_DROPOUT}
        for label, dropout in models.items():
            network = FusionClassifier(random_state=fold, block_dropout=dropout, **params)
            model = make_pipeline(clone(job.union), network).fit(_rows(job, train), job.y[train])
            blocks = model[:-1].transform(_rows(job, test))
            for share, draw, missing in draws(blocks, fold):
                rows = zeroed(blocks, missing) if label == ZEROS else blocks.assign({}, missing)
                score = model[-1].score(rows, job.y[test])
                records.append((label, share, fold, draw, score))
    return pd.DataFrame(records, columns=["variant", "share", "fold", "draw", "accuracy"])


def _rows(job: Job, rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: block[rows] for name, block in job.X.items()}


def draws(blocks: Blocks, seed: int) -> Iterator[tuple[float, int, dict[str, np.ndarray]]]:
    """Yield share, number of the draw, and which rows lack which block."""
    rng = np.random.default_rng(seed)
    for draw in range(N_REPEATS):
        order, lost = (
            rng.permutation(len(blocks)),
            rng.integers(len(blocks.names), size=len(blocks)),
        )
        for share in SHARES:
            chosen = np.zeros(len(blocks), dtype=bool)
            chosen[order[: round(share * len(blocks))]] = True
            yield share, draw, {name: chosen & (lost == i) for i, name in enumerate(blocks.names)}


def zeroed(blocks: Blocks, missing: dict[str, np.ndarray]) -> Blocks:
    """Return the rows with zeros where a block is missing."""
    parts = {}
    for name, rows in missing.items():
        parts[name] = np.array(blocks[name])
        parts[name][rows] = 0
    return Blocks(parts)


def tabulate(records: pd.DataFrame) -> pd.DataFrame:
    """Return mean accuracy and drop from complete rows: a row per variant, a column per share."""
    means = records.pivot_table(index="variant", columns="share", values="accuracy")
    return means.loc[[ZEROS, DROPPED]]


def drops(means: pd.DataFrame) -> pd.Series:
    return means[0.0] - means[GOAL_AT]


def as_text(title: str, means: pd.DataFrame) -> str:
    found = drops(means)
    header = " | ".join(f"{share:.0%}" for share in means.columns)
    lines = [f"| {title}: share of rows that lack a block | {header} |"]
    lines.append("|---|" + "---:|" * means.shape[1])
    lines += [
        f"| {label} | " + " | ".join(f"{score:.3f}" for score in row) + " |"
        for label, row in means.iterrows()
    ]
    lines.append("")
    lines.append(
        f"Drop at {GOAL_AT:.0%}: {found[ZEROS]:.3f} with zeros, {found[DROPPED]:.3f} with "
        f"block dropout, {found[DROPPED] / found[ZEROS]:.2f} of it (goal: at most .50)."
    )
    return "\n".join(lines)


def draw(tables: dict[str, pd.DataFrame], path: Path) -> None:
    """Draw a panel per data set: accuracy against the share of rows that lack a block."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(tables), figsize=(4.5 * len(tables), 3.4), layout="constrained", squeeze=False
    )
    for axis, (title, means) in zip(axes[0], tables.items(), strict=True):
        for (label, row), colour in zip(means.iterrows(), ("tab:gray", "tab:blue"), strict=True):
            axis.plot(means.columns, row, "o-", color=colour, label=label)
        axis.set_xlabel("share of the rows that lack one block")
        axis.set_title(title, fontsize=10)
        axis.set_ylim(0, 1)
    axes[0, 0].set_ylabel("accuracy")
    axes[0, 0].legend(loc="lower left")
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("SKFUSION_DATA"))
    parser.add_argument("--write", type=Path, default=None, help="Markdown page to write")
    parser.add_argument("--picture", type=Path, default=None, help="file of the curves")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of the data sets: --data FOLDER, or SKFUSION_DATA")
    torch.set_num_threads(1)
    loaders, tables = jobs(Path(arguments.data)), {}
    for name in ("isl_gestures", "leaf"):
        job = loaders[name]()
        tables[job.name] = tabulate(measure(job))
        print(as_text(job.name, tables[job.name]), end="\n\n", flush=True)
    if arguments.picture is not None:
        draw(tables, arguments.picture)
    if arguments.write is not None:
        parts = [HEAD, *(as_text(title, means) for title, means in tables.items())]
        if arguments.picture is not None:
            shown = os.path.relpath(arguments.picture, arguments.write.parent)
            parts.append(f"![Accuracy against the share of rows that lack a block]({shown})")
        write_part(arguments.write, "robustness", "\n\n".join(parts))


if __name__ == "__main__":
    main()
