"""Which X is a table: it needs a ``BlockUnion`` to become numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.sparse import issparse

from skfusion.blocks import MaskedBlock, Ragged
from skfusion.blocks._dense import holds_numbers
from skfusion.blocks._kinds import is_mapping

__all__ = ["is_table", "needs_coding"]


def is_table(X: Any) -> bool:
    """Whether X needs a ``BlockUnion`` to become numbers: mixed frames, dicts with text in them."""
    if is_mapping(X):
        return any(needs_coding(value) for value in X.values())
    if not hasattr(X, "columns"):
        return False
    return any(needs_coding(X[name]) for name in X.columns)


def needs_coding(value: object) -> bool:
    """Whether a column or a block holds anything but numbers."""
    if issparse(value) or isinstance(value, Ragged | MaskedBlock | torch.Tensor):
        return False
    if isinstance(value, pd.DataFrame):
        return any(needs_coding(column) for _, column in value.items())
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        return _needs_coding_in_list(value)
    if hasattr(dtype, "is_numeric"):  # polars
        return not dtype.is_numeric()
    if isinstance(value, np.ndarray) and value.ndim != 1:  # no column, whatever it holds
        return dtype.kind != "c" and not holds_numbers(value)
    return getattr(dtype, "kind", "O") not in "fiub"


def _needs_coding_in_list(value: object) -> bool:
    if isinstance(value, list | tuple) and any(isinstance(row, torch.Tensor) for row in value):
        return False
    try:
        return np.asarray(value).dtype.kind not in "fiub"
    except ValueError:  # rows of different length, which are told of where they are read
        return False
