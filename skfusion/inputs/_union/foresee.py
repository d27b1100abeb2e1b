"""What the default union will make of a table, told before anything is fitted."""

from __future__ import annotations

from skfusion.inputs._union.choose import choose_transformers
from skfusion.inputs._union.read import read_table
from skfusion.inputs._union.union import BlockUnion
from skfusion.typing import XLike

__all__ = ["names_to_come"]


def names_to_come(X: XLike) -> list[str]:
    """Return the names of the blocks that ``BlockUnion().fit_transform(X)`` would make."""
    table = read_table(BlockUnion(), X, reset=True)
    return [name for name, _, _ in choose_transformers(table)]
