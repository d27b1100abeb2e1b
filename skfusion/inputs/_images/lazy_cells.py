"""Cells that threads read: all at once, or the rows that are asked for."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import joblib
import numpy as np
import pandas as pd

from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._images.formats import READ_ERRORS
from skfusion.inputs._tables.one_column import describe_cell, row_name

__all__ = ["CellReader", "LazyCells", "attempt_rows", "n_workers", "unreadable"]

RowIndex: TypeAlias = "int | slice | Sequence[int] | np.ndarray"

_MAX_PENDING = 2


class CellReader(Protocol):
    """Makes an array of one cell."""

    def read(self, cell: object) -> np.ndarray:
        """Return the decoded cell, uint8."""

    def shape_of(self, cell: object) -> tuple[int | None, ...]:
        """Return the shape of what ``read`` gives, None for a length that differs."""


class LazyCells:
    """A lazy block of images or clips: rows are decoded when they are asked for, by threads.

    Holds the cells (paths, mostly) and nothing decoded, so memory does not grow with the number
    of rows. Pickles small; threads start anew in each process.

    Parameters
    ----------
    cells : list
        One per row.
    reader : CellReader
        Its ``read`` turns a cell into uint8 of ``row_shape``.
    row_shape : tuple of int
        Shape of one row.
    missing : ndarray of bool of shape (n,)
        Rows that are not read; they are zero.
    n_threads : int or None
        Threads; None for one per core, at most 8.
    index : Index, default=None
        What the user calls the rows.

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
        cells: list[object],
        reader: CellReader,
        row_shape: tuple[int, ...],
        missing: np.ndarray,
        n_threads: int | None,
        index: pd.Index | None = None,
    ) -> None:
        self._cells, self._reader, self._row_shape = cells, reader, row_shape
        self._missing, self._n_threads = missing, n_threads
        self.index = index
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

    def __getitem__(self, rows: RowIndex) -> np.ndarray:
        """Return the decoded rows of a slice or an array of row numbers."""
        numbers = np.arange(len(self))[rows]
        if np.ndim(numbers) == 0:
            return self[numbers[None]][0]
        decoding, places = self._find(numbers)
        with ExitStack() as on_error:  # of any kind, the user's interruption too
            on_error.callback(self._abandon)
            decoding.wait()
            on_error.pop_all()
        return decoding.out if places is None else decoding.out[places]

    def prefetch(self, rows: np.ndarray) -> None:
        """Begin to decode ``rows``; all or some of them asked for later are there, or nearly so."""
        numbers = np.arange(len(self))[rows]
        if not len(numbers):
            return
        prefetch = self._start(numbers)
        with self._guard():
            self._pending.append(prefetch)
            late = [self._pending.pop(0) for _ in range(len(self._pending) - _MAX_PENDING)]
        for oldest in late:
            oldest.cancel()

    def __repr__(self) -> str:
        return f"LazyCells(shape={self.shape}, dtype={self.dtype})"

    def __getstate__(self) -> dict[str, object]:
        hidden = ("_pool", "_process", "_pending", "_lock")
        return {name: value for name, value in vars(self).items() if name not in hidden}

    def __setstate__(self, state: dict[str, object]) -> None:
        vars(self).update(state)
        self._forget_threads()

    def _forget_threads(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._pending: list[_Prefetch] = []
        self._lock = threading.Lock()
        self._process = os.getpid()  # last: who sees it in another thread takes the new lock

    def _guard(self) -> threading.Lock:
        """Return the lock around pool and pending rows, of this process."""
        # A forked process inherits the pool without its threads, and a lock that may be held: it
        # would wait for either for ever.
        if self._process != os.getpid():
            self._forget_threads()
        return self._lock

    def _find(self, numbers: np.ndarray) -> tuple[_Prefetch, np.ndarray | None]:
        """Return what decodes rows ``numbers``, and where in it they are (None: they are all)."""
        with self._guard():
            for i, prefetch in enumerate(self._pending):
                if np.array_equal(numbers, prefetch.numbers):
                    return self._pending.pop(i), None
                if (places := prefetch.places(numbers)) is not None:
                    return self._pending.pop(i), places
        return self._start(numbers), None

    def _abandon(self) -> None:
        with self._guard():
            pending, self._pending = self._pending, []
        for prefetch in pending:
            prefetch.cancel()

    def _start(self, numbers: np.ndarray) -> _Prefetch:
        out = np.zeros((len(numbers), *self._row_shape), dtype=np.uint8)
        size = max(1, math.ceil(len(numbers) / (4 * n_workers(self._n_threads))))
        threads = self._threads()
        parts = [slice(start, start + size) for start in range(0, len(numbers), size)]
        futures = [threads.submit(self._read_rows, out[part], numbers[part]) for part in parts]
        return _Prefetch(numbers, out, futures)

    def _threads(self) -> ThreadPoolExecutor:
        with self._guard():
            if self._pool is None:
                self._pool = ThreadPoolExecutor(n_workers(self._n_threads))
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
            name = row_name(self, row)
            raise unreadable(name, cell, error, "Its header was in order.") from error
        except BlockTypeError as error:
            raise BlockTypeError(f"{row_name(self, row)}: {error}.") from error
        if values.shape != self._row_shape:
            raise BlockError(
                f"{row_name(self, row)}, {describe_cell(cell)}: its shape is {values.shape} now, "
                f"but it was {self._row_shape} when the block was made. Do not change "
                "files that are in use."
            )
        return values


@dataclass(eq=False)
class _Prefetch:
    """Rows that threads are decoding: ``out[i]`` is to become row ``numbers[i]``."""

    numbers: np.ndarray
    out: np.ndarray
    futures: list[Future[None]]

    def places(self, numbers: np.ndarray) -> np.ndarray | None:
        """Return where in ``out`` rows ``numbers`` are; None if one of them is not, or none is."""
        order = self.numbers.argsort(kind="stable")
        places = order.take(self.numbers.searchsorted(numbers, sorter=order), mode="clip")
        is_here = len(numbers) and np.array_equal(self.numbers[places], numbers)
        return places if is_here else None

    def wait(self) -> None:
        """Wait until all is decoded; raise the error of a row, if there is one."""
        try:
            for future in self.futures:
                future.result()
        finally:  # of what is done there is nothing to cancel
            self.cancel()

    def cancel(self) -> None:
        """Do not begin with what is not begun yet."""
        for future in self.futures:
            future.cancel()


def attempt_rows(
    work: Callable[[int], None],
    rows: Iterable[int],
    n_threads: int | None,
    name: Callable[[int], str],
) -> dict[int, Exception]:
    """Call ``work(row)`` in threads and return what could not be read, by row, in order.

    A cell of a type that is never read is an error at once, which calls the row ``name(row)``.
    """

    def attempt(row: int) -> Exception | None:
        try:
            work(row)
        except (*READ_ERRORS, BlockTypeError) as error:
            return error
        return None

    rows = list(rows)
    with ThreadPoolExecutor(n_workers(n_threads)) as threads:
        errors: dict[int, Exception] = {}
        for row, error in zip(rows, threads.map(attempt, rows), strict=True):
            if isinstance(error, BlockTypeError):  # named here: threads count their own rows
                raise BlockTypeError(f"{name(row)}: {error}.") from error
            if error is not None:
                errors[row] = error
        return errors


def n_workers(n_threads: int | None) -> int:
    """Return the number of threads to start."""
    return min(8, joblib.cpu_count()) if n_threads is None else n_threads


def unreadable(where: str, cell: object, error: Exception, more: str = "") -> BlockError:
    """Return the error for a cell that could not be read, with row, path, fact and repair."""
    if isinstance(error, FileNotFoundError):
        fact = "the file does not exist"
    elif isinstance(error, PermissionError):
        fact = "the file may not be read"
    elif type(error).__name__ == "UnidentifiedImageError":
        fact = "it is no image that Pillow can read"
    else:
        fact = str(error) or type(error).__name__
    repair = 'Repair it, leave the row out, or mark such rows as missing with on_error="missing".'
    if more:
        repair = "Repair it or leave the row out."
    sentences = (f"{where}, {describe_cell(cell)}: {fact}.", more, repair)
    return BlockError(" ".join(filter(None, sentences)))
