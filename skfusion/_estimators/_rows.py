"""The weights of the rows of a fit."""

from __future__ import annotations

from typing import SupportsFloat

import numpy as np
from sklearn.utils.validation import _check_sample_weight, check_consistent_length

from skfusion._reading import check_finite, check_some_block
from skfusion.blocks import Blocks
from skfusion.exceptions import TargetError
from skfusion.targets import PlainY, Target
from skfusion.targets._reading import columns_of
from skfusion.typing import WeightLike, YLike

__all__ = [
    "check_given",
    "check_rows",
    "read_score_weight",
    "read_weight",
    "scaled",
    "with_each_value",
    "with_weight",
]

_HUGE = 1e200  # of weights; their sum may be infinite


def check_given(y: YLike | None, owner: str) -> YLike:
    """Return y, which is there, and is more than the name of a column."""
    if y is None:
        raise TargetError(f"{owner} requires y to be passed, but the target y is None.")
    if isinstance(y, str):
        raise TargetError(
            f"y must be values, one a row. Got the text {y!r}. If that is a column of X, pass "
            f"X.drop(columns={y!r}) and X[{y!r}]."
        )
    return y


def check_rows(blocks: Blocks, y: YLike, missing: str) -> None:
    """Raise an error unless there is a y for each row, and something finite to learn it from."""
    check_consistent_length(blocks, y)
    check_finite(blocks)
    if missing == "error":
        check_some_block(blocks)


def with_weight(
    blocks: Blocks, y: PlainY, sample_weight: WeightLike | None
) -> tuple[Blocks, PlainY, np.ndarray | None, np.ndarray | None]:
    """Return the rows whose weight is not zero, their weights, and which rows these are, if few."""
    if sample_weight is None:
        return blocks, y, None, None
    weight = read_weight(sample_weight, blocks)
    kept = weight > 0
    if not kept.any():
        raise TargetError("sample_weight is zero in every row; no row is left to learn.")
    if kept.all():
        return blocks, y, weight, None
    return blocks[kept], y[kept], weight[kept], np.flatnonzero(kept)


def with_each_value(
    recipe: Target,
    blocks: Blocks,
    y: PlainY,
    weight: np.ndarray | None,
    groups: np.ndarray | None = None,
) -> tuple[Blocks, PlainY, np.ndarray | None, np.ndarray | None]:
    """Return the rows once for each value of y, where rows have several.

    Those of a row share its weight, and are held out together.
    """
    spread = recipe.spread(y)
    if spread is None:
        return blocks, y, weight, groups
    rows, values = spread
    of_rows = np.ones(len(blocks)) if weight is None else weight
    shared = (of_rows / np.bincount(rows, minlength=len(blocks)))[rows]
    return blocks.take(rows), values, shared, rows if groups is None else groups[rows]


def read_weight(sample_weight: WeightLike, rows: Blocks | np.ndarray) -> np.ndarray:
    """Return the weights (n_rows,), finite and >= 0.

    Raises
    ------
    TargetError
        If something is no weight, such as a date or NaN; names the row.
    """
    if isinstance(sample_weight, np.ma.MaskedArray):
        sample_weight = np.ma.filled(sample_weight.astype(np.float64), np.nan)
    given = columns_of(sample_weight)
    wrong = _no_weight(given)
    if given.ndim < 2 and wrong.any():
        row = int(wrong.argmax())
        where = f", row {row}" if given.ndim else ""
        raise TargetError(
            f"sample_weight{where}: {given.ravel()[row]!s} is no weight. Negative values, NaN and "
            "infinity are not allowed; give a number >= 0, where 0 leaves the row out."
        )
    weight: np.ndarray = _check_sample_weight(
        given.item() if given.ndim == 0 else given,
        rows,
        dtype=np.float64,
        ensure_non_negative=True,
    )
    return weight


def read_score_weight(sample_weight: WeightLike | None, predicted: np.ndarray) -> np.ndarray | None:
    """Return the weights of rows in a score, of which one at least counts."""
    if sample_weight is None:
        return None
    weight = read_weight(sample_weight, predicted)
    if not weight.any():
        raise TargetError("sample_weight is zero in every row; no row is left to score.")
    return weight


def _no_weight(weight: np.ndarray) -> np.ndarray:
    """Return what is no number, or none that a row can weigh."""
    if weight.dtype.kind in "biuf":
        return ~np.isfinite(weight) | (weight < 0)
    if weight.dtype.kind in "mMc":
        return np.ones(weight.shape, bool)
    return np.array([not _weighs(each) for each in weight.ravel()], bool).reshape(weight.shape)


def _weighs(value: SupportsFloat) -> bool:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return 0 <= number < np.inf


def scaled(weight: np.ndarray | None, from_target: np.ndarray | None) -> np.ndarray | None:
    """Return the product of both weights with mean 1, or None where all rows weigh the same."""
    if from_target is not None:
        weight = from_target if weight is None else weight * from_target
    if weight is None or np.all(weight == weight[0]):
        return None
    if weight.max() > _HUGE:
        weight = weight / weight.max()
    return weight / weight.mean()
