"""
Which character is being drawn? A clip against its last frame
==============================================================

136 characters of five alphabets, each drawn by 20 people and replayed on the clock of the pen, as a
clip. The last frame is the finished character. Does it help to have seen how it came about, which
stroke first and which way?

- ``drawing``: the last frame alone, 14 x 14 pixels, through a CNN (28 x 28 score no better);
- ``clip``: 6 of 12 frames of that size, each with a second channel, the ink that is new since the
  frame before, through the same CNN per frame and a bidirectional GRU over the frames: what Keras
  calls ``TimeDistributed(Conv2D(...))`` in front of ``Bidirectional(GRU(...))``.

Folds are by drawer: whatever is tested is of hands that were not seen while learning. The networks
were chosen on drawers 1 to 10 against 11 to 14, who are among those tested in the second and third
fold; the first fold's are untouched by it. The whole takes about two minutes on two cores.
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
    select,
    start,
    verdict,
)
from sklearn.base import BaseEstimator

from skfusion import Blocks, FusionClassifier
from skfusion.encoders import CNN, RNN, TimeDistributed

DRAWING, CLIP, BOTH = "drawing (last frame)", "clip (6 frames)", "clip + drawing"

# %%
# Data and models
# ---------------


def load(job: Job) -> tuple[Blocks, np.ndarray, np.ndarray]:
    """Return blocks, characters and drawers."""
    table = pd.read_csv(job.data / "drawings.csv.gz")
    clip = make_clip(np.load(job.data / "video_12x28x28.npz")["video"])
    X = Blocks({"drawing": np.ascontiguousarray(clip[:, -1, :, :, :1]), "clip": clip})
    character = (table["alphabet"] + " " + table["character"].str[-2:]).to_numpy()
    drawer = table["id"].str[-2:].astype(int).to_numpy()
    rows = np.flatnonzero(np.isin(character, np.unique(character)[: 20 if job.quick else None]))
    return X[rows], character[rows], drawer[rows]


def make_clip(video: np.ndarray) -> np.ndarray:
    """Return every second frame at half the size, (n, 6, 14, 14, 2): all ink, and what is new."""
    ink = video[:, 1::2].reshape(-1, 6, 14, 2, 14, 2).mean((3, 5))
    new = np.diff(ink, axis=1, prepend=0).clip(0)
    return np.stack([ink, new], axis=-1).astype(np.uint8)


def make_models(quick: bool) -> dict[str, BaseEstimator]:
    frame = CNN(channels=(16, 32), output="flatten", width=None)
    over_time = RNN(width=96, bidirectional=True, pooling="mean", dropout=0.3)
    encoders = {
        "drawing": frame,
        # Small frames are encoded faster many at a time.
        "clip": TimeDistributed(frame, over=over_time, chunk_size=256),
    }
    choices = {DRAWING: (["drawing"], 24), CLIP: (["clip"], 24), BOTH: (["drawing", "clip"], 24)}
    return {
        label: select(
            names, make_network({name: encoders[name] for name in names}, 2 if quick else n_epochs)
        )
        for label, (names, n_epochs) in choices.items()
    }


def make_network(encoders: dict, n_epochs: int) -> FusionClassifier:
    return FusionClassifier(
        encoders,
        lr=0.003,
        batch_size=32,
        max_epochs=n_epochs,
        early_stopping=False,  # rows held out at random would be of the hands that are learned
        random_state=0,
    )


def make_folds(drawer: np.ndarray, quick: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return folds that hold out drawers 15 to 20, 8 to 14, 1 to 7."""
    parts = [drawer >= 15, (drawer >= 8) & (drawer < 15), drawer < 8]
    return [(np.flatnonzero(~part), np.flatnonzero(part)) for part in parts[: 2 if quick else 3]]


# %%
# The picture
# -----------


def draw(scores: pd.DataFrame, X: Blocks, y: np.ndarray) -> plt.Figure:
    figure, axes = new_figure(12.5, 4, width_ratios=[1.2, 1])
    draw_bars(axes[0], scores, "character, by what the network sees; unseen drawers")
    axes[1].set_axis_off()
    axes[1].set_title("clips: six frames each, the last is the drawing", fontsize=10)
    for place, row in enumerate(np.linspace(0, len(y) - 1, 6).astype(int)):
        frames = np.pad(255 - X["clip"][row, :, :, :, 0], ((0, 0), (0, 0), (0, 1)))
        strip = axes[1].inset_axes((0.3, 1 - (place + 1) / 6, 0.7, 0.155))
        strip.imshow(np.hstack(frames), cmap="gray")
        strip.set_axis_off()
        strip.text(-3, 7, y[row], ha="right", va="center", fontsize=8)
    return figure


# %%
# The job
# -------


def main() -> None:
    job = start("strokes_video", "Character from a clip of its drawing", "omniglot")
    X, y, drawer = load(job)
    print(X, end="\n\n")
    models, folds = make_models(job.quick), make_folds(drawer, job.quick)
    scores = compare(models, X, y, folds, "accuracy", n_jobs=job.n_jobs)
    print_table(scores)
    sentence = (
        f"{conclude(scores)} The clip by itself, against its last frame: "
        f"{verdict(scores, CLIP, DRAWING)}."
    )
    figure = draw(scores, X, y)
    described = f"{len(folds)} folds by drawer; the first holds out drawers 15 to 20"
    finish(job, scores, figure, sentence, folds=described, n_rows=len(X))


if __name__ == "__main__":
    main()
