"""What each block is worth to a fitted estimator."""

from __future__ import annotations

import itertools
import math

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch, check_random_state

from skfusion._checks import check_choice, check_int
from skfusion.blocks import Blocks
from skfusion.exceptions import ParameterError
from skfusion.inspection._masking import with_shuffled, without_blocks
from skfusion.inspection._scoring import ScoreAll, prepare
from skfusion.typing import Scorer, SeedLike, WeightLike, XLike, YLike

__all__ = ["block_importance"]

_MOST_PLAYERS = 8


def block_importance(
    estimator: BaseEstimator,
    X: XLike,
    y: YLike,
    *,
    scoring: str | Scorer | None = None,
    method: str = "permute",
    n_repeats: int = 5,
    random_state: SeedLike = None,
    n_jobs: int | None = None,
    sample_weight: WeightLike | None = None,
) -> Bunch:
    """Measure what each block is worth to a fitted estimator, on rows that it has not seen.

    Parameters
    ----------
    estimator : fitted estimator
        A fusion estimator, a pipeline in which ``Blocks`` are made (the blocks behind its last
        such step are measured), or a fitted search over one of them.
    X : Blocks, or whatever ``estimator`` takes, of n_rows rows
        Rows held out from the fit.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Target of these rows.
    scoring : str, callable or None, default=None
        A scorer; higher is better. None takes the scorer of a fitted search, else the estimator's
        ``score``. Of a Pipeline a callable receives the part behind the blocks, and ``Blocks``.
    method : {"permute", "drop", "shapley"}, default="permute"
        - "permute": how much the score falls when the block's rows are shuffled, so that each row
          gets the block of another. What the others can say as well is not counted.
        - "drop": how much it falls when all rows lack the block. The estimator answers with what
          it learned for rows without it, so fit it with such rows, or with block dropout.
        - "shapley": the Shapley value (Shapley, 1953): the mean gain from a block over all orders
          in which the blocks could come. What several blocks can say is shared among them, and
          the values of all blocks sum to the score with all minus the score with none, that of
          the prior. Exact, with ``2 ** n_blocks`` predictions, for up to eight blocks.
    n_repeats : int, default=5
        How often to shuffle. The other methods have no chance in them: one column, spread 0.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffling.
    n_jobs : int or None, default=None
        Predictions to make at the same time, in threads.
    sample_weight : array-like of shape (n_rows,), default=None
        Weights of the rows in the score: handed to the scorer.

    Returns
    -------
    importance : Bunch
        importances : ndarray of shape (n_blocks, n_repeats)
            In units of the score. Columns: repeats ("permute"), else one.
        importances_mean, importances_std : ndarray of shape (n_blocks,)
            Over the repeats.
        names : list of str
            Names of the blocks.
        score : float
            Score with all blocks as they are.
        method : str
            As given.

    Raises
    ------
    BlockError
        If X lacks a block of the fit, and the estimator has ``missing="error"``.
    BlockTypeError
        If X does not become ``Blocks``.
    ParameterError
        For an unknown method, Shapley values of more than eight blocks, several scorers at once,
        or no y.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import Blocks, FusionRegressor
    >>> from skfusion.inspection import block_importance
    >>> rng = np.random.default_rng(0)
    >>> X = Blocks({"signal": rng.normal(size=(200, 2)), "noise": rng.normal(size=(200, 2))})
    >>> y = X["signal"].sum(axis=1)
    >>> model = FusionRegressor(random_state=0).fit(X[:100], y[:100])
    >>> found = block_importance(model, X[100:], y[100:], random_state=0)
    >>> found.names, found.importances.shape
    (['signal', 'noise'], (2, 5))
    >>> bool(found.importances_mean[0] > 10 * found.importances_mean[1])
    True
    """
    measure = _METHODS[check_choice("method", method, _METHODS)]
    check_int("n_repeats", n_repeats)
    blocks, score_all = prepare(estimator, X, y, scoring, sample_weight, n_jobs)
    score, importances = measure(score_all, blocks, n_repeats, check_random_state(random_state))
    return Bunch(
        importances=importances,
        importances_mean=importances.mean(axis=1),
        importances_std=importances.std(axis=1),
        names=list(blocks.names),
        score=float(score),
        method=method,
    )


def _permute(
    score_all: ScoreAll, blocks: Blocks, n_repeats: int, rng: np.random.RandomState
) -> tuple[float, np.ndarray]:
    orders = [rng.permutation(len(blocks)) for _ in range(n_repeats)]
    shuffled = (with_shuffled(blocks, name, order) for name in blocks.names for order in orders)
    score, *others = score_all(itertools.chain([blocks], shuffled))
    return score, score - np.reshape(others, (len(blocks.names), n_repeats))


def _drop(
    score_all: ScoreAll, blocks: Blocks, n_repeats: int, rng: np.random.RandomState
) -> tuple[float, np.ndarray]:
    lacking = (without_blocks(blocks, [name]) for name in blocks.names)
    score, *others = score_all(itertools.chain([blocks], lacking))
    return score, score - np.reshape(others, (-1, 1))


def _shapley(
    score_all: ScoreAll, blocks: Blocks, n_repeats: int, rng: np.random.RandomState
) -> tuple[float, np.ndarray]:
    n_blocks = len(blocks.names)
    if n_blocks > _MOST_PLAYERS:
        raise ParameterError(
            f'method="shapley" takes at most {_MOST_PLAYERS} blocks, since it needs a prediction '
            f"for each of their 2 ** n_blocks sets. Got {n_blocks} blocks. "
            'Use method="permute", or join blocks.'
        )
    absent = (_chosen(blocks.names, ~coalition) for coalition in range(2**n_blocks))
    values = score_all(without_blocks(blocks, names) for names in absent)
    return values[-1], shapley_values(values)[:, None]


def shapley_values(values: np.ndarray) -> np.ndarray:
    """Return the exact Shapley value of each player.

    ``values[coalition]`` is the value of the players whose bits are set in ``coalition``:
    (2 ** n_players,) -> (n_players,).

    Examples
    --------
    >>> from skfusion.inspection._importance import shapley_values
    >>> shapley_values([0.0, 1.0, 2.0, 5.0]).tolist()
    [2.0, 3.0]
    """
    n_players = (len(values) - 1).bit_length()
    shares = np.zeros(n_players)
    for player in range(n_players):
        bit = 1 << player
        for others in range(len(values)):
            if not others & bit:
                gain = values[others | bit] - values[others]
                shares[player] += gain / math.comb(n_players - 1, others.bit_count())
    return shares / n_players


def _chosen(names: tuple[str, ...], bits: int) -> list[str]:
    return [name for i, name in enumerate(names) if bits >> i & 1]


_METHODS = {"permute": _permute, "drop": _drop, "shapley": _shapley}
