"""
Where will it rain in a quarter of an hour? Frames and motion
=============================================================

Weather radar, a frame every five minutes, two storms of three hours. A row is a tile of the map at
one moment; what is forecast is a picture as well, how each of the 8 x 8 cells of the tile will have
changed 15 minutes later: a regression with 64 outputs. The blocks:

- ``frames``: the last three frames of the tile and of a margin around it, as an image of three
  channels, through convolutions;
- ``motion``: the tile as it will look if the rain moves on as it did in the last 15 minutes, found
  by matching the tile with the frame of then; what is forecast from it alone is a classical radar
  extrapolation, corrected.

In each fold the networks learn from the earlier frames of both storms and forecast later ones. What
is scored is the change, not the picture: "nothing changes" (persistence) has an R2 of about 0, and
what is above 0 is skill.
"""

from __future__ import annotations

from itertools import pairwise

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
    select,
    start,
    verdict,
)
from scipy.ndimage import uniform_filter
from sklearn.base import BaseEstimator, RegressorMixin, clone

from skfusion import Blocks, FusionRegressor
from skfusion.encoders import CNN, MLP
from skfusion.heads import LinearHead

TILE, MARGIN, SHOWN = 8, 8, 4  # cells: of a tile, around it to match with, around it to learn from
FARTHEST = 4  # cells that rain may move in the time of AHEAD frames
AHEAD = 3
FRAMES, MOTION, BOTH = "frames", "motion", "frames + motion"
SAME, EXTRAPOLATED = "nothing changes", "extrapolation"

# %%
# Data
# ----
# Frames are averaged to cells of about 8 km; tiles without any rain in sight are left out.


def load_frames(folder) -> np.ndarray:
    """Return (2 storms, 40 frames, 152, 92) in hundreds of the file's units."""
    frames = np.load(folder / "fmi_radar_4x.npz")["frames"][:, :, :304, :184]
    return frames.reshape(2, 40, 152, 2, 92, 2).mean((3, 5)).astype(np.float32) / 100


def make_rows(storms: np.ndarray, first: int) -> tuple[Blocks, np.ndarray, pd.DataFrame]:
    """Return blocks, changes (n, 64), and storm, moment, top and left of each tile."""
    parts = [
        tiles_of(storm, moment).assign(storm=i)
        for i, storm in enumerate(storms)
        for moment in range(first, storms.shape[1] - AHEAD)
    ]
    places = pd.concat(parts, ignore_index=True)
    images = np.stack([cut_image(storms, place) for place in places.itertuples()])
    now, later, moved = cut_tiles(storms, places)
    X = Blocks({"frames": images, "motion": (moved - now).reshape(len(now), -1)})
    return X, (later - now).reshape(len(now), -1), places


def tiles_of(storm: np.ndarray, moment: int) -> pd.DataFrame:
    """Return the tiles in sight of rain, and by how many cells the rain there has moved."""
    height, width = storm.shape[1:]
    tops, lefts = (range(MARGIN, side - TILE - MARGIN + 1, TILE) for side in (height, width))
    top, left = (grid.ravel() for grid in np.meshgrid(tops, lefts, indexing="ij"))
    down, right = find_motion(storm[moment - AHEAD], storm[moment])
    middle = top + TILE // 2, left + TILE // 2
    wet = uniform_filter(storm[moment], TILE + 2 * MARGIN)[middle] > 0.01
    columns = {"top": top, "left": left, "down": down[middle], "right": right[middle]}
    return pd.DataFrame(columns)[wet].assign(moment=moment)


