"""One cell to one image: paths, bytes, Pillow images, arrays and tensors, by Pillow."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

import numpy as np
import pandas as pd
import torch

from skfusion._checks import check_choice, check_int
from skfusion._optional import import_optional
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs._files import open_file
from skfusion.inputs._images.colours import CHANNELS, in_mode
from skfusion.inputs._images.formats import check_format, damage_named, open_image
from skfusion.inputs._images.pixels import as_pixels, check_pixels, size_of_pixels

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["MAX_PIXELS", "ImageReader", "check_size"]

MAX_PIXELS = 89_478_485  # Pillow's own limit: 1/4 GiB at 3 bytes a pixel

_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)
_ENCODED = (str, os.PathLike, bytes, bytearray, memoryview)


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
    background : tuple of int
        Red, green and blue of what lies below transparent pixels where ``mode`` has none.
    """

    size: tuple[int, int] | None
    mode: str
    max_pixels: int
    background: tuple[int, int, int] = (255, 255, 255)

    def read(self, cell: object) -> np.ndarray:
        """Return the image as uint8 (height, width, channels)."""
        if _is_array(cell):
            check_pixels(*size_of_pixels(cell), self.max_pixels)
            if self._fits(cell):
                return cell.reshape(*cell.shape[:2], CHANNELS[self.mode])
        with damage_named(), self.opened(cell) as image:
            if self.size is not None and isinstance(cell, _ENCODED):
                # JPEG files decode at 1/2 to 1/8 of their size for free; twice the wanted size
                # is enough for the resize below.
                image.draft(self.mode, (2 * max(self.size), 2 * max(self.size)))
            return self.finish(image)

    def finish(self, image: Image) -> np.ndarray:
        """Return an opened Pillow image upright, converted and resized, as an array."""
        operations = import_optional("PIL.ImageOps", "ImageLoader", "images")
        image = in_mode(operations.exif_transpose(image), self.mode, self.background)
        if self.size is not None and image.size != self.size[::-1]:
            pillow = import_optional("PIL.Image", "ImageLoader", "images")
            image = image.resize(self.size[::-1], pillow.Resampling.BILINEAR)
        return np.asarray(image).reshape(image.height, image.width, CHANNELS[self.mode])

    def shape_of(self, cell: object) -> tuple[int, int, int]:
        """Return the shape that ``read`` will give, from the header, and verify the file."""
        with damage_named(), self.opened(cell) as image:
            height, width = self.size or _upright_size(image)
        if isinstance(cell, _ENCODED):
            with damage_named(), self.opened(cell) as image:
                image.verify()
        return height, width, CHANNELS[self.mode]

    @contextmanager
    def opened(self, cell: object) -> Iterator[Image]:
        """Open a cell as a Pillow image whose pixels are not decoded yet, and close it after."""
        if isinstance(cell, _ENCODED):
            with open_file(cell) as file, open_image(file) as image:
                self.check(image)
                yield image
        else:
            image = self._made(cell)
            self.check(image)
            yield image

    def check(self, image: Image) -> None:
        """Raise if the image, or the frame that an animation stands at, is too large."""
        check_pixels(image.height, image.width, self.max_pixels)

    def _made(self, cell: object) -> Image:
        """Return the Pillow image in a cell, or make one of an array."""
        if _is_image(cell):
            check_format(cell)
            return cell
        if _is_array(cell):
            check_pixels(*size_of_pixels(cell), self.max_pixels)
            pillow = import_optional("PIL.Image", "ImageLoader", "images")
            made: Image = pillow.fromarray(as_pixels(cell))
            return made
        if (
            cell is None
            or cell is pd.NA
            or cell is pd.NaT
            or (isinstance(cell, float) and cell != cell)
        ):
            raise BlockError("the cell is empty")
        raise BlockTypeError(
            f"a cell holds a path, bytes, a Pillow image or an array. Got {type(cell).__name__}"
        )

    def _fits(self, cell: np.ndarray | torch.Tensor) -> TypeGuard[np.ndarray]:
        """Whether an array is already what ``read`` makes of it."""
        if not isinstance(cell, np.ndarray) or isinstance(cell, np.ma.MaskedArray):
            return False
        n_channels = cell.shape[2] if cell.ndim == 3 else 1
        return (
            cell.dtype == np.uint8
            and n_channels == CHANNELS[self.mode]
            and self.size in (None, cell.shape[:2])
        )


def check_size(size: object, mode: object, max_pixels: object) -> None:
    """Check the arguments that image and frame loader share."""
    check_choice("mode", mode, CHANNELS)
    highest = check_int("max_pixels", max_pixels)
    if size is None:
        return
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise ParameterError(f"size must be (height, width) or None. Got {size!r}.")
    height, width = (check_int("each of size", edge) for edge in size)
    if height * width > highest:
        raise ParameterError(
            f"size must have at most max_pixels={highest:,} pixels. Got {height:,} x {width:,}."
        )


def _is_array(cell: object) -> TypeGuard[np.ndarray | torch.Tensor]:
    return isinstance(cell, (np.ndarray, torch.Tensor))


def _is_image(cell: object) -> TypeGuard[Image]:
    return hasattr(cell, "convert") and hasattr(cell, "mode")


def _upright_size(image: Image) -> tuple[int, int]:
    # A PNG may tell its orientation behind the pixels, and is decoded then; a square needs none.
    turned = image.width != image.height and image.getexif().get(_ORIENTATION) in _TURNED
    width, height = image.size[::-1] if turned else image.size
    return height, width
