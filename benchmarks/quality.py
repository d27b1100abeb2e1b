"""How good are the defaults? Against tuned linear models, boosted trees and an MLP, on many sets.

Run ``python -m benchmarks.quality --data FOLDER [--sets wine --methods default] [--write
docs/quality.md]``. Each result is kept in ``--keep`` under the set, the method, the seed, the text
of the programs that it depends on and, for methods of this library, ``--tag``; what is there is not
computed again. No set has a setting of its own: what is measured is ``FusionClassifier()`` and
``FusionRegressor()``. What fails is told, and the rest goes on.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import os
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import _quality_peers, _quality_sets
from benchmarks._quality_page import Result, Results, mean_of, page
from benchmarks._quality_peers import PEERS, matrices
from benchmarks._quality_sets import QualitySet, both_sides, quality_sets
from skfusion import FusionClassifier, FusionRegressor

OURS: dict[str, dict[str, object]] = {
    "one network": {"members": 1, "linear": False},
    "four networks": {"linear": False},
    "default": {},
}
_LEAST = 1e-7  # probability


def run(data: QualitySet, method: str, seed: int) -> dict[str, Any]:
    """Return what the method makes of the test rows."""
    train, test = data.split(seed)
    (X, X_test), y = both_sides(data, train, test), data.y[train]
    groups = None if data.groups is None else data.groups[train]
    if method in OURS:
        kind = FusionRegressor if data.regression else FusionClassifier
        start = time.process_time()
        model = kind(random_state=seed, **OURS[method]).fit(X, y)
        seconds = time.process_time() - start
    else:
        parts = matrices(X, X_test)
        start = time.process_time()
        model, X_test = PEERS[method](parts, y, groups, data.regression, seed)
        seconds = time.process_time() - start
    found = measured(model, X_test, data.y[test], data.regression)
    sizes = {"n_train": len(train), "n_test": len(test)}
    return {**found, **sizes, "seconds": seconds, "regression": data.regression}


def measured(model: Any, X: Any, y: np.ndarray, regression: bool) -> dict[str, Any]:
    """Return the loss of each row, and what is made of all: score, accuracy, calibration."""
    if regression:
        losses = (y - model.predict(X)) ** 2 / np.var(y)
        return {"losses": losses.tolist(), "score": 1 - losses.mean()}
    found = np.clip(model.predict_proba(X), _LEAST, 1)
    found /= found.sum(axis=1, keepdims=True)
    losses = -np.log(found[np.arange(len(y)), np.searchsorted(model.classes_, y)])
    right = model.classes_[found.argmax(axis=1)] == y
    return {
        "losses": losses.astype(float).tolist(),
        "score": float(losses.mean()),
        "accuracy": float(right.mean()),
        "calibration": calibration_error(found.max(axis=1), right),
    }


def calibration_error(sure: np.ndarray, right: np.ndarray, n_bins: int = 15) -> float:
    """Return the expected calibration error, over bins of equally many rows."""
    bins = np.array_split(np.argsort(sure), n_bins)
    gaps = [len(rows) * abs(sure[rows].mean() - right[rows].mean()) for rows in bins if len(rows)]
    return float(np.sum(gaps) / len(sure))


def kept(
    folder: Path, name: str, method: str, seed: int, tag: str, compute: Callable[[], Result]
) -> Result:
    """Return the result that is there, or compute and keep it."""
    ours = method in OURS or name == "docstrings"  # the installed libraries, this one among them
    words = [name, method, str(seed), *([tag] if ours else []), _programs(method)]
    stem = "-".join("".join(c if c.isalnum() else "_" for c in word) for word in words)
    path = folder / f"{stem}.json"
    if path.exists():
        found: Result = json.loads(path.read_text(encoding="utf-8"))
        return found
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = compute()
    part = path.with_suffix(".part")  # an interruption leaves no half of a result
    part.write_text(json.dumps(found), encoding="utf-8")
    part.replace(path)
    return found


@functools.cache
def _programs(method: str) -> str:
    """Return a word that changes with the programs that make the rows, or fit the peers."""
    modules = [_quality_sets] if method in OURS else [_quality_sets, _quality_peers]
    texts = b"".join(Path(str(module.__file__)).read_bytes() for module in modules)
    return hashlib.sha256(texts).hexdigest()[:8]


def results_of(
    name: str,
    load: Callable[[], QualitySet],
    methods: list[str],
    seeds: range,
    folder: Path,
    tag: str,
) -> tuple[dict[str, list[Result]], list[str]]:
    """Return the results of one set by method, one for each seed, and what failed.

    The set is loaded if need be. A method that fails with one seed has no results.
    """
    load = functools.cache(load)
    results, failures = {}, []
    for method in methods:
        try:
            found = [
                kept(folder, name, method, seed, tag, lambda m=method, s=seed: run(load(), m, s))
                for seed in seeds
            ]
        except Exception as error:  # of whatever kind: the other sets are worth having
            traceback.print_exc()
            failures.append(f"{name}, {method}: {type(error).__name__}: {error}".splitlines()[0])
            continue
        results[method] = found
        score, seconds = mean_of(found, "score"), mean_of(found, "seconds")
        print(f"{name:32s} {method:20s} {score:8.4f} {seconds:7.1f} s", flush=True)
    return results, failures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("SKFUSION_DATA"))
    parser.add_argument("--sets", nargs="*", default=None, help="beginnings of names of sets")
    methods = [*PEERS, *OURS]
    parser.add_argument("--methods", nargs="*", default=methods, choices=methods)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--keep", type=Path, default=Path("outputs/quality"))
    parser.add_argument("--tag", default=None, help="version of this library; its commit")
    parser.add_argument("--write", type=Path, default=None, help="Markdown page to write")
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("name the folder of the data sets: --data FOLDER, or SKFUSION_DATA")
    torch.set_num_threads(1)
    tag = arguments.tag or _commit()
    seeds, failures = range(arguments.seeds), []
    loaders, results = quality_sets(Path(arguments.data)), Results()
    for name, load in loaders.items():
        if arguments.sets is None or name.startswith(tuple(arguments.sets)):
            results[name], failed = results_of(
                name, load, arguments.methods, seeds, arguments.keep, tag
            )
            failures += failed
    if arguments.write is not None:
        text = page(results, failures, arguments.methods, arguments.seeds)
        arguments.write.write_text(text, encoding="utf-8")
    if failures:
        sys.exit("\n".join(["Failed:", *failures]))


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