def find_motion(before: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each cell the shift that makes ``before`` most like ``now`` around it."""
    steps = range(-FARTHEST, FARTHEST + 1)
    shifts = np.array([(down, right) for down in steps for right in steps])
    shifts = shifts[np.argsort(np.abs(shifts).sum(1), kind="stable")]  # the shorter where equal
    errors = [
        uniform_filter((np.roll(before, tuple(shift), (0, 1)) - now) ** 2, TILE + 2 * MARGIN)
        for shift in shifts
    ]
    down, right = shifts[np.argmin(errors, axis=0)].transpose(2, 0, 1)
    return down, right


def cut_image(storms: np.ndarray, place) -> np.ndarray:
    rows = slice(place.top - SHOWN, place.top + TILE + SHOWN)
    columns = slice(place.left - SHOWN, place.left + TILE + SHOWN)
    moments = slice(place.moment - 2, place.moment + 1)
    return storms[place.storm, moments, rows, columns].transpose(1, 2, 0)


def cut_tiles(storms: np.ndarray, places: pd.DataFrame) -> tuple[np.ndarray, ...]:
    """Return each tile (n, 8, 8) as it is, as it will be, and moved on as the rain has moved."""
    storm, moment, top, left, down, right = (
        places[name].to_numpy()[:, None, None]
        for name in ("storm", "moment", "top", "left", "down", "right")
    )
    rows, columns = top + np.arange(TILE)[:, None], left + np.arange(TILE)
    now, later = storms[storm, moment, rows, columns], storms[storm, moment + AHEAD, rows, columns]
    return now, later, storms[storm, moment, rows - down, columns - right]


# %%
# Models
# ------


class Unlearned(RegressorMixin, BaseEstimator):
    """A forecast that is in the data already: that of a block, or no change."""

    def __init__(self, block: str | None = None) -> None:
        self.block = block

    def fit(self, X: Blocks, y: np.ndarray) -> Unlearned:
        self.n_outputs_ = y.shape[1]
        return self

    def predict(self, X: Blocks) -> np.ndarray:
        return np.zeros((len(X), self.n_outputs_)) if self.block is None else X[self.block]


def make_models(quick: bool) -> dict[str, BaseEstimator]:
    encoders = {
        "frames": CNN(channels=16, output="flatten", width=128),
        "motion": MLP(widths=(128,)),
    }
    choices = {FRAMES: ["frames"], MOTION: ["motion"], BOTH: ["frames", "motion"]}
    networks = {
        label: FusionRegressor(
            {name: encoders[name] for name in names},
            head=LinearHead(dropout=0.2),
            lr=0.002,
            max_epochs=2 if quick else 10,
            early_stopping=False,  # rows to stop by would be of the same frames as those to learn
            random_state=0,
        )
        for label, names in choices.items()
    }
    models = {label: select(choices[label], network) for label, network in networks.items()}
    return {**models, SAME: Unlearned(), EXTRAPOLATED: Unlearned("motion")}


def make_folds(places: pd.DataFrame, quick: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return folds in time: what is forecast while learning lies before all that is tested."""
    moment = places["moment"].to_numpy()
    cuts = [12, 18, 37] if quick else [22, 27, 32, 37]
    return [
        (
            np.flatnonzero(moment + AHEAD <= begin),
            np.flatnonzero((moment >= begin) & (moment < end)),
        )
        for begin, end in pairwise(cuts)
    ]


# %%
# The picture
# -----------
# The tile of the last fold that changes most, and what is made of it.


def draw(scores: pd.DataFrame, model, X: Blocks, y: np.ndarray, fold) -> plt.Figure:
    figure, axes = new_figure(14, 4, n_axes=5, width_ratios=[2.2, 1, 1, 1, 1])
    draw_bars(axes[0], scores, "15 minutes ahead, by what the network sees")
    train, test = fold
    row = test[np.square(y[test]).sum(axis=1).argmax()]
    forecast = clone(model).fit(X[train], y[train]).predict(X[[row]])
    now = X["frames"][row, SHOWN:-SHOWN, SHOWN:-SHOWN, -1]
    changes = {
        "now": np.zeros(TILE**2),
        "15 minutes later": y[row],
        "moved on": X["motion"][row],
        "fused": forecast[0],
    }
    for axis, (label, change) in zip(axes[1:], changes.items(), strict=True):
        tile = now + change.reshape(TILE, TILE)
        image = axis.imshow(tile, vmin=0, vmax=max(now.max(), (now.ravel() + y[row]).max()))
        error = np.sqrt(np.square(change - y[row]).mean())
        axis.set_title(label if change is y[row] else f"{label}: error {error:.2f}", fontsize=10)
        axis.set_axis_off()
    figure.colorbar(image, ax=axes[1:], label="reflectivity (hundreds of units)", shrink=0.7)
    return figure


# %%
# The job
# -------


def main() -> None:
    job = start("radar_next_frame", "Rain 15 minutes ahead, from frames and motion", "fmi_radar")
    storms = load_frames(job.data)[: 1 if job.quick else None]
    X, y, places = make_rows(storms, first=3)
    if job.quick:
        X, y, places = X[::4], y[::4], places[::4]
    print(X, end="\n\n")
    models, folds = make_models(job.quick), make_folds(places, job.quick)
    scores = compare(
        models,
        X,
        y,
        folds,
        "r2",
        fused=[BOTH],
        reference=[SAME, EXTRAPOLATED],
        n_jobs=job.n_jobs,
    )
    scores.attrs["metric"] = "R2 of the change"
    print_table(scores)
    known = best(scores, REFERENCE)
    sentence = f"{conclude(scores)} Against {known!r}, unlearned: {verdict(scores, BOTH, known)}."
    described = f"{len(folds)} folds forward in time, in both storms"
    figure = draw(scores, models[BOTH], X, y, folds[-1])
    finish(job, scores, figure, sentence, folds=described, n_rows=len(X))


if __name__ == "__main__":
    main()
