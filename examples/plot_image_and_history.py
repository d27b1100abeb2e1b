"""
Will this user click this picture? Image and interaction history
================================================================

A recommender meets a new item: nobody has clicked it yet and nobody has filed it, there is only
its picture. It knows the user by the shelves of what that user clicked before. One row carries

- ``picture``, of one of 1,324 emoji: real;
- ``history``, 3 to 15 shelves in the order of the clicks, such as "Food & Drink": **simulated**.
  Each user likes two of the seven shelves, takes 8 of 10 clicks from them, and clicks a new item
  with probability .9 if it is of such a shelf, else .1. Users are not real, and how well a network
  does here says nothing about users who are.

What the example shows is how blocks must meet. No shelf is more popular than another and no user
clicks more than another, so that either block alone is worth nothing, and neither is a fusion that
adds up what each says. It takes one that lets them interact. Folds are by item: no picture of the
test was seen in training. The picture's network first learns to tell the shelves of the training
items, ``Pipeline(memory=...)`` keeps its vectors for all models of a fold.
"""

from __future__ import annotations

import tempfile
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _emoji import ShelfNetwork, load_emoji
from _jobs import (
    compare,
    conclude,
    draw_bars,
    finish,
    new_figure,
    print_table,
    scores_of,
    start,
)
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skfusion import Blocks, FusionClassifier, Ragged
from skfusion.encoders import MLP, TokenEmbedding
from skfusion.heads import MLPHead

N_LIKED, FROM_LIKED, CLICK_IF_LIKED, CLICK_IF_NOT = 2, 0.8, 0.9, 0.1
ADDED = "concat, linear head"
INTERACTING = ["concat, hidden layer", "product", "bilinear"]

# %%
# Real items, simulated users
# ---------------------------


def simulate(shelves: np.ndarray, n_users: int) -> tuple[Blocks, np.ndarray, np.ndarray]:
    """Return the rows (item, history), whether the user clicked, and the probability of that."""
    rng = np.random.default_rng(0)
    n_shelves = shelves.max() + 1
    liked = rng.permuted(np.tile(np.arange(n_shelves) < N_LIKED, (n_users, 1)), axis=1)
    item_shelf = rng.integers(n_shelves, size=n_users)
    item = np.array([rng.choice(np.flatnonzero(shelves == shelf)) for shelf in item_shelf])
    fits = liked[np.arange(n_users), item_shelf]
    probability = np.where(fits, CLICK_IF_LIKED, CLICK_IF_NOT)
    history = [simulate_history(likes, rng) for likes in liked]
    X = Blocks({"item": item[:, None], "history": Ragged.from_rows(history, n_tokens=n_shelves)})
    return X, (rng.random(n_users) < probability).astype(int), probability


