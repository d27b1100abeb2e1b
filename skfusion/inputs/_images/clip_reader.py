"""One cell to one clip: a folder of frames, an animated image, an array, a list of frames."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

import numpy as np
import torch

from skfusion.exceptions import BlockError
from skfusion.inputs._arrays import check_bytes
from skfusion.inputs._files import FilePath
from skfusion.inputs._images.colours import CHANNELS
from skfusion.inputs._images.formats import damage_named, endings
from skfusion.inputs._images.image_reader import ImageReader

__all__ = ["MAX_CLIP_BYTES", "ClipReader", "even_frames"]

MAX_CLIP_BYTES = 2**30


@dataclass(frozen=True)
class ClipReader:
    """Reads one clip; raises one of ``READ_ERRORS`` where a cell holds none.

    Parameters
    ----------
    n_frames : int or None
        Number of frames to sample evenly; None for all.
    images : ImageReader
        Reads a frame.
    max_bytes : int
        Clips that take more memory are an error, found before a second frame is decoded.
    """

    n_frames: int | None
    images: ImageReader
    max_bytes: int = MAX_CLIP_BYTES

    def read(self, cell: object) -> np.ndarray:
        """Return the clip as uint8 (time, height, width, channels)."""
        if not _has_frames(cell):
            return self._read_animation(cell)
        frames = _frames_of(cell)
        return self._read(len(frames), lambda i: self.images.read(frames[i]))

    def shape_of(self, cell: object) -> tuple[int | None, ...]:
        """Return the shape of what ``read`` will give, from the first frame's header."""
        if _has_frames(cell):
            frames = _frames_of(cell)
            n, shape = self._count(len(frames)), self.images.shape_of(frames[0])
        else:
            n, shape = self.n_frames or 1, self.images.shape_of(cell)
        self._check_bytes(n, shape)
        return self.n_frames, *shape

    def _read_animation(self, cell: object) -> np.ndarray:
        with damage_named(), self.images.opened(cell) as animation:
            n = getattr(animation, "n_frames", 1)
            size = self.images.size or animation.size
            self._check_bytes(self._count(n), (*size, CHANNELS[self.images.mode]))

            def read_frame(i: int) -> np.ndarray:
                for number in range(animation.tell() + 1, i + 1):
                    animation.seek(number)
                    self.images.check(animation)  # a frame may be larger than the first
                return self.images.finish(animation)

            return self._read(n, read_frame)

    def _read(self, n: int, read_frame: Callable[[int], np.ndarray]) -> np.ndarray:
        """Read the chosen ones of ``n`` frames into one array, each once."""
        numbers = np.arange(n) if self.n_frames is None else even_frames(n, self._count(n))
        chosen, counts = np.unique(numbers, return_counts=True)
        first = read_frame(int(chosen[0]))
        self._check_bytes(len(numbers), first.shape)
        clip: np.ndarray = np.empty((len(numbers), *first.shape), dtype=np.uint8)
        clip[: counts[0]] = first
        start = counts[0]
        for number, count in zip(chosen[1:].tolist(), counts[1:].tolist(), strict=True):
            frame = read_frame(number)
            if frame.shape != first.shape:
                raise BlockError(
                    f"frame {number} has shape {frame.shape}, but frame {chosen[0]} has "
                    f"{first.shape}; give size=(height, width)"
                )
            clip[start : start + count] = frame
            start += count
        return clip

    def _count(self, n: int) -> int:
        """Return how many frames are taken of ``n``."""
        if n == 0:
            raise BlockError("the clip has no frames")
        return n if self.n_frames is None else self.n_frames

    def _check_bytes(self, n: int, shape: tuple[int, ...]) -> None:
        repair = f" ({n:,} frames); give size= or n_frames=, or raise max_bytes"
        check_bytes(n * math.prod(shape), self.max_bytes, repair)


def even_frames(n: int, n_frames: int) -> np.ndarray:
    """Return the middle frame of each of ``n_frames`` equal parts of a clip of ``n`` frames.

    Examples
    --------
    >>> from skfusion.inputs._images.clip_reader import even_frames
    >>> even_frames(12, 4).tolist(), even_frames(3, 1).tolist(), even_frames(2, 4).tolist()
    ([1, 4, 7, 10], [1], [0, 0, 1, 1])
    """
    return (2 * np.arange(n_frames) + 1) * n // (2 * n_frames)


_Frames = Sequence[object] | np.ndarray | torch.Tensor


def _has_frames(cell: object) -> TypeGuard[_Frames | FilePath]:
    """Return whether ``cell`` is a folder, a list or an array, not one animated image."""
    if isinstance(cell, (str, os.PathLike)):
        return os.path.isdir(cell)
    return isinstance(cell, (np.ndarray, torch.Tensor, list, tuple))


def _frames_of(cell: _Frames | FilePath) -> _Frames:
    """Return the frames of a folder, an array or a list, as cells for ``ImageReader``."""
    if isinstance(cell, (str, os.PathLike)):
        return _frame_files(Path(cell))
    if not isinstance(cell, (np.ndarray, torch.Tensor)):
        return cell
    if isinstance(cell, np.ndarray) and cell.dtype == object and cell.ndim == 1:
        return list(cell)
    shape = tuple(cell.shape)
    if len(shape) == 3 and shape[2] in (3, 4):
        raise BlockError(
            f"an array of shape {shape} in a cell is one image, no clip (time, height, width"
            "[, channels]); write array[None] for a clip of one frame"
        )
    if len(shape) not in (3, 4):
        raise BlockError(
            f"an array in a cell is a clip (time, height, width[, channels]), "
            f"but this one has shape {shape}"
        )
    return cell


def _frame_files(folder: Path) -> list[Path]:
    """Return the image files of ``folder``, frame 10 after frame 9."""
    files = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in endings() and not path.name.startswith(".")
    ]
    return sorted(files, key=lambda path: (_natural_key(path.name), path.name))


def _natural_key(name: str) -> list[int | str]:
    parts = re.split(r"(\d+)", name)
    return [int(part) if i % 2 else part.lower() for i, part in enumerate(parts)]
