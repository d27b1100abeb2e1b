"""The members of a fit: networks that differ in the rows that they hold out, and in their seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skfusion._estimators._call import Call, TrainingData
from skfusion._estimators._held_out import Split, holds_out, most_splits, splits_of

__all__ = ["Member", "members_of", "n_members"]

# How many for at most so many rows: of very many, one network has seen enough.
BY_ROWS = ((50_000, 4), (200_000, 2))


@dataclass(frozen=True)
class Member:
    """One of the networks of a fit.

    Parameters
    ----------
    seed : int
        What its weights, the order of its rows and its dropout follow from.
    split : (ndarray, ndarray) or None
        Numbers of the rows that it is trained on, and of those that it is only measured on; None
        trains on all.
    """

    seed: int
    split: Split | None = None


def n_members(call: Call, learned: TrainingData) -> int:
    """Return how many networks are trained: as many as before where a fit goes on."""
    if call.before is not None:
        return len(call.before.nets)
    asked = call.arguments.members
    if not _holds_out(call, learned, several=asked != 1):
        return 1 if asked == "auto" else int(asked)
    if asked != "auto":
        return int(asked)
    if learned.target.output.ragged:
        return 1  # outputs that differ in length have no mean
    most = most_splits(call.arguments.validation_split, learned.y, learned.groups)
    n_rows = len(learned.rows)
    usual = next((n for rows, n in BY_ROWS if n_rows <= rows), 1)
    return min(usual, most)


def members_of(call: Call, learned: TrainingData, seed: int, n: int) -> list[Member]:
    """Return the ``n`` members; their seeds follow from ``seed``, which is that of the first."""
    seeds = [seed, *_other_seeds(seed, n - 1)]
    if not _holds_out(call, learned, several=n > 1):
        return [Member(each) for each in seeds]
    strata = learned.target.strata(learned.y)
    splits = splits_of(call.arguments.validation_split, learned.y, strata, learned.groups, seed, n)
    return [Member(each, split) for each, split in zip(seeds, splits, strict=True)]


def _holds_out(call: Call, learned: TrainingData, several: bool) -> bool:
    """Whether rows of X are held out: those that the user gave take their place."""
    if not call.whole or learned.held_out is not None:
        return False
    arguments = call.arguments
    return holds_out(
        arguments.early_stopping, arguments.validation_split, len(learned.rows), several
    )


def _other_seeds(seed: int, n: int) -> list[int]:
    drawn = np.random.SeedSequence(seed).generate_state(n) if n else ()
    return [int(each >> 1) for each in drawn]  # below 2 ** 31, as that of the first
