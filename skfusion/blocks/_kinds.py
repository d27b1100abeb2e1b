"""What one block may be, as a type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeGuard, Union

import numpy as np
from scipy.sparse import csr_array, csr_matrix, issparse

from skfusion.blocks._ragged import Ragged

if TYPE_CHECKING:
    from skfusion.blocks._lookup import Lookup

__all__ = ["Block", "LazyBlock", "is_csr", "is_mapping"]


class LazyBlock(Protocol):
    """A block that is read when a batch asks for it: files, a table of another library, ...

    If it also has a method ``prefetch(rows)``, it is told of the next batch while the network
    works on one, never of more.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.blocks import LazyBlock
    >>> class Squares:  # a vector a row, computed when it is asked for
    ...     shape, ndim, dtype = (1_000_000, 1), 2, np.dtype(np.float32)
    ...
    ...     def __len__(self):
    ...         return self.shape[0]
    ...
    ...     def __getitem__(self, rows):
    ...         return np.arange(len(self), dtype=self.dtype)[rows, None] ** 2
    >>> block: LazyBlock = Squares()
    >>> block[np.array([3, 4])].tolist()
    [[9.0], [16.0]]
    """

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Number of rows, then the shape of one row; None for a length that differs by row."""

    @property
    def ndim(self) -> int:
        """Number of dimensions, rows included."""

    @property
    def dtype(self) -> np.dtype:
        """Kind of the numbers."""

    def __len__(self) -> int:
        """Return the number of rows."""

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray | Ragged:
        """Return the rows, by a slice or by their numbers."""


Block: TypeAlias = Union[np.ndarray, csr_array, csr_matrix, Ragged, LazyBlock, "Lookup"]


def is_csr(block: object) -> TypeGuard[csr_array]:
    """Whether a block is sparse: those of ``Blocks`` are csr.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from skfusion.blocks._kinds import is_csr
    >>> is_csr(csr_array(np.eye(2))), is_csr(np.eye(2))
    (True, False)
    """
    return bool(issparse(block))


def is_mapping(X: object) -> TypeGuard[Mapping[str, object]]:
    """Whether X maps names to arrays; some sparse matrices are mappings, of places to values."""
    return isinstance(X, Mapping) and not issparse(X)
