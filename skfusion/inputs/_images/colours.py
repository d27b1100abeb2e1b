"""Images of any mode as 8-bit grey, RGB or RGBA that look the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from skfusion._optional import import_optional
from skfusion.exceptions import BlockError, ParameterError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["CHANNELS", "Background", "colour_of", "in_mode"]

CHANNELS = {"L": 1, "RGB": 3, "RGBA": 4}
Background: TypeAlias = "str | tuple[int, int, int]"

_TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")
_SIXTEEN_BITS = ("PNG", "PPM", "JPEG2000")


def in_mode(image: Image, mode: str, background: tuple[int, int, int]) -> Image:
    """Return ``image`` in ``mode``, laid over ``background`` where ``mode`` has no transparency."""
    image = _eight_bits(image)
    if mode != "RGBA" and (image.mode in _TRANSPARENT or "transparency" in image.info):
        rgba = image if image.mode == "RGBA" else image.convert("RGBA")
        is_opaque = rgba.getchannel("A").getextrema() == (255, 255)
        image = rgba if is_opaque else _laid_over(background, rgba)
    return image.convert(mode)


def colour_of(background: Background) -> tuple[int, int, int]:
    """Return red, green and blue of the argument ``background``."""
    if isinstance(background, str):
        if background == "white":  # without Pillow, which arrays of one size do not need
            return 255, 255, 255
        colours = import_optional("PIL.ImageColor", "ImageLoader", "images")
        try:
            return colours.getrgb(background)[:3]
        except ValueError as error:
            raise _no_colour(background) from error
    if not isinstance(background, (tuple, list)) or len(background) != 3:
        raise _no_colour(background)
    if any(isinstance(level, bool) or level not in range(256) for level in background):
        raise _no_colour(background)
    return int(background[0]), int(background[1]), int(background[2])


def _no_colour(background: object) -> ParameterError:
    return ParameterError(
        "background must be a colour, such as 'white', '#ff8800' or (255, 136, 0). "
        f"Got {background!r}."
    )


def _laid_over(background: tuple[int, int, int], image: Image) -> Image:
    pillow = import_optional("PIL.Image", "ImageLoader", "images")
    below: Image = pillow.new("RGBA", image.size, (*background, 255))
    below.alpha_composite(image)
    return below


def _eight_bits(image: Image) -> Image:
    """Return 16-bit grey as 8-bit grey: ``convert`` would clip it to white."""
    if image.mode == "F":
        raise BlockError("its pixels are floats, whose range is not known; save it as 8 or 16 bits")
    if not image.mode.startswith("I"):
        return image
    pixels = np.asarray(image)
    if pixels.min(initial=0) < 0 or pixels.max(initial=0) > 65_535:
        raise BlockError("its pixels have more than 16 bits; save it as 8 or 16 bits")
    if image.mode == "I" and image.format not in _SIXTEEN_BITS:
        raise BlockError(
            "its pixels are 32-bit integers, whose range is not known; save it as 8 or 16 bits"
        )
    pillow = import_optional("PIL.Image", "ImageLoader", "images")
    grey: Image = pillow.fromarray((pixels // 257).astype(np.uint8))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(pillow.fromarray(np.where(pixels == clear, 0, 255).astype(np.uint8)))
    return grey
