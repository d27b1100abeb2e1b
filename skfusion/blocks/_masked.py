"""A block together with the rows that lack it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from skfusion.blocks._kinds import Block

__all__ = ["MaskedBlock"]


@dataclass(frozen=True, eq=False)
class MaskedBlock:
    """A block together with the rows that lack it: what a transformer returns that finds gaps.

    ``BlockUnion`` takes it apart and marks these rows as missing.

    Parameters
    ----------
    block : ndarray, csr matrix, Ragged or lazy block of n_rows rows
        What it holds in missing rows is never read.
    missing : ndarray of bool of shape (n_rows,)
        True where a row lacks the block.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.blocks import MaskedBlock
    >>> found = MaskedBlock(np.zeros((2, 3)), np.array([False, True]))
    >>> found.block.shape, int(found.missing.sum())
    ((2, 3), 1)
    """

    block: Block
    missing: np.ndarray
