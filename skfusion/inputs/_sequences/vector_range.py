"""The range of vectors in cells: flattened images of 0 to 1 are not those of 0 to 255."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skfusion.exceptions import BlockError
from skfusion.inputs._tables.one_column import row_name
from skfusion.typing import XLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["VectorRange"]

# Whole numbers up to here may be found among fractions by chance.
_SMALL = 16


@dataclass(frozen=True)
class VectorRange:
    """Smallest and largest value at fit, and whether all were whole numbers."""

    low: float
    high: float
    whole: bool

    @classmethod
    def of(cls, vectors: np.ndarray) -> Self:
        """Return the range of an array (n, d)."""
        whole = vectors.dtype.kind != "f" or not _have_fractions(vectors).any()
        return cls(float(vectors.min()), float(vectors.max()), whole)

    def check(self, X: XLike, vectors: np.ndarray) -> None:
        """Raise for a row whose values can only be on another scale than those at fit."""
        if not len(vectors) or not self.low >= 0:
            return
        highest = vectors.max(axis=1)
        if self.high <= 1 and not self.whole:
            rows = np.flatnonzero(highest > _SMALL)
            odd = rows[~_have_fractions(vectors[rows]) & (vectors[rows].min(axis=1) >= 0)]
        elif self.high > _SMALL and self.whole and vectors.dtype.kind == "f":
            rows = np.flatnonzero(highest <= 1)
            odd = rows[_have_fractions(vectors[rows]) & (vectors[rows].min(axis=1) >= 0)]
        else:
            return
        if len(odd):
            row = int(odd[0])
            raise BlockError(
                f"{row_name(X, row)} holds values up to {highest[row]:g}, but the arrays at fit "
                f"held {self.low:g} to {self.high:g}, which is another scale. Multiply or divide "
                "by their full scale, such as 255."
            )


def _have_fractions(vectors: np.ndarray) -> np.ndarray:
    fractions: np.ndarray = (vectors != np.floor(vectors)).any(axis=1)
    return fractions
