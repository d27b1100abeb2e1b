"""How an estimator bears missing blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import check_scoring
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_consistent_length

from skfusion._checks import check_choice, check_int, check_real
from skfusion.blocks import Blocks
from skfusion.exceptions import ParameterError
from skfusion.inspection._masking import with_missing
from skfusion.inspection._splitting import allow_missing, split_off

__all__ = ["ONE_AT_RANDOM", "missing_curve"]

ONE_AT_RANDOM = "one block at random"


def missing_curve(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    blocks: Sequence[str] | None = None,
    shares: Sequence[float] = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0),
    scoring: Any = None,
    n_repeats: int = 5,
    random_state: Any = None,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Measure the score of a fitted estimator while more and more rows lack a block.

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
        "one block at random", in which each chosen row loses one that is drawn for it.
    shares : list of float, default=(0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
        Shares of the rows that are marked missing. In a repeat the rows of a smaller share are
        among those of a larger one.
    scoring : str, callable or None, default=None
        A scorer; higher is better. None takes the estimator's ``score``.
    n_repeats : int, default=5
        How often to draw the rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw.
    n_jobs : int or None, default=None
        Predictions to make at the same time, in threads.

    Returns
    -------
    curve : DataFrame of shape (n_curves * n_shares, 5)
        ``block``, ``share``, ``mean`` and ``std`` of the score over the repeats, ``n_repeats``.

    Raises
    ------
    BlockTypeError
        If X does not become ``Blocks``.
    ParameterError
        For a share outside of [0, 1], or a block that does not exist.

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
    learner, X = split_off(estimator, X)
    learner = allow_missing(learner)
    check_consistent_length(X, y)
    names = _check_blocks(blocks, X)
    shares = _check_shares(shares)
    rng = check_random_state(random_state)
    draws = [_Draw(rng, X) for _ in range(check_int("n_repeats", n_repeats))]
    scorer = check_scoring(learner, scoring=scoring)
    cases = [(name, share) for name in names for share in shares]
    lacking = _draw(X, cases, draws)
    parallel = Parallel(n_jobs=n_jobs, prefer="threads")
    scores = parallel(delayed(scorer)(learner, rows, y) for rows in lacking)
    return _tabulate(cases, np.reshape(scores, (len(cases), n_repeats)))


class _Draw:
    """One repeat: the order in which rows lose a block, and the block each loses at random."""

    def __init__(self, rng: Any, X: Blocks) -> None:
        self.order = rng.permutation(len(X))
        self.block = rng.randint(len(X.names), size=len(X))

    def masks(self, X: Blocks, name: str, share: float) -> dict[str, np.ndarray]:
        chosen = np.zeros(len(X), dtype=bool)
        chosen[self.order[: round(share * len(X))]] = True
        if name != ONE_AT_RANDOM:
            return {name: chosen}
        return {name: chosen & (self.block == i) for i, name in enumerate(X.names)}


def _draw(X: Blocks, cases: list[tuple[str, float]], draws: list[_Draw]) -> Iterator[Blocks]:
    for name, share in cases:
        for draw in draws:
            yield with_missing(X, draw.masks(X, name, share))


def _check_blocks(blocks: Sequence[str] | None, X: Blocks) -> list[str]:
    if blocks is None:
        return [*X.names, ONE_AT_RANDOM] if len(X.names) > 1 else [*X.names]
    names = [blocks] if isinstance(blocks, str) else list(blocks)
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
