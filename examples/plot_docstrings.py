"""
Which module is this docstring from?
====================================

The docstrings of numpy, scipy, scikit-learn, pandas and torch: documents that every user of
skfusion has installed. One row carries three kinds of data:

- ``text``, the prose, as TF-IDF of its words: sparse, all the way into the first layer;
- ``signature``, the call, as TF-IDF of its character n-grams: sparse, and missing where Python
  cannot tell it;
- ``numbers``: parameters, defaults, examples, formulas, ... of each.

The target is the area that a docstring was written for, such as ``scipy.signal`` or ``torch.nn``.
Whatever names it outright is masked (see :func:`skfusion.datasets.load_docstrings`). Is a network
that fuses the blocks better than the best single block, and better than a linear model on the same
features? And can scikit-learn's grid search tune the vectoriser, the sub-network of one block and
the training, all at once?
"""

from __future__ import annotations

import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _jobs import ALONE, FUSED, REFERENCE, finish, start, tabulate_scores
from joblib import Parallel, delayed, parallel_config
from sklearn.compose import make_column_selector
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skfusion import Blocks, BlockUnion, FusionClassifier
from skfusion.datasets import load_docstrings
from skfusion.encoders import MLP, SparseLinear
from skfusion.heads import LinearHead

NETWORK, LINEAR = "FusionClassifier", "LogisticRegression"
BLOCKS = ["text", "signature", "numbers"]
ALL = "all blocks"
SEARCHED = {
    "blockunion__text__max_features": "words of the text",
    "fusionclassifier__text__width": "width of the text's encoder",
    "fusionclassifier__lr": "learning rate",
}

# %%
# Data and blocks
# ---------------


def load(quick: bool) -> tuple[pd.DataFrame, np.ndarray]:
    packages = ("numpy",) if quick else ("numpy", "scipy", "sklearn", "pandas", "torch")
    X, y = load_docstrings(packages, return_X_y=True)
    return (X[::3].reset_index(drop=True), y[::3]) if quick else (X, y)


def make_union() -> BlockUnion:
    words = TfidfVectorizer(max_features=4000, stop_words="english", min_df=2, sublinear_tf=True)
    characters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(3, 3), max_features=2000, min_df=2, sublinear_tf=True
    )
    numbers = make_pipeline(SimpleImputer(), FunctionTransformer(np.log1p), StandardScaler())
    return BlockUnion(
        [
            ("text", words, "text"),
            ("signature", characters, "signature"),
            ("numbers", numbers, make_column_selector(dtype_include="number")),
        ]
    )


# %%
# Two estimators
# --------------
# Both take ``Blocks``: the network as they are, the linear model as one matrix.


def make_network(blocks: list[str], quick: bool) -> FusionClassifier:
    encoders = {"text": SparseLinear(128), "signature": SparseLinear(128), "numbers": MLP()}
    return FusionClassifier(
        {name: encoders[name] for name in blocks},
        head=LinearHead(dropout=0.5),
        lr=0.01,
        max_epochs=3 if quick else 100,
        batch_size=256,
        missing="allow",
        random_state=0,
    )


def make_linear(blocks: list[str], quick: bool) -> Pipeline:
    # Of 10, 30, 100 and 300 this C is the best for all blocks, in accuracy and in log-loss.
    logistic = LogisticRegression(C=1 if quick else 100, max_iter=500)
    return make_pipeline(FunctionTransformer(Blocks.hstack), logistic)


MAKERS = {NETWORK: make_network, LINEAR: make_linear}

# %%
# Each block alone, all blocks, and a linear model on the same features
# ---------------------------------------------------------------------
# The union learns from the training rows of a fold, once, and all models get the same blocks.
#
# A row without a signature is no hole in the fused network: it has learned a vector that stands in
# for the signature. The network that sees nothing but signatures can only predict how frequent the
# areas are there, which costs it much against the linear model, to which missing is a row of zeros.


