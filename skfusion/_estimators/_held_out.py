"""Which rows are held out: a random share, those of a splitter or of whole groups, or others."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from numbers import Real
from typing import TypeAlias, cast

import numpy as np
import pandas as pd
from sklearn.model_selection import (
    BaseCrossValidator,
    BaseShuffleSplit,
    GroupKFold,
    GroupShuffleSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedShuffleSplit,
)
from sklearn.utils.validation import check_consistent_length

from skfusion._checks import check_real
from skfusion.exceptions import ParameterError, TargetError, noted
from skfusion.targets import PlainY
from skfusion.targets._reading import columns_of
from skfusion.typing import ArrayLike, ValidationData

__all__ = [
    "Split",
    "ValidationSplit",
    "check_groups",
    "check_validation_data",
    "check_validation_split",
    "holds_out",
    "most_splits",
    "read_groups",
    "splits_of",
]

# A share of the rows, or a splitter of scikit-learn.
ValidationSplit: TypeAlias = float | BaseCrossValidator | BaseShuffleSplit

Split: TypeAlias = tuple[np.ndarray, np.ndarray]  # numbers of rows to train on, and to hold out

# From this many rows on, early_stopping="auto" holds some out. Of several members each row is
# held out by one and trained on by all others, so that fewer will do.
ROWS_TO_HOLD_OUT, ROWS_OF_SEVERAL = 500, 100
_SHARE = 0.1  # that one network holds out


def check_validation_split(
    fraction: float | None, split: ValidationSplit | None
) -> ValidationSplit | None:
    """Return the share, strictly between 0 and 1, or the splitter, if there is either."""
    share = None if fraction is None else _check_share("validation_fraction", fraction)
    if split is None:
        return share
    if hasattr(split, "split") and hasattr(split, "get_n_splits") and not isinstance(split, type):
        return split
    if not isinstance(split, Real):
        raise ParameterError(
            "validation_split must be a number or a splitter of scikit-learn, such as "
            f"GroupShuffleSplit(test_size=0.2). Got {split!r}."
        )
    return _check_share("validation_split", float(split))


def _check_share(name: str, share: float) -> float:
    if not 0 < check_real(name, share) < 1:
        raise ParameterError(
            f"{name} must lie strictly between 0 and 1. "
            f"Got {share!r}. Use early_stopping=False to hold out nothing."
        )
    return share


def check_validation_data(given: ValidationData | None) -> ValidationData | None:
    """Return the pair (X, y) or triple (X, y, sample_weight), or None."""
    if given is None or (isinstance(given, (tuple, list)) and len(given) in (2, 3)):
        return given
    raise ParameterError(
        "validation_data must be a pair (X_val, y_val), or (X_val, y_val, sample_weight). "
        f"Got {type(given).__name__}{f' of {len(given)}' if isinstance(given, Sequence) else ''}."
    )


def read_groups(groups: ArrayLike | None) -> np.ndarray | None:
    """Return the group of each row (n_rows,), or None.

    Raises
    ------
    ParameterError
        If a row has none, or groups are of types that cannot be told apart by their order.
    """
    if groups is None:
        return None
    with noted("groups"):
        found = columns_of(groups)
    if found.ndim != 1:
        raise ParameterError(
            f"groups must be one value a row, of shape (n_rows,). Got shape {found.shape}."
        )
    missing = pd.isna(found)
    if missing.any():
        raise ParameterError(
            f"groups: row {int(missing.argmax())} has none. Give each row a group; one that is in "
            "no group with others has one of its own."
        )
    _check_one_type(found)
    return found


def _check_one_type(groups: np.ndarray) -> None:
    try:
        np.unique(groups)
    except TypeError as error:
        types = [type(group).__name__ for group in groups]
        row = next(row for row, name in enumerate(types) if name != types[0])
        raise ParameterError(
            f"groups must be of one type. Got {groups[0]!r} ({types[0]}) in row 0, {groups[row]!r} "
            f"({types[row]}) in row {row}. Make them texts: [str(group) for group in groups]."
        ) from error


def check_groups(groups: np.ndarray | None, n_rows: int) -> np.ndarray | None:
    """Return the groups, if there are any, one a row."""
    if groups is not None:
        with noted("groups beside X"):
            check_consistent_length(groups, np.empty(n_rows))
    return groups


def holds_out(
    early_stopping: bool | str, split: ValidationSplit | None, n_rows: int, several: bool
) -> bool:
    """Whether rows are held out; "auto" needs enough of them, or a splitter that was asked for."""
    if early_stopping == "auto":
        enough = ROWS_OF_SEVERAL if several else ROWS_TO_HOLD_OUT
        return n_rows >= enough or not _is_share(split)
    return bool(early_stopping)


def _is_share(split: ValidationSplit | None) -> bool:
    return split is None or isinstance(split, Real)


def most_splits(split: ValidationSplit | None, y: PlainY, groups: np.ndarray | None) -> int:
    """Return how many networks can each hold out rows of their own."""
    if not _is_share(split):
        with noted(f"validation_split={split!r}"):
            splitter = cast(BaseCrossValidator, split)
            n_splits: int = splitter.get_n_splits(np.empty((y.shape[0], 1)), y, groups)
        return n_splits
    return y.shape[0] if groups is None else _n_groups(groups)


def splits_of(
    split: ValidationSplit | None,
    y: PlainY,
    strata: np.ndarray | None,
    groups: np.ndarray | None,
    seed: int,
    n: int,
) -> list[Split]:
    """Return which rows each of ``n`` networks is trained on, and which it holds out.

    One holds out a share, several a fold each; a share that is named is drawn anew for each. Rows
    are stratified where that is possible; whole groups are held out where there are ``groups``.
    Of the splits of a splitter the last are taken, which in time are the latest.

    Raises
    ------
    TargetError
        If there is a single row.
    ParameterError
        If there are fewer splits, groups or rows than networks.
    """
    n_rows = y.shape[0]
    if n_rows < 2:
        raise TargetError(
            "early stopping needs at least 2 rows, one of them held out. Got 1. "
            "Use early_stopping=False."
        )
    _check_enough(split, y, groups, n)
    if not _is_share(split):
        return _splits_by(split, y, groups, seed)[-n:]
    if n == 1 or split is not None:
        share = _SHARE if split is None else float(split)
        return [_draw(share, n_rows, strata, groups, seed + i) for i in range(n)]
    folds = (
        _folds(n_rows, strata, seed, n)
        if groups is None
        else _folds_of_groups(strata, groups, seed, n)
    )
    return [(np.flatnonzero(folds != i), np.flatnonzero(folds == i)) for i in range(n)]


def _check_enough(
    split: ValidationSplit | None, y: PlainY, groups: np.ndarray | None, n: int
) -> None:
    most = most_splits(split, y, groups)
    if n <= most:
        return
    what = "rows" if groups is None else "groups"
    of = f"there are {most} {what}" if _is_share(split) else f"{split!r} has {most} splits"
    raise ParameterError(
        f"members={n} hold out rows of their own each, but {of}. Use members={most}, or "
        "early_stopping=False to have each trained on all rows."
    )


def _folds(n_rows: int, strata: np.ndarray | None, seed: int, n: int) -> np.ndarray:
    """Return the fold of each row (n_rows,), dealt out in random order, stratum by stratum."""
    order = np.random.RandomState(seed).permutation(n_rows)
    if strata is not None:
        order = order[_positions(strata)[order].argsort(kind="stable")]
    folds = np.empty(n_rows, np.int64)
    folds[order] = np.arange(n_rows) % n
    return folds


def _folds_of_groups(
    strata: np.ndarray | None, groups: np.ndarray, seed: int, n: int
) -> np.ndarray:
    """Return the fold of each row (n_rows,), the same for all rows of a group."""
    rows, parts = np.empty(len(groups)), []
    if strata is not None and np.bincount(_positions(strata)).max() >= n:
        stratified = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of classes with fewer rows than folds, which is borne
            parts = list(stratified.split(rows, _positions(strata), groups))
    if not all(len(held_out) for _, held_out in parts) or not parts:
        plain = GroupKFold(n, shuffle=True, random_state=seed)
        parts = list(plain.split(rows, groups=groups))
    folds = np.empty(len(groups), np.int64)
    for i, (_, held_out) in enumerate(parts):
        folds[held_out] = i
    return folds


def _positions(strata: np.ndarray) -> np.ndarray:
    return np.unique(strata, return_inverse=True)[1]


def _draw(
    share: float,
    n_rows: int,
    strata: np.ndarray | None,
    groups: np.ndarray | None,
    seed: int,
) -> Split:
    if groups is not None:
        return _split_groups(share, groups, seed)
    n_valid = max(1, round(share * n_rows))
    if _can_stratify(strata, n_valid, n_rows - n_valid):
        draw = StratifiedShuffleSplit(1, test_size=n_valid, random_state=seed)
        return next(draw.split(strata, strata))
    return next(ShuffleSplit(1, test_size=n_valid, random_state=seed).split(np.empty(n_rows)))


def _splits_by(
    splitter: BaseCrossValidator | BaseShuffleSplit,
    y: PlainY,
    groups: np.ndarray | None,
    seed: int,
) -> list[Split]:
    own = copy.copy(splitter)
    if getattr(own, "random_state", 0) is None:
        own.random_state = seed  # so that two fits of one random_state are the same
    with noted(f"validation_split={splitter!r}"):
        splits = list(own.split(np.empty((y.shape[0], 1)), y, groups))
    for train, held_out in splits:
        if not len(train) or not len(held_out):
            raise ParameterError(
                f"validation_split={splitter!r} leaves {len(train)} rows to train on and holds out "
                f"{len(held_out)}. Give a splitter that has rows for both."
            )
    return splits


def _n_groups(groups: np.ndarray) -> int:
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ParameterError(
            "groups must have at least two different values, one of them to hold out. "
            f"Got {n_groups}. Leave groups out, or use early_stopping=False."
        )
    return n_groups


def _split_groups(share: float, groups: np.ndarray, seed: int) -> Split:
    n_groups = _n_groups(groups)
    n_valid = min(max(1, round(share * n_groups)), n_groups - 1)
    draw = GroupShuffleSplit(1, test_size=n_valid, random_state=seed)
    return next(draw.split(groups, groups=groups))


def _can_stratify(strata: np.ndarray | None, *sizes: int) -> bool:
    if strata is None:
        return False
    _, counts = np.unique(strata, return_counts=True)
    return counts.min() >= 2 and len(counts) <= min(sizes)
