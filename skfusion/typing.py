"""What the public signatures take: names for the types of X and y."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import polars
    import pyarrow
    import torch
    from scipy.sparse import sparray, spmatrix

    from skfusion.blocks import Blocks, Ragged

__all__ = ["ArrayLike", "SeedLike", "WeightLike", "XLike", "YLike"]

ArrayLike: TypeAlias = "np.ndarray | pd.Series | torch.Tensor | Sequence[object]"
XLike: TypeAlias = (
    "Blocks | Ragged | pd.DataFrame | pd.Series | polars.DataFrame | polars.LazyFrame"
    " | pyarrow.Table | Mapping[str, object] | sparray | spmatrix | ArrayLike"
)
YLike: TypeAlias = "ArrayLike | pd.DataFrame | sparray | spmatrix"
WeightLike: TypeAlias = "np.ndarray | pd.Series | Sequence[float]"
SeedLike: TypeAlias = "int | np.random.RandomState | None"
