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

import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _jobs import (
    COLOURS,
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
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skfusion import Blocks, BlockUnion, FusionClassifier
from skfusion.datasets import load_docstrings
from skfusion.encoders import Encoder, FittedEncoder, SparseLinear
from skfusion.heads import LinearHead

FROZEN, TUNED, END_TO_END = "third on frozen two", "third tunes the two", "one network, end to end"

# %%
# Data
# ----


def load(job: Job) -> tuple[pd.DataFrame, np.ndarray]:
    packages = ("numpy",) if job.quick else ("numpy", "scipy", "sklearn", "pandas", "torch")
    X, y = load_docstrings(packages, return_X_y=True)
    rows = np.arange(0, len(y), 2 if job.quick else 1)
    return X.loc[rows, ["text", "signature"]].reset_index(drop=True), y[rows]


def make_union() -> BlockUnion:
    words = TfidfVectorizer(max_features=4000, min_df=2, sublinear_tf=True)
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 3), max_features=2000, min_df=2, sublinear_tf=True
    )
    return BlockUnion([("text", words, "text"), ("signature", characters, "signature")])


def make_network(encoders: dict[str, Encoder], quick: bool, lr: float = 0.01) -> FusionClassifier:
    return FusionClassifier(
        encoders,
        head=LinearHead(dropout=0.5),
        members=1,
        max_epochs=3 if quick else 40,
        lr=lr,
        batch_size=256,
        missing="allow",
        random_state=0,
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
        lr = 0.01 if self.frozen else 0.002  # small steps, or what was learned is lost
        self.third_ = make_network(encoders, self.quick, lr).fit(X, y)
        self.classes_ = self.third_.classes_
        return self

    def predict(self, X: Blocks) -> np.ndarray:
        """Return the area of each row."""
        return self.third_.predict(X)


def make_models(quick: bool, memory: str) -> dict[str, Pipeline]:
    """Return a pipeline per variant; ``memory`` keeps what the union made of a fold."""

    def behind_union(blocks: list[str], model: BaseEstimator) -> Pipeline:
        choose = FunctionTransformer(Blocks.select, kw_args={"names": blocks})
        return make_pipeline(make_union(), choose, model, memory=memory)

    def network(blocks: list[str]) -> FusionClassifier:
        return make_network({name: SparseLinear() for name in blocks}, quick)

    both = ["text", "signature"]
    return {
        "text": behind_union(["text"], network(["text"])),
        "signature": behind_union(["signature"], network(["signature"])),
        END_TO_END: behind_union(both, network(both)),
        FROZEN: behind_union(both, FedByTwo(frozen=True, quick=quick)),
        TUNED: behind_union(both, FedByTwo(frozen=False, quick=quick)),
    }


# %%
# The picture
# -----------
# To its right, what the accuracy costs: the third network waits for the first two. The blocks are
# made once per fold, for the first variant, and kept for the others.


def draw(scores: pd.DataFrame) -> plt.Figure:
    figure, axes = new_figure(width=12, width_ratios=[1.3, 1])
    draw_bars(axes[0], scores, "area of a docstring, by what the network sees")
    places = np.arange(len(scores))[::-1]
    bars = axes[1].barh(places, scores["seconds"], color=scores["kind"].map(COLOURS), alpha=0.75)
    axes[1].bar_label(bars, fmt="%.0f", padding=3, fontsize=9)
    axes[1].set_yticks(places, [])
    axes[1].set_xlabel("seconds per fit, all networks (the first: and making the blocks)")
    axes[1].margins(x=0.12)
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
    print(make_union().fit_transform(X), end="\n\n")
    folds = StratifiedKFold(2 if job.quick else 3, shuffle=True, random_state=0)
    with tempfile.TemporaryDirectory() as memory:
        models, fused = make_models(job.quick, memory), [END_TO_END, FROZEN, TUNED]
        scores = compare(models, X, y, folds, "accuracy", fused=fused, n_jobs=job.n_jobs)
    print_table(scores)
    sentence = (
        f"{conclude(scores)} Against end to end training, {FROZEN!r} is "
        f"{verdict(scores, FROZEN, END_TO_END)}."
    )
    described = f"{folds.n_splits} random folds, stratified by area"
    finish(job, scores, draw(scores), sentence, folds=described, n_rows=len(X))


if __name__ == "__main__":
    main()
