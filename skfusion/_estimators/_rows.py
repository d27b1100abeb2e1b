"""The weights of the rows of a fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.utils.validation import _check_sample_weight, check_consistent_length

from skfusion._reading import check_finite, check_some_block
from skfusion.blocks import Blocks
from skfusion.exceptions import TargetError
from skfusion.targets import PlainY
from skfusion.targets._reading import columns_of
from skfusion.typing import WeightLike, YLike

__all__ = ["check_rows", "scaled", "with_weight"]

_HUGE = 1e200  # of weights; their sum may be infinite


def check_rows(blocks: Blocks, y: YLike, missing: str) -> None:
    """Raise an error unless there is a y for each row, and something finite to learn it from."""
    check_consistent_length(blocks, y)
    check_finite(blocks)
    if missing == "error":
        check_some_block(blocks)


def with_weight(
    blocks: Blocks, y: PlainY, sample_weight: WeightLike | None, groups: np.ndarray | None = None
) -> tuple[Blocks, PlainY, np.ndarray | None, np.ndarray | None]:
    """Return the rows whose weight is not zero, their weights and their groups."""
    if sample_weight is None:
        return blocks, y, None, groups
    weight = _check_weight(sample_weight, blocks)
    kept = weight > 0
    if not kept.any():
        raise TargetError("sample_weight is zero in every row; no row is left to learn.")
    if kept.all():
        return blocks, y, weight, groups
    return blocks[kept], y[kept], weight[kept], None if groups is None else groups[kept]


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
