"""How an estimator bears missing blocks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from skfusion._checks import check_choice, check_int, check_real
from skfusion.blocks import Blocks
from skfusion.exceptions import ParameterError
from skfusion.inspection._masking import with_missing
from skfusion.inspection._scoring import ScoreAll, prepare
from skfusion.typing import Scorer, SeedLike, WeightLike, XLike, YLike

__all__ = ["ONE_AT_RANDOM", "missing_curve"]

ONE_AT_RANDOM = "one block at random"


def missing_curve(
    estimator: BaseEstimator,
    X: XLike,
    y: YLike,
    *,
    blocks: Sequence[str] | None = None,
    shares: Sequence[float] = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0),
    scoring: str | Scorer | None = None,
    n_repeats: int = 5,
    random_state: SeedLike = None,
    n_jobs: int | None = None,
    sample_weight: WeightLike | None = None,
) -> pd.DataFrame:
    """Measure the score of a fitted estimator while more and more rows lack a block.

    A row that has lost its last block is scored too: a fusion estimator predicts the prior for it.

    Parameters
    ----------
    estimator : fitted estimator
        As in :func:`block_importance`.
    X : Blocks, or whatever ``estimator`` takes, of n_rows rows
        Rows held out from the fit. Those that lack a block anyway go on lacking it.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Target of these rows.
    blocks : list of str or None, default=None
        Blocks to take away, each by itself; None takes all, and a further curve
        "one block at random", in which each chosen row loses one of those that it has.
    shares : list of float, default=(0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
        Shares of the rows that are marked missing. In a repeat the rows of a smaller share are
        among those of a larger one.
    scoring : str, callable or None, default=None
        A scorer; higher is better. None takes the scorer of a fitted search, else the estimator's
        ``score``. Of a Pipeline a callable receives the part behind the blocks, and ``Blocks``.
    n_repeats : int, default=5
        How often to draw the rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw.
    n_jobs : int or None, default=None
        Predictions to make at the same time, in threads.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows in the score: handed to the scorer.

    Returns
    -------
    curve : DataFrame of shape (n_curves * n_shares, 5)
        ``block``, ``share``, ``mean`` and ``std`` of the score over the repeats, ``n_repeats``.
        The divisor of ``std`` is ``n_repeats``; it is 0 where there is nothing to draw.

    Raises
    ------
    BlockError
        If X lacks a block of the fit, and the estimator has ``missing="error"``.
    BlockTypeError
        If X does not become ``Blocks``.
    ParameterError
        For a share outside of [0, 1], no shares or blocks, a block that does not exist, several
        scorers at once, or no y.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import Blocks, FusionRegressor
    >>> from skfusion.inspection import missing_curve
    >>> rng = np.random.default_rng(0)
    >>> X = Blocks({"signal": rng.normal(size=(200, 2)), "noise": rng.normal(size=(200, 2))})
    >>> y = X["signal"].sum(axis=1)
    >>> model = FusionRegressor(random_state=0).fit(X[:100], y[:100])
    >>> curve = missing_curve(
    ...     model, X[100:], y[100:], blocks=["signal"], shares=[0, 0.5, 1], random_state=0)
    >>> curve["mean"].is_monotonic_decreasing
    True
    """
    X, score_all = prepare(estimator, X, y, scoring, sample_weight, n_jobs)
    names = _check_blocks(blocks, X)
    shares = _check_shares(shares)
    rng = check_random_state(random_state)
    draws = [_Draw(rng, X) for _ in range(check_int("n_repeats", n_repeats))]
    cases = [(name, share) for name in names for share in shares]
    return _tabulate(cases, _scores(score_all, X, cases, draws))


class _Draw:
    """One repeat: the order in which rows lose a block, and the block each loses at random."""

    def __init__(self, rng: np.random.RandomState, X: Blocks) -> None:
        self.order = rng.permutation(len(X))
        lots = rng.uniform(size=(len(X), len(X.names)))
        for i, name in enumerate(X.names):
            missing = X.missing(name)
            if missing is not None:
                lots[missing, i] = -1  # a row cannot lose what it lacks
        self.block = lots.argmax(axis=1)

    def masks(self, X: Blocks, name: str, n_chosen: int) -> dict[str, np.ndarray]:
        chosen = np.zeros(len(X), dtype=bool)
        chosen[self.order[:n_chosen]] = True
        if name != ONE_AT_RANDOM:
            return {name: chosen}
        return {name: chosen & (self.block == i) for i, name in enumerate(X.names)}


def _scores(
    score_all: ScoreAll, X: Blocks, cases: list[tuple[str, float]], draws: list[_Draw]
) -> np.ndarray:
    """Return the scores (n_cases, n_repeats); rows that are alike are predicted once."""
    keys = [
        _key(name, round(share * len(X)), repeat, len(X))
        for name, share in cases
        for repeat in range(len(draws))
    ]
    distinct = list(dict.fromkeys(keys))
    scores = score_all(
        with_missing(X, draws[repeat].masks(X, name, n_chosen))
        for name, n_chosen, repeat in distinct
    )
    by_key = dict(zip(distinct, scores, strict=True))
    return np.reshape([by_key[key] for key in keys], (len(cases), len(draws)))


def _key(name: str, n_chosen: int, repeat: int, n_rows: int) -> tuple[str, int, int]:
    """Return what tells the rows: no block and no repeat matters where none of them is chosen."""
    if n_chosen == 0:
        return ONE_AT_RANDOM, 0, 0
    drawn = n_chosen < n_rows or name == ONE_AT_RANDOM
    return name, n_chosen, repeat if drawn else 0


def _check_blocks(blocks: Sequence[str] | None, X: Blocks) -> list[str]:
    if blocks is None:
        return [*X.names, ONE_AT_RANDOM] if len(X.names) > 1 else [*X.names]
    names = [blocks] if isinstance(blocks, str) else list(blocks)
    if not names:
        raise ParameterError(
            "blocks must name at least one block to take away. Got none. Use None for all."
        )
    return [check_choice("each of blocks", name, (*X.names, ONE_AT_RANDOM)) for name in names]


def _check_shares(shares: Sequence[float]) -> list[float]:
    checked = [check_real("each of shares", share, 0, 1) for share in np.ravel(shares).tolist()]
    if not checked:
        raise ParameterError("shares must hold at least one share of rows. Got none.")
    return checked


def _tabulate(cases: list[tuple[str, float]], scores: np.ndarray) -> pd.DataFrame:
    table = pd.DataFrame(cases, columns=["block", "share"])
    table["mean"], table["std"] = scores.mean(axis=1), scores.std(axis=1)
    return table.assign(n_repeats=scores.shape[1])
