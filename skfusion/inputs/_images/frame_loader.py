"""Folders of frames, animated images and arrays to a video block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skfusion._checks import check_choice, check_int
from skfusion.exceptions import ParameterError
from skfusion.inputs._images.clip_reader import MAX_CLIP_BYTES, ClipReader
from skfusion.inputs._images.colours import CHANNELS, Background, colour_of
from skfusion.inputs._images.image_reader import MAX_PIXELS, ImageReader, check_size
from skfusion.inputs._images.loading import LoadedBlock, Loading
from skfusion.inputs._no_set_output import NO_SET_OUTPUT
from skfusion.typing import XLike

if TYPE_CHECKING:
    from sklearn.utils import Tags
    from typing_extensions import Self

__all__ = ["FrameLoader"]


class FrameLoader(TransformerMixin, BaseEstimator, **NO_SET_OUTPUT):
    """Clips in cells to video (n, time, height, width, channels).

    A clip is a folder of frames (sorted naturally: frame 10 after frame 9), the path or bytes of
    an animated image (GIF, WebP, APNG), an array (time, height, width[, channels]), or a list of
    frames, each whatever ``ImageLoader`` reads. Frames are read as ``ImageLoader`` reads images.

    Takes n cells (list, Series, array or frame of one column); gives uint8 of shape
    (n, n_frames, height, width, channels), or with ``n_frames=None`` a ``Ragged`` of clips of
    different length. A lazy block with ``lazy=True``.

    Parameters
    ----------
    n_frames : int, default=None
        Frames of a clip, sampled evenly: the middle frame of each of ``n_frames`` equal parts. A
        shorter clip repeats frames. None keeps all frames.
    size : tuple of int, default=None
        Height and width of the frames. None keeps their own, which must then be the same.
    mode : {"RGB", "L", "RGBA"}, default="RGB"
        Colours: 3 channels, 1 (grey) or 4.
    background : str or tuple of int, default="white"
        Colour below transparent pixels; see ``ImageLoader``.
    lazy : bool, default=False
        Decode clips when a batch asks for them. Needs ``n_frames``.
    on_error : {"raise", "missing"}, default="raise"
        What happens to a clip without frames, or one that cannot be read; see ``ImageLoader``.
    max_pixels : int, default=89_478_485
        A frame with more pixels is an error.
    max_bytes : int, default=2**30
        A clip that takes more memory, in the frames and the size that are kept, is an error
        before it is decoded: 300 frames of 2000 x 2000 are 1 MB on disk and 4 GB in memory.
    n_threads : int, default=None
        Threads that decode. None for one per core, at most 8.

    Attributes
    ----------
    row_shape_ : tuple of int
        Time (None where clips differ), height, width and channels.

    Raises
    ------
    BlockError
        For a clip that cannot be read or has no frames, and for frames of different size without
        ``size``; names row and path.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.inputs import FrameLoader
    >>> clips = [np.zeros((9, 16, 16), np.uint8), np.zeros((5, 16, 16), np.uint8)]
    >>> FrameLoader(n_frames=4, size=(8, 8), mode="L").fit_transform(clips).shape
    (2, 4, 8, 8, 1)
    >>> FrameLoader(mode="L").fit_transform(clips).lengths.tolist()
    [9, 5]
    """

    def __init__(
        self,
        n_frames: int | None = None,
        size: tuple[int, int] | None = None,
        *,
        mode: str = "RGB",
        background: Background = "white",
        lazy: bool = False,
        on_error: str = "raise",
        max_pixels: int = MAX_PIXELS,
        max_bytes: int = MAX_CLIP_BYTES,
        n_threads: int | None = None,
    ) -> None:
        self.n_frames = n_frames
        self.size = size
        self.mode = mode
        self.background = background
        self.lazy = lazy
        self.on_error = on_error
        self.max_pixels = max_pixels
        self.max_bytes = max_bytes
        self.n_threads = n_threads

    def fit(self, X: XLike, y: object = None) -> Self:
        """Learn the shape of a row: from ``size``, else from the first clip of ``X``."""
        self._check_parameters()
        if self.size is None:
            self.row_shape_ = self._loading(X).first_shape()
        else:
            self.row_shape_ = (self.n_frames, *self.size, CHANNELS[self.mode])
        return self

    def transform(self, X: XLike) -> LoadedBlock:
        """Return the clips of ``X``, uint8 (n, time, height, width, channels)."""
        check_is_fitted(self)
        loading = self._loading(X)
        return loading.later(self.row_shape_) if self.lazy else loading.now(self.row_shape_)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        return tags

    def _check_parameters(self) -> None:
        check_size(self.size, self.mode, self.max_pixels)
        colour_of(self.background)
        check_int("max_bytes", self.max_bytes)
        check_choice("on_error", self.on_error, ("raise", "missing"))
        for name in ("n_frames", "n_threads"):
            if getattr(self, name) is not None:
                check_int(name, getattr(self, name))
        if self.lazy and self.n_frames is None:
            raise ParameterError(
                "lazy=True needs n_frames, since a lazy block has rows of one shape. Got "
                "n_frames=None. Give n_frames, or read all clips at once with lazy=False."
            )

    def _loading(self, X: XLike) -> Loading:
        size = None if self.size is None else (int(self.size[0]), int(self.size[1]))
        images = ImageReader(size, self.mode, self.max_pixels, colour_of(self.background))
        reader = ClipReader(self.n_frames, images, self.max_bytes)
        return Loading("FrameLoader", X, reader, self.on_error, self.n_threads)
