"""
Does fusion help?
=================

More blocks are not always better. Handwritten digits, 8 x 8 pixels each, are told apart twice:

- from the picture and a poor table: how much ink there is in each row and column, read off with
  noise. The table holds nothing that the picture does not show better.
- from the left and the right half of the picture, neither of which shows the whole digit.

For both, :func:`skfusion.inspection.ablation` compares each block alone with all blocks fused in
several ways, on the same folds, by a test that knows that folds share rows. Then two more questions
to fitted networks: what is each block worth (exact Shapley values, which share out what both can
say: a block may be worth something and still add nothing), and what does it cost when rows lack a
half, with and without ``block_dropout`` while training?
"""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _jobs import ALONE, FUSED, Job, start, write_result
from sklearn.datasets import load_digits
from sklearn.model_selection import RepeatedStratifiedKFold, train_test_split

from skfusion import Blocks, FusionClassifier
from skfusion.encoders import MLP
from skfusion.inspection import (
    AblationDisplay,
    BlockImportanceDisplay,
    MissingCurveDisplay,
    ablation,
    conclusion,
)

SOURCE = (
    "scikit-learn's load_digits: UCI, Optical Recognition of Handwritten Digits (Alpaydin and "
    "Kaynak, 1998). Licence: CC BY 4.0."
)

# %%
# Data
# ----


def load(quick: bool) -> tuple[np.ndarray, np.ndarray]:
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)
    return (images[:300], digits.target[:300]) if quick else (images, digits.target)


def with_poor_table(images: np.ndarray) -> Blocks:
    ink = np.hstack([images.sum(axis=1), images.sum(axis=2)])
    noise = np.random.default_rng(0).normal(scale=0.7, size=ink.shape)
    return Blocks({"picture": images.reshape(-1, 64), "table": (ink + noise).astype(np.float32)})


def in_halves(images: np.ndarray) -> Blocks:
    left, right = images[:, :, :4], images[:, :, 4:]
    return Blocks({"left": left.reshape(-1, 32), "right": right.reshape(-1, 32)})


def make_network(X: Blocks, quick: bool, block_dropout: float = 0.0) -> FusionClassifier:
    return FusionClassifier(
        {name: MLP((64,)) for name in X.names},
        max_epochs=3 if quick else 20,
        batch_size=128,
        lr=0.01,
        block_dropout=block_dropout,
        random_state=0,
    )


# %%
# Each block alone, and all fused early, in the middle, late
# ----------------------------------------------------------


def compare(X: Blocks, y: np.ndarray, job: Job) -> pd.DataFrame:
    n_splits = 2 if job.quick else 5
    folds = RepeatedStratifiedKFold(n_splits=n_splits, n_repeats=2, random_state=0)
    return ablation(make_network(X, job.quick), X, y, cv=folds, n_jobs=job.n_jobs)


# %%
# The picture
# -----------


def draw(
    tables: dict[str, pd.DataFrame], inputs: dict[str, Blocks], y: np.ndarray, quick: bool
) -> plt.Figure:
    figure, axes = plt.subplots(2, 2, figsize=(12, 7), layout="constrained")
    for ax, (title, table) in zip(axes[0], tables.items(), strict=True):
        AblationDisplay(table).plot(ax)
        ax.set_title(title, fontsize="medium")
    draw_importance(axes[1, 0], inputs["picture and poor table"], y, quick)
    draw_missing(axes[1, 1], inputs["two halves"], y, quick)
    return figure


def draw_importance(ax: plt.Axes, X: Blocks, y: np.ndarray, quick: bool) -> None:
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    network = make_network(X, quick, block_dropout=0.3).fit(X_train, y_train)
    BlockImportanceDisplay.from_estimator(network, X_test, y_test, method="shapley", ax=ax)


def draw_missing(ax: plt.Axes, X: Blocks, y: np.ndarray, quick: bool) -> None:
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    for block_dropout in (0.3, 0.0):
        network = make_network(X, quick, block_dropout).fit(X_train, y_train)
        MissingCurveDisplay.from_estimator(
            network, X_test, y_test, blocks=["one block at random"], random_state=0, ax=ax
        )
        ax.get_lines()[-1].set_label(f"trained with block_dropout={block_dropout}")
    ax.legend()
    ax.set_xlabel("share of the rows that lack one of the two halves")


# %%
# The job
# -------


def keep(job: Job, title: str, table: pd.DataFrame, n_rows: int, n_splits: int) -> None:
    """Write the record of one table, as all examples do."""
    kinds = np.where(table["kind"] == "block alone", ALONE, FUSED)
    result = pd.DataFrame(
        {"kind": kinds, "mean": table["mean"].to_numpy(), "spread": table["std"].to_numpy()},
        index=table["variant"],
    )
    result.attrs["metric"] = "accuracy"
    own = replace(
        job, name=f"{job.name}_{title.replace(' ', '_')}", title=f"Digit from {title} of it"
    )
    folds = f"{n_splits} random folds, stratified by digit, twice"
    write_result(own, result, conclusion(table), folds=folds, n_rows=n_rows)


def main() -> None:
    job = start("does_fusion_help", "Does fusion help?", source=SOURCE)
    images, y = load(job.quick)
    inputs = {"picture and poor table": with_poor_table(images), "two halves": in_halves(images)}
    tables = {title: compare(X, y, job) for title, X in inputs.items()}
    for title, table in tables.items():
        print(f"{title}, {len(y)} digits, accuracy over {table['n_folds'][0]} folds:")
        print(table.round(4).to_string(index=False), end="\n\n")
        keep(job, title, table, n_rows=len(y), n_splits=table["n_folds"][0] // 2)
    path = job.save_to / "does_fusion_help.png"
    draw(tables, inputs, y, job.quick).savefig(path, dpi=120)
    print(f"Picture: {path}. {job.seconds:.0f} seconds in all.")
    print(" ".join(f"For {title}: {conclusion(table)}" for title, table in tables.items()))


if __name__ == "__main__":
    main()
