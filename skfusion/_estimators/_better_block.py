"""What is said where a single block would do better than all blocks together."""

from __future__ import annotations

import math

import numpy as np

from skfusion._estimators._call import Call, TrainingData
from skfusion._estimators._held_out import Split
from skfusion._linear import LinearChoice
from skfusion._warn import warn_user
from skfusion.blocks._rows import cut_rows
from skfusion.exceptions import BetterBlockWarning

__all__ = ["warn_of_better_block"]

_EPOCHS = 10  # fewer are no fit to judge by
_ERRORS, _GAIN = 2.0, 0.05  # standard errors, and share of the loss, by which it must be better


def warn_of_better_block(
    call: Call, learned: TrainingData, split: Split, found: np.ndarray, linear: LinearChoice
) -> None:
    """Warn if a linear model of one block is better than all that was fitted.

    They are compared on the rows that ``split`` holds out; ``found`` (n_rows, *shape) is what all
    say of the rows.
    """
    if len(learned.blocks.names) < 2 or call.n_epochs < _EPOCHS:
        return
    _, rows = split
    target, codes = learned.target, cut_rows(learned.rows.codes, rows)
    weight = None if learned.rows.weight is None else learned.rows.weight[rows]
    losses = target.losses(found[rows], codes)
    alone = {
        name: target.losses(outputs, codes)
        for name, outputs in linear.of_single_blocks(learned.blocks, split).items()
    }
    means = {name: float(np.average(each, weights=weight)) for name, each in alone.items()}
    best = min(means, key=means.__getitem__)
    of_all, harm = float(np.average(losses, weights=weight)), losses - alone[best]
    error = float(harm.std()) / math.sqrt(len(harm))
    if of_all - means[best] <= max(_ERRORS * error, _GAIN * of_all):
        return
    warn_user(
        f"Block {best!r} alone, in a linear model, predicts held-out rows better than all blocks "
        f"together: its loss on {len(rows)} rows is {means[best]:.4g}, theirs {of_all:.4g}. Leave "
        "out blocks that say nothing of y, or give their encoders fewer units or more dropout.",
        BetterBlockWarning,
    )
