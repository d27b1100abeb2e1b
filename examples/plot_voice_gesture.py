"""
Which digit, spoken and written? Voices paired with pen gestures
================================================================

Somebody says a digit and writes it: two blocks,

- ``voice``: the spoken digit, raw samples at 8 kHz, as a log-mel spectrogram through dilated
  convolutions over time;
- ``gesture``: the digit as it was written, 8 x 8 pixels (the handwritten digits that come with
  scikit-learn), through a CNN.

The pairs are made up, and this is how: voices and gestures come from different people, who never
met. Before anything is paired both are split into three parts, the voices by speaker (two of six
in a part), the gestures at random; then each voice gets a gesture of the same digit *from its own
part*. So no speaker and no gesture is both learned from and tested. Given the digit the two blocks
are independent, which real voices and gestures of one person are not: fusion has an easy task here.

Voices are tested on people who were not heard while learning, four others were; a network that
learns to trust what it hears from those four may trust too much. So the fused network is trained
in two ways: plain, and balanced, with a loss of each block's own (``block_loss_weight``) and with
blocks left out at random (``block_dropout``).
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
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline

from skfusion import Blocks, BlockUnion, FusionClassifier, Ragged
from skfusion.encoders import CNN, TemporalCNN
from skfusion.inputs import LogMel

N_PARTS = 3
VOICE, GESTURE = "voice", "gesture"
PLAIN, BALANCED = "both, plain", "both, balanced"

# %%
# Data
# ----


def load(job: Job) -> tuple[Blocks, np.ndarray, np.ndarray]:
    """Return blocks, digits and the part of each row."""
    voices, digits, speakers = load_voices(job.data)
    parts = np.unique(speakers, return_inverse=True)[1] * N_PARTS // len(np.unique(speakers))
    images, labels = load_digits(return_X_y=True)
    paired = images[pair(digits, parts, labels)].reshape(-1, 8, 8, 1).astype(np.float32) / 16
    X = Blocks({"voice": voices, "gesture": paired})
    rows = slice(None, None, 3 if job.quick else None)
    return X[rows], digits[rows], parts[rows]


def load_voices(folder) -> tuple[Ragged, np.ndarray, np.ndarray]:
    """Return the clips, their digits and their speakers; samples are expanded from mu-law."""
    clips = np.load(folder / "raw_mulaw_600.npz")
    coded = clips["samples"].astype(np.float32) / 127.5 - 1
    samples = np.sign(coded) * (256 ** np.abs(coded) - 1) / 255
    names = np.array([name.split("_")[:2] for name in clips["name"]])
    return Ragged(samples, clips["offsets"]), names[:, 0].astype(int), names[:, 1]


def pair(digits: np.ndarray, parts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return for each voice the number of a gesture of its digit and its part."""
    rng = np.random.default_rng(0)
    split = StratifiedKFold(N_PARTS, shuffle=True, random_state=0).split(labels, labels)
    pools = [held_out for _, held_out in split]
    return np.array(
        [
            rng.choice(pools[part][labels[pools[part]] == digit])
            for digit, part in zip(digits, parts, strict=True)
        ]
    )


# %%
# Models
# ------


def make_model(names: list[str], quick: bool, **balance: float) -> BaseEstimator:
    spectrograms = LogMel(sample_rate=8000, n_mels=40, n_fft=256, hop_length=160, duration=0.7)
    parts = {
        "voice": ("voice", spectrograms, "voice"),
        "gesture": ("gesture", "passthrough", "gesture"),
    }
    encoders = {
        "voice": TemporalCNN(pooling="max", dropout=0.2),
        "gesture": CNN(channels=(16, 32), dropout=0.3),
    }
    network = FusionClassifier(
        {name: encoders[name] for name in names},
        lr=0.003,
        max_epochs=3 if quick else 30,
        early_stopping=False,  # rows held out at random would be of voices that are learned
        random_state=0,
        **balance,
    )
    return make_pipeline(BlockUnion([parts[name] for name in names]), network)


def make_models(quick: bool) -> dict[str, BaseEstimator]:
    both = ["voice", "gesture"]
    return {
        VOICE: make_model(["voice"], quick),
        GESTURE: make_model(["gesture"], quick),
        PLAIN: make_model(both, quick),
        BALANCED: make_model(both, quick, block_loss_weight=1.0, block_dropout=0.3),
    }


def make_folds(parts: np.ndarray, quick: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    return [
        (np.flatnonzero(parts != part), np.flatnonzero(parts == part))
        for part in range(2 if quick else N_PARTS)
    ]


# %%
# The picture
# -----------


def draw(scores: pd.DataFrame, X: Blocks, y: np.ndarray) -> plt.Figure:
    figure, axes = new_figure(13, 4, width_ratios=[1, 1.2])
    draw_bars(axes[0], scores, "digit, by what the network hears and sees")
    mel = LogMel(sample_rate=8000, n_mels=40, n_fft=256, hop_length=160, standardize=False)
    axes[1].set_axis_off()
    axes[1].set_title("five pairs: voice (frequency over time) and gesture", fontsize=10)
    for place in range(5):
        row = np.flatnonzero(y == 2 * place)[0]
        left = place / 5
        upper = axes[1].inset_axes((left, 0.47, 0.18, 0.42))
        upper.imshow(mel.fit_transform(X["voice"][[row]])[0].T, origin="lower", aspect="auto")
        upper.set_title(f"{y[row]}", fontsize=10)
        lower = axes[1].inset_axes((left, 0, 0.18, 0.42))
        lower.imshow(X["gesture"][row, :, :, 0], cmap="gray_r")
        for axis in (upper, lower):
            axis.set_xticks([])
            axis.set_yticks([])
    return figure


# %%
# The job
# -------


def main() -> None:
    job = start("voice_gesture", "Digit from a voice and a pen gesture", "fsdd")
    job.source += " Gestures: handwritten digits (Alpaydin and Kaynak, 1998), in scikit-learn."
    X, y, parts = load(job)
    print(X, end="\n\n")
    models, folds = make_models(job.quick), make_folds(parts, job.quick)
    scores = compare(models, X, y, folds, "accuracy", fused=[PLAIN, BALANCED], n_jobs=job.n_jobs)
    print_table(scores)
    sentence = (
        f"{conclude(scores)} Balanced training against plain: {verdict(scores, BALANCED, PLAIN)}."
    )
    described = f"{len(folds)} folds by speaker; gestures split into the same parts before pairing"
    notes = ["Voices and gestures are of different people, paired by digit within each part."]
    figure = draw(scores, X, y)
    finish(job, scores, figure, sentence, folds=described, n_rows=len(X), notes=notes)


if __name__ == "__main__":
    main()
