"""
An image and a table: two halves of a digit
===========================================

Images of handwritten digits that come with scikit-learn, cut in two so that every user has a row
with two kinds of data: the left half stays an image, 8 x 4 pixels, and goes through convolutions;
the right half becomes a table of 32 numbers, and goes through dense layers. Neither half shows the
whole digit. No data is downloaded.

The linear model of scikit-learn on all 64 numbers is a reference: the fused network must not only
beat its halves.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _jobs import (
    REFERENCE,
    best,
    compare,
    conclude,
    draw_bars,
    finish,
    new_figure,
    print_table,
    start,
    verdict,
)
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler

from skfusion import Blocks, BlockUnion, FusionClassifier
from skfusion.encoders import CNN, MLP

LEFT, RIGHT, ALL = "image (left half)", "table (right half)", "image + table"
LINEAR = "logistic regression, all pixels"

# %%
# Data and models
# ---------------


def load(quick: bool) -> tuple[Blocks, np.ndarray]:
    images, digits = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype(np.float32)[: 500 if quick else None]
    left = images[:, :, :4, np.newaxis] / 16
    right = images[:, :, 4:].reshape(len(images), 32)
    return Blocks({"image": left, "table": right}), digits[: len(images)]


def make_model(names: list[str], quick: bool) -> BaseEstimator:
    encoders = {"image": CNN(channels=(16, 32)), "table": MLP(widths=(64, 64))}
    parts = {
        "image": ("image", "passthrough", "image"),
        "table": ("table", MinMaxScaler(), "table"),
    }
    network = FusionClassifier(
        {name: encoders[name] for name in names},
        lr=0.003,
        max_epochs=5 if quick else 40,
        random_state=0,
    )
    return make_pipeline(BlockUnion([parts[name] for name in names]), network)


def make_models(quick: bool) -> dict[str, BaseEstimator]:
    pixels = make_pipeline(FunctionTransformer(as_pixels), LogisticRegression(max_iter=300))
    return {
        LEFT: make_model(["image"], quick),
        RIGHT: make_model(["table"], quick),
        ALL: make_model(["image", "table"], quick),
        LINEAR: pixels,
    }


def as_pixels(X: Blocks) -> np.ndarray:
    return np.hstack([X["image"].reshape(len(X), -1), X["table"] / 16])


def make_folds(quick: bool) -> StratifiedKFold:
    return StratifiedKFold(2 if quick else 5, shuffle=True, random_state=0)


# %%
# The picture
# -----------
# Middle, digits that both halves alone take for another one, and the two together do not. Right,
# how often each digit is missed.


def predict(models: dict[str, BaseEstimator], X: Blocks, y: np.ndarray, cv, n_jobs) -> pd.DataFrame:
    return pd.DataFrame(
        {
            label: cross_val_predict(models[label], X, y, cv=cv, n_jobs=n_jobs)
            for label in (LEFT, RIGHT, ALL)
        }
    )


def draw(scores: pd.DataFrame, X: Blocks, y: np.ndarray, predicted: pd.DataFrame) -> plt.Figure:
    figure, axes = new_figure(13, 4, n_axes=3, width_ratios=[1.3, 0.9, 1])
    draw_bars(axes[0], scores, "digit, by what the network sees")
    draw_digits(axes[1], X, y, predicted)
    missed = predicted[[LEFT, RIGHT, ALL]].ne(y, axis=0).groupby(y).mean() * 100
    missed.plot.bar(ax=axes[2], rot=0, width=0.8, color=["silver", "dimgray", "tab:blue"])
    axes[2].set_xlabel("digit")
    axes[2].set_ylabel("missed (%)")
    axes[2].legend(fontsize=8)
    axes[2].set_title("which digits are missed", fontsize=10)
    return figure


def draw_digits(axis: plt.Axes, X: Blocks, y: np.ndarray, predicted: pd.DataFrame) -> None:
    rescued = predicted[LEFT].ne(y) & predicted[RIGHT].ne(y) & predicted[ALL].eq(y)
    rows = np.flatnonzero(rescued)[:12]
    axis.set_title(f"right together, wrong alone: {rescued.sum()} digits", fontsize=10)
    axis.set_axis_off()
    for place, row in enumerate(rows):
        image = np.hstack([X["image"][row, :, :, 0] * 16, X["table"][row].reshape(8, 4)])
        inset = axis.inset_axes((place % 4 / 4, 1 - (place // 4 + 1) / 3, 0.23, 0.24))
        inset.imshow(image, cmap="gray_r")
        inset.axvline(3.5, color="tab:red", linewidth=0.8)
        alone = f"{predicted[LEFT][row]} | {predicted[RIGHT][row]}"
        inset.set_title(f"{y[row]}, not {alone}", fontsize=8, pad=2)
        inset.set_axis_off()


# %%
# The job
# -------


def main() -> None:
    source = (
        "Optical recognition of handwritten digits (Alpaydin and Kaynak, 1998), in scikit-learn"
    )
    job = start(
        "image_table", "Digit from an image (left half) and a table (right half)", source=source
    )
    X, y = load(job.quick)
    print(X, end="\n\n")
    models, folds = make_models(job.quick), make_folds(job.quick)
    scores = compare(
        models, X, y, folds, "accuracy", fused=[ALL], reference=[LINEAR], n_jobs=job.n_jobs
    )
    print_table(scores)
    figure = draw(scores, X, y, predict(models, X, y, folds, job.n_jobs))
    linear = best(scores, REFERENCE)
    sentence = f"{conclude(scores)} Against {linear}: {verdict(scores, ALL, linear)}."
    described = f"{folds.n_splits} random folds, stratified by digit"
    notes = ["One set of images, cut in two: both blocks are of the same pen stroke."]
    finish(job, scores, figure, sentence, folds=described, n_rows=len(X), notes=notes)


if __name__ == "__main__":
    main()
