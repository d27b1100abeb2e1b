"""Opening what a cell names: regular files, and bytes that were read before."""

from __future__ import annotations

import io
import os
import stat
from typing import BinaryIO

from skfusion.exceptions import BlockError

__all__ = ["FilePath", "open_file", "size_of"]

FilePath = str | os.PathLike[str]

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# A pipe that nobody writes to would otherwise be waited for without end.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def open_file(source: FilePath | bytes | bytearray | memoryview) -> BinaryIO:
    """Open a regular file, or bytes, for reading.

    Raises
    ------
    BlockError
        For a folder, a pipe, a socket or a device, none of which is touched.
    OSError
        For a file that does not exist or may not be read.

    Examples
    --------
    >>> from skfusion.inputs._files import open_file
    >>> open_file(b"RIFF").read()
    b'RIFF'
    >>> open_file("/")
    Traceback (most recent call last):
        ...
    skfusion.exceptions.BlockError: it is a folder, and only regular files are read...
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return io.BytesIO(source)
    _check_regular(os.stat(source).st_mode)
    descriptor = os.open(source, _FLAGS)
    try:
        # The name may stand for something else by now.
        _check_regular(os.fstat(descriptor).st_mode)
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def size_of(file: BinaryIO) -> int:
    """Return the size of an open file in bytes; the position in it becomes its start."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _check_regular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no file")
        raise BlockError(f"it is {kind}, and only regular files are read")
