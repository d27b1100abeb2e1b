"""Which rows are held out: a random share, those of a splitter or of whole groups, or others."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from numbers import Real
from typing import TypeAlias

import numpy as np
import pandas as pd
from sklearn.model_selection import (
    BaseCrossValidator,
    BaseShuffleSplit,
    GroupShuffleSplit,
    ShuffleSplit,
    StratifiedShuffleSplit,
)
from sklearn.utils.validation import check_consistent_length

from skfusion._checks import check_real
from skfusion.exceptions import ParameterError, TargetError, noted
from skfusion.targets import PlainY
from skfusion.targets._reading import columns_of
from skfusion.typing import ArrayLike, ValidationData

__all__ = [
    "ValidationSplit",
    "check_groups",
    "check_validation_data",
    "check_validation_split",
    "holds_out",
    "read_groups",
    "split_rows",
]

# A share of the rows, or a splitter of scikit-learn.
ValidationSplit: TypeAlias = float | BaseCrossValidator | BaseShuffleSplit

# From this many rows on, early_stopping="auto" holds some out.
_ROWS_TO_HOLD_OUT = 500


def check_validation_split(fraction: float, split: ValidationSplit | None) -> ValidationSplit:
    """Return the share, strictly between 0 and 1, or the splitter, if there is one."""
    share = _check_share("validation_fraction", fraction)
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


def holds_out(early_stopping: bool | str, split: ValidationSplit, n_rows: int) -> bool:
    """Whether rows are held out; "auto" needs enough of them, or a splitter that was asked for."""
    if early_stopping == "auto":
        return n_rows >= _ROWS_TO_HOLD_OUT or not isinstance(split, Real)
    return bool(early_stopping)


def split_rows(
    split: ValidationSplit,
    y: PlainY,
    strata: np.ndarray | None,
    groups: np.ndarray | None,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the rows to train on, and of those to hold out.

    A share of the rows is drawn, stratified where that is possible; whole groups where there are
    ``groups``. Of the splits of a splitter the last one is taken, which in time is the latest.
    """
    n_rows = y.shape[0]
    if n_rows < 2:
        raise TargetError(
            "early stopping needs at least 2 rows, one of them held out. Got 1. "
            "Use early_stopping=False."
        )
    if not isinstance(split, Real):
        return _split_by(split, y, groups, seed)
    if groups is not None:
        return _split_groups(float(split), groups, seed)
    n_valid = max(1, round(split * n_rows))
    if _can_stratify(strata, n_valid, n_rows - n_valid):
        draw = StratifiedShuffleSplit(1, test_size=n_valid, random_state=seed)
        return next(draw.split(strata, strata))
    return next(ShuffleSplit(1, test_size=n_valid, random_state=seed).split(np.empty(n_rows)))


def _split_by(
    splitter: BaseCrossValidator | BaseShuffleSplit,
    y: PlainY,
    groups: np.ndarray | None,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    own = copy.copy(splitter)
    if getattr(own, "random_state", 0) is None:
        own.random_state = seed  # so that two fits of one random_state are the same
    with noted(f"validation_split={splitter!r}"):
        *_, (train, held_out) = own.split(np.empty((y.shape[0], 1)), y, groups)
    if not len(train) or not len(held_out):
        raise ParameterError(
            f"validation_split={splitter!r} leaves {len(train)} rows to train on and holds out "
            f"{len(held_out)}. Give a splitter that has rows for both."
        )
    return train, held_out


def _split_groups(share: float, groups: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ParameterError(
            "groups must have at least two different values, one of them to hold out. "
            f"Got {n_groups}. Leave groups out, or use early_stopping=False."
        )
    n_valid = min(max(1, round(share * n_groups)), n_groups - 1)
    draw = GroupShuffleSplit(1, test_size=n_valid, random_state=seed)
    return next(draw.split(groups, groups=groups))


def _can_stratify(strata: np.ndarray | None, *sizes: int) -> bool:
    if strata is None:
        return False
    _, counts = np.unique(strata, return_counts=True)
    return counts.min() >= 2 and len(counts) <= min(sizes)
