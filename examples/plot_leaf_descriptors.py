"""
Which tree is this leaf from? Margin, shape and texture
=======================================================

990 leaves of 99 species, ten each, described three times over: 64 numbers for the margin (its
teeth), 64 for the shape and 64 for the texture. Each description is a block with a network of its
own. There are only five leaves of a species to learn from, and five to be tested on: which
description tells most, and does one tell what another does not?

Dropout on the fused vector keeps such small networks from learning the leaves by heart.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _jobs import Job, compare, conclude, draw_bars, finish, new_figure, print_table, start
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skfusion import Blocks, BlockUnion, FusionClassifier
from skfusion.heads import LinearHead

BLOCKS = ["margin", "shape", "texture"]
PAIRS = [["margin", "shape"], ["margin", "texture"], ["shape", "texture"]]
ALL = "all three"

# %%
# Data and models
# ---------------


def load(job: Job) -> tuple[Blocks, np.ndarray]:
    arrays = np.load(job.data / "leaf.npz")
    species = np.unique(arrays["species"])[: 30 if job.quick else None]
    rows = np.flatnonzero(np.isin(arrays["species"], species))
    blocks = Blocks({name: arrays[name].astype(np.float32) for name in BLOCKS})
    return blocks[rows], arrays["species"][rows]


def make_model(names: list[str], quick: bool) -> Pipeline:
    network = FusionClassifier(
        head=LinearHead(dropout=0.5),
        lr=0.003,
        max_epochs=20 if quick else 100,
        early_stopping=False,  # of five leaves of a species none can be spared
        random_state=0,
    )
    return make_pipeline(BlockUnion([(name, StandardScaler(), name) for name in names]), network)


def make_models(quick: bool) -> dict[str, Pipeline]:
    choices = {" + ".join(names): names for names in [*([name] for name in BLOCKS), *PAIRS]}
    return {label: make_model(names, quick) for label, names in {**choices, ALL: BLOCKS}.items()}


def make_folds(quick: bool) -> StratifiedShuffleSplit:
    return StratifiedShuffleSplit(2 if quick else 4, test_size=0.5, random_state=0)


# %%
# The picture
# -----------
# Right, for one of the splits, the species that the single descriptions confuse most.


def find_errors(models: dict[str, Pipeline], X: Blocks, y: np.ndarray, folds) -> pd.DataFrame:
    """Return a row per species: the share of its leaves that each model takes for another's."""
    train, test = next(folds.split(X, y))
    wrong = {
        label: models[label].fit(X[train], y[train]).predict(X[test]) != y[test]
        for label in [*BLOCKS, ALL]
    }
    return pd.DataFrame(wrong).groupby(y[test]).mean()


def draw(scores: pd.DataFrame, errors: pd.DataFrame) -> plt.Figure:
    figure, axes = new_figure(12, 4.4, width_ratios=[1.5, 1])
    draw_bars(axes[0], scores, "species of a leaf, by what the network sees")
    hardest = errors.loc[errors[BLOCKS].mean(axis=1).sort_values().index[-12:]]
    image = axes[1].imshow(hardest, aspect="auto", cmap="Reds", vmin=0, vmax=1)
    axes[1].set_xticks(range(len(errors.columns)), errors.columns)
    names = hardest.index.str.replace("_", " ")
    axes[1].set_yticks(range(len(hardest)), names, fontsize=8, style="italic")
    axes[1].set_title("the hardest species of one split", fontsize=10)
    figure.colorbar(image, ax=axes[1], label="leaves taken for another species (share)")
    return figure


# %%
# The job
# -------


def main() -> None:
    job = start("leaf_descriptors", "Species of a leaf from margin, shape and texture", "leaf")
    X, y = load(job)
    print(X, end="\n\n")
    models, folds = make_models(job.quick), make_folds(job.quick)
    fused = [label for label in models if label not in BLOCKS]
    scores = compare(models, X, y, folds, "accuracy", fused=fused, n_jobs=job.n_jobs)
    print_table(scores)
    figure = draw(scores, find_errors(models, X, y, folds))
    described = f"{folds.n_splits} random splits, half and half, stratified by species"
    finish(job, scores, figure, conclude(scores), folds=described, n_rows=len(X))


if __name__ == "__main__":
    main()
