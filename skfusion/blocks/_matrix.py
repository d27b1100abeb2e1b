"""How blocks become one 2-D matrix, and which block is in the way where they cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
from scipy import sparse

from skfusion.blocks._kinds import Block
from skfusion.blocks._lookup import Lookup
from skfusion.blocks._ragged import Ragged
from skfusion.blocks._rows import cut_rows, scatter_rows
from skfusion.blocks._spec import form_of
from skfusion.exceptions import BlockTypeError

__all__ = [
    "check_dense",
    "check_two_dimensional",
    "copied_as_asked",
    "is_dense_matrix",
    "side_by_side",
]


def check_two_dimensional(blocks: Mapping[str, Block], what: str) -> None:
    """Raise an error that names the first of the ``blocks`` that is not 2-D."""
    for name, block in blocks.items():
        if isinstance(block, Lookup):
            raise BlockTypeError(
                f"block {name!r} is in the way: {what}, and this block is a Lookup. Write its rows "
                "out, table[keys], or leave it out with blocks.select([...])."
            )
        if isinstance(block, Ragged) or block.ndim != 2:
            row = ", ".join(map(str, block.shape[1:]))
            raise BlockTypeError(
                f"block {name!r} is in the way: {what}, and this block has the form "
                f"{form_of(block, name)!r}, a row the shape ({row}). Leave it out with "
                "blocks.select([...]), or use an estimator that takes Blocks."
            )


def is_dense_matrix(block: Block, name: str) -> bool:
    """Whether a block converts to a dense 2-D array."""
    return form_of(block, name) == "vector" and not isinstance(block, Lookup)


def check_dense(blocks: Mapping[str, Block]) -> None:
    """Raise an error that names the first of the ``blocks`` that is no dense 2-D array."""
    check_two_dimensional(blocks, "converting Blocks to one array")
    for name, block in blocks.items():
        if sparse.issparse(block):
            raise BlockTypeError(
                f"block {name!r} is sparse and is never made dense silently, so these Blocks "
                "do not convert to an array. Use blocks.hstack() for a csr matrix, or an "
                "estimator that takes Blocks."
            )


def side_by_side(blocks: list[tuple[Block, np.ndarray | None]]) -> np.ndarray | sparse.csr_array:
    """Return 2-D blocks, each with its mask of missing rows, as one csr matrix or array."""
    parts = [_zero_filled(block, missing) for block, missing in blocks]
    if any(map(sparse.issparse, parts)):
        return sparse.hstack(parts, format="csr")
    return parts[0] if len(parts) == 1 else np.hstack(cast(list[np.ndarray], parts))


def copied_as_asked(array: np.ndarray, blocks: list[Block], copy: bool | None) -> np.ndarray:
    """Keep what numpy promises of ``copy``: True never shares memory, False always does."""
    is_block = any(
        isinstance(block, np.ndarray) and np.may_share_memory(array, block) for block in blocks
    )
    if copy is False and not is_block:
        raise ValueError(
            "these Blocks become one array only by copying, and copy=False was asked for. "
            "Use np.asarray(blocks)."
        )
    return array.copy() if copy and is_block else array


def _zero_filled(block: Block, missing: np.ndarray | None) -> Block:
    if missing is not None:
        return scatter_rows(cut_rows(block, np.flatnonzero(~missing)), ~missing)
    return block if sparse.issparse(block) else np.asarray(block[:])
