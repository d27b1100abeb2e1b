"""
Chickenpox next week: a county's own history and its neighbours'
================================================================

Weekly cases of chickenpox in the 20 counties of Hungary over ten years, each county standardised. A
row is a county in a week; what is forecast is its number of the week after, from the last eight
weeks of

- ``own``: the county itself;
- ``neighbours``: the mean of the counties that border on it, read off the graph that comes with the
  data;

and from ``season``: the time of the year, as two waves. Each is a block with a small network.

Every fold forecasts a fifth of the ten years from all that lies before it; the last fold is the
last 20 % in time. Ridge regression on the same numbers and "as this week" are for reference.
"""

from __future__ import annotations

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _jobs import (
    REFERENCE,
    Job,
    best,
    compare,
    conclude,
    draw_bars,
    finish,
    new_figure,
    print_table,
    select,
    start,
    verdict,
)
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skfusion import Blocks, FusionRegressor
from skfusion.encoders import MLP
from skfusion.heads import LinearHead

OWN, NEIGHBOURS, SEASON = "own", "neighbours", "season"
PAIR, ALL = "own + neighbours", "own + neighbours + season"
RIDGE, SAME = "ridge, all numbers", "as this week"
N_WEEKS, WEEKS_PER_YEAR = 8, 52.18

# %%
# Data
# ----


def load(job: Job) -> tuple[Blocks, np.ndarray, pd.DataFrame]:
    """Return blocks, next week's cases, and week and county of each row."""
    arrays = np.load(job.data / "chickenpox.npz")
    cases, edges = arrays["X"], arrays["edges"]
    weeks = np.arange(N_WEEKS, len(cases))
    around = cases @ neighbour_weights(edges, cases.shape[1]).T
    X = Blocks(
        {
            "own": by_row(cases, weeks),
            "neighbours": by_row(around, weeks),
            "season": np.repeat(waves(weeks), cases.shape[1], axis=0),
        }
    )
    week, county = np.meshgrid(weeks, np.arange(cases.shape[1]), indexing="ij")
    places = pd.DataFrame({"week": week.ravel(), "county": county.ravel()})
    return X, cases[weeks].ravel().astype(np.float64), places


def neighbour_weights(edges: np.ndarray, n_counties: int) -> np.ndarray:
    """Return (county, neighbour): equal shares of those that border on a county, not itself."""
    adjacent = np.zeros((n_counties, n_counties), dtype=np.float32)
    adjacent[edges[:, 0], edges[:, 1]] = 1
    np.fill_diagonal(adjacent, 0)
    return adjacent / adjacent.sum(axis=1, keepdims=True)


def by_row(series: np.ndarray, weeks: np.ndarray) -> np.ndarray:
    """Return the weeks before each week, a row per week and county: (rows, N_WEEKS)."""
    histories = np.stack([series[week - N_WEEKS : week].T for week in weeks])
    return histories.reshape(-1, N_WEEKS).astype(np.float32)


def waves(weeks: np.ndarray) -> np.ndarray:
    angles = 2 * np.pi * weeks[:, np.newaxis] / WEEKS_PER_YEAR * np.array([1, 2])
    return np.hstack([np.sin(angles), np.cos(angles)]).astype(np.float32)


# %%
# Models
# ------


def make_network(names: list[str], quick: bool) -> FusionRegressor:
    return FusionRegressor(
        {name: MLP(widths=32) for name in names},
        head=LinearHead(dropout=0.3),
        weight_decay=0.1,
        max_epochs=3 if quick else 15,
        early_stopping=False,  # rows held out at random would be of weeks that are learned
        random_state=0,
    )


def make_models(quick: bool) -> dict[str, BaseEstimator]:
    choices = {
        OWN: ["own"],
        NEIGHBOURS: ["neighbours"],
        SEASON: ["season"],
        PAIR: ["own", "neighbours"],
        ALL: ["own", "neighbours", "season"],
    }
    networks = {
        label: select(names, make_network(names, quick)) for label, names in choices.items()
    }
    this_week = make_pipeline(FunctionTransformer(last_of_own), LinearRegression())
    matrix = make_pipeline(FunctionTransformer(Blocks.hstack), Ridge(alpha=10))
    return {**networks, RIDGE: matrix, SAME: this_week}


def last_of_own(X: Blocks) -> np.ndarray:
    return X["own"][:, -1:]


def make_folds(places: pd.DataFrame, quick: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return folds in time: two years each, learned from all the weeks before."""
    week = places["week"].to_numpy()
    shares = [0.6, 0.8, 1.0] if quick else [0.4, 0.6, 0.8, 1.0]
    cuts = [week.min() + round(share * (week.max() + 1 - week.min())) for share in shares]
    return [
        (np.flatnonzero(week < begin), np.flatnonzero((week >= begin) & (week < end)))
        for begin, end in pairwise(cuts)
    ]


# %%
# The picture
# -----------
# Right, the mean over counties: what all have in common can be forecast.


def draw(scores: pd.DataFrame, model, X: Blocks, y: np.ndarray, places, fold) -> plt.Figure:
    figure, axes = new_figure(13, 4.2, width_ratios=[1, 1.2])
    draw_bars(axes[0], scores, "next week's cases, by what the network sees")
    train, test = fold
    forecast = clone(model).fit(X[train], y[train]).predict(X[test])
    table = pd.DataFrame({"cases": y[test], f"forecast, {ALL}": forecast})
    table.groupby(places["week"].to_numpy()[test]).mean().plot(ax=axes[1], linewidth=1.2)
    axes[1].set_xlabel("week")
    axes[1].set_ylabel("mean over counties, standardised")
    axes[1].legend(fontsize=8)
    axes[1].set_title("the last 20 % in time", fontsize=10)
    return figure


# %%
# The job
# -------


def main() -> None:
    job = start("chickenpox", "Chickenpox next week, by county", "chickenpox")
    X, y, places = load(job)
    print(X, end="\n\n")
    models, folds = make_models(job.quick), make_folds(places, job.quick)
    scores = compare(
        models,
        X,
        y,
        folds,
        "r2",
        fused=[PAIR, ALL],
        reference=[RIDGE, SAME],
        n_jobs=job.n_jobs,
    )
    print_table(scores)
    linear = best(scores, REFERENCE)
    sentence = (
        f"{conclude(scores)} Neighbours, added to a county's own history: "
        f"{verdict(scores, PAIR, OWN)}. {ALL!r} against {linear!r}: {verdict(scores, ALL, linear)}."
    )
    described = f"{len(folds)} folds forward in time, two years each; the last is the last 20 %"
    figure = draw(scores, models[ALL], X, y, places, folds[-1])
    finish(job, scores, figure, sentence, folds=described, n_rows=len(X))


if __name__ == "__main__":
    main()
