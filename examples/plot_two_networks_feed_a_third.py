"""
Two trained networks feed a third
=================================

The classical recipe for mixed input: train one network per kind of data, cut off their last
layers, and let a third network decide from what they have learned. Here the two read docstrings of
the installed libraries:

- ``text``, the prose, as TF-IDF of its words;
- ``signature``, the call, as TF-IDF of its characters' n-grams; missing where Python cannot tell
  it.

The target is the area that a docstring was written for (see
:func:`skfusion.datasets.load_docstrings`). :class:`~skfusion.encoders.FittedEncoder` makes the
trained networks encoders of the third: frozen, or tuned on with it. Is that better than each
alone, and than one network that learns both from scratch, end to end? The two are trained on the
same rows as the third, never on a test row: training is part of ``fit``, and so of each fold.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _jobs import (
    ALONE,
    Job,
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
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline

from skfusion import Blocks, BlockUnion, FusionClassifier
from skfusion.datasets import load_docstrings
from skfusion.encoders import Encoder, FittedEncoder, SparseLinear
from skfusion.heads import LinearHead, MLPHead

FROZEN, TUNED, END_TO_END = "third on frozen two", "third tunes the two", "one network, end to end"

# %%
# Data
# ----


def load(job: Job) -> tuple[pd.DataFrame, np.ndarray]:
    packages = ("numpy", "scipy") if job.quick else ("numpy", "scipy", "sklearn", "pandas", "torch")
    X, y = load_docstrings(packages, return_X_y=True)
    few = np.isin(y, ["scipy.stats", "scipy.special", "numpy.ma"])
    rows = np.flatnonzero(few | (not job.quick))
    return X.loc[rows, ["text", "signature"]].reset_index(drop=True), y[rows]


def make_union(blocks: Iterable[str]) -> BlockUnion:
    words = TfidfVectorizer(max_features=4000, min_df=2, sublinear_tf=True)
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 3), max_features=2000, min_df=2, sublinear_tf=True
    )
    parts = {"text": ("text", words, "text"), "signature": ("signature", characters, "signature")}
    return BlockUnion([parts[name] for name in blocks])


def make_network(
    encoders: dict[str, Encoder], quick: bool, lr: float = 0.005, **arguments: Any
) -> FusionClassifier:
    return FusionClassifier(
        encoders,
        max_epochs=3 if quick else 40,
        lr=lr,
        batch_size=128,
        missing="allow",
        random_state=0,
        **{"head": LinearHead(dropout=0.5), **arguments},
    )


# %%
# The third network
# -----------------
# An estimator of its own, so that cross-validation trains the first two anew in each fold.


class FedByTwo(ClassifierMixin, BaseEstimator):
    """One network per block, trained alone; then a third that reads what they have learned.

    Parameters
    ----------
    frozen : bool, default=True
        Whether the two stay as they are while the third learns.
    quick : bool, default=False
        Whether to train for a few epochs only.
    """

    def __init__(self, frozen: bool = True, quick: bool = False) -> None:
        self.frozen = frozen
        self.quick = quick

    def fit(self, X: Blocks, y: np.ndarray) -> FedByTwo:
        """Train a network per block of ``X``, then the third."""
        self.networks_ = {
            name: make_network({name: SparseLinear()}, self.quick).fit(X.select([name]), y)
            for name in X.names
        }
        encoders = {
            name: FittedEncoder(network, frozen=self.frozen)
            for name, network in self.networks_.items()
        }
        head = MLPHead(widths=(128,), dropout=0.5)
        lr = 0.002 if self.frozen else 0.0005  # small steps, or what was learned is lost
        self.third_ = make_network(encoders, self.quick, lr=lr, head=head).fit(X, y)
        self.classes_ = self.third_.classes_
        return self

    def predict(self, X: Blocks) -> np.ndarray:
        """Return the area of each row."""
        return self.third_.predict(X)


def make_models(quick: bool) -> dict[str, Pipeline]:
    both = ("text", "signature")
    alone = {
        name: make_pipeline(make_union([name]), make_network({name: SparseLinear()}, quick))
        for name in both
    }
    end_to_end = make_network({name: SparseLinear() for name in both}, quick)
    return {
        **alone,
        END_TO_END: make_pipeline(make_union(both), end_to_end),
        FROZEN: make_pipeline(make_union(both), FedByTwo(frozen=True, quick=quick)),
        TUNED: make_pipeline(make_union(both), FedByTwo(frozen=False, quick=quick)),
    }


# %%
# The picture
# -----------
# To its right, the areas in which the third network gains and loses most against the best of the
# two, in the first fold.


def gains_by_area(
    model: Pipeline, other: Pipeline, X: pd.DataFrame, y: np.ndarray, folds: StratifiedKFold
) -> pd.Series:
    train, test = next(folds.split(X, y))
    right, before = (
        one.fit(X.iloc[train], y[train]).predict(X.iloc[test]) == y[test] for one in (model, other)
    )
    gains = pd.Series(right.astype(int) - before.astype(int)).groupby(y[test]).sum()
    return gains.sort_values()


def draw(scores: pd.DataFrame, gains: pd.Series, alone: str) -> plt.Figure:
    figure, axes = new_figure(height=4.4)
    draw_bars(axes[0], scores, "area of a docstring, 3 folds")
    shown = pd.concat([gains.head(6), gains.tail(8)])
    axes[1].barh(shown.index, shown, color=np.where(shown < 0, "tab:red", "tab:blue"))
    axes[1].tick_params(axis="y", labelsize=8)
    axes[1].set_xlabel(f"rows gained (or lost) against {alone!r} alone, fold 1")
    axes[1].set_title(f"{FROZEN}: where it differs most", fontsize=10)
    return figure


# %%
# The job
# -------


def main() -> None:
    source = (
        "Docstrings of the installed numpy, scipy, scikit-learn, pandas and torch (BSD-3-Clause)."
    )
    job = start(
        "two_networks_feed_a_third", "Area of a docstring from text and signature", source=source
    )
    X, y = load(job)
    print(make_union(["text", "signature"]).fit_transform(X), end="\n\n")
    models = make_models(job.quick)
    folds = StratifiedKFold(2 if job.quick else 3, shuffle=True, random_state=0)
    fused = [END_TO_END, FROZEN, TUNED]
    scores = compare(models, X, y, folds, "accuracy", fused=fused, n_jobs=job.n_jobs)
    print_table(scores)
    alone = best(scores, ALONE)
    figure = draw(scores, gains_by_area(models[FROZEN], models[alone], X, y, folds), alone)
    sentence = (
        f"{conclude(scores)} Against end to end training, {FROZEN!r} is "
        f"{verdict(scores, FROZEN, END_TO_END)}."
    )
    described = f"{folds.n_splits} random folds, stratified by area"
    finish(job, scores, figure, sentence, folds=described, n_rows=len(X))


if __name__ == "__main__":
    main()
