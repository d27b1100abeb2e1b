"""Cells that threads read: all at once, or the rows that are asked for."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import joblib
import numpy as np

from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._image_reader import READ_ERRORS, describe_cell

__all__ = ["LazyCells", "attempt_rows", "n_workers", "unreadable"]

_MAX_PENDING = 2


class LazyCells:
    """A lazy block of images or clips: rows are decoded when they are asked for, by threads.

    Holds the cells (paths, mostly) and nothing decoded, so memory does not grow with the number
    of rows. Pickles small; threads start anew in each process.

    Parameters
    ----------
    cells : list
        One per row.
    reader : ImageReader or ClipReader
        Its ``read`` turns a cell into uint8 of ``row_shape``.
    row_shape : tuple of int
        Shape of one row.
    missing : ndarray of bool of shape (n,)
        Rows that are not read; they are zero.
    n_threads : int or None
        Threads; None for one per core, at most 8.

    Raises
    ------
    BlockError
        Where a row cannot be decoded, or has another shape; names row and path.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.inputs import ImageLoader
    >>> photos = ImageLoader(lazy=True).fit_transform([np.zeros((8, 6, 3), np.uint8)] * 5)
    >>> photos.shape, photos[np.array([3, 1])].shape
    ((5, 8, 6, 3), (2, 8, 6, 3))
    """

    def __init__(
        self,
        cells: list[Any],
        reader: Any,
        row_shape: tuple[int, ...],
        missing: np.ndarray,
        n_threads: int | None,
    ) -> None:
        self._cells, self._reader, self._row_shape = cells, reader, row_shape
        self._missing, self._n_threads = missing, n_threads
        self._forget_threads()

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self._cells), *self._row_shape

    @property
    def ndim(self) -> int:
        return 1 + len(self._row_shape)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        return len(self._cells)

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Return the decoded rows of a slice or an array of row numbers."""
        numbers = np.arange(len(self))[rows]
        if np.ndim(numbers) == 0:
            return self[numbers[None]][0]
        begun = self._pending.pop(numbers.tobytes(), None)
        out, futures = self._start(numbers) if begun is None else begun
        for future in futures:
            future.result()
        return out

    def prefetch(self, rows: np.ndarray) -> None:
        """Begin to decode ``rows``; the same rows asked for later are then there, or nearly so."""
        numbers = np.arange(len(self))[rows]
        while len(self._pending) >= _MAX_PENDING:
            self._pending.pop(next(iter(self._pending)))
        self._pending[numbers.tobytes()] = self._start(numbers)

    def __repr__(self) -> str:
        return f"LazyCells(shape={self.shape}, dtype={self.dtype})"

    def __getstate__(self) -> dict[str, Any]:
        hidden = ("_pool", "_pool_process", "_pending")
        return {name: value for name, value in vars(self).items() if name not in hidden}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._forget_threads()

    def _forget_threads(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._pool_process = 0
        self._pending: dict[bytes, tuple[np.ndarray, list[Future[None]]]] = {}

    def _start(self, numbers: np.ndarray) -> tuple[np.ndarray, list[Future[None]]]:
        out = np.zeros((len(numbers), *self._row_shape), dtype=np.uint8)
        size = max(1, math.ceil(len(numbers) / (4 * n_workers(self._n_threads))))
        threads = self._threads()
        starts = range(0, len(numbers), size)
        return out, [
            threads.submit(
                self._read_rows, out[start : start + size], numbers[start : start + size]
            )
            for start in starts
        ]

    def _threads(self) -> ThreadPoolExecutor:
        # A forked process inherits the pool without its threads and would wait for ever.
        if self._pool is None or self._pool_process != os.getpid():
            self._forget_threads()
            self._pool = ThreadPoolExecutor(n_workers(self._n_threads))
            self._pool_process = os.getpid()
        return self._pool

    def _read_rows(self, out: np.ndarray, numbers: np.ndarray) -> None:
        for place, row in enumerate(numbers.tolist()):
            if not self._missing[row]:
                out[place] = self._read(row)

    def _read(self, row: int) -> np.ndarray:
        cell = self._cells[row]
        try:
            values = self._reader.read(cell)
        except READ_ERRORS as error:
            raise unreadable(f"row {row}", cell, error, "Its header was in order.") from error
        if values.shape != self._row_shape:
            raise BlockError(
                f"row {row}, {describe_cell(cell)}: its shape is {values.shape} now, but it was "
                f"{self._row_shape} when the block was made. Do not change files that are in use."
            )
        return values


def attempt_rows(
    work: Callable[[int], None], rows: Iterable[int], n_threads: int | None
) -> dict[int, Exception]:
    """Call ``work(row)`` in threads and return what could not be read, by row, in order."""

    def attempt(row: int) -> Exception | None:
        try:
            work(row)
        except READ_ERRORS as error:
            return error
        except BlockTypeError as error:
            raise BlockTypeError(f"row {row}: {error}.") from error
        return None

    rows = list(rows)
    with ThreadPoolExecutor(n_workers(n_threads)) as threads:
        errors = threads.map(attempt, rows)
        return {row: error for row, error in zip(rows, errors, strict=True) if error is not None}


def n_workers(n_threads: int | None) -> int:
    """Return the number of threads to start."""
    return min(8, joblib.cpu_count()) if n_threads is None else n_threads


def unreadable(where: str, cell: Any, error: Exception, more: str = "") -> BlockError:
    """Return the error for a cell that could not be read, with row, path, fact and repair."""
    if isinstance(error, FileNotFoundError):
        fact = "the file does not exist"
    elif type(error).__name__ == "UnidentifiedImageError":
        fact = "it is no image that Pillow can read"
    else:
        fact = str(error) or type(error).__name__
    repair = 'Repair it, leave the row out, or mark such rows as missing with on_error="missing".'
    if more:
        repair = "Repair it or leave the row out."
    sentences = (f"{where}, {describe_cell(cell)}: {fact}.", more, repair)
    return BlockError(" ".join(filter(None, sentences)))
