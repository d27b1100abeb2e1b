"""Image files, bytes and arrays to an image block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skfusion._checks import check_choice, check_int
from skfusion.inputs._images.colours import CHANNELS, Background, colour_of
from skfusion.inputs._images.image_reader import MAX_PIXELS, ImageReader, check_size
from skfusion.inputs._images.loading import LoadedBlock, Loading
from skfusion.inputs._no_set_output import NO_SET_OUTPUT
from skfusion.typing import XLike

if TYPE_CHECKING:
    from sklearn.utils import Tags
    from typing_extensions import Self

__all__ = ["ImageLoader"]


class ImageLoader(TransformerMixin, BaseEstimator, **NO_SET_OUTPUT):
    """Paths, bytes, Pillow images or arrays in cells to images (n, height, width, channels).

    Read by Pillow (extra ``images``): turned upright by the EXIF orientation, laid over
    ``background`` where it is transparent, converted to ``mode`` (16 bits are scaled to 8),
    resized bilinearly without keeping the aspect ratio. Values are uint8, as Pillow,
    scikit-image and Keras have them. Of an animation the first frame is taken.

    An array in a cell is (height, width[, channels]) of uint8, uint16 or bool. One whose first
    axis alone can be channels, (channels, height, width), is turned; so is a tensor of torch.

    Files are JPEG, PNG, GIF, WebP, TIFF, BMP, PNM, AVIF, JPEG 2000, MPO, QOI, PCX, SGI or TGA,
    whatever their name says. EPS and WMF, which other programs would have to draw, are not
    opened; nor is what is no regular file, such as a pipe or a device.

    Takes n cells (list, Series, array or frame of one column); gives uint8 of shape
    (n, height, width, channels): an ndarray, or a lazy block with ``lazy=True``.

    Parameters
    ----------
    size : tuple of int, default=None
        Height and width. None keeps the images' own, which must then all be the same.
    mode : {"RGB", "L", "RGBA"}, default="RGB"
        Colours: 3 channels, 1 (grey) or 4.
    background : str or tuple of int, default="white"
        Colour below transparent pixels, a name or red, green and blue from 0 to 255. Not used
        with mode "RGBA", which keeps the transparency.
    lazy : bool, default=False
        Decode rows when a batch asks for them, in background threads, so that memory does not
        grow with the number of images. Only headers are read by ``transform``.
    on_error : {"raise", "missing"}, default="raise"
        What happens to a file that is missing, truncated, too large or no image. "missing" makes
        ``transform`` return a ``MaskedBlock``, from which ``BlockUnion`` marks the rows. With
        ``lazy=True`` headers decide: a file that turns out broken behind a good header raises
        when it is decoded.
    max_pixels : int, default=89_478_485
        An image with more pixels is an error, before it is decoded: a small file can hold a huge
        image (decompression bomb). Pillow has a limit of its own at twice the default.
    n_threads : int, default=None
        Threads that decode. None for one per core, at most 8.

    Attributes
    ----------
    row_shape_ : tuple of int
        Height, width and channels.

    Raises
    ------
    BlockError
        For a row that cannot be read, and for images of different size without ``size``; names
        row and path.
    BlockTypeError
        For a cell that is neither path, bytes, image nor array of bytes.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.inputs import ImageLoader
    >>> photos = [np.zeros((40, 30, 3), np.uint8), np.full((20, 20, 3), 255, np.uint8)]
    >>> ImageLoader(size=(8, 8)).fit_transform(photos).shape
    (2, 8, 8, 3)
    """

    def __init__(
        self,
        size: tuple[int, int] | None = None,
        *,
        mode: str = "RGB",
        background: Background = "white",
        lazy: bool = False,
        on_error: str = "raise",
        max_pixels: int = MAX_PIXELS,
        n_threads: int | None = None,
    ) -> None:
        self.size = size
        self.mode = mode
        self.background = background
        self.lazy = lazy
        self.on_error = on_error
        self.max_pixels = max_pixels
        self.n_threads = n_threads

    def fit(self, X: XLike, y: object = None) -> Self:
        """Learn the shape of a row: from ``size``, else from the first image of ``X``."""
        check_size(self.size, self.mode, self.max_pixels)
        colour_of(self.background)
        check_choice("on_error", self.on_error, ("raise", "missing"))
        if self.n_threads is not None:
            check_int("n_threads", self.n_threads, repair="Use None for one per core.")
        if self.size is None:
            self.row_shape_ = self._loading(X).first_shape()
        else:
            self.row_shape_ = (*self.size, CHANNELS[self.mode])
        return self

    def transform(self, X: XLike) -> LoadedBlock:
        """Return the images of ``X``, uint8 (n, height, width, channels)."""
        check_is_fitted(self)
        loading = self._loading(X)
        return loading.later(self.row_shape_) if self.lazy else loading.now(self.row_shape_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        return tags

    def _loading(self, X: XLike) -> Loading:
        size = None if self.size is None else (int(self.size[0]), int(self.size[1]))
        reader = ImageReader(size, self.mode, self.max_pixels, colour_of(self.background))
        return Loading("ImageLoader", X, reader, self.on_error, self.n_threads)
