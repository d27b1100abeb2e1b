"""Values that no network takes: NaN and infinity, found with block, row and column."""

from __future__ import annotations

from typing import cast

import numpy as np

from skfusion.blocks import Block, Blocks, Lookup, Ragged
from skfusion.blocks._kinds import is_csr
from skfusion.exceptions import BlockError, noted

__all__ = ["check_finite", "first_not_finite"]

_ROWS_AT_ONCE = 65_536


def check_finite(blocks: Blocks, first_row: int = 0) -> None:
    """Raise ``BlockError`` for the first NaN or infinite value, with block, row and column.

    Lazy blocks are not read. Others are read a few thousand rows at a time, so that a memory map
    stays on disk. ``first_row`` is what the user calls the first of these rows.
    """
    for start in range(0, len(blocks), _ROWS_AT_ONCE):
        few = len(blocks) <= _ROWS_AT_ONCE
        chunk = blocks if few else blocks[start : start + _ROWS_AT_ONCE]
        for name in chunk.names:
            block = chunk[name]
            if isinstance(block, Lookup):
                with noted(f"in the table of the lookup {name!r}, whose rows are things"):
                    _check_finite_block(name, block.table, ~block.used(), 0)
            else:
                _check_finite_block(name, block, chunk.missing(name), first_row + start)


def first_not_finite(block: Block) -> str:
    """Return where the first NaN or infinite value of a block stands; empty if all are finite."""
    values = _stored_values(block)
    bad = np.zeros(0) if values is None else np.flatnonzero(~np.isfinite(values))
    if not len(bad):
        return ""
    row, place = _place(block, (int(bad[0]),))
    return f"row {row}, {place}"


def _check_finite_block(name: str, block: Block, missing: np.ndarray | None, start: int) -> None:
    values = _stored_values(block)
    if values is None or values.dtype.kind != "f":
        return
    # The sum is finite unless a value is not, or the values are huge; it needs no copy.
    with np.errstate(over="ignore", invalid="ignore"):
        finite = bool(np.isfinite(values.sum()))
    if not finite:
        _find_not_finite(name, block, values, missing, start)


def _stored_values(block: Block) -> np.ndarray | None:
    if is_csr(block):
        return block.data
    if isinstance(block, Ragged):
        return block.values[block.offsets[0] : block.offsets[-1]]
    return block if isinstance(block, np.ndarray) else None


def _find_not_finite(
    name: str, block: Block, values: np.ndarray, missing: np.ndarray | None, start: int
) -> None:
    bad = ~np.isfinite(values)
    if missing is not None:
        bad[_held_by(block, missing)] = False
    if not bad.any():
        return
    first = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
    row, place = _place(block, first)
    raise BlockError(
        f"Input block {name!r} contains {_kind(values[first])} in row {start + row}, {place} "
        f"({int(bad.sum())} such values in all). Impute them (SimpleImputer in the BlockUnion), or "
        "mark rows that lack the whole block in Blocks(..., missing={name: mask})."
    )


def _held_by(block: Block, rows: np.ndarray) -> np.ndarray:
    """Return the mask of the stored values that belong to ``rows``, a mask itself."""
    if isinstance(block, np.ndarray):
        return rows
    offsets = block.indptr if is_csr(block) else cast(Ragged, block).offsets
    return np.repeat(rows, np.diff(offsets))


def _kind(value: float) -> str:
    return "NaN" if np.isnan(value) else "infinity"


def _place(block: Block, first: tuple[int, ...]) -> tuple[int, str]:
    """Return the row of the value, and where in its row it stands."""
    if is_csr(block):
        row = int(np.searchsorted(block.indptr, first[0], side="right")) - 1
        return row, f"column {int(block.indices[first[0]])}"
    if isinstance(block, Ragged):
        starts = block.offsets - block.offsets[0]
        row = int(np.searchsorted(starts, first[0], side="right")) - 1
        return row, f"step {first[0] - int(starts[row])}"
    return first[0], f"column {first[1]}" if len(first) == 2 else f"position {first[1:]}"
