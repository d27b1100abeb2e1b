"""What image and frame loader share: cells read now or later, rows that fail told or marked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import numpy as np
import pandas as pd

from skfusion.blocks import MaskedBlock, Ragged
from skfusion.blocks._ragged import offsets_of
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._images.lazy_cells import CellReader, LazyCells, attempt_rows, unreadable
from skfusion.inputs._tables.one_column import cells_of, describe_cell, row_name
from skfusion.typing import XLike

__all__ = ["LoadedBlock", "Loading"]

Shape = tuple[int | None, ...]
LoadedBlock: TypeAlias = "np.ndarray | Ragged | LazyCells | MaskedBlock"
Block = TypeVar("Block", np.ndarray, Ragged, LazyCells)


@dataclass
class Loading:
    """Reads the cells of one column into one block.

    Parameters
    ----------
    who : str
        Class that messages name.
    X : column of cells
        What is read.
    reader : CellReader
        Has ``read(cell)`` and ``shape_of(cell)``.
    on_error : {"raise", "missing"}
        What happens to a row that cannot be read.
    n_threads : int or None
        Threads.
    """

    who: str
    X: XLike
    reader: CellReader
    on_error: str
    n_threads: int | None

    def __post_init__(self) -> None:
        self.cells = cells_of(self.X, self.who)

    def first_shape(self) -> Shape:
        """Return the shape of the first row that can be read."""
        if not self.cells:
            raise BlockError(f"{self.who}.fit needs at least one row. Got none.")
        errors: dict[int, Exception] = {}
        for row in range(len(self.cells)):
            shapes, found = self._read_shapes([row])
            if shapes:
                return shapes[row]
            errors |= found
        raise self._first_error(errors, f"{self.who} could read none of {len(self.cells)} rows; ")

    def now(self, shape: Shape) -> LoadedBlock:
        """Return all rows decoded: an array, or a ``Ragged`` where ``shape`` begins with None."""
        if shape[0] is None:
            return self._ragged(shape)
        out = self._zeros((len(self.cells), *_fixed(shape)))
        shapes: dict[int, Shape] = {}

        def work(row: int) -> None:
            values = self.reader.read(self.cells[row])
            shapes[row] = values.shape
            if values.shape == shape:
                out[row] = values

        errors = self._attempt(work, range(len(self.cells)))
        self._check_shapes(shapes, shape)
        return self._result(out, errors)

    def later(self, shape: Shape) -> LazyCells | MaskedBlock:
        """Return a lazy block; the files' headers are read now, to find what is no image."""
        shapes, errors = self._read_shapes(range(len(self.cells)))
        self._check_shapes(shapes, shape)
        index = self.X.index if isinstance(self.X, pd.Series | pd.DataFrame) else None
        mask = self._mask(errors)
        block = LazyCells(self.cells, self.reader, _fixed(shape), mask, self.n_threads, index)
        return self._result(block, errors)

    def _ragged(self, shape: Shape) -> Ragged | MaskedBlock:
        empty: np.ndarray = np.empty((0, *_fixed(shape[1:])), dtype=np.uint8)
        clips = [empty] * len(self.cells)

        def work(row: int) -> None:
            clips[row] = self.reader.read(self.cells[row])

        errors = self._attempt(work, range(len(self.cells)))
        self._check_shapes({row: clip.shape for row, clip in enumerate(clips)}, shape)
        offsets = offsets_of([len(clip) for clip in clips])
        values = self._zeros((int(offsets[-1]), *_fixed(shape[1:])))
        np.concatenate([empty, *clips], out=values)
        return self._result(Ragged(values, offsets), errors)

    def _zeros(self, shape: tuple[int, ...]) -> np.ndarray:
        try:
            return np.zeros(shape, dtype=np.uint8)
        except (MemoryError, ValueError) as error:  # numpy's ValueError: beyond what it can address
            raise BlockError(
                f"{self.who}: {len(self.cells):,} rows of shape {shape[1:]} do not fit into "
                "memory. Give a smaller size=(height, width), or read them with lazy=True."
            ) from error

    def _read_shapes(self, rows: Iterable[int]) -> tuple[dict[int, Shape], dict[int, Exception]]:
        shapes: dict[int, Shape] = {}

        def work(row: int) -> None:
            shapes[row] = self.reader.shape_of(self.cells[row])

        return shapes, self._attempt(work, rows)

    def _attempt(self, work: Callable[[int], None], rows: Iterable[int]) -> dict[int, Exception]:
        try:
            errors = attempt_rows(work, rows, self.n_threads, self._row_name)
        except BlockTypeError as error:
            raise BlockTypeError(f"{self.who}: {error}") from error
        if errors and self.on_error == "raise":
            raise self._first_error(errors, f"{self.who}: ")
        return errors

    def _first_error(self, errors: dict[int, Exception], before: str) -> BlockError:
        row, error = next(iter(errors.items()))
        more = f"{len(errors) - 1} further rows cannot be read." if len(errors) > 1 else ""
        return unreadable(before + self._row_name(row), self.cells[row], error, more)

    def _check_shapes(self, shapes: dict[int, Shape], shape: Shape) -> None:
        wrong = [row for row in sorted(shapes) if not _fits(shapes[row], shape)]
        if not wrong:
            return
        right = next((row for row in sorted(shapes) if _fits(shapes[row], shape)), None)
        other = "the rows seen at fit have" if right is None else f"{self._name(right)} has"
        raise BlockError(
            f"{self.who}: {self._name(wrong[0])} has shape {shapes[wrong[0]]}, but {other} "
            f"{_text(shape)}. All rows of a block are alike: give size=(height, width) to resize."
        )

    def _name(self, row: int) -> str:
        return f"{self._row_name(row)}, {describe_cell(self.cells[row])},"

    def _row_name(self, row: int) -> str:
        return row_name(self.X, row)

    def _mask(self, errors: dict[int, Exception]) -> np.ndarray:
        mask = np.zeros(len(self.cells), dtype=bool)
        mask[list(errors)] = True
        return mask

    def _result(self, block: Block, errors: dict[int, Exception]) -> Block | MaskedBlock:
        return MaskedBlock(block, self._mask(errors)) if self.on_error == "missing" else block


def _fits(shape: Shape, wanted: Shape) -> bool:
    start = 1 if wanted[0] is None else 0
    return shape[start:] == wanted[start:]


def _fixed(shape: Shape) -> tuple[int, ...]:
    return tuple(size for size in shape if size is not None)


def _text(shape: Shape) -> str:
    return str(tuple("any" if size is None else size for size in shape)).replace("'", "")
