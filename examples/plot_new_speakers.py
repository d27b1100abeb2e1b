"""
How good on people who were not heard? A held-out score to rely on
==================================================================

1,500 spoken digits of six speakers, as log-mel spectrograms, each less its mean over time. A
network is wanted that knows the digits of speakers who are not among the six. While it learns, the
estimator holds rows out to stop in time; their accuracy is the figure that one is tempted to quote.
How well does it foretell the accuracy on a new speaker?

- ``fit(X, y)`` holds out rows drawn at random, a tenth. Their speakers are all learned from as
  well, so that the score says how well the network knows *these* voices.
- ``fit(X, y, groups=speakers)`` holds out all rows of a speaker who is drawn at random. Here each
  takes a turn instead, by a ``PredefinedSplit``, so that no luck of the draw is in the average.
- The same with ``scoring="accuracy"``: the epoch with the best held-out accuracy is kept, instead
  of that with the lowest held-out loss. A score that chose the network is no longer neutral.

Each speaker is kept away from five fits and tested afterwards: in each of them another one of the
other five, or other random rows, are held out. One held-out voice may be harder or easier than the
next, and the network learns from four speakers instead of five; what counts is that the figure is
not biased. That loss and averaged weights make it so was found on these very folds, in ten trials.
The whole takes some minutes.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _jobs import (
    ALONE,
    REFERENCE,
    Job,
    draw_bars,
    finish,
    new_figure,
    print_table,
    scores_of,
    start,
    tabulate_scores,
)
from sklearn.model_selection import PredefinedSplit, StratifiedShuffleSplit
from sklearn.utils.parallel import Parallel, delayed

from skfusion import Blocks, FusionClassifier
from skfusion.encoders import TemporalCNN

ROWS, SPEAKER, CHOSEN = "random rows", "a speaker", "a speaker, by accuracy"
COLOURS = {ROWS: "tab:orange", SPEAKER: "tab:blue", CHOSEN: "tab:purple"}

# %%
# Data
# ----


def load(job: Job) -> tuple[Blocks, np.ndarray, np.ndarray]:
    """Return the spectrograms as sequences of (64, 40), the digits and the speakers."""
    clips = pd.read_csv(job.data / "clips.csv.gz")
    stored = np.load(job.data / "logmel_u8.npz")["logmel"].transpose(0, 2, 1)
    spectrograms = stored.astype(np.float32) / 255
    X = Blocks({"voice": spectrograms - spectrograms.mean(axis=1, keepdims=True)})
    return X, clips["digit"].to_numpy(), clips["speaker"].to_numpy()


# %%
# What is held out
# ----------------


def hold_out(y: np.ndarray, speakers: np.ndarray, by: str, turn: int) -> np.ndarray:
    """Return which rows to hold out: one speaker, a different one for each turn, or any rows."""
    if by != ROWS:
        return speakers == np.unique(speakers)[turn]
    ((_, chosen),) = StratifiedShuffleSplit(1, test_size=0.1, random_state=turn).split(y, y)
    return np.isin(np.arange(len(y)), chosen)


def make_model(held_out: np.ndarray, by: str, turn: int, quick: bool) -> FusionClassifier:
    return FusionClassifier(
        {"voice": TemporalCNN(channels=(48, 48, 48), pooling="max", dropout=0.2)},
        validation_split=PredefinedSplit(np.where(held_out, 0, -1)),
        scoring="accuracy" if by == CHOSEN else None,
        averaging="ema",
        max_epochs=2 if quick else 30,
        n_iter_no_change=8,
        random_state=turn,
    )


def promise_and_keep(
    X: Blocks, y: np.ndarray, speakers: np.ndarray, new: str, by: str, turn: int, quick: bool
) -> tuple[float, float]:
    """Return the accuracy on the rows that the fit held out, and on the new speaker."""
    known = np.flatnonzero(speakers != new)
    held_out = hold_out(y[known], speakers[known], by, turn)
    model = make_model(held_out, by, turn, quick).fit(X[known], y[known])
    rows, tested = known[held_out], np.flatnonzero(speakers == new)
    return model.score(X[rows], y[rows]), model.score(X[tested], y[tested])


def measure(X: Blocks, y: np.ndarray, speakers: np.ndarray, job: Job) -> dict[str, np.ndarray]:
    """Return by what is held out the scores, (speakers, turns, 2): held out, new speaker."""
    names = np.unique(speakers)
    turns = range(1 if job.quick else len(names) - 1)
    found = Parallel(n_jobs=job.n_jobs, batch_size=1)(
        delayed(promise_and_keep)(X, y, speakers, new, by, turn, job.quick)
        for by in COLOURS
        for new in names
        for turn in turns
    )
    shape = (len(COLOURS), len(names), len(turns), 2)
    return dict(zip(COLOURS, np.reshape(found, shape), strict=True))


# %%
# What comes out
# --------------


def tabulate(found: dict[str, np.ndarray]) -> pd.DataFrame:
    scores = {}
    for by, pairs in found.items():
        promised, kept = pairs.mean(1).T
        scores[f"{by}: held out"] = (REFERENCE, promised)
        scores[f"{by}: new speaker"] = (ALONE, kept)
    return tabulate_scores(scores, "accuracy")


def conclude(table: pd.DataFrame) -> str:
    rows, speaker, chosen = (describe_gap(table, by) for by in COLOURS)
    return (
        f"With random rows held out the fit promises {rows}. With a speaker held out it promises "
        f"{speaker}; and where the best held-out accuracy chooses the epoch, {chosen}."
    )


def describe_gap(table: pd.DataFrame, by: str) -> str:
    promised, kept = (scores_of(table, f"{by}: {what}") for what in ("held out", "new speaker"))
    gaps = promised - kept
    return (
        f"{promised.mean():.3f} and a new speaker gets {kept.mean():.3f}, off by "
        f"{gaps.mean():+.3f} on average ({gaps.min():+.3f} to {gaps.max():+.3f} by speaker)"
    )


def draw(table: pd.DataFrame, found: dict[str, np.ndarray]) -> plt.Figure:
    figure, axes = new_figure(12, 4.4, width_ratios=[1.25, 1])
    draw_bars(axes[0], table, "digit from a voice; one dot a new speaker")
    lowest = min(pairs.min() for pairs in found.values()) - 0.05
    axes[1].plot([lowest, 1], [lowest, 1], color="black", linewidth=0.8, linestyle=":")
    for by, pairs in found.items():
        promised, kept = pairs.reshape(-1, 2).T
        axes[1].plot(promised, kept, "o", color=COLOURS[by], alpha=0.6, label=by)
    axes[1].set(xlabel="accuracy on what the fit held out", ylabel="accuracy on a new speaker")
    axes[1].set_title("each fit; on the line the promise is kept", fontsize=10)
    axes[1].legend(loc="upper left", fontsize=8, title="held out")
    return figure


# %%
# The job
# -------


def main() -> None:
    job = start("new_speakers", "Spoken digit of a speaker who was not heard", "fsdd")
    X, y, speakers = load(job)
    print(X, end="\n\n")
    found = measure(X, y, speakers, job)
    table = tabulate(found)
    print_table(table)
    notes = [
        "The score of a fold is the mean of five fits, of the network that each of them kept.",
        "How to stop and to average was chosen on these folds.",
    ]
    described = f"{len(np.unique(speakers))} folds, each with one speaker as the test"
    figure = draw(table, found)
    finish(job, table, figure, conclude(table), folds=described, n_rows=len(X), notes=notes)


if __name__ == "__main__":
    main()
