"""One cell to one clip: a folder of frames, an animated image, an array, a list of frames."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skfusion._optional import import_optional
from skfusion.exceptions import BlockError
from skfusion.inputs._images.image_reader import ImageReader

__all__ = ["ClipReader", "even_frames"]


@dataclass(frozen=True)
class ClipReader:
    """Reads one clip; raises one of ``READ_ERRORS`` where a cell holds none.

    Parameters
    ----------
    n_frames : int or None
        Number of frames to sample evenly; None for all.
    images : ImageReader
        Reads a frame.
    """

    n_frames: int | None
    images: ImageReader

    def read(self, cell: Any) -> np.ndarray:
        """Return the clip as uint8 (time, height, width, channels)."""
        if _is_animation(cell):
            return self._read_animation(cell)
        frames = _frames_of(cell)
        chosen, places = np.unique(self._choose(len(frames)), return_inverse=True)
        return _stack([self.images.read(frames[i]) for i in chosen], chosen)[places]

    def shape_of(self, cell: Any) -> tuple[int | None, ...]:
        """Return the shape of what ``read`` will give, from the first frame's header."""
        if not _is_animation(cell):
            frames = _frames_of(cell)
            self._choose(len(frames))
            return self.n_frames, *self.images.shape_of(frames[0])
        return self.n_frames, *self.images.shape_of(cell)

    def _read_animation(self, cell: Any) -> np.ndarray:
        with self.images.opened(cell) as animation:
            chosen, places = np.unique(
                self._choose(getattr(animation, "n_frames", 1)), return_inverse=True
            )
            frames = []
            for i in chosen:
                animation.seek(int(i))
                frames.append(self.images.finish(animation))
        return _stack(frames, chosen)[places]

    def _choose(self, n: int) -> np.ndarray:
        if n == 0:
            raise BlockError("the clip has no frames")
        return np.arange(n) if self.n_frames is None else even_frames(n, self.n_frames)


def even_frames(n: int, n_frames: int) -> np.ndarray:
    """Return the middle frame of each of ``n_frames`` equal parts of a clip of ``n`` frames.

    Examples
    --------
    >>> from skfusion.inputs._images.clip_reader import even_frames
    >>> even_frames(12, 4).tolist(), even_frames(3, 1).tolist(), even_frames(2, 4).tolist()
    ([1, 4, 7, 10], [1], [0, 0, 1, 1])
    """
    return (2 * np.arange(n_frames) + 1) * n // (2 * n_frames)


def _is_animation(cell: Any) -> bool:
    if isinstance(cell, (str, os.PathLike)):
        return not os.path.isdir(cell)
    return not isinstance(cell, (np.ndarray, list, tuple))


def _frames_of(cell: Any) -> Any:
    """Return the frames of a folder, an array or a list, as cells for ``ImageReader``."""
    if isinstance(cell, (list, tuple)):
        return cell
    if not isinstance(cell, np.ndarray):
        return _frame_files(Path(cell))
    if cell.ndim not in (3, 4):
        raise BlockError(
            f"an array in a cell is a clip (time, height, width[, channels]), "
            f"but this one has shape {cell.shape}"
        )
    return cell


def _frame_files(folder: Path) -> list[Path]:
    """Return the image files of ``folder``, frame 10 after frame 9."""
    pillow = import_optional("PIL.Image", "FrameLoader", "images")
    endings = pillow.registered_extensions()
    files = [
        path
        for path in folder.iterdir()
        if path.suffix.lower() in endings and not path.name.startswith(".")
    ]
    return sorted(files, key=lambda path: _natural_key(path.name))


def _natural_key(name: str) -> list[Any]:
    parts = re.split(r"(\d+)", name)
    return [int(part) if i % 2 else part.lower() for i, part in enumerate(parts)]


def _stack(frames: list[np.ndarray], numbers: np.ndarray) -> np.ndarray:
    for frame, number in zip(frames, numbers, strict=True):
        if frame.shape != frames[0].shape:
            raise BlockError(
                f"frame {number} has shape {frame.shape}, but frame {numbers[0]} has "
                f"{frames[0].shape}; give size=(height, width)"
            )
    return np.stack(frames)
