"""What the examples share: arguments, scores over folds, tables, pictures, records of results."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # the pictures are saved, never shown

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.model_selection import cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.parallel import Parallel, delayed

from skfusion import Blocks

ALONE, FUSED, REFERENCE = "alone", "fused", "reference"
METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "f1_macro": "macro-F1",
    "r2": "R2",
    "roc_auc": "area under the ROC curve",
}
COLOURS = {ALONE: "tab:gray", FUSED: "tab:blue", REFERENCE: "tab:olive"}

# Arguments


@dataclass
class Job:
    """One run of one example: its name, size and folders, and when it started."""

    name: str
    title: str
    quick: bool
    save_to: Path
    data: Path | None = None
    source: str = ""
    started: float = field(default_factory=time.perf_counter)

    @property
    def n_jobs(self) -> int:
        """Fits at a time; in a quick run starting a second process would take longest."""
        return 1 if self.quick else 2

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started


def start(name: str, title: str, folder: str | None = None, source: str = "") -> Job:
    """Read the command line and return the job; ``job.data`` is ``folder`` of the data.

    Parameters
    ----------
    name : str
        Name of the files that the job saves.
    title : str
        What the job learns, in a few words.
    folder : str, default=None
        Which folder of the data it reads, ``"emoji"`` for one; None for a job that needs none.
    source : str, default=""
        Source and licence of the data, where no ``folder`` says so in its README.md.
    """
    arguments = _parser(title, folder).parse_args()
    job = Job(name, title, arguments.quick, arguments.save_to, source=source)
    if folder is not None:
        job.data = _find(arguments.data, folder, arguments.quick)
        job.source = source_of(job.data)
    return job


def source_of(folder: Path) -> str:
    """Return what the README.md of a folder of data says about source and licence."""
    return " ".join((folder / "README.md").read_text(encoding="utf-8").split())


def leave(reason: str, quick: bool) -> None:
    """End a job that cannot run: with status 0 where a quick run only tries what is there."""
    if quick:
        print(f"Not run: {reason}")
        sys.exit(0)
    sys.exit(reason)


def _parser(title: str, folder: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--quick", action="store_true", help="few rows and epochs, to try it out")
    parser.add_argument("--save-to", type=Path, default=Path("outputs"), help="folder of results")
    if folder is not None:
        given = os.environ.get("SKFUSION_DATA")
        parser.add_argument(
            "--data",
            type=Path,
            default=given and Path(given),
            help=f"folder that holds {folder!r} (default: the environment variable SKFUSION_DATA)",
        )
    return parser


def _find(data: Path | None, folder: str, quick: bool) -> Path:
    if data is None:
        leave(
            f"the folder of the data was not given. Pass --data PATH or set SKFUSION_DATA=PATH, "
            f"where PATH/{folder} holds the data of this example.",
            quick,
        )
    elif not (data / folder).is_dir():
        sys.exit(f"{data} has no folder {folder!r}. Is this the folder of the examples' data?")
    return Path(data or ".") / folder


# Scores over folds


def select(names: Iterable[str], estimator: BaseEstimator) -> Pipeline:
    """Return a pipeline that hands only the blocks called ``names`` to ``estimator``."""
    return make_pipeline(FunctionTransformer(Blocks.select, kw_args={"names": names}), estimator)


def compare(
    variants: Mapping[str, BaseEstimator],
    X: Any,
    y: Any,
    cv: Any,
    scoring: str,
    *,
    fused: Collection[str] | None = None,
    reference: Collection[str] = (),
    groups: Any = None,
    n_jobs: int | None = 2,
) -> pd.DataFrame:
    """Return a row per variant: its score in each fold, their mean, spread and seconds per fit.

    Parameters
    ----------
    variants : mapping of str to estimator
        Each block alone and the fused, by the label they get in tables and pictures.
    X, y, groups : blocks (or what the variants take), target, groups of rows
        The same rows for all.
    cv : splitter or list of (train, test)
        The same folds for all; a splitter needs a fixed ``random_state``.
    scoring : str
        A name that scikit-learn knows.
    fused, reference : labels, default=None, ()
        Which variants fuse blocks (the last, if None), and which are for reference only.
    n_jobs : int, default=2
        Fits at a time; pass ``job.n_jobs``.
    """
    folds = list(cv.split(X, y, groups)) if hasattr(cv, "split") else list(cv)
    fused = [list(variants)[-1]] if fused is None else fused
    # All fits in one queue: three folds in two processes would leave one idle for each variant.
    found = Parallel(n_jobs=n_jobs, batch_size=1)(
        delayed(_score_fold)(model, X, y, fold, scoring)
        for model in variants.values()
        for fold in folds
    )
    by_variant = np.array(found).reshape(len(variants), len(folds), 2)
    rows = {}
    for label, (scores, seconds) in zip(variants, by_variant.transpose(0, 2, 1), strict=True):
        kind = REFERENCE if label in reference else FUSED if label in fused else ALONE
        rows[label] = _row(kind, scores, seconds)
    table = pd.DataFrame(rows.values(), index=pd.Index(rows, name="variant"))
    table.attrs["metric"] = METRICS.get(scoring, scoring)
    return table


def _score_fold(
    model: BaseEstimator, X: Any, y: Any, fold: tuple[np.ndarray, np.ndarray], scoring: str
) -> tuple[float, float]:
    """Return score and seconds of the fit."""
    found = cross_validate(model, X, y, cv=[fold], scoring=scoring, error_score="raise")
    return found["test_score"][0], found["fit_time"][0]


def _row(kind: str, scores: np.ndarray, seconds: np.ndarray) -> dict[str, Any]:
    folds = {f"fold {i}": score for i, score in enumerate(scores, start=1)}
    return {
        "kind": kind,
        "mean": scores.mean(),
        "spread": scores.std(),
        "seconds": seconds.mean(),
        **folds,
    }


def tabulate_scores(scores: Mapping[str, tuple[str, np.ndarray]], metric: str) -> pd.DataFrame:
    """Return the table of ``compare`` from scores that were found otherwise.

    Parameters
    ----------
    scores : mapping of str to (kind, ndarray of shape (n_folds,))
        Kind and scores of each variant.
    metric : str
        Name of the score, as it is printed.
    """
    rows = [_row(kind, found, np.array([np.nan])) for kind, found in scores.values()]
    table = pd.DataFrame(rows, index=pd.Index(scores, name="variant")).drop(columns="seconds")
    table.attrs["metric"] = metric
    return table


def scores_of(table: pd.DataFrame, variant: str) -> np.ndarray:
    """Return the scores of a variant, fold by fold."""
    return table.filter(regex=r"^fold \d+$").loc[variant].to_numpy(float)


def best(table: pd.DataFrame, kind: str) -> str:
    """Return which variant of a kind has the highest mean."""
    return table.loc[table["kind"] == kind, "mean"].idxmax()


# What comes out


def print_table(table: pd.DataFrame) -> None:
    print(f"{table.attrs['metric']} over the same folds:")
    print(table.round(3).to_string(), end="\n\n")


def conclude(table: pd.DataFrame) -> str:
    """Return one sentence on whether fusion paid, with the figures it rests on."""
    fused, alone = best(table, FUSED), best(table, ALONE)
    means = table["mean"]
    return (
        f"In {table.attrs['metric']} {fused!r} reaches {means[fused]:.3f} and the best block "
        f"alone, {alone!r}, {means[alone]:.3f}: the fused is {verdict(table, fused, alone)}."
    )


def verdict(table: pd.DataFrame, one: str, other: str) -> str:
    """Return how variant ``one`` does against ``other``, in pairs of the same fold."""
    gains = scores_of(table, one) - scores_of(table, other)
    mean, spread = gains.mean(), gains.std()
    if len(gains) == 1:
        return f"{_direction(mean)} by {abs(mean):.3f}, on a single split"
    size = f"{mean:+.3f}, spread {spread:.3f}, ahead in {(gains > 0).sum()} of {len(gains)} folds"
    if abs(mean) <= spread:
        return f"not apart by more than the spread over the folds ({size})"
    return f"{_direction(mean)} by more than the spread over the folds ({size})"


def _direction(difference: float) -> str:
    return "better" if difference > 0 else "worse"


def draw_bars(axis: plt.Axes, table: pd.DataFrame, title: str = "") -> None:
    """Draw the mean of each variant as a bar, its spread as an error bar, its folds as dots."""
    places = np.arange(len(table))[::-1]
    colours = table["kind"].map(COLOURS)
    axis.barh(
        places,
        table["mean"],
        xerr=table["spread"],
        color=colours,
        capsize=3,
        alpha=0.75,
        height=0.7,
    )
    for place, variant in zip(places, table.index, strict=True):
        scores = scores_of(table, variant)
        axis.plot(scores, np.full(len(scores), place), ".", color="black", markersize=4)
        right = max(scores.max(), table["mean"][variant] + table["spread"][variant])
        axis.annotate(
            f"{table['mean'][variant]:.3f}",
            (right, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axis.set_yticks(places, table.index)
    axis.margins(x=0.17)
    axis.set_xlabel(f"{table.attrs['metric']}: mean, standard deviation, folds (dots)")
    axis.set_title(title, fontsize=10)


def new_figure(width: float = 11, height: float = 4, n_axes: int = 2, **kwargs: Any) -> Any:
    """Return a figure and its axes in a row."""
    return plt.subplots(1, n_axes, figsize=(width, height), layout="constrained", **kwargs)


def finish(
    job: Job,
    table: pd.DataFrame,
    figure: plt.Figure,
    sentence: str,
    *,
    folds: str,
    n_rows: int,
    notes: Sequence[str] = (),
) -> None:
    """Save picture and record of a job, and print what it shows.

    Parameters
    ----------
    job, table, figure, sentence
        What ``start``, ``compare``, the drawing and ``conclude`` returned.
    folds : str
        How rows were split, "5 random folds, stratified" for one.
    n_rows : int
        Rows in all.
    notes : sequence of str
        What a reader of the table must know: what is simulated, what was left out.
    """
    picture = write_result(job, table, sentence, folds=folds, n_rows=n_rows, notes=notes)
    picture = picture.with_suffix(".png")
    figure.savefig(picture, dpi=120)
    print(f"Picture: {picture}. {job.seconds:.0f} seconds in all.")
    print(sentence)


def write_result(
    job: Job,
    table: pd.DataFrame,
    sentence: str,
    *,
    folds: str,
    n_rows: int,
    notes: Sequence[str] = (),
) -> Path:
    """Write the record that ``results.py`` builds its page from; return its path."""
    record = {
        "name": job.name,
        "title": job.title,
        "quick": job.quick,
        "metric": table.attrs["metric"],
        "n_rows": n_rows,
        "folds": folds,
        "source": job.source,
        "notes": list(notes),
        "sentence": sentence,
        "seconds": round(job.seconds, 1),
        "variants": [_as_record(table, variant) for variant in table.index],
    }
    job.save_to.mkdir(parents=True, exist_ok=True)
    path = job.save_to / f"{job.name}.json"
    path.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
    return path


def _as_record(table: pd.DataFrame, variant: str) -> dict[str, Any]:
    row = table.loc[variant]
    seconds = {"seconds": round(float(row["seconds"]), 1)} if "seconds" in row else {}
    return {
        "variant": variant,
        "kind": row["kind"],
        "mean": round(float(row["mean"]), 4),
        "spread": round(float(row["spread"]), 4),
        "scores": scores_of(table, variant).round(4).tolist(),
        **seconds,
    }
