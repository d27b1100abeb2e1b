"""
Parkinson's disease from a spiral: the drawing and how it was drawn
===================================================================

148 exams of 76 people who traced a spiral on a tablet: 61 with Parkinson's disease, 15 without. An
exam is an image and a clinical sequence:

- ``drawing``: the trace, 64 x 64 pixels, through a CNN;
- ``course``: 128 steps of position, pressure, angle of the pen, time and speed, through dilated
  convolutions over time.

Folds are by person: no one is both learned from and tested. With 15 people to compare with, every
figure below is uncertain, and no medical advice.

The fused network is trained in two ways: plain, and balanced, with a loss of each block's own
(``block_loss_weight``) and with blocks left out at random (``block_dropout``), so that neither
block is neglected for the other.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
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
from sklearn.base import BaseEstimator
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skfusion import Blocks, BlockUnion, FusionClassifier
from skfusion.encoders import CNN, TemporalCNN
from skfusion.inputs import SequenceStacker

DRAWING, COURSE = "drawing", "course"
PLAIN, BALANCED = "both, plain", "both, balanced"

# %%
# Data and models
# ---------------


def load(job: Job) -> tuple[Blocks, np.ndarray, np.ndarray]:
    """Return blocks, labels (1 for the disease) and people."""
    exams = pd.read_csv(job.data / "exams.csv")
    arrays = np.load(job.data / "data.npz")
    X = Blocks({"drawing": arrays["image"][..., np.newaxis], "course": arrays["sequence"]})
    return X, exams["label"].to_numpy(), exams["subject"].to_numpy()


def make_model(names: list[str], quick: bool, **balance: float) -> BaseEstimator:
    parts = {
        "drawing": ("drawing", "passthrough", "drawing"),
        "course": ("course", SequenceStacker(), "course"),
    }
    encoders = {
        "drawing": CNN(channels=(8, 16, 16), dropout=0.3),
        "course": TemporalCNN(channels=(32, 32, 32), dropout=0.2),
    }
    network = FusionClassifier(
        {name: encoders[name] for name in names},
        lr=0.002,
        max_epochs=4 if quick else 30,
        random_state=0,
        **balance,
    )
    return make_pipeline(BlockUnion([parts[name] for name in names]), network)


def make_models(quick: bool) -> dict[str, BaseEstimator]:
    both = ["drawing", "course"]
    return {
        DRAWING: make_model(["drawing"], quick),
        COURSE: make_model(["course"], quick),
        PLAIN: make_model(both, quick),
        BALANCED: make_model(both, quick, block_loss_weight=1.0, block_dropout=0.3),
    }


def make_folds(quick: bool) -> StratifiedGroupKFold:
    return StratifiedGroupKFold(2 if quick else 5, shuffle=True, random_state=0)


# %%
# The picture
# -----------


def draw(scores: pd.DataFrame, X: Blocks, y: np.ndarray) -> plt.Figure:
    figure, axes = new_figure(13, 4, n_axes=4, width_ratios=[1.6, 0.8, 0.8, 1.1])
    draw_bars(axes[0], scores, "disease or not, people not seen before")
    shown = {"without": np.flatnonzero(y == 0)[0], "with the disease": np.flatnonzero(y == 1)[0]}
    for axis, (label, row) in zip(axes[1:3], shown.items(), strict=True):
        axis.imshow(255 - X["drawing"][row, :, :, 0], cmap="gray")
        axis.set_title(f"drawing, {label}", fontsize=10)
        axis.set_axis_off()
    for label, row in shown.items():
        time, speed = X["course"][row][:, 4], X["course"][row][:, 5]
        axes[3].plot(time, speed, linewidth=1, label=label)
    axes[3].set_xlabel("time (s)")
    axes[3].set_ylabel("speed of the pen")
    axes[3].set_title("course: one of its six channels", fontsize=10)
    axes[3].legend(fontsize=8)
    return figure


# %%
# The job
# -------


def main() -> None:
    job = start(
        "spiral_sequence", "Parkinson's disease from drawing and course", "parkinson_spiral"
    )
    X, y, people = load(job)
    print(X, end="\n\n")
    models, folds = make_models(job.quick), make_folds(job.quick)
    scores = compare(
        models, X, y, folds, "roc_auc", fused=[PLAIN, BALANCED], groups=people, n_jobs=job.n_jobs
    )
    print_table(scores)
    sentence = (
        f"{conclude(scores)} Balanced training against plain: {verdict(scores, BALANCED, PLAIN)}."
    )
    described = f"{folds.n_splits} folds by person, stratified"
    notes = ["15 of 76 people are controls: all figures are uncertain."]
    figure = draw(scores, X, y)
    finish(job, scores, figure, sentence, folds=described, n_rows=len(X), notes=notes)


if __name__ == "__main__":
    main()
