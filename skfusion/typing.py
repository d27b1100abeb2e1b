"""What the public signatures take: names for the types of X and y."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import polars
    import pyarrow
    import torch
    from scipy.sparse import sparray, spmatrix
    from sklearn.model_selection import BaseCrossValidator

    from skfusion.blocks import Blocks, Ragged

__all__ = [
    "ArrayLike",
    "CVLike",
    "Scorer",
    "SeedLike",
    "ValidationData",
    "WeightLike",
    "XLike",
    "YLike",
]

ArrayLike: TypeAlias = "np.ndarray | pd.Series | torch.Tensor | Sequence[object]"
XLike: TypeAlias = (
    "Blocks | Ragged | pd.DataFrame | pd.Series | polars.DataFrame | polars.LazyFrame"
    " | pyarrow.Table | Mapping[str, object] | sparray | spmatrix | ArrayLike"
)
YLike: TypeAlias = "ArrayLike | pd.DataFrame | sparray | spmatrix"
# (X, y), or (X, y, sample_weight).
ValidationData: TypeAlias = "tuple[XLike, YLike] | tuple[XLike, YLike, WeightLike]"
WeightLike: TypeAlias = "np.ndarray | pd.Series | Sequence[float]"
CVLike: TypeAlias = "int | BaseCrossValidator | Iterable[tuple[np.ndarray, np.ndarray]] | None"
Scorer: TypeAlias = "Callable[..., float]"  # (estimator, X, y) -> score, higher is better
SeedLike: TypeAlias = "int | np.random.RandomState | None"
