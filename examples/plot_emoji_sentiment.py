"""
The sentiment of a face: picture and text
=========================================

Emoji of faces that their editors filed as positive, neutral or negative, 73 of them, from

- ``picture``, 32 x 32 pixels in colour, through a small CNN;
- ``text``, the name and keywords in English, as TF-IDF;
- ``rated``, the same text as a network sees it that learned elsewhere: how 20 people rated the
  sentiment of 7,908 tweets and snippets of reviews. It is frozen and has never seen an emoji;
  :class:`~skfusion.encoders.FittedEncoder` makes it the encoder of a block.

With 58 rows to learn from, a fused network is apt to listen to the easiest block only. Each block
therefore also has a loss of its own while training (``block_loss_weight=1``). And with 73 rows in
all, no comparison can be exact: folds are repeated four times, each bar is the accuracy on all 73,
and differences come with the interval of the corrected resampled t-test (Nadeau and Bengio, 2003).
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _emoji import draw_emoji, load_emoji
from _jobs import (
    ALONE,
    FUSED,
    Job,
    best,
    compare,
    draw_bars,
    finish,
    new_figure,
    print_table,
    scores_of,
    select,
    source_of,
    start,
)
from sklearn.base import BaseEstimator
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import RepeatedStratifiedKFold

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion.encoders import CNN, FittedEncoder, SparseLinear
from skfusion.heads import LinearHead
from skfusion.inspection import corrected_resampled_t_test

SENTIMENTS = ["positive", "neutral", "negative"]
N_SPLITS = 5

# %%
# Data
# ----
# The words of the rated sentences are the columns of ``rated``; those of the keywords of all 1,324
# emoji, whatever they show, are the columns of ``text``. Neither knows the sentiment of a face.


def load_faces(job: Job) -> tuple[Blocks, np.ndarray, TfidfVectorizer]:
    emoji, pictures = load_emoji(job.data)
    sentiment = emoji["subgroup"].str.removeprefix("face-").to_numpy()
    faces = np.flatnonzero(
        emoji["subgroup"].str.startswith("face-") & np.isin(sentiment, SENTIMENTS)
    )
    words = (emoji["name_en"] + " " + emoji["keywords_en"].str.replace("|", " ")).to_numpy()
    text = TfidfVectorizer(min_df=2, dtype=np.float32).fit(words)
    ratings = TfidfVectorizer(min_df=2, sublinear_tf=True, dtype=np.float32)
    ratings.fit(load_ratings(job)["text"])
    blocks = {
        "picture": pictures[faces],
        "text": text.transform(words[faces]),
        "rated": ratings.transform(words[faces]),
    }
    return Blocks(blocks), sentiment[faces], ratings


def load_ratings(job: Job) -> pd.DataFrame:
    folder = job.data.parent / "vader_gt"
    files = [folder / f"{name}.csv.gz" for name in ("tweets", "amazonReviewSnippets")]
    ratings = pd.concat(map(pd.read_csv, files), ignore_index=True)
    return ratings[:500] if job.quick else ratings


# %%
# Networks
# --------


def learn_ratings(job: Job, vectoriser: TfidfVectorizer) -> FusionRegressor:
    ratings = load_ratings(job)
    network = FusionRegressor(
        {"text": SparseLinear(32)},
        head=LinearHead(dropout=0.3),
        members=1,
        lr=0.003,
        max_epochs=20,
        random_state=0,
    )
    return network.fit({"text": vectoriser.transform(ratings["text"])}, ratings["sentiment"])


def make_models(rater: FusionRegressor, quick: bool) -> dict[str, BaseEstimator]:
    encoders = {
        "picture": CNN(channels=(8, 16), width=16, dropout=0.3),
        "text": SparseLinear(16, dropout=0.3),
        "rated": FittedEncoder(rater),
    }

    def network(*blocks: str) -> BaseEstimator:
        chosen = FusionClassifier(
            {name: encoders[name] for name in blocks},
            lr=0.005,
            weight_decay=0.01,
            max_epochs=3 if quick else 60,
            block_loss_weight=1.0 if len(blocks) > 1 else 0.0,
            random_state=0,
        )
        return select(blocks, chosen)

    return {
        "picture": network("picture"),
        "text": network("text"),
        "rated": network("rated"),
        "text + rated": network("text", "rated"),
        "picture + text": network("picture", "text"),
        "picture + text + rated": network("picture", "text", "rated"),
    }


def by_repeat(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the scores with each repeat of the folds, which is once all rows, as one fold."""
    folds = [name for name in scores if name.startswith("fold ")]
    repeats = scores[folds].to_numpy().reshape(len(scores), -1, N_SPLITS).mean(axis=2)
    table = scores.drop(columns=folds)
    table["spread"] = repeats.std(axis=1)
    table[[f"fold {i + 1}" for i in range(repeats.shape[1])]] = repeats
    return table


# %%
# The picture
# -----------
# To its right, the faces by sentiment.


def draw(scores: pd.DataFrame, X: Blocks, y: np.ndarray) -> plt.Figure:
    figure, axes = new_figure(width=12, n_axes=4, width_ratios=[3, 1, 1, 1])
    draw_bars(axes[0], scores, "sentiment of a face; a dot: all 73 faces, one repeat of 5 folds")
    share = np.mean(y == "neutral")
    axes[0].axvline(share, color="black", linewidth=0.8, linestyle=":", label="all neutral")
    axes[0].legend(loc="upper right", fontsize=8)
    for axis, sentiment in zip(axes[1:], SENTIMENTS, strict=True):
        draw_emoji(axis, X["picture"][y == sentiment], per_row=4)
        axis.set_title(f"{sentiment}: {np.sum(y == sentiment)}", fontsize=10)
    return figure


# %%
# The job
# -------


def conclude(scores: pd.DataFrame, n_rows: int) -> str:
    fused, alone = best(scores, FUSED), best(scores, ALONE)
    gains = scores_of(scores, fused) - scores_of(scores, alone)
    test = corrected_resampled_t_test(gains, n_train=N_SPLITS - 1, n_test=1)
    sure = "which excludes zero" if test.low > 0 or test.high < 0 else "which includes zero"
    return (
        f"In accuracy {fused!r} reaches {scores['mean'][fused]:.3f} and the best block alone, "
        f"{alone!r}, {scores['mean'][alone]:.3f}: a difference of {test.mean:+.3f} with a 95 % "
        f"interval of {test.low:+.3f} to {test.high:+.3f}, {sure}, on {n_rows} faces."
    )


def main() -> None:
    job = start("emoji_sentiment", "Sentiment of a face from picture and text", "emoji")
    job.source = f"{job.source} | {source_of(job.data.parent / 'vader_gt')}"
    X, y, vectoriser = load_faces(job)
    print(X, end="\n\n")
    models = make_models(learn_ratings(job, vectoriser), job.quick)
    folds = RepeatedStratifiedKFold(
        n_splits=N_SPLITS, n_repeats=2 if job.quick else 4, random_state=0
    )
    fused = [label for label in models if "+" in label]
    scores = compare(models, X, y, folds, "accuracy", fused=fused, n_jobs=job.n_jobs)
    repeats = by_repeat(scores)
    print_table(repeats)
    described = (
        f"{N_SPLITS} random folds, stratified; {folds.n_repeats} repeats, whose spread is given"
    )
    notes = ["73 rows: the spread over repeats leaves out the chance of having these 73."]
    finish(
        job,
        repeats,
        draw(repeats, X, y),
        conclude(scores, len(X)),
        folds=described,
        n_rows=len(X),
        notes=notes,
    )


if __name__ == "__main__":
    main()
