"""
Which group is this emoji of? Picture and keywords
==================================================

1,324 emoji of 7 groups, such as "Animals & Nature": a classical mixed network, convolutions for
the picture and dense layers for the words. One row carries

- ``picture``, 32 x 32 pixels in colour, through a small CNN;
- ``Spanish`` and ``English`` keywords, each as TF-IDF: sparse, all the way into the first layer.

Keywords of an emoji are written by editors and hold its name. Does the picture add anything to
them, and do keywords in a second language? Groups are of unequal size (76 to 440), hence the score
is the F1 averaged over groups, "macro-F1". Some emoji are near copies of one another, a man and a
woman who do the same; random folds put one in training and the other into the test.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _emoji import draw_emoji, load_emoji
from _jobs import (
    Job,
    compare,
    conclude,
    draw_bars,
    finish,
    new_figure,
    print_table,
    start,
    verdict,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline

from skfusion import BlockUnion, FusionClassifier
from skfusion.encoders import CNN, SparseLinear
from skfusion.inputs import ArrayStacker

WORDS, ALL = "Spanish + English", "picture + both"

# %%
# Data and models
# ---------------
# Keywords are separated by bars; those of several words are cut into words.


def load(job: Job) -> tuple[pd.DataFrame, np.ndarray]:
    table, pictures = load_emoji(job.data)
    frame = table[["keywords_es", "keywords_en"]].assign(picture=list(pictures))
    rows = np.random.default_rng(0).permutation(len(frame))[: 300 if job.quick else None]
    return frame.iloc[rows].reset_index(drop=True), table["group"].to_numpy()[rows]


def make_union(blocks: list[str]) -> BlockUnion:
    words = TfidfVectorizer(token_pattern=r"[^|\s]+", binary=True)
    parts = {
        "picture": ("picture", ArrayStacker(), "picture"),
        "spanish": ("spanish", words, "keywords_es"),
        "english": ("english", words, "keywords_en"),
    }
    return BlockUnion([parts[name] for name in blocks])


def make_model(blocks: list[str], quick: bool) -> Pipeline:
    encoders = {
        "picture": CNN(channels=(16, 32)),
        "spanish": SparseLinear(dropout=0.3),
        "english": SparseLinear(dropout=0.3),
    }
    network = FusionClassifier(
        {name: encoders[name] for name in blocks},
        lr=0.005,
        max_epochs=5 if quick else 100,
        early_stopping=True,
        block_dropout=0.3,  # without it the fused network leans on the English words alone
        random_state=0,
    )
    return make_pipeline(make_union(blocks), network)


def make_models(quick: bool) -> dict[str, Pipeline]:
    choices = {
        "picture": ["picture"],
        "Spanish": ["spanish"],
        "English": ["english"],
        WORDS: ["spanish", "english"],
        ALL: ["picture", "spanish", "english"],
    }
    return {label: make_model(blocks, quick) for label, blocks in choices.items()}


def make_folds(quick: bool) -> StratifiedKFold:
    return StratifiedKFold(2 if quick else 4, shuffle=True, random_state=0)


# %%
# The picture
# -----------
# To its right, emoji of the first fold that are right with the picture and wrong without it, and
# the other way round.


def find_changed(
    models: dict[str, Pipeline], X: pd.DataFrame, y: np.ndarray, folds: StratifiedKFold
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that the picture brings right, and those that it brings wrong."""
    train, test = next(folds.split(X, y))
    words, fused = (
        models[label].fit(X.iloc[train], y[train]).predict(X.iloc[test]) == y[test]
        for label in (WORDS, ALL)
    )
    return test[fused & ~words], test[words & ~fused]


def draw(scores: pd.DataFrame, X: pd.DataFrame, gained: np.ndarray, lost: np.ndarray) -> plt.Figure:
    figure, axes = new_figure(width=12, n_axes=3, width_ratios=[2.2, 1, 1])
    draw_bars(axes[0], scores, "group of an emoji, by what the network sees")
    for axis, rows, label in ((axes[1], gained, "gained"), (axes[2], lost, "lost")):
        if len(rows):
            draw_emoji(axis, np.stack(X["picture"].iloc[rows[:25]]), per_row=5)
        axis.set_axis_off()
        axis.set_title(f"{label} by the picture in fold 1: {len(rows)}", fontsize=10)
    return figure


# %%
# The job
# -------


def main() -> None:
    job = start("emoji_image_keywords", "Group of an emoji from picture and keywords", "emoji")
    X, y = load(job)
    print(make_union(["picture", "spanish", "english"]).fit_transform(X), end="\n\n")
    models, folds = make_models(job.quick), make_folds(job.quick)
    scores = compare(models, X, y, folds, "f1_macro", fused=[WORDS, ALL], n_jobs=job.n_jobs)
    print_table(scores)
    figure = draw(scores, X, *find_changed(models, X, y, folds))
    sentence = (
        f"{conclude(scores)} Against the words of both languages without the picture, "
        f"{ALL!r} is {verdict(scores, ALL, WORDS)}."
    )
    described = f"{folds.n_splits} random folds, stratified by group"
    finish(job, scores, figure, sentence, folds=described, n_rows=len(X))


if __name__ == "__main__":
    main()