def compare(X: pd.DataFrame, y: np.ndarray, quick: bool) -> pd.DataFrame:
    """Return a row per set of blocks, estimator and fold: accuracy and log-loss."""
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, y))
    sets = {**{name: [name] for name in BLOCKS}, ALL: BLOCKS}
    keys = [(label, estimator) for label in sets for estimator in MAKERS]
    made = Parallel()(delayed(make_blocks)(X.iloc[train], X.iloc[test]) for train, test in folds)
    scores = Parallel()(
        delayed(score)(
            MAKERS[estimator](sets[label], quick), sets[label], *blocks, y[train], y[test]
        )
        for label, estimator in keys
        for blocks, (train, test) in zip(made, folds, strict=True)
    )
    index = pd.MultiIndex.from_tuples(keys, names=["blocks", "estimator"])
    return pd.DataFrame(scores, index=index.repeat(len(folds)))


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Return mean and spread over the folds."""
    return scores.groupby(level=["blocks", "estimator"], sort=False).agg(["mean", "std"])


def as_result(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the accuracies as the table that all examples keep."""
    kinds = {NETWORK: ALONE, LINEAR: REFERENCE}
    rows = {}
    for (blocks, estimator), found in scores.groupby(level=["blocks", "estimator"], sort=False):
        kind = FUSED if (blocks, estimator) == (ALL, NETWORK) else kinds[estimator]
        rows[f"{blocks}, {estimator}"] = kind, found["accuracy"].to_numpy()
    return tabulate_scores(rows, "accuracy")


def make_blocks(train: pd.DataFrame, test: pd.DataFrame) -> tuple[Blocks, Blocks]:
    union = make_union()
    return union.fit_transform(train), union.transform(test)


def score(
    model: FusionClassifier | Pipeline,
    names: list[str],
    train: Blocks,
    test: Blocks,
    y_train: np.ndarray,
    y_test: np.ndarray,
) -> dict[str, float]:
    probabilities = model.fit(train.select(names), y_train).predict_proba(test.select(names))
    return {
        "accuracy": accuracy_score(y_test, model.classes_[probabilities.argmax(axis=1)]),
        "log-loss": log_loss(y_test, probabilities, labels=model.classes_),
    }


# %%
# A grid search through the whole pipeline
# ----------------------------------------
# ``memory`` keeps what the union made of a fold, so that it is made once for each of its settings.


def search(X: pd.DataFrame, y: np.ndarray, memory: str, quick: bool) -> GridSearchCV:
    model = make_pipeline(make_union(), make_network(BLOCKS, quick), memory=memory)
    grid = {
        "blockunion__text__max_features": [1000, 4000],
        "fusionclassifier__text__width": [32, 128],
        "fusionclassifier__lr": [0.005, 0.02],
    }
    folds = StratifiedKFold(2, shuffle=True, random_state=1)
    found = GridSearchCV(model, grid, cv=folds, scoring="neg_log_loss", refit=False)
    return found.fit(X, y)


def tabulate(found: GridSearchCV) -> pd.DataFrame:
    results = pd.DataFrame(found.cv_results_)
    table = results[[f"param_{name}" for name in SEARCHED]].set_axis(
        list(SEARCHED.values()), axis=1
    )
    return table.assign(
        **{"log-loss": -results["mean_test_score"], "spread": results["std_test_score"]}
    ).sort_values("log-loss")


# %%
# The picture
# -----------


def draw(comparison: pd.DataFrame, found: GridSearchCV) -> plt.Figure:
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.6), layout="constrained")
    draw_metric(axes[0], comparison["accuracy"], "accuracy (higher is better)")
    draw_metric(axes[1], comparison["log-loss"], "log-loss (lower is better)")
    draw_search(axes[2], tabulate(found))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    return figure


