"""
Which letter does the hand sign? Muscles and motion
===================================================

The 26 letters of the Italian sign language, 30 recordings each, by an armband that measures two
things at once, for two seconds:

- ``muscles``: the envelope of 8 electromyograms (EMG), 50 steps;
- ``motion``: 10 channels of an inertial sensor (IMU), the same 50 steps.

The two are truly simultaneous: no pairing, no alignment. Both are sequences through dilated
convolutions over time. One fifth of the recordings (six a letter) is there to learn from, as if a
new user had to train the armband, and the rest to be tested on; all recordings are of one and the
same collection, so that nothing is said here about hands that were never seen.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _jobs import Job, compare, conclude, draw_bars, finish, new_figure, print_table, start
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline

from skfusion import Blocks, BlockUnion, FusionClassifier
from skfusion.encoders import TemporalCNN
from skfusion.inputs import SequenceStacker

BLOCKS = ["muscles", "motion"]
ALL = "muscles + motion"
SHOWN = "L"

# %%
# Data and models
# ---------------
# ``SequenceStacker`` standardises each channel by the rows that a model learns from.


def load(job: Job) -> tuple[Blocks, np.ndarray]:
    arrays = np.load(job.data / "data.npz")
    letters = pd.read_csv(job.data / "samples.csv.gz")["letter"].to_numpy()
    X = Blocks({"muscles": arrays["emg"].astype(np.float32), "motion": arrays["imu"]})
    return X, letters


def make_model(names: list[str], quick: bool) -> Pipeline:
    network = FusionClassifier(
        {name: TemporalCNN() for name in names},
        lr=0.002,
        max_epochs=8 if quick else 60,
        random_state=0,
    )
    return make_pipeline(BlockUnion([(name, SequenceStacker(), name) for name in names]), network)


def make_models(quick: bool) -> dict[str, Pipeline]:
    choices = {**{name: [name] for name in BLOCKS}, ALL: BLOCKS}
    return {label: make_model(names, quick) for label, names in choices.items()}


def make_folds(quick: bool) -> StratifiedShuffleSplit:
    return StratifiedShuffleSplit(2 if quick else 4, train_size=0.2, random_state=0)


# %%
# The picture
# -----------
# Left, one recording: both blocks share their clock.


def draw(scores: pd.DataFrame, X: Blocks, y: np.ndarray) -> plt.Figure:
    figure, axes = new_figure(12, 4, n_axes=3, width_ratios=[1, 1, 1.4])
    row = np.flatnonzero(y == SHOWN)[0]
    seconds = np.arange(50) / 25
    axes[0].plot(seconds, X["muscles"][row], linewidth=1)
    axes[0].set_title(f"muscles, one letter {SHOWN}: 8 electromyograms", fontsize=10)
    axes[0].set_ylabel("envelope")
    motion = X["motion"][row]
    axes[1].plot(seconds, (motion - motion.mean(0)) / (motion.std(0) + 1e-6), linewidth=1)
    axes[1].set_title("motion, the same letter: 10 channels", fontsize=10)
    axes[1].set_ylabel("standardised")
    for axis in axes[:2]:
        axis.set_xlabel("seconds")
    draw_bars(axes[2], scores, "letter, by what the network sees")
    return figure


# %%
# The job
# -------


def main() -> None:
    job = start("emg_imu", "Signed letter from muscles (EMG) and motion (IMU)", "isl_gestures")
    X, y = load(job)
    print(X, end="\n\n")
    folds = make_folds(job.quick)
    scores = compare(make_models(job.quick), X, y, folds, "accuracy", n_jobs=job.n_jobs)
    print_table(scores)
    described = (
        f"{folds.n_splits} random splits, stratified by letter: 20 % to learn from, 80 % to test"
    )
    figure = draw(scores, X, y)
    finish(job, scores, figure, conclude(scores), folds=described, n_rows=len(X))


if __name__ == "__main__":
    main()
