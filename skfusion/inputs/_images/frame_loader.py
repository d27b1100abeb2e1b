"""Folders of frames, animated images and arrays to a video block."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skfusion._checks import check_choice, check_int
from skfusion.exceptions import ParameterError
from skfusion.inputs._images.clip_reader import ClipReader
from skfusion.inputs._images.image_reader import CHANNELS, MAX_PIXELS, ImageReader, check_size
from skfusion.inputs._images.loading import Loading
from skfusion.inputs._no_set_output import NO_SET_OUTPUT

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
    lazy : bool, default=False
        Decode clips when a batch asks for them. Needs ``n_frames``.
    on_error : {"raise", "missing"}, default="raise"
        What happens to a clip without frames, or one that cannot be read; see ``ImageLoader``.
    max_pixels : int, default=89_478_485
        A frame with more pixels is an error.
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
        lazy: bool = False,
        on_error: str = "raise",
        max_pixels: int = MAX_PIXELS,
        n_threads: int | None = None,
    ) -> None:
        self.n_frames = n_frames
        self.size = size
        self.mode = mode
        self.lazy = lazy
        self.on_error = on_error
        self.max_pixels = max_pixels
        self.n_threads = n_threads

    def fit(self, X: Any, y: Any = None) -> FrameLoader:
        """Learn the shape of a row: from ``size``, else from the first clip of ``X``."""
        self._check_parameters()
        if self.size is None:
            self.row_shape_ = self._loading(X).first_shape()
        else:
            self.row_shape_ = (self.n_frames, *self.size, CHANNELS[self.mode])
        return self

    def transform(self, X: Any) -> Any:
        """Return the clips of ``X``, uint8 (n, time, height, width, channels)."""
        check_is_fitted(self)
        loading = self._loading(X)
        return loading.later(self.row_shape_) if self.lazy else loading.now(self.row_shape_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        return tags

    def _check_parameters(self) -> None:
        check_size(self.size, self.mode, self.max_pixels)
        check_choice("on_error", self.on_error, ("raise", "missing"))
        for name in ("n_frames", "n_threads"):
            if getattr(self, name) is not None:
                check_int(name, getattr(self, name))
        if self.lazy and self.n_frames is None:
            raise ParameterError(
                "lazy=True needs n_frames, since a lazy block has rows of one shape. Got "
                "n_frames=None. Give n_frames, or read all clips at once with lazy=False."
            )

    def _loading(self, X: Any) -> Loading:
        size = None if self.size is None else (int(self.size[0]), int(self.size[1]))
        reader = ClipReader(self.n_frames, ImageReader(size, self.mode, self.max_pixels))
        return Loading("FrameLoader", X, reader, self.on_error, self.n_threads)
