"""A grid search over the network's parameters against the bare network fits in it.

Run ``python -m benchmarks.search``. 24 candidates, two folds, texts through TF-IDF and numbers
through a scaler; with ``memory=`` the union's work is done once per fold. The reference fits and
scores the same networks on blocks that are there already. One process, one thread, CPU seconds.
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


def union() -> BlockUnion:
    text = ("text", TfidfVectorizer(sublinear_tf=True, min_df=2), "text")
    return BlockUnion([text, ("numbers", StandardScaler(), NUMBERS)])


def network() -> FusionClassifier:
    return FusionClassifier({"text": SparseLinear()}, max_epochs=5, random_state=0)


def search(X: pd.DataFrame, y: np.ndarray, memory: str | None) -> None:
    grid = {f"network__{name}": values for name, values in GRID.items()}
    steps = Pipeline([("union", union()), ("network", network())], memory=memory)
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
    with tempfile.TemporaryDirectory() as folder:
        kept = timed(lambda: search(X, y, folder))
    print(f"grid search, memory=: {kept:.1f} s = {kept / reference:.2f} (goal: at most 1.25)")
    plain = timed(lambda: search(X, y, None))
    print(f"grid search, the union made anew: {plain:.1f} s = {plain / reference:.2f}")


if __name__ == "__main__":
    main()
