"""What a union will make of a table, told before anything is fitted."""

from __future__ import annotations

from sklearn.base import clone

from skfusion.inputs._union.plan import plan_of
from skfusion.inputs._union.read import read_table
from skfusion.inputs._union.steps import active_steps
from skfusion.inputs._union.union import BlockUnion
from skfusion.typing import XLike

__all__ = ["names_to_come"]


def names_to_come(union: BlockUnion, X: XLike) -> list[str]:
    """Return the names of the blocks that ``union.fit_transform(X)`` would make."""
    union = clone(union)
    plan = plan_of(union, read_table(union, X, reset=True))
    return [name for name, _, _ in active_steps(plan.steps)]
