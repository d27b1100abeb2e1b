"""All blocks or a single one: which the linear member is of, and what is said of the whole."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from skfusion._estimators._call import Call, TrainingData
from skfusion._estimators._held_out import Split
from skfusion._linear import LinearChoice, choose_linear
from skfusion._warn import warn_user
from skfusion.blocks._rows import cut_rows
from skfusion.exceptions import BetterBlockWarning

__all__ = ["linear_of_best_blocks", "warn_of_better_block"]

_EPOCHS = 10  # fewer are no fit to judge by
# Standard errors by which a block must be better: than all blocks, for the linear member to be of
# it alone; than all that was fitted, for a warning. And by which share of the loss for that.
_TO_CHOOSE, _TO_WARN, _GAIN = 1.0, 2.0, 0.05


def linear_of_best_blocks(
    learned: TrainingData, splits: Sequence[Split], at_any_cost: bool
) -> tuple[LinearChoice | None, Mapping[str, np.ndarray]]:
    """Return the linear member, of all blocks or of the one that does better alone.

    With it come the losses (n_held_out,) of each block alone, on the rows that the first split
    holds out; none where there are no several blocks.
    """
    target, codes, weight = learned.target, learned.rows.codes, learned.rows.weight

    def choose(names: Sequence[str]) -> LinearChoice | None:
        blocks = learned.blocks.select(names)
        return choose_linear(target, blocks, codes, weight, splits, at_any_cost)

    of_all = choose(learned.blocks.names)
    if of_all is None or len(learned.blocks.names) < 2:
        return of_all, {}
    alone = _losses_alone(learned, splits[0], of_all)
    if len(alone) < 2:
        return of_all, alone
    rows = splits[0][1]
    best = _best(learned, rows, alone)
    losses = target.losses(of_all.held_out[rows], cut_rows(codes, rows))
    if _gain(learned, rows, losses, alone[best], _TO_CHOOSE) > 0:
        return choose([best]), alone
    return of_all, alone


def _losses_alone(
    learned: TrainingData, split: Split, linear: LinearChoice
) -> dict[str, np.ndarray]:
    codes = cut_rows(learned.rows.codes, split[1])
    return {
        name: learned.target.losses(outputs, codes)
        for name, outputs in linear.of_single_blocks(learned.blocks, split).items()
    }


def _mean(learned: TrainingData, rows: np.ndarray, losses: np.ndarray) -> float:
    weight = None if learned.rows.weight is None else learned.rows.weight[rows]
    return float(np.average(losses, weights=weight))


def _best(learned: TrainingData, rows: np.ndarray, alone: Mapping[str, np.ndarray]) -> str:
    return min(alone, key=lambda name: _mean(learned, rows, alone[name]))


def _gain(
    learned: TrainingData, rows: np.ndarray, losses: np.ndarray, less: np.ndarray, errors: float
) -> float:
    """Return by how much the mean of ``less`` is smaller, beyond so many standard errors."""
    difference = losses - less
    error = float(difference.std()) / math.sqrt(len(difference))
    return _mean(learned, rows, difference) - errors * error


def warn_of_better_block(
    call: Call,
    learned: TrainingData,
    split: Split,
    found: np.ndarray,
    alone: Mapping[str, np.ndarray],
) -> None:
    """Warn if a linear model of one block is better than all that was fitted.

    They are compared on the rows that ``split`` holds out; ``found`` (n_rows, *shape) is what all
    say of the rows, ``alone`` what each block loses alone.
    """
    if not alone or call.n_epochs < _EPOCHS:
        return
    _, rows = split
    best = _best(learned, rows, alone)
    losses = learned.target.losses(found[rows], cut_rows(learned.rows.codes, rows))
    of_all, of_block = (_mean(learned, rows, each) for each in (losses, alone[best]))
    too_little = of_all - of_block <= _GAIN * of_all
    if too_little or _gain(learned, rows, losses, alone[best], _TO_WARN) <= 0:
        return
    warn_user(
        f"Block {best!r} alone, in a linear model, predicts held-out rows better than all blocks "
        f"together: its loss on {len(rows)} rows is {of_block:.4g}, theirs {of_all:.4g}. Leave "
        "out blocks that say nothing of y, or give their encoders fewer units or more dropout.",
        BetterBlockWarning,
    )
