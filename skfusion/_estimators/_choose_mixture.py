"""Beside the networks: what they say of rows that they did not learn, and the linear member."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from skfusion._estimators._call import Call, TrainingData
from skfusion._estimators._fingerprint import content
from skfusion._estimators._held_out import Split
from skfusion._estimators._members import Member
from skfusion._estimators._mixture import HeldOutOutputs, Mixture
from skfusion._estimators._scoring import HeldOut, scorer_of_outputs
from skfusion._estimators._single_blocks import linear_of_best_blocks, warn_of_better_block
from skfusion._linear import LinearInputs, LinearModel
from skfusion._reading import rows_without_blocks
from skfusion._training import codes_of
from skfusion.blocks import Block
from skfusion.blocks._rows import cut_rows
from skfusion.exceptions import ParameterError
from skfusion.targets import Coding

__all__ = ["check_linear", "mixture_of", "unseen"]

SHARES = tuple(tenth / 10 for tenth in range(1, 10))  # of the linear member, if it has any
# A mean of probabilities is less sure than each of them. How much is told by rows like those of the
# fit; others may be harder, so that no more than a quarter is made up for.
TEMPERATURES = tuple(0.75 ** (step / 4) for step in range(-4, 5))
_ERRORS = 1.0  # standard errors by which the best share must be worse than none for it to be left
_ROWS_TOLD_BY = 64  # that are looked at to know the rows of a fit again


def unseen(call: Call, learned: TrainingData, members: Sequence[Member]) -> str | None:
    """Return a word for the rows that are held out, if no fit so far learned from them.

    None where none are; and where a fit goes on from another that held out others, or none.
    """
    splits = _splits(members)
    if not splits or learned.target.output.ragged:
        return None
    some = np.linspace(0, len(learned.rows) - 1, _ROWS_TOLD_BY).astype(int)
    word = content((learned.blocks.take(some), learned.rows.codes, splits))
    before = None if call.before is None else call.before.mixture.held_out
    return word if call.before is None or (before is not None and before.of == word) else None


def _splits(members: Sequence[Member]) -> list[Split]:
    return [member.split for member in members if member.split is not None]


def check_linear(call: Call, learned: TrainingData, held_out: str | None) -> None:
    """Check that there can be a linear member, if ``linear=True`` asks for one.

    ``held_out`` is the word for the rows by which its share is chosen, if there are any. A fit that
    goes on without any keeps the linear member that it has.

    Raises
    ------
    ParameterError
        If there can be none.
    """
    before = call.before
    if call.arguments.linear is not True or (before is not None and before.mixture.linear):
        return
    if learned.target.linear_fit is None:
        raise ParameterError(
            "linear=True goes with a loss of cross-entropy or squared error, which a logistic or "
            'ridge regression minimises too. Use linear="auto" or False with another loss.'
        )
    if not LinearInputs.usable(learned.blocks):
        raise ParameterError(
            f"linear=True has nothing to learn from: of the blocks {learned.blocks.names} none is "
            "csr, vectors or sequences of moderate size. Use linear=False."
        )
    if held_out is not None:
        return
    why = "and none are" if before is None else "and the fits so far learned from them"
    raise ParameterError(
        "linear=True needs held-out rows of X, by which the share of the linear member is "
        f"chosen, {why}. Fit anew with early_stopping=True and without validation_data, or use "
        'linear="auto" or False.'
    )


def mixture_of(
    call: Call,
    learned: TrainingData,
    members: Sequence[Member],
    outputs: Sequence[np.ndarray],
    held_out: str | None,
) -> Mixture:
    """Return the mixture of networks that made ``outputs`` for the rows that they held out.

    A fit that goes on with rows that were learned before keeps the mixture that it has.

    Parameters
    ----------
    call, learned : Call, TrainingData
        What is fitted.
    members : sequence of Member
        Which rows each network held out, if any.
    outputs : sequence of ndarray of shape (n_held_out, *shape)
        What the network of each makes of them, that of the prior for rows without any block; empty
        if none were held out.
    held_out : str or None
        The word for the rows that were held out; see ``unseen``.
    """
    if held_out is None:
        return Mixture() if call.before is None else replace(call.before.mixture, held_out=None)
    asked, splits = call.arguments.linear, _splits(members)
    networks = _by_row(learned.target, len(learned.rows), splits, outputs)
    rows, without = _rows_to_choose_by(learned, networks)
    found, linear, share = networks, None, 0.0
    if len(rows) and (asked is True or (asked == "auto" and len(members) > 1)):
        linear, share, found = _with_linear(call, learned, splits, (networks, rows))
    temperature = _temperature(learned, rows, found) if len(rows) and len(members) > 1 else 1.0
    found = found / temperature if temperature != 1 else found
    found[without] = networks[without]
    score = _score(call, learned, np.concatenate([rows, without]), found)
    told = HeldOutOutputs(_by_given_row(learned, found), score, held_out)
    return Mixture(linear, share, temperature, told)


def _by_row(
    target: Coding, n_rows: int, splits: Sequence[Split], outputs: Sequence[np.ndarray]
) -> np.ndarray:
    """Return what the outputs for each row predict in the mean, NaN where there are none.

    (n_rows, *shape)
    """
    total = np.full((n_rows, *outputs[0].shape[1:]), np.nan, outputs[0].dtype)
    count = np.zeros(n_rows, np.int64)
    for (_, rows), found in zip(splits, outputs, strict=True):
        for n_before in np.unique(count[rows]):
            these = np.flatnonzero(count[rows] == n_before)
            shares = (n_before / (n_before + 1), 1 / (n_before + 1))
            pair = (total[rows[these]], found[these])
            total[rows[these]] = target.mixed(pair, shares) if n_before else found[these]
        count[rows] += 1
    return total


def _rows_to_choose_by(learned: TrainingData, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the rows held out that have a block, and of those that have none."""
    there = np.isfinite(found).reshape(len(found), -1).all(axis=1)
    without = rows_without_blocks(learned.blocks)
    if without is None:
        return np.flatnonzero(there), np.empty(0, np.int64)
    return np.flatnonzero(there & ~without), np.flatnonzero(there & without)


def _with_linear(
    call: Call,
    learned: TrainingData,
    splits: Sequence[Split],
    networks: tuple[np.ndarray, np.ndarray],
) -> tuple[LinearModel | None, float, np.ndarray]:
    """Return the linear member, its share, and the held-out outputs of all members together.

    ``networks`` are the outputs of the networks, and the rows that these are of.
    """
    (found, rows), asked = networks, call.arguments.linear is True
    target, codes, weight = learned.target, learned.rows.codes, learned.rows.weight
    chosen, alone = linear_of_best_blocks(learned, splits, asked)
    if chosen is None:
        return None, 0.0, found
    pair = (found[rows], chosen.held_out[rows])
    of_rows = None if weight is None else weight[rows]
    share = _best_share(target, cut_rows(codes, rows), of_rows, pair)
    share = share or (SHARES[0] if asked else 0.0)
    mixed = found.copy()
    if share:
        mixed[rows] = target.mixed(pair, (1 - share, share))
    warn_of_better_block(call, learned, splits[0], mixed, alone)
    return chosen.model if share else None, share, mixed


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
