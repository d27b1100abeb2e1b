"""Beside the networks: what they say of rows that they did not learn, and the linear member."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from skfusion._estimators._call import Call, TrainingData
from skfusion._estimators._held_out import Split
from skfusion._estimators._members import Member
from skfusion._estimators._mixture import HeldOutOutputs, Mixture
from skfusion._estimators._scoring import HeldOut, scorer_of_outputs
from skfusion._linear import LinearModel, choose_linear
from skfusion._training import codes_of
from skfusion.blocks import Block
from skfusion.blocks._rows import cut_rows
from skfusion.exceptions import ParameterError
from skfusion.targets import Coding

__all__ = ["mixture_of"]

SHARES = tuple(tenth / 10 for tenth in range(1, 10))  # of the linear member, if it has any
# A mean of probabilities is less sure than each of them. How much is told by rows like those of the
# fit; others may be harder, so that no more than a quarter is made up for.
TEMPERATURES = tuple(0.75 ** (step / 4) for step in range(-4, 5))
_ERRORS = 1.0  # standard errors by which the best share must be worse than none for it to be left


def mixture_of(
    call: Call,
    learned: TrainingData,
    members: Sequence[Member],
    outputs: Sequence[np.ndarray],
) -> Mixture:
    """Return the mixture of networks that made ``outputs`` for the rows that they held out.

    Parameters
    ----------
    call, learned : Call, TrainingData
        What is fitted.
    members : sequence of Member
        Which rows each network held out, if any.
    outputs : sequence of ndarray of shape (n_held_out, *shape)
        What the network of each makes of them; empty if none were held out.

    Raises
    ------
    ParameterError
        If ``linear=True`` asks for a linear member, and there can be none.
    """
    asked, splits = call.arguments.linear, [one.split for one in members if one.split is not None]
    if asked is True:
        _check_linear(learned.target, bool(splits))
    if not outputs:
        return Mixture()
    found = _by_row(len(learned.rows), splits, outputs)
    rows = np.flatnonzero(np.isfinite(found).reshape(len(found), -1).all(axis=1))
    linear, share = None, 0.0
    if asked is True or (asked == "auto" and len(members) > 1):
        linear, share, found = _with_linear(learned, splits, (found, rows), asked is True)
    temperature = _temperature(learned, rows, found) if len(members) > 1 else 1.0
    found = found / temperature if temperature != 1 else found
    held_out = HeldOutOutputs(_by_given_row(learned, found), _score(call, learned, rows, found))
    return Mixture(linear, share, temperature, held_out)


def _check_linear(target: Coding, holds_out: bool) -> None:
    if target.linear_fit is None:
        raise ParameterError(
            "linear=True goes with a loss of cross-entropy or squared error, which a logistic or "
            'ridge regression minimises too. Use linear="auto" or False with another loss.'
        )
    if not holds_out:
        raise ParameterError(
            "linear=True needs held-out rows of X, by which the share of the linear member is "
            "chosen, and none are. Set early_stopping=True without validation_data, or use "
            'linear="auto" or False.'
        )


def _by_row(n_rows: int, splits: Sequence[Split], outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean of the outputs for each row, NaN where there are none: (n_rows, *shape)."""
    shape = outputs[0].shape[1:]
    total, count = np.zeros((n_rows, *shape), outputs[0].dtype), np.zeros(n_rows)
    for (_, rows), found in zip(splits, outputs, strict=True):
        total[rows] += found
        count[rows] += 1
    count[count == 0] = np.nan
    return (total / count.reshape(-1, *[1] * len(shape))).astype(total.dtype)


def _with_linear(
    learned: TrainingData,
    splits: Sequence[Split],
    networks: tuple[np.ndarray, np.ndarray],
    asked: bool,
) -> tuple[LinearModel | None, float, np.ndarray]:
    """Return the linear member, its share, and the held-out outputs of all members together.

    ``networks`` are the outputs of the networks, and the rows that these are of.
    """
    found, rows = networks
    target, codes, weight = learned.target, learned.rows.codes, learned.rows.weight
    chosen = choose_linear(target, learned.blocks, codes, weight, splits)
    if chosen is None:
        if asked:
            raise ParameterError(
                f"linear=True has nothing to learn from: of the blocks {learned.blocks.names} none "
                "is csr, vectors or sequences of moderate size. Use linear=False."
            )
        return None, 0.0, found
    model, of_model = chosen
    pair = (found[rows], of_model[rows])
    of_rows = None if weight is None else weight[rows]
    share = _best_share(target, cut_rows(codes, rows), of_rows, pair)
    if not share and not asked:
        return None, 0.0, found
    share = share or SHARES[0]
    mixed = found.copy()
    mixed[rows] = target.mixed(pair, (1 - share, share))
    return model, share, mixed


def _best_share(
    target: Coding,
    codes: Block,
    weight: np.ndarray | None,
    pair: tuple[np.ndarray, np.ndarray],
) -> float:
    """Return the share of the linear outputs of least loss; 0 where even a tenth does harm."""
    losses = {
        share: target.losses(target.mixed(pair, (1 - share, share)), codes) for share in SHARES
    }
    means = {share: float(np.average(each, weights=weight)) for share, each in losses.items()}
    best = min(means, key=means.__getitem__)
    harm = losses[best] - target.losses(pair[0], codes)
    error = float(harm.std()) / math.sqrt(len(harm))
    return 0.0 if np.average(harm, weights=weight) > _ERRORS * error else best


def _temperature(learned: TrainingData, rows: np.ndarray, found: np.ndarray) -> float:
    """Return what to divide scores by for the least loss; 1 where they are no log-odds."""
    target, weight = learned.target, learned.rows.weight
    if target.linear_fit != "logistic":
        return 1.0
    codes, of_rows = cut_rows(learned.rows.codes, rows), None if weight is None else weight[rows]

    def loss(temperature: float) -> float:
        losses = target.losses(found[rows] / temperature, codes)
        return float(np.average(losses, weights=of_rows))

    return min(TEMPERATURES, key=loss)


def _score(call: Call, learned: TrainingData, rows: np.ndarray, found: np.ndarray) -> float | None:
    """Return the score of held-out outputs, by the user's scorer if there is one."""
    outputs, held_out = found[rows].astype(np.float64), HeldOut(learned.rows[rows], learned.y[rows])
    if call.arguments.scorer is not None:
        return scorer_of_outputs(call.arguments.scorer, learned.target, held_out)(outputs)
    return learned.target.score(outputs, codes_of(held_out.rows))


def _by_given_row(learned: TrainingData, found: np.ndarray) -> np.ndarray:
    """Return the outputs by the rows of X; those without weight have none."""
    if learned.kept is None:
        return found
    given = np.full((learned.n_given, *found.shape[1:]), np.nan, found.dtype)
    given[learned.kept] = found
    return given
