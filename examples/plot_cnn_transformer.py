"""
Convolutions, then a transformer
================================

Where on the strip is the largest digit? Each strip shows four different handwritten digits, real
ones (scikit-learn's digits, 1,797 of them), put side by side at random. Answering takes two steps
that suit two kinds of network: convolutions read a digit wherever it stands, attention compares
what stands in different places. ``Chain(CNN(), Transformer())`` does one after the other: each
position of the CNN's last feature map becomes a token of the transformer.

The strips are one block, so that nothing is fused here but two encoders. The chain is held against
each alone, the CNN with a layer behind that sees all positions, the transformer on patches of the
strip. The digits are dealt out to the folds before strips are made of them: no digit of a test
strip was seen in training.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _jobs import ALONE, best, compare, draw_bars, finish, new_figure, print_table, start, verdict
from sklearn.datasets import load_digits
from sklearn.model_selection import PredefinedSplit

from skfusion import Blocks, FusionClassifier
from skfusion.encoders import CNN, Chain, Encoder, Transformer

CHAIN = "CNN -> transformer"
N_DIGITS, N_FOLDS = 4, 3
POSITIONS = ["first", "second", "third", "fourth"]

# %%
# Strips
# ------


def make_strips(n_per_fold: int) -> tuple[Blocks, np.ndarray, np.ndarray]:
    """Return the strips, where the largest digit is, and the fold of each."""
    rng = np.random.default_rng(0)
    digits = load_digits()
    fold_of_digit = rng.integers(N_FOLDS, size=len(digits.target))
    strips, largest = [], []
    for fold in range(N_FOLDS):
        own = [np.flatnonzero((fold_of_digit == fold) & (digits.target == d)) for d in range(10)]
        for _ in range(n_per_fold):
            chosen = rng.permutation(10)[:N_DIGITS]
            images = [digits.images[rng.choice(own[digit])] for digit in chosen]
            strips.append(np.concatenate(images, axis=1))
            largest.append(POSITIONS[chosen.argmax()])
    pixels = (np.stack(strips)[..., None] * 255 / 16).astype(np.uint8)
    folds = np.repeat(np.arange(N_FOLDS), n_per_fold)
    return Blocks({"strip": pixels}), np.array(largest), folds


# %%
# Networks
# --------


def make_models(quick: bool) -> dict[str, FusionClassifier]:
    transformer = Transformer(width=32, expansion=2, patch_size=4, dropout=0.05)
    convolutions = CNN(channels=(16, 32, 32), output="flatten")
    encoders = {
        "transformer on patches": transformer,
        "CNN": convolutions,
        CHAIN: Chain(convolutions, transformer),
    }
    return {label: make_network(encoder, quick) for label, encoder in encoders.items()}


def make_network(encoder: Encoder, quick: bool) -> FusionClassifier:
    return FusionClassifier(
        {"strip": encoder},
        lr=0.004,
        max_epochs=2 if quick else 24,
        batch_size=64,
        random_state=0,
    )


# %%
# The picture
# -----------
# To its right, strips of the first fold that the chain gets wrong, with its answer.


def find_errors(
    model: FusionClassifier, X: Blocks, y: np.ndarray, folds: PredefinedSplit
) -> tuple[np.ndarray, np.ndarray]:
    train, test = next(folds.split())
    answers = model.fit(X[train], y[train]).predict(X[test])
    wrong = answers != y[test]
    return test[wrong], answers[wrong]


def draw(
    scores: pd.DataFrame, X: Blocks, y: np.ndarray, rows: np.ndarray, answers: np.ndarray
) -> plt.Figure:
    figure, axes = new_figure(width=12, width_ratios=[1.5, 1])
    draw_bars(axes[0], scores, "where is the largest of four digits?")
    axes[0].axvline(1 / N_DIGITS, color="black", linewidth=0.8, linestyle=":", label="chance")
    axes[0].legend(loc="upper right", fontsize=8)
    for place, (row, answer) in enumerate(zip(rows[:7], answers[:7], strict=True)):
        extent = (0, N_DIGITS, -place, -place + 0.85)
        axes[1].imshow(X["strip"][row, :, :, 0], cmap="gray_r", extent=extent)
        text = f"{y[row]}; chain: {answer}"
        axes[1].text(N_DIGITS + 0.15, -place + 0.42, text, va="center", fontsize=9)
    axes[1].set(xlim=(0, N_DIGITS + 3), ylim=(-6, 1))
    axes[1].set_axis_off()
    axes[1].set_title(f"fold 1: first of the chain's {len(rows)} errors", fontsize=10)
    return figure


# %%
# The job
# -------


def conclude(scores: pd.DataFrame) -> str:
    """Return one sentence on the chain against the better of its parts, from the figures."""
    part = best(scores, ALONE)
    return (
        f"Convolutions in front of a transformer reach {scores['mean'][CHAIN]:.3f} and the better "
        f"of the two alone, the {part}, {scores['mean'][part]:.3f}: the chain is "
        f"{verdict(scores, CHAIN, part)}."
    )


def main() -> None:
    job = start(
        "cnn_transformer",
        "Position of the largest digit on a strip of four",
        source="scikit-learn's load_digits: UCI, Optical Recognition of Handwritten Digits "
        "(Alpaydin and Kaynak, 1998). Licence: CC BY 4.0.",
    )
    X, y, fold_of = make_strips(150 if job.quick else 800)
    print(X, end="\n\n")
    models, folds = make_models(job.quick), PredefinedSplit(fold_of)
    scores = compare(models, X, y, folds, "accuracy", n_jobs=job.n_jobs)
    print_table(scores)
    figure = draw(scores, X, y, *find_errors(models[CHAIN], X, y, folds))
    described = f"{N_FOLDS} folds, each of digits that the others do not hold"
    notes = [
        "The digits are real; strips of four are put together at random. One block: the "
        "chain of two encoders against each of them alone."
    ]
    finish(job, scores, figure, conclude(scores), folds=described, n_rows=len(X), notes=notes)


if __name__ == "__main__":
    main()
