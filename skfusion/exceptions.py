"""Every error that skfusion raises on purpose: one family, each also a standard exception."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "BlockError",
    "BlockTypeError",
    "CheckpointError",
    "MissingDependencyError",
    "NonFiniteLossError",
    "ParameterError",
    "SkfusionError",
    "TargetError",
    "add_note",
    "noted",
]


class SkfusionError(Exception):
    """Base of all errors of this library.

    Examples
    --------
    >>> from skfusion.exceptions import BlockError, SkfusionError
    >>> issubclass(BlockError, SkfusionError) and issubclass(BlockError, ValueError)
    True
    """


class ParameterError(SkfusionError, ValueError):
    """A constructor argument is out of its range or names something unknown.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionClassifier
    >>> FusionClassifier(batch_size=0).fit(np.eye(2), [0, 1])
    Traceback (most recent call last):
        ...
    skfusion.exceptions.ParameterError: batch_size must be an int >= 1. Got 0...
    """


class BlockError(SkfusionError, ValueError):
    """The content of a block, or the set of blocks, is not what is needed.

    Examples
    --------
    >>> from skfusion.blocks import Blocks
    >>> Blocks({"price": [3.5, 4.0], "stars": [5, 4, 1]})
    Traceback (most recent call last):
        ...
    skfusion.exceptions.BlockError: all blocks must have the same number of rows: 'price' has 2...
    """


class BlockTypeError(SkfusionError, TypeError):
    """A block, or an input, is of a kind that cannot be read.

    Examples
    --------
    >>> from skfusion.blocks import Blocks
    >>> Blocks({"review": ["good", "bad"]})
    Traceback (most recent call last):
        ...
    skfusion.exceptions.BlockTypeError: block 'review' has dtype <U4, which no network takes...
    """


class TargetError(SkfusionError, ValueError):
    """The target ``y`` cannot be learned as it is.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionClassifier
    >>> FusionClassifier().fit(np.eye(2), ["cat", "cat"])
    Traceback (most recent call last):
        ...
    skfusion.exceptions.TargetError: ...
    """


class NonFiniteLossError(SkfusionError, FloatingPointError, ValueError):
    """The loss became NaN or infinite while training.

    Examples
    --------
    >>> from skfusion.exceptions import NonFiniteLossError
    >>> issubclass(NonFiniteLossError, FloatingPointError)
    True
    """


class CheckpointError(SkfusionError, ValueError):
    """A checkpoint cannot be read, or is of another fit.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from skfusion import FusionClassifier
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder) / "cut_off.pt"
    ...     _ = file.write_bytes(b"PK")
    ...     FusionClassifier(checkpoint=file).fit(np.eye(2), [0, 1])
    Traceback (most recent call last):
        ...
    skfusion.exceptions.CheckpointError: the checkpoint '...cut_off.pt' cannot be read: ...
    """


class MissingDependencyError(SkfusionError, ImportError):
    """An optional dependency is not installed.

    Examples
    --------
    >>> from skfusion.exceptions import MissingDependencyError
    >>> issubclass(MissingDependencyError, ImportError)
    True
    """


def add_note(error: BaseException, note: str) -> BaseException:
    """Attach ``note`` to ``error``, in front of its message where Python is older than 3.11.

    Examples
    --------
    >>> from skfusion.exceptions import add_note
    >>> str(add_note(ValueError("bad"), "in block 'photo'")).startswith(("bad", "in block"))
    True
    """
    if hasattr(error, "add_note"):
        error.add_note(note)
    else:
        error.args = (f"{note}: {error.args[0] if error.args else ''}", *error.args[1:])
    return error


@contextmanager
def noted(note: str) -> Iterator[None]:
    """Add ``note`` to whatever is raised inside: the code of a user may raise anything.

    Examples
    --------
    >>> from skfusion.exceptions import noted
    >>> with noted("in block 'photo'"):
    ...     number = int("1")
    """
    try:
        yield
    except Exception as error:
        add_note(error, note)
        raise
