"""Sparse matrices of all kinds as csr, with parts that agree."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfusion.blocks._agreement import check_numeric
from skfusion.exceptions import BlockError

__all__ = ["as_csr", "check_sparse"]

_AXES = ("row", "column")


def as_csr(name: str, matrix: Any) -> Any:
    """Return a scipy sparse matrix of any kind as csr; 1-D becomes one column.

    Entries given twice are summed by whoever reads them, in scipy and in networks alike.

    Raises
    ------
    BlockError
        If its parts do not agree, as after a file that was cut off; says which part is wrong.
    BlockTypeError
        If it does not hold real numbers.
    """
    check_sparse(name, matrix)
    column = matrix.reshape((-1, 1)) if matrix.ndim == 1 else matrix
    return check_numeric(name, column.tocsr())


def check_sparse(name: str, matrix: Any) -> None:
    """Raise ``BlockError`` if parts of a sparse matrix do not agree: scipy trusts them blindly.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from skfusion.blocks._sparse import check_sparse
    >>> matrix = csr_array(np.eye(2))
    >>> matrix.indices[1] = 7
    >>> check_sparse("words", matrix)
    Traceback (most recent call last):
    skfusion.exceptions.BlockError: block 'words' is a damaged sparse matrix: ...
    """
    if matrix.format in ("csr", "csc", "bsr"):
        _check_compressed(name, matrix)
    elif matrix.format == "coo":
        places = (matrix.row, matrix.col)[-matrix.ndim :]
        for indices, size, what in zip(places, matrix.shape, _AXES[-matrix.ndim :], strict=True):
            if len(indices) != len(matrix.data):
                raise _damaged(name, f"{len(matrix.data)} values and {len(indices)} {what}s")
            _check_range(name, indices, size, what)


def _check_compressed(name: str, matrix: Any) -> None:
    sizes, blocks = matrix.shape, getattr(matrix, "blocksize", (1, 1))
    sizes = [size // block for size, block in zip(sizes, blocks[-len(sizes) :], strict=True)]
    sizes = sizes[::-1] if matrix.format == "csc" else sizes
    major, minor = (sizes[0] if len(sizes) == 2 else 1), sizes[-1]
    indptr, indices, data = matrix.indptr, matrix.indices, matrix.data
    for part, kind in ((indptr, "indptr"), (indices, "indices")):
        if part.ndim != 1 or part.dtype.kind not in "iu":
            raise _damaged(name, f"{kind} of dtype {part.dtype} and shape {part.shape}")
    if len(indptr) != major + 1:
        raise _damaged(name, f"an indptr of length {len(indptr)}, which should be {major + 1}")
    if len(indices) != len(data):
        raise _damaged(name, f"{len(data)} values and {len(indices)} indices")
    if indptr[0] != 0 or indptr[-1] > len(data):
        raise _damaged(name, f"an indptr from {indptr[0]} to {indptr[-1]} of {len(data)} values")
    if major > 1 and (indptr[1:] < indptr[:-1]).any():
        row = int((indptr[1:] < indptr[:-1]).argmax())
        raise _damaged(name, f"an indptr that falls after row {row}")
    _check_range(name, indices[: indptr[-1]], minor, "row" if matrix.format == "csc" else "column")


def _check_range(name: str, indices: np.ndarray, size: int, what: str) -> None:
    # Seen as unsigned, negative numbers are the largest.
    unsigned = f"{indices.dtype.byteorder}u{indices.itemsize}"
    if len(indices) and indices.view(unsigned).max() >= size:
        wrong = (indices < 0) | (indices >= size)
        index, place = indices[wrong][0], int(wrong.argmax())
        raise _damaged(name, f"{what} {index} of {size} (entry {place}, {int(wrong.sum())} such)")


def _damaged(name: str, what: str) -> BlockError:
    return BlockError(
        f"block {name!r} is a damaged sparse matrix: it has {what}. Make it anew, for instance "
        "with scipy.sparse.csr_array((values, (rows, columns)), shape=shape)."
    )
