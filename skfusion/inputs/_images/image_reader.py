"""One cell to one image: paths, bytes, Pillow images and arrays, by Pillow."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from skfusion._checks import check_choice, check_int
from skfusion._optional import import_optional
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError

__all__ = ["CHANNELS", "MAX_PIXELS", "READ_ERRORS", "ImageReader", "check_size", "describe_cell"]

CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
MAX_PIXELS = 89_478_485  # Pillow's own limit: 1/4 GiB at 3 bytes a pixel
READ_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)

_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)


@dataclass(frozen=True)
class ImageReader:
    """Reads one image; raises one of ``READ_ERRORS`` where a cell holds none.

    Parameters
    ----------
    size : tuple of int or None
        Height and width to resize to; None keeps the image's own.
    mode : {"L", "RGB", "RGBA"}
        Colours.
    max_pixels : int
        Larger images are an error, found in the header before anything is decoded.
    """

    size: tuple[int, int] | None
    mode: str
    max_pixels: int

    def read(self, cell: Any) -> np.ndarray:
        """Return the image as uint8 (height, width, channels)."""
        if isinstance(cell, np.ndarray) and self._fits(cell):
            return cell.reshape(*cell.shape[:2], CHANNELS[self.mode])
        with self.opened(cell) as image:
            if self.size is not None and not hasattr(cell, "convert"):
                # JPEG files decode at 1/2 to 1/8 of their size for free; twice the wanted size
                # is enough for the resize below.
                image.draft(self.mode, (2 * max(self.size), 2 * max(self.size)))
            return self.finish(image)

    def finish(self, image: Any) -> np.ndarray:
        """Return an opened Pillow image upright, converted and resized, as an array."""
        pillow = import_optional("PIL.Image", "ImageLoader", "images")
        upright = import_optional("PIL.ImageOps", "ImageLoader", "images").exif_transpose(image)
        image = _eight_bits(upright, pillow).convert(self.mode)
        if self.size is not None and image.size != self.size[::-1]:
            image = image.resize(self.size[::-1], pillow.Resampling.BILINEAR)
        return np.asarray(image).reshape(image.height, image.width, CHANNELS[self.mode])

    def shape_of(self, cell: Any) -> tuple[int, int, int]:
        """Return the shape that ``read`` will give, from the header, and verify the file."""
        with self.opened(cell) as image:
            height, width = self.size or _upright_size(image)
        if not isinstance(cell, np.ndarray) and not hasattr(cell, "convert"):
            with self.opened(cell) as image:
                image.verify()
        return height, width, CHANNELS[self.mode]

    def _fits(self, array: np.ndarray) -> bool:
        """Whether an array is already what ``read`` makes of it."""
        n_channels = array.shape[2] if array.ndim == 3 else 1
        return (
            array.dtype == np.uint8
            and array.ndim in (2, 3)
            and n_channels == CHANNELS[self.mode]
            and self.size in (None, array.shape[:2])
        )

    @contextmanager
    def opened(self, cell: Any) -> Iterator[Any]:
        """Open a cell as a Pillow image whose pixels are not decoded yet, and close it after."""
        with self._open(cell) as image:
            self._check_pixels(image.size)
            yield image

    def _open(self, cell: Any) -> AbstractContextManager[Any]:
        pillow = import_optional("PIL.Image", "ImageLoader", "images")
        if hasattr(cell, "convert"):
            return nullcontext(cell)
        if isinstance(cell, np.ndarray):
            return nullcontext(pillow.fromarray(_pixels(cell)))
        try:
            return pillow.open(io.BytesIO(cell) if isinstance(cell, bytes) else _path(cell))
        except pillow.DecompressionBombError as error:
            raise BlockError(str(error)) from error

    def _check_pixels(self, size: tuple[int, int]) -> None:
        if size[0] * size[1] > self.max_pixels:
            raise BlockError(
                f"it is too large: {size[0]:,} x {size[1]:,} pixels, and max_pixels is "
                f"{self.max_pixels:,}"
            )


def check_size(size: Any, mode: Any, max_pixels: Any) -> None:
    """Check the arguments that image and frame loader share."""
    check_choice("mode", mode, CHANNELS)
    check_int("max_pixels", max_pixels)
    if size is None:
        return
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise ParameterError(f"size must be (height, width) or None. Got {size!r}.")
    for edge in size:
        check_int("each of size", edge)


def describe_cell(cell: Any) -> str:
    """Return what an error message calls the cell.

    Examples
    --------
    >>> from skfusion.inputs._images.image_reader import describe_cell
    >>> describe_cell("cat.png"), describe_cell(b"1234")
    ("'cat.png'", '4 bytes')
    """
    if isinstance(cell, (str, os.PathLike)):
        return repr(str(cell))
    if isinstance(cell, bytes):
        return f"{len(cell):,} bytes"
    if isinstance(cell, np.ndarray):
        return f"array of shape {cell.shape}"
    if isinstance(cell, (list, tuple)):
        return f"list of {len(cell)} frames"
    return type(cell).__name__


def _path(cell: Any) -> Any:
    if isinstance(cell, (str, os.PathLike)):
        return cell
    if cell is None or cell != cell:
        raise BlockError("the cell is empty")
    raise BlockTypeError(
        f"a cell holds a path, bytes, a Pillow image or an array. Got {type(cell).__name__}"
    )


def _upright_size(image: Any) -> tuple[int, int]:
    # A PNG may tell its orientation behind the pixels, and is decoded then; a square needs none.
    turned = image.width != image.height and image.getexif().get(_ORIENTATION) in _TURNED
    width, height = image.size[::-1] if turned else image.size
    return height, width


def _eight_bits(image: Any, pillow: Any) -> Any:
    """Return 16-bit grey as 8-bit grey: ``convert`` would clip it to white."""
    if image.mode == "F":
        raise BlockError("its pixels are floats, whose range is not known; save it as 8 or 16 bits")
    if not image.mode.startswith("I"):
        return image
    pixels = np.asarray(image)
    if pixels.min(initial=0) < 0 or pixels.max(initial=0) > 65_535:
        raise BlockError("its pixels have more than 16 bits; save it as 8 or 16 bits")
    return pillow.fromarray((pixels // 257).astype(np.uint8))


def _pixels(array: np.ndarray) -> np.ndarray:
    """Return an array in a layout that Pillow takes."""
    if array.dtype == bool:
        array = array.astype(np.uint8) * 255
    if array.dtype not in (np.uint8, np.uint16) or array.ndim not in (2, 3):
        raise BlockTypeError(
            f"an array in a cell is an image (height, width[, channels]) of uint8, uint16 or bool. "
            f"Got shape {array.shape}, dtype {array.dtype}. For floats from 0 to 1 write "
            "(255 * array).astype('uint8')"
        )
    return array[:, :, 0] if array.ndim == 3 and array.shape[2] == 1 else array
