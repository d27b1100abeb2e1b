"""A grid search over the network's parameters against the bare network fits in it.

Run ``python -m benchmarks.search``. 24 candidates, two folds, texts through TF-IDF and numbers
through a scaler; with ``memory=`` the union's work is done once per fold. The reference fits and
scores the same networks on blocks that are there already; goal: at most 1.25 times its time. One
process, one thread, CPU seconds.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skfusion import Blocks, BlockUnion, FusionClassifier
from skfusion.datasets import load_docstrings
from skfusion.encoders import SparseLinear

GRID: dict[str, list[Any]] = {
    "lr": [1e-3, 3e-3, 1e-2],
    "text__width": [32, 64],
    "fusion": ["concat", "sum", "gated", "late"],
}
FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)
NUMBERS = ["n_characters", "n_lines", "n_sections", "n_examples", "n_formulas", "n_see_also"]


def union(memory: str | None = None) -> BlockUnion:
    text = ("text", TfidfVectorizer(sublinear_tf=True, min_df=2), "text")
    return BlockUnion([text, ("numbers", StandardScaler(), NUMBERS)], memory=memory)


def network() -> FusionClassifier:
    return FusionClassifier({"text": SparseLinear()}, max_epochs=5, random_state=0)


def search(X: pd.DataFrame, y: np.ndarray, steps: Pipeline) -> None:
    grid = {f"network__{name}": values for name, values in GRID.items()}
    GridSearchCV(steps, grid, cv=FOLDS, refit=False).fit(X, y)


def bare_fits(X: pd.DataFrame, y: np.ndarray) -> float:
    """Return the seconds of all fits and scores on blocks; those of the union are left out."""
    seconds = 0.0
    for train, test in FOLDS.split(X, y):
        fitted = union().fit(X.iloc[train])
        parts = fitted.transform(X.iloc[train]), fitted.transform(X.iloc[test])
        for params in ParameterGrid(GRID):
            model = clone(network()).set_params(**params)
            seconds += timed(partial(fit_and_score, model, parts, y[train], y[test]))
    return seconds


def fit_and_score(
    model: FusionClassifier, parts: tuple[Blocks, Blocks], y_train: np.ndarray, y_test: np.ndarray
) -> float:
    return model.fit(parts[0], y_train).score(parts[1], y_test)


def timed(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    torch.set_num_threads(1)
    X, y = load_docstrings(return_X_y=True)
    reference = bare_fits(X, y)
    print(f"48 bare fits on {len(X):,} rows: {reference:.1f} s")
    ways = {
        "BlockUnion(memory=)": lambda folder: ([("union", union(folder))], None),
        "Pipeline(memory=)": lambda folder: ([("union", union())], folder),
    }
    for name, make in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            first, memory = make(folder)
            steps = Pipeline([*first, ("network", network())], memory=memory)
            seconds = timed(partial(search, X, y, steps))
        print(f"grid search, {name}: {seconds:.1f} s = {seconds / reference:.2f}", flush=True)


if __name__ == "__main__":
    main()
