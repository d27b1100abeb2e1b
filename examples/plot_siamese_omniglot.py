"""
The same character? A siamese network on alphabets it never saw
===============================================================

Two drawings by two people: do they show the same character? That is verification, as of faces or
signatures, and its point is that the characters of the test are not those of the training. Koch et
al. (2015, "Siamese neural networks for one-shot image recognition") proposed the omniglot
characters for it; here are 136 of them in five alphabets, 20 drawings each, 28 x 28 pixels. Each
alphabet in turn is the test, and the other four make the pairs to learn from. The two characters of
a pair that differ are of one alphabet, so that telling alphabets apart is of no use.

Both drawings go through one CNN: ``{"left": CNN(...), "right": SameAs("left")}``. The fusion then
has to compare two vectors. Concatenated, they are compared by a hidden layer; multiplied, by the
operator itself; and the paper's absolute difference is a fusion of this example's own, in ten
lines. For comparison there are two CNNs with weights of their own, and the distance in pixels, of
the drawings as they are and blurred.

The equal error rate (EER) is what counts: the share of wrong answers at the threshold where as many
equal pairs are rejected as different ones are let through; 0.5 is chance. Tables and picture have
1 - EER, so that more is better. The CNN and its six epochs were chosen among ten networks on the
first three alphabets; Korean and Latin are untouched by it. The whole takes some minutes.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from _jobs import (
    ALONE,
    FUSED,
    REFERENCE,
    Job,
    best,
    draw_bars,
    finish,
    new_figure,
    print_table,
    start,
    tabulate_scores,
    verdict,
)
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_curve
from sklearn.utils.parallel import Parallel, delayed
from torch import nn

from skfusion import Blocks, FusionClassifier
from skfusion.encoders import CNN, Encoder, SameAs
from skfusion.fusion import Fusion
from skfusion.heads import MLPHead

PIXELS, BLURRED = "distance in pixels", "distance in pixels, blurred"
TWO, JOINED = "two CNNs, concatenated", "one CNN, concatenated"
MULTIPLIED, SUBTRACTED = "one CNN, multiplied", "one CNN, absolute difference"

# %%
# A fusion of one's own
# ---------------------


class AbsoluteDifference(Fusion):
    """Compare two blocks number by number, for encoders of one width."""

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        return _AbsoluteDifference()


class _AbsoluteDifference(nn.Module):
    def forward(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        left, right = encoded.values()
        return (left - right).abs()


# %%
# Pairs
# -----


def load(job: Job) -> tuple[np.ndarray, pd.DataFrame]:
    """Return the drawings (n, 28, 28, 1), and of each the alphabet and the character."""
    drawings = np.load(job.data / "image_stroke.npz")["image"][..., None]
    table = pd.read_csv(job.data / "drawings.csv.gz")
    return drawings, table.assign(character=table["alphabet"] + " " + table["character"])


def draw_pairs(
    table: pd.DataFrame, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows left and right of ``n`` pairs, and whether they show the same character.

    Half of the pairs are of one character, by two people; half of two characters of one alphabet.
    """
    left = rng.choice(table.index, n)
    same = rng.permutation(np.arange(n) % 2 == 0)
    rows_of = table.groupby("character").groups
    characters_of = table.groupby("alphabet")["character"].unique()
    right = np.empty_like(left)
    for i, (row, alike) in enumerate(zip(left, same, strict=True)):
        alphabet, character = table.loc[row, ["alphabet", "character"]]
        if not alike:
            character = rng.choice(characters_of[alphabet][characters_of[alphabet] != character])
        right[i] = rng.choice(rows_of[character][rows_of[character] != row])
    return left, right, same


# %%
# Networks and distances
# ----------------------


def make_network(label: str, quick: bool) -> FusionClassifier:
    cnn: Encoder = CNN(channels=(16, 32), norm="group")
    fusions = {MULTIPLIED: "product", SUBTRACTED: AbsoluteDifference()}
    return FusionClassifier(
        {"left": cnn, "right": cnn if label == TWO else SameAs("left")},
        fusions.get(label, "concat"),
        head="linear" if label in fusions else MLPHead(widths=64),
        batch_size=128,
        max_epochs=1 if quick else 6,
        schedule="cosine",
        early_stopping=False,  # pairs held out would be of characters that are learned
        random_state=0,
    )


def nearness(drawings: np.ndarray, left: np.ndarray, right: np.ndarray, blur: float) -> np.ndarray:
    """Return the negative Euclidean distance of each pair; ``blur`` is in pixels."""
    smooth = gaussian_filter(drawings.astype(np.float32), (0, blur, blur, 0))
    return -np.linalg.norm((smooth[left] - smooth[right]).reshape(len(left), -1), axis=1)


