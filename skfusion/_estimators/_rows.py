"""The rows of a fit: their weights, and which of them are held out."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils.validation import _check_sample_weight

from skfusion.blocks import Blocks
from skfusion.exceptions import TargetError
from skfusion.targets import PlainY
from skfusion.targets._reading import columns_of
from skfusion.typing import WeightLike

__all__ = ["holds_out", "scaled", "split_rows", "with_weight"]

# From this many rows on, early_stopping="auto" holds some out.
_ROWS_TO_HOLD_OUT = 500
_HUGE = 1e200  # of weights; their sum may be infinite


def with_weight(
    blocks: Blocks, y: PlainY, sample_weight: WeightLike | None
) -> tuple[Blocks, PlainY, np.ndarray | None]:
    """Return the rows whose weight is not zero, and their weights."""
    if sample_weight is None:
        return blocks, y, None
    weight = _check_weight(sample_weight, blocks)
    kept = weight > 0
    if not kept.any():
        raise TargetError("sample_weight is zero in every row; no row is left to learn.")
    if kept.all():
        return blocks, y, weight
    return blocks[kept], y[kept], weight[kept]


def _check_weight(sample_weight: WeightLike, blocks: Blocks) -> np.ndarray:
    """Return the weights (n_rows,), finite and >= 0."""
    given = columns_of(sample_weight)
    wrong = pd.isna(given) if given.dtype == object else _no_weight(given)
    if given.ndim == 1 and wrong.any():
        row = int(wrong.argmax())
        raise TargetError(
            f"sample_weight, row {row}: {given[row]} is no weight. Negative values, NaN and "
            "infinity weigh nothing; give a number >= 0, where 0 leaves the row out."
        )
    weight: np.ndarray = _check_sample_weight(
        given.item() if given.ndim == 0 else given,
        blocks,
        dtype=np.float64,
        ensure_non_negative=True,
    )
    return weight


def _no_weight(weight: np.ndarray) -> np.ndarray:
    if weight.dtype.kind not in "biuf":
        return np.zeros(weight.shape, bool)
    return ~np.isfinite(weight) | (weight < 0)


def scaled(weight: np.ndarray | None, from_target: np.ndarray | None) -> np.ndarray | None:
    """Return the product of both weights with mean 1, or None where all rows weigh the same."""
    if from_target is not None:
        weight = from_target if weight is None else weight * from_target
    if weight is None or np.all(weight == weight[0]):
        return None
    if weight.max() > _HUGE:
        weight = weight / weight.max()
    return weight / weight.mean()


def holds_out(early_stopping: bool | str, n_rows: int) -> bool:
    """Whether rows are held out to stop early; "auto" needs enough of them."""
    return n_rows >= _ROWS_TO_HOLD_OUT if early_stopping == "auto" else bool(early_stopping)


def split_rows(
    strata: np.ndarray | None, n_rows: int, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return shuffled row numbers to train on and to hold out, stratified where possible."""
    if n_rows < 2:
        raise TargetError(
            "early stopping needs at least 2 rows, one of them held out. Got 1. "
            "Use early_stopping=False."
        )
    n_valid = max(1, round(share * n_rows))
    if strata is not None and _can_stratify(strata, n_valid, n_rows - n_valid):
        split = StratifiedShuffleSplit(1, test_size=n_valid, random_state=seed)
        return next(split.split(strata, strata))
    return next(ShuffleSplit(1, test_size=n_valid, random_state=seed).split(np.empty(n_rows)))


def _can_stratify(strata: np.ndarray, *sizes: int) -> bool:
    _, counts = np.unique(strata, return_counts=True)
    return counts.min() >= 2 and len(counts) <= min(sizes)
