"""Opening image files by Pillow: raster formats of a closed list, and never another program."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, BinaryIO

from skfusion._optional import import_optional
from skfusion.exceptions import BlockError, SkfusionError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["FORMATS", "READ_ERRORS", "check_format", "damage_named", "endings", "open_image"]

# Left out are formats that Pillow hands to other programs (EPS to Ghostscript, WMF to Windows),
# that stand for plugins of others (BUFR, GRIB, HDF5), that hold an image in an image whose size
# is not that of the header (ICO, ICNS), and those of which no photo comes.
FORMATS = (
    "JPEG",
    "PNG",
    "GIF",
    "WEBP",
    "TIFF",
    "BMP",
    "DIB",
    "PPM",
    "AVIF",
    "JPEG2000",
    "MPO",
    "QOI",
    "PCX",
    "SGI",
    "TGA",
)

READ_ERRORS = (OSError, ValueError)  # a BlockError is a ValueError

# What Pillow raises on a damaged file, beside OSError and ValueError.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    SyntaxError,
    TypeError,
    Warning,
    struct.error,
    zlib.error,
)


@lru_cache(maxsize=1)
def _known_formats() -> tuple[str, ...]:
    """Return those of ``FORMATS`` that this Pillow was built with."""
    pillow = import_optional("PIL.Image", "ImageLoader", "images")
    pillow.init()
    return tuple(name for name in FORMATS if name in pillow.OPEN)


@lru_cache(maxsize=1)
def endings() -> frozenset[str]:
    """Return the endings of names of image files, such as ``.png``."""
    pillow = import_optional("PIL.Image", "FrameLoader", "images")
    known = pillow.registered_extensions().items()
    return frozenset(ending for ending, name in known if name in FORMATS)


def open_image(file: BinaryIO) -> Image:
    """Open an image without decoding its pixels; it reads from ``file`` when they are wanted."""
    pillow = import_optional("PIL.Image", "ImageLoader", "images")
    if file.read(4) in (b"%!PS", b"\xc5\xd0\xd3\xc6"):
        raise BlockError("it is EPS, which is a program and is not run; convert it to PNG")
    try:
        return pillow.open(file, formats=_known_formats())
    except pillow.DecompressionBombError as error:
        raise BlockError(str(error)) from error


def check_format(image: Image) -> None:
    """Raise for an image that the user opened from a file that is not decoded here."""
    files = import_optional("PIL.ImageFile", "ImageLoader", "images")
    if isinstance(image, files.ImageFile) and image.format not in FORMATS:
        raise BlockError(
            f"it was opened from a {image.format} file, a format that is not decoded here; give "
            "image.copy(), which Pillow decodes at once"
        )


@contextmanager
def damage_named() -> Iterator[None]:
    """Turn whatever Pillow raises on a damaged file into an error that is told by row."""
    try:
        yield
    except SkfusionError:
        raise
    except MemoryError as error:
        raise BlockError("it does not fit into memory") from error
    except _DAMAGE as error:
        raise BlockError(f"it is damaged ({str(error) or type(error).__name__})") from error
