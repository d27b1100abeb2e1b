"""The things of a table, whatever the table came in, and the block that is made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd

from skfusion.blocks import Block, MaskedBlock
from skfusion.blocks._dense import numeric_array, plain_array
from skfusion.exceptions import BlockError, BlockTypeError

__all__ = ["Things", "plain_block", "things_of"]

Things: TypeAlias = "pd.Series | pd.DataFrame"


def things_of(table: object) -> Things:
    """Return the things of a table, by their keys.

    Raises
    ------
    BlockTypeError
        If the table has no keys.
    """
    if isinstance(table, pd.Series | pd.DataFrame):
        return table
    if isinstance(table, Mapping):
        things = np.empty(len(table), dtype=object)
        for place, thing in enumerate(table.values()):  # at once, arrays would be spread
            things[place] = thing
        return pd.Series(things, index=pd.Index(list(table), tupleize_cols=False)).infer_objects()
    raise BlockTypeError(
        "LookupTable: table must be a Series or a DataFrame, whose index has the keys, or a dict "
        f"of key to thing. Got {type(table).__name__}. Of a frame of another library, write "
        "frame.to_pandas().set_index(column)."
    )


def plain_block(things: Things) -> Block | MaskedBlock:
    """Return things that are numbers, or arrays of one shape, as a block of them."""
    if isinstance(things, pd.Series) and things.dtype == object:
        arrays = [plain_array("", one) for one in things]
        _check_one_shape(things, arrays)
        return numeric_array("of the table", np.stack(arrays))
    return numeric_array("of the table", things)


def _check_one_shape(things: pd.Series, arrays: list[np.ndarray]) -> None:
    for key, array in zip(things.index, arrays, strict=True):
        if array.shape != arrays[0].shape:
            raise BlockError(
                f"LookupTable: the thing of key {key!r} has the shape {array.shape}, that of "
                f"{things.index[0]!r} {arrays[0].shape}. Bring them to one shape, or give a "
                "transformer that does: LookupTable(table, transformer)."
            )
