"""Keys of a lookup and their weights: checked, and without what weighs nothing."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from skfusion.blocks._dense import plain_array
from skfusion.blocks._ragged import Ragged, offsets_of
from skfusion.exceptions import BlockError, BlockTypeError

__all__ = ["Keys", "checked_keys", "checked_weights", "kept_items", "row_of_item"]

Keys: TypeAlias = np.ndarray | Ragged


def checked_keys(keys: object, n_things: int) -> Keys:
    """Return ``keys``, one a row or a history a row, as int64.

    Raises
    ------
    BlockError
        If a key is in no row of the table; names row and key.
    BlockTypeError
        If keys are no integers.
    """
    if isinstance(keys, Ragged):
        items = _whole(keys.values[keys.offsets[0] : keys.offsets[-1]])
        keys = Ragged(items, keys.offsets - keys.offsets[0])
        _check_range(keys, items, 0, n_things)
        return keys
    items = _whole(plain_array("of a Lookup's keys", keys))
    _check_range(None, items, -1, n_things)
    return items


def _whole(keys: np.ndarray) -> np.ndarray:
    if keys.ndim != 1 or (keys.size and keys.dtype.kind not in "iu"):
        raise BlockTypeError(
            "Lookup: keys must be row numbers of the table, a 1-D array of ints, or a Ragged of "
            f"such for several a row. Got dtype {keys.dtype}, shape {keys.shape}. "
            "skfusion.inputs.LookupTable finds the row numbers of keys of other types."
        )
    if keys.dtype == np.uint64 and keys.max(initial=0) > np.iinfo(np.int64).max:
        raise BlockError(f"Lookup: the key {keys.max()} is no row number of any table.")
    return np.asarray(keys, dtype=np.int64)


def _check_range(rows: Ragged | None, items: np.ndarray, lowest: int, n_things: int) -> None:
    wrong = (items < lowest) | (items >= n_things)
    if not wrong.any():
        return
    item = int(wrong.argmax())
    none = "-1 stands for none" if lowest < 0 else "leave out of a history what is not there"
    raise BlockError(
        f"Lookup: row {row_of_item(rows, item)} has the key {items[item]}, but the table has "
        f"{n_things:,} things, of the keys 0 to {n_things - 1:,}; {none}."
    )


def row_of_item(rows: Ragged | None, item: int) -> int:
    """Return the row that an item belongs to; None where each row has one."""
    if rows is None:
        return item
    return int(np.searchsorted(rows.offsets, rows.offsets[0] + item, side="right")) - 1


def checked_weights(weights: object, keys: Keys) -> Ragged | None:
    """Return ``weights``, one for each key of a history, as float64.

    Raises
    ------
    BlockError
        If a row has more or fewer weights than keys, or one that is negative, NaN or infinite;
        names the row.
    BlockTypeError
        If weights are no ``Ragged`` of numbers, or rows have one key only.
    """
    if weights is None:
        return None
    if not isinstance(keys, Ragged):
        raise BlockTypeError(
            "Lookup: weights are those of the things in a history, but keys is an array, of one "
            "thing a row. Give keys as a Ragged, or leave out weights."
        )
    if not isinstance(weights, Ragged) or weights.ndim != 2 or weights.dtype.kind not in "fiub":
        raise BlockTypeError(
            "Lookup: weights must be a Ragged of numbers, one for each key. "
            f"Got {weights if isinstance(weights, Ragged) else type(weights).__name__}."
        )
    _check_lengths(weights, keys)
    values = weights.values[weights.offsets[0] : weights.offsets[-1]].astype(np.float64)
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        item = int(wrong.argmax())
        raise BlockError(
            f"Lookup: row {row_of_item(keys, item)} has the weight {values[item]} for the key "
            f"{keys.values[item]}. Weights are finite and not negative; 0 leaves a thing out."
        )
    return Ragged(values, keys.offsets)


def _check_lengths(weights: Ragged, keys: Ragged) -> None:
    if len(weights) != len(keys):
        raise BlockError(
            f"Lookup: there are weights of {len(weights)} rows and keys of {len(keys)}. "
            "Give one weight for each key of each row."
        )
    differing = weights.lengths != keys.lengths
    if differing.any():
        row = int(differing.argmax())
        raise BlockError(
            f"Lookup: row {row} has {weights.lengths[row]} weights and {keys.lengths[row]} keys. "
            "Give one weight for each key."
        )


def kept_items(
    keys: Ragged, weights: Ragged | None, kept: np.ndarray
) -> tuple[Ragged, Ragged | None]:
    """Return histories, as they were checked, with the items where ``kept`` is True alone."""
    if kept.all():
        return keys, weights
    rows = np.repeat(np.arange(len(keys)), keys.lengths)[kept]
    offsets = offsets_of(np.bincount(rows, minlength=len(keys)))
    left = Ragged(keys.values[kept], offsets)
    return left, None if weights is None else Ragged(weights.values[kept], offsets)