def simulate_history(likes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    n_liked, n_others = likes.sum(), (~likes).sum()
    weights = np.where(likes, FROM_LIKED / n_liked, (1 - FROM_LIKED) / n_others)
    return rng.choice(len(likes), size=rng.integers(3, 16), p=weights)


# %%
# Models
# ------
# No union this time: ``ShelfNetwork`` puts the vector of the picture in place of the item.


def make_models(first: ShelfNetwork, quick: bool, memory: str) -> dict[str, Pipeline]:
    def behind_first(blocks: list[str], **arguments: Any) -> Pipeline:
        choose = FunctionTransformer(Blocks.select, kw_args={"names": blocks})
        return make_pipeline(first, choose, make_network(blocks, quick, **arguments), memory=memory)

    both, hidden = ["picture", "history"], MLPHead(widths=64)
    return {
        "picture": behind_first(["picture"], head=hidden),
        "history": behind_first(["history"], head=hidden),
        ADDED: behind_first(both),
        INTERACTING[0]: behind_first(both, head=hidden),
        INTERACTING[1]: behind_first(both, fusion="product"),
        INTERACTING[2]: behind_first(both, fusion="bilinear"),
    }


def make_network(
    blocks: list[str], quick: bool, fusion: str = "concat", head: str | MLPHead = "linear"
) -> FusionClassifier:
    encoders = {"picture": MLP(32), "history": TokenEmbedding(width=32, pooling="mean")}
    return FusionClassifier(
        {name: encoders[name] for name in blocks},
        fusion,
        head,
        lr=0.005,
        max_epochs=3 if quick else 60,
        n_iter_no_change=10,
        random_state=0,
    )


# %%
# The picture
# -----------
# To its right, eight rows: what the user clicked before, and in a frame the new item, green if
# it was clicked. The history shows real pictures of the shelves, drawn at random.


def draw(
    table: pd.DataFrame,
    ceiling: float,
    X: Blocks,
    y: np.ndarray,
    pictures: np.ndarray,
    shelves: np.ndarray,
) -> plt.Figure:
    figure, axes = new_figure(width=12, width_ratios=[1.25, 1])
    draw_bars(axes[0], table, "does the user click? (simulated users)")
    axes[0].axvline(0.5, color="black", linewidth=0.8, linestyle=":")
    axes[0].axvline(ceiling, color="tab:red", linewidth=0.8, linestyle="--")
    axes[0].annotate(
        "knows users",
        (ceiling, 0),
        xytext=(4, -12),
        textcoords="offset points",
        color="tab:red",
        fontsize=8,
    )
    axes[0].set_xlim(0.4, 1)
    draw_rows(axes[1], X, y, pictures, shelves)
    return figure


def draw_rows(
    axis: plt.Axes, X: Blocks, y: np.ndarray, pictures: np.ndarray, shelves: np.ndarray
) -> None:
    rng = np.random.default_rng(0)
    rows = np.concatenate([np.flatnonzero(y == clicked)[:4] for clicked in (1, 0)])
    for place, row in enumerate(rows):
        for step, shelf in enumerate(X["history"][row][-8:]):
            shown = rng.choice(np.flatnonzero(shelves == shelf))
            axis.imshow(pictures[shown], extent=(step, step + 0.9, -place, -place + 0.9))
        axis.imshow(pictures[X["item"][row, 0]], extent=(9, 9.9, -place, -place + 0.9))
        colour = "tab:green" if y[row] else "tab:red"
        axis.add_patch(plt.Rectangle((8.95, -place - 0.05), 1, 1, fill=False, color=colour, lw=2))
    axis.set(xlim=(-0.2, 10.2), ylim=(-len(rows) + 0.8, 1.1))
    axis.set_axis_off()
    axis.set_title("simulated history, and the new item (green: clicked)", fontsize=10)


# %%
# The job
# -------


def conclude_here(table: pd.DataFrame, ceiling: float) -> str:
    """Return the sentence of all examples, and one on what merely adding up is worth."""
    margin = abs(table["mean"][ADDED] - 0.5)
    within = "within" if margin <= 2 * scores_of(table, ADDED).std() else "outside"
    return (
        f"{conclude(table)} Adding up the blocks ({ADDED!r}) gives {table['mean'][ADDED]:.3f}, "
        f"{within} two spreads of chance (.5); knowing the simulated users' tastes and the item's "
        f"shelf gives {ceiling:.3f}."
    )


def main() -> None:
    job = start("image_and_history", "Click on a new picture, from picture and history", "emoji")
    emoji, pictures = load_emoji(job.data)
    shelves = np.unique(emoji["group"], return_inverse=True)[1]
    X, y, probability = simulate(shelves, 800 if job.quick else 6000)
    print(X, end="\n\n")
    folds = GroupKFold(2 if job.quick else 3, shuffle=True, random_state=0)
    with tempfile.TemporaryDirectory() as memory:
        models = make_models(ShelfNetwork(pictures, shelves, job.quick), job.quick, memory)
        table = compare(
            models,
            X,
            y,
            folds,
            "roc_auc",
            fused=[ADDED, *INTERACTING],
            groups=X["item"].ravel(),
            n_jobs=job.n_jobs,
        )
    print_table(table)
    ceiling = roc_auc_score(y, probability)
    figure = draw(table, ceiling, X, y, pictures, shelves)
    finish(
        job,
        table,
        figure,
        conclude_here(table, ceiling),
        folds=f"{folds.n_splits} folds by item",
        n_rows=len(X),
        notes=["Users, histories and clicks are simulated; the pictures are real."],
    )


if __name__ == "__main__":
    main()
