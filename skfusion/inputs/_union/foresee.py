"""A union in front of encoders: what it will make of a table, and its fit."""

from __future__ import annotations

from sklearn.base import clone

from skfusion.blocks import Blocks
from skfusion.inputs._union.own_blocks import NamedEncoders
from skfusion.inputs._union.plan import plan_of
from skfusion.inputs._union.read import read_table
from skfusion.inputs._union.steps import active_steps
from skfusion.inputs._union.union import BlockUnion
from skfusion.typing import XLike

__all__ = ["fit_for", "names_to_come"]


def names_to_come(union: BlockUnion, X: XLike, encoders: NamedEncoders) -> list[str]:
    """Return the names of the blocks that ``fit_for`` would make of X."""
    union = clone(union)
    plan = plan_of(union, read_table(union, X, reset=True), encoders)
    return [name for name, _, _ in active_steps(plan.steps)]


def fit_for(union: BlockUnion, X: XLike, encoders: NamedEncoders) -> Blocks:
    """Fit the union and return its blocks, with columns read as the encoders named can take them.

    Raises
    ------
    BlockError
        If an encoder can take its column in no form; nothing was fitted then.
    """
    return union._fit_for(X, encoders)