def draw_metric(axis: plt.Axes, scores: pd.DataFrame, label: str) -> None:
    sets = [*BLOCKS, ALL]
    for shift, estimator in ((-0.2, NETWORK), (0.2, LINEAR)):
        part = scores.xs(estimator, level="estimator").loc[sets]
        places = np.arange(len(sets)) + shift
        bars = axis.bar(places, part["mean"], 0.4, yerr=part["std"], capsize=3, label=estimator)
        axis.bar_label(bars, fmt="%.3f", fontsize=7, padding=2)
    axis.set_xticks(range(len(sets)), sets)
    axis.set_ylabel(label)
    axis.margins(y=0.1)
    axis.set_title("mean and standard deviation over 3 folds", fontsize=9)


def draw_search(axis: plt.Axes, table: pd.DataFrame) -> None:
    words, width, lr = SEARCHED.values()
    grid = table.pivot(index=words, columns=[width, lr], values="log-loss").sort_index(axis=1)
    image = axis.imshow(grid.to_numpy(), aspect="auto", cmap="viridis_r")
    middle = (grid.to_numpy().min() + grid.to_numpy().max()) / 2
    for (row, column), value in np.ndenumerate(grid.to_numpy()):
        color = "white" if value > middle else "black"
        axis.text(column, row, f"{value:.3f}", ha="center", va="center", color=color)
    axis.set_xticks(range(grid.shape[1]), [f"{w}\n{rate:g}" for w, rate in grid.columns])
    axis.set_yticks(range(grid.shape[0]), grid.index)
    axis.set_xlabel(f"{width}\n{lr}")
    axis.set_ylabel(words)
    axis.set_title("grid search: mean over 2 folds, on half of the rows each", fontsize=9)
    axis.figure.colorbar(image, ax=axis, label="log-loss (lower is better)")


# %%
# The job
# -------


def conclude(comparison: pd.DataFrame) -> str:
    """Return one sentence on whether fusion paid, with the figures that it rests on."""
    accuracy = compare_fused(comparison["accuracy"], sign=1)
    return f"Fused: accuracy {accuracy}; log-loss {compare_fused(comparison['log-loss'], sign=-1)}."


def compare_fused(scores: pd.DataFrame, sign: int) -> str:
    fused, linear = scores.loc[(ALL, NETWORK)], scores.loc[(ALL, LINEAR)]
    alone = scores.drop(index=ALL, level="blocks")
    best = (sign * alone["mean"]).idxmax()
    return (
        f"{fused['mean']:.3f}, {judge(fused, alone.loc[best], sign)} the best single block "
        f"({best[0]} with {best[1]}, {alone.loc[best, 'mean']:.3f}) and "
        f"{judge(fused, linear, sign)} {LINEAR} on all blocks ({linear['mean']:.3f})"
    )


def judge(fused: pd.Series, rival: pd.Series, sign: int) -> str:
    gain = sign * (fused["mean"] - rival["mean"])
    if abs(gain) <= max(fused["std"], rival["std"]):
        return "within the spread of"
    return "better than" if gain > 0 else "worse than"


def main() -> None:
    job = start(
        "docstrings",
        "Area of a docstring from text, signature and numbers",
        source="Docstrings of the installed numpy, scipy, scikit-learn, pandas and torch "
        "(BSD-3-Clause).",
    )
    X, y = load(job.quick)
    print(f"{len(X)} docstrings of {len(set(y))} areas. What the union makes of them:")
    print(make_union().fit_transform(X), end="\n\n")
    # Two fits at once, each with one thread: faster than one fit with two threads.
    workers = parallel_config("loky", n_jobs=job.n_jobs, inner_max_num_threads=1)
    with tempfile.TemporaryDirectory() as memory, workers:
        scores = compare(X, y, job.quick)
        comparison = summarise(scores)
        print(comparison.round(3).to_string(), end="\n\n")
        found = search(X, y, memory, job.quick)
    print(tabulate(found).round(3).to_string(index=False))
    print("best:", found.best_params_, end="\n\n")
    finish(
        job,
        as_result(scores),
        draw(comparison, found),
        conclude(comparison),
        folds="3 random folds, stratified by area",
        n_rows=len(X),
    )


if __name__ == "__main__":
    main()