def equal_error_rate(same: np.ndarray, scores: np.ndarray) -> float:
    false_positive, true_positive, _ = roc_curve(same, scores)
    false_negative = 1 - true_positive
    crossing = np.abs(false_positive - false_negative).argmin()
    return (false_positive[crossing] + false_negative[crossing]) / 2


def score_alphabet(
    drawings: np.ndarray, table: pd.DataFrame, alphabet: str, label: str, quick: bool
) -> float:
    """Return 1 - EER on pairs of an alphabet, for a network that learned from the others."""
    rng, n_pairs = np.random.default_rng(0), 200 if quick else 10_000
    known = table["alphabet"] != alphabet
    *rows, same = draw_pairs(table[known], n_pairs, rng)
    *tested, truly = draw_pairs(table[~known], n_pairs // 2, rng)
    if label in (PIXELS, BLURRED):
        scores = nearness(drawings, *tested, blur=2 if label == BLURRED else 0)
    else:
        model = make_network(label, quick).fit(as_blocks(drawings, *rows), same)
        scores = model.predict_proba(as_blocks(drawings, *tested))[:, 1]
    return 1 - equal_error_rate(truly, scores)


def as_blocks(drawings: np.ndarray, left: np.ndarray, right: np.ndarray) -> Blocks:
    return Blocks({"left": drawings[left], "right": drawings[right]})


def measure(drawings: np.ndarray, table: pd.DataFrame, job: Job) -> pd.DataFrame:
    kinds = {PIXELS: ALONE, BLURRED: ALONE, TWO: REFERENCE}
    kinds |= dict.fromkeys((JOINED, MULTIPLIED, SUBTRACTED), FUSED)
    alphabets = table["alphabet"].unique()
    found = Parallel(n_jobs=job.n_jobs, batch_size=1)(
        delayed(score_alphabet)(drawings, table, alphabet, label, job.quick)
        for label in kinds
        for alphabet in alphabets
    )
    scores = np.reshape(found, (len(kinds), len(alphabets)))
    return tabulate_scores(
        {label: (kind, row) for (label, kind), row in zip(kinds.items(), scores, strict=True)},
        "1 - equal error rate",
    )


# %%
# What comes out
# --------------


def conclude(table: pd.DataFrame) -> str:
    fused, pixels = best(table, FUSED), best(table, ALONE)
    errors = 1 - table["mean"]
    return (
        f"On characters of an alphabet that was never seen the equal error rate of {fused!r} is "
        f"{errors[fused]:.3f}, that of {pixels!r} {errors[pixels]:.3f}: in 1 - EER the network is "
        f"{verdict(table, fused, pixels)}. Against two CNNs: {verdict(table, fused, TWO)}."
    )


def draw(scores: pd.DataFrame, drawings: np.ndarray, table: pd.DataFrame) -> plt.Figure:
    figure, axes = new_figure(12, 4.2, width_ratios=[1.4, 1])
    draw_bars(axes[0], scores, "same character? one dot an unseen alphabet")
    axes[0].axvline(0.5, color="black", linewidth=0.8, linestyle=":")
    axes[1].set_axis_off()
    axes[1].set_title("pairs of one alphabet each", fontsize=10)
    left, right, same = draw_pairs(table, 12, np.random.default_rng(1))
    for place, (one, other, alike) in enumerate(zip(left, right, same, strict=True)):
        row, column = divmod(place, 3)
        pair = np.pad(drawings[[one, other], :, :, 0], ((0, 0), (0, 0), (2, 2)))
        spot = axes[1].inset_axes((column / 3 + 0.01, 0.76 - row / 4, 0.31, 0.2))
        spot.imshow(np.hstack(pair), cmap="gray_r")
        spot.set_title("same" if alike else "different", fontsize=8, pad=2)
        spot.set_xticks([])
        spot.set_yticks([])
    return figure


# %%
# The job
# -------


def main() -> None:
    job = start("siamese_omniglot", "Same character or not, in an unseen alphabet", "omniglot")
    drawings, table = load(job)
    print(table.groupby("alphabet")["character"].nunique().to_string(), end="\n\n")
    scores = measure(drawings, table, job)
    print_table(scores)
    alphabets = table["alphabet"].unique()
    described = (
        f"{len(alphabets)} folds by alphabet ({', '.join(alphabets)}), half of the pairs equal"
    )
    notes = [
        "10,000 pairs to learn from and 5,000 to test in each fold, drawn at random.",
        "The CNN was chosen on the first three alphabets.",
    ]
    figure = draw(scores, drawings, table)
    finish(
        job, scores, figure, conclude(scores), folds=described, n_rows=len(drawings), notes=notes
    )


if __name__ == "__main__":
    main()
