"""Files that are whole or refused: behind the content stand its checksum and its length."""

from __future__ import annotations

import glob
import hashlib
import os
import secrets
import stat
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, BinaryIO, cast

from skfusion.exceptions import CheckpointError

if sys.platform != "win32":
    import fcntl

__all__ = ["FORMAT", "check_place", "read_sealed", "sweep", "unreadable", "write_sealed"]

FORMAT = 2
_MAGIC = b"skfusion"
# SHA-256 of the content, its length, the format, the magic. Behind it, so that what torch wrote
# stays a file that torch reads.
_FOOTER = struct.Struct("<32sQI8s")
_LONGEST_NAME = 230  # bytes; while it is written a name has a few more
# On Windows a file that is open cannot be replaced or deleted, elsewhere it can.
_OPEN_FILES_STAY = sys.platform == "win32"


def unreadable(path: Path, why: str) -> CheckpointError:
    """Return the error of a file that no fit can go on from."""
    return CheckpointError(
        f"the checkpoint {str(path)!r} cannot be read: {why}. Delete it, and the fit starts anew."
    )


def read_sealed(path: Path) -> bytes | None:
    """Return the content of ``path`` once its checksum holds; None if there is no such file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise unreadable(path, f"it is a {_kind(path)}, not a file")
        with path.open("rb") as file:
            size = max(0, os.fstat(file.fileno()).st_size - _FOOTER.size)
            content, footer = file.read(size), file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(path, error.strerror or str(error)) from error
    problem = _problem(content, footer)
    if problem:
        raise unreadable(path, problem)
    return content


def _problem(content: bytes, footer: bytes) -> str:
    """Return what is wrong with a file, or nothing."""
    if not content:
        return f"it was cut off after {len(footer)} bytes, or is no checkpoint of format {FORMAT}"
    checksum, length, version, magic = _FOOTER.unpack(footer)
    if magic != _MAGIC:
        return (
            f"it was cut off, something was added to it, or it is no checkpoint of format {FORMAT}"
        )
    if version != FORMAT:
        newer = "a newer version of skfusion writes" if version > FORMAT else "no longer is read"
        return f"it is of format {version}, which {newer}; this version reads format {FORMAT}"
    if len(content) != length:
        return f"it was damaged, since {len(content):,} bytes are there and {length:,} were written"
    if hashlib.sha256(content).digest() != checksum:
        return "it was damaged, since its checksum does not hold"
    return ""


def write_sealed(path: Path, save: Callable[[IO[bytes]], None]) -> None:
    """Put what ``save`` writes in the place of ``path``: at any time there is a whole file."""
    with _part_of(path) as (part, file):
        content = _Hashing(file)
        save(cast(IO[bytes], content))  # of which torch uses what there is
        content.check()
        file.write(_FOOTER.pack(content.checksum(), content.length, FORMAT, _MAGIC))
        file.flush()
        os.fsync(file.fileno())
        if _OPEN_FILES_STAY:
            file.close()
        part.replace(path)


class _Hashing:
    """A file to write to, which counts and hashes on the way.

    An error is kept until ``check``: raised within torch's writer it would come out as another.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.length = 0
        self._file, self._hash = file, hashlib.sha256()
        self._error: BaseException | None = None

    def write(self, content: bytes | memoryview) -> int:
        size = memoryview(content).nbytes
        if self._error is None:
            try:
                self._file.write(content)
            except BaseException as error:  # Ctrl-C too
                self._error = error
            self._hash.update(content)
            self.length += size
        return size

    def flush(self) -> None:
        """Do nothing; the file is flushed when it is whole."""

    def check(self) -> None:
        """Raise what went wrong while writing."""
        if self._error is not None:
            raise self._error

    def checksum(self) -> bytes:
        return self._hash.digest()


@contextmanager
def _part_of(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Open a new file beside ``path``, which no other fit takes for left behind."""
    while True:
        part = path.with_name(f"{path.stem}.{secrets.token_hex(8)}.part")
        try:
            with part.open("xb") as file:
                with suppress(OSError):  # on a disk without locks, where nothing is swept
                    _lock(file)
                if part.exists():  # else another fit swept it before it was locked
                    yield part, file
                    return
        finally:
            part.unlink(missing_ok=True)


def sweep(path: Path) -> None:
    """Delete what fits left that were killed while writing ``path``; not what is being written."""
    for part in path.parent.glob(f"{glob.escape(path.stem)}.*.part"):
        with suppress(OSError):  # another fit swept it, or writes it still
            with part.open("r+b") as file:
                _lock(file, wait=False)
                if not _OPEN_FILES_STAY:
                    part.unlink()
            if _OPEN_FILES_STAY:
                part.unlink()


def _lock(file: BinaryIO, wait: bool = True) -> None:
    """Lock a file until it is closed, be it by the death of the process."""
    if sys.platform != "win32":
        how = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
        fcntl.flock(file, how)


def check_place(path: Path) -> None:
    """Raise ``CheckpointError`` where no checkpoint can be kept: a ".pt" file, or a folder."""
    try:
        problem = _problem_of_place(path)
    except (OSError, ValueError) as error:  # no right to look, a name too long, a null byte
        problem = getattr(error, "strerror", None) or str(error)
    if problem:
        raise CheckpointError(
            f"the checkpoint {str(path)!r} cannot be kept: {problem}. Name a folder that can be "
            'written to, or a file in one whose name ends in ".pt".'
        )


def _problem_of_place(path: Path) -> str:
    if "\0" in str(path):
        return "no file can have a null character in its name"
    is_file, found = path.suffix == ".pt", path.exists()
    if path.is_symlink() and not found:
        return f"it is a link to {str(path.readlink())!r}, which does not exist"
    if found and not (path.is_file() if is_file else path.is_dir()):
        return f"it is a {_kind(path)}, not a {'file' if is_file else 'folder'}"
    if len(os.fsencode(path.name)) > _LONGEST_NAME:
        return "its name is too long"
    folder = path if found and not is_file else path.parent
    if not folder.is_dir():
        there = f"is a {_kind(folder)}" if folder.exists() else "does not exist"
        return f"the folder {str(folder)!r} {there}"
    writable = os.access(folder, os.W_OK | os.X_OK)
    return "" if writable else f"the folder {str(folder)!r} cannot be written to"


def _kind(path: Path) -> str:
    """Return what stands at ``path``, in words."""
    mode = path.stat().st_mode
    kinds = {stat.S_ISDIR: "folder", stat.S_ISFIFO: "FIFO", stat.S_ISREG: "file"}
    kinds |= {stat.S_ISCHR: "device", stat.S_ISBLK: "device", stat.S_ISSOCK: "socket"}
    return next((kind for is_kind, kind in kinds.items() if is_kind(mode)), "special file")
