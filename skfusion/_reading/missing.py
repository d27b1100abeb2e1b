"""The rule for rows that lack blocks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from skfusion._checks import check_choice
from skfusion.blocks import Blocks, BlockSpec
from skfusion.exceptions import BlockError

__all__ = ["check_missing", "check_some_block", "rows_without_blocks", "with_absent"]


def check_missing(missing: str) -> str:
    """Return what to do about rows, and X, that lack blocks: "error" or "allow"."""
    return str(check_choice("missing", missing, ("error", "allow")))


def rows_without_blocks(blocks: Blocks) -> np.ndarray | None:
    """Return the mask of rows that lack every block, or None where there is no such row."""
    without = None
    for name in blocks.names:
        missing = blocks.missing(name)
        if missing is None:
            return None
        without = missing if without is None else without & missing
    return without if without is not None and without.any() else None


def check_some_block(blocks: Blocks) -> None:
    """Raise ``BlockError`` if a row lacks every block."""
    without = rows_without_blocks(blocks)
    if without is not None:
        raise BlockError(
            f"row {int(without.argmax())} lacks every block ({int(without.sum())} such rows), so "
            "there is nothing to learn or predict from. Leave these rows out, or use "
            'missing="allow" to have the prior predicted for them.'
        )


def with_absent(blocks: Blocks, specs: Mapping[str, BlockSpec]) -> Blocks:
    """Add the blocks that X lacks altogether, missing in every row."""
    gone = [name for name in specs if name not in blocks]
    if not gone:
        return blocks
    empty = {name: specs[name].empty(len(blocks)) for name in gone}
    return blocks.assign(empty, {name: np.ones(len(blocks), dtype=bool) for name in gone})
