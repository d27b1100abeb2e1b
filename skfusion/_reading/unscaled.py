"""Vectors of numbers on scales that networks learn badly from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from skfusion._warn import warn_user
from skfusion.blocks import Blocks

__all__ = ["warn_of_scales"]

_LARGE = 100.0  # root mean square of a column; networks expect numbers around 1
_SAMPLE = 2000


def warn_of_scales(blocks: Blocks, names: Iterable[str]) -> None:
    """Warn of vectors with a column of large numbers; bytes are scaled by their encoders.

    ``names`` are the blocks whose encoders take numbers as they are.
    """
    for name in names:
        block = blocks[name]
        is_vectors = isinstance(block, np.ndarray) and block.ndim == 2
        if is_vectors and len(block) > 1 and block.dtype != np.uint8:
            _warn_of_block(name, block, blocks.missing(name))


def _warn_of_block(name: str, block: np.ndarray, missing: np.ndarray | None) -> None:
    rows = np.arange(len(block)) if missing is None else np.flatnonzero(~missing)
    if not len(rows):
        return
    sample = block[rows[:: max(1, len(rows) // _SAMPLE)]].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = np.sqrt(np.mean(sample**2, axis=0))
    if not sizes.max() > _LARGE:
        return
    warn_user(
        f"block {name!r}: column {int(sizes.argmax())} has numbers of a size of about "
        f"{sizes.max():.3g}, the smallest column {sizes.min():.3g}. A network learns badly from "
        "numbers far from 1. Scale them: FusionClassifier(union=BlockUnion()), which has a "
        "StandardScaler, or one in a pipeline."
    )
