"""Every error that skfusion raises on purpose: one family, each also a standard exception."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import NoReturn, TypeAlias

from sklearn.exceptions import ConvergenceWarning

__all__ = [
    "BetterBlockWarning",
    "BlockError",
    "BlockTypeError",
    "ChanceLevelWarning",
    "CheckpointError",
    "ColumnKindWarning",
    "MissingDependencyError",
    "NonFiniteLossError",
    "ParameterError",
    "SkfusionError",
    "TargetError",
]

Repair: TypeAlias = str | Callable[[str], str]


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


class ChanceLevelWarning(ConvergenceWarning):
    """A training ended no better than the prior, the best answer that is the same for every row.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from skfusion import FusionClassifier
    >>> model = FusionClassifier(batch_size=8, random_state=0)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     model = model.fit(np.zeros((60, 1)), np.arange(60) % 3)
    >>> print(caught[0].message)
    The training ended after 100 epochs, no better than the prior: 0 for every row...
    """


class BetterBlockWarning(UserWarning):
    """A single block predicts held-out rows better than all blocks together.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from skfusion import FusionClassifier
    >>> y, noise = np.arange(200) % 2, np.random.default_rng(0).normal(size=(200, 1000))
    >>> X = {"one": y[:, None] + noise[:, :1] / 4, "noise": noise}
    >>> model = FusionClassifier(random_state=0)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     model = model.fit(X, y)
    >>> print(caught[-1].message)
    Block 'one' alone, in a linear model, predicts held-out rows better than all blocks...
    """


class ColumnKindWarning(UserWarning):
    """A column looks like something else than it is read as; says the word that changes it.

    Examples
    --------
    >>> import warnings
    >>> import pandas as pd
    >>> from skfusion import BlockUnion
    >>> frame = pd.DataFrame({"price": ["12.50 EUR", "8.20 EUR", "9.90 EUR"], "stars": [5, 4, 5]})
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     union = BlockUnion().fit(frame)
    >>> print(caught[0].message)
    column 'price' looks like numbers written as text (such as '12.50 EUR'), and is...
    >>> BlockUnion(columns={"price": "number"}).fit(frame).kinds_
    {'price': 'number', 'stars': 'number'}
    """


class MissingDependencyError(SkfusionError, ImportError):
    """An optional dependency is not installed.

    Examples
    --------
    >>> from skfusion.exceptions import MissingDependencyError
    >>> issubclass(MissingDependencyError, ImportError)
    True
    """


def add_note(error: BaseException, note: str) -> None:
    """Tell of a further failure; Python 3.10 has no notes, and shows it in front of the message.

    What failed, and where, belongs into the text itself: see ``noted``.

    Examples
    --------
    >>> from skfusion.exceptions import add_note
    >>> add_note(ValueError("bad"), "the file could not be closed either")
    """
    if hasattr(error, "add_note"):
        error.add_note(note)
    else:
        error.args = (f"{note}: {error.args[0] if error.args else ''}", *error.args[1:])


def noted(where: str, repair: Repair = "") -> AbstractContextManager[None]:
    """Have ``str(error)`` say where, of whatever is raised inside.

    The code of a user may raise anything. The error keeps its type and its traceback: ``where``
    is put in front of its text and ``repair`` behind it, once. An error whose text cannot be
    changed, or would be lost between processes, is raised anew as a subclass of its own type,
    with the original as its cause.

    Parameters
    ----------
    where : str
        What failed, such as "in block 'photo'".
    repair : str or callable, default=""
        What to do about it, or a function that tells it from the text of the error.

    Examples
    --------
    >>> from skfusion.exceptions import noted
    >>> with noted("in block 'photo'", "Leave it out."):
    ...     int("one")
    Traceback (most recent call last):
        ...
    ValueError: in block 'photo': invalid literal for int() with base 10: 'one'. Leave it out.
    """
    return _Noted(where, repair)


class _Noted(AbstractContextManager[None]):
    # A class, not a generator: contextlib sets attributes on errors, and some of them are frozen.

    def __init__(self, where: str, repair: Repair) -> None:
        self.where, self.repair = where, repair

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception):
            repair = self.repair if isinstance(self.repair, str) else self.repair(_said(error))
            told = located(error, self.where, repair)
            if told is not error:
                raise told from error


def raise_located(error: Exception, where: str) -> NoReturn:
    """Raise ``error`` with ``where`` in its text, as ``noted`` does, but from an ``except``."""
    told = located(error, where)
    if told is error:
        raise error
    raise told from error


def located(error: Exception, where: str, repair: str = "") -> Exception:
    """Return ``error`` with ``where`` and ``repair`` in its text, as ``noted`` raises it.

    Examples
    --------
    >>> from skfusion.exceptions import located
    >>> str(located(KeyError("price"), "in block 'facts'"))
    "in block 'facts': 'price'"
    """
    said = _said(error)
    if where in said and repair in said:
        return error
    if isinstance(error, (StopIteration, StopAsyncIteration)):
        # A generator around would end, or turn it into an error that says nothing.
        return RuntimeError(_joined(where, f"{type(error).__name__}: {said}", repair))
    message = _message(error)
    if message is not None and _rewritten(error, _joined(where, message, repair)):
        return error
    return _raised_anew(error, _joined(where, said, repair))


def _joined(where: str, said: str, repair: str) -> str:
    if where not in said:
        said = f"{where}: {said}" if said else where
    if repair and repair not in said:
        said = f"{said.rstrip().removesuffix('.')}. {repair}"
    return said


def _said(error: Exception) -> str:
    try:
        return str(error)
    except Exception as failure:  # the code of a user may fail in telling of a failure, too
        return f"{type(error).__name__}, whose text fails: {type(failure).__name__}"


class _Text(str):
    """A text that shows itself without quotes: the message of a KeyError is a repr."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _message(error: Exception) -> str | None:
    """Return the part of the text that can be changed, or None where no such part is known."""
    message: object = error.args[0] if len(error.args) == 1 else None
    if isinstance(error, (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError)):
        message = error.reason
    elif isinstance(error, OSError) and error.strerror is not None:
        message = error.strerror
    elif isinstance(error, (ImportError, SyntaxError)):
        message = error.msg
    elif isinstance(error, KeyError) and isinstance(message, str):
        message = _said(error)
    elif not error.args:
        message = ""
    return message if isinstance(message, str) else None


def _rewritten(error: Exception, message: str) -> bool:
    """Put ``message`` into ``error``; return whether its text has it now, in any process."""
    before = _message(error) or "", error.args
    with suppress(Exception):  # whatever its own code does not allow: it is raised anew then
        _write(error, message)
        if message in str(error) and message in str(_sent(error)):
            return True
    with suppress(Exception):
        _write(error, before[0])
        error.args = before[1]
    return False


def _write(error: Exception, message: str) -> None:
    if isinstance(error, (UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError)):
        error.reason = message
        error.args = (*error.args[:-1], message)
    elif isinstance(error, OSError) and error.strerror is not None:
        error.strerror = message
        error.args = (error.args[0], message, *error.args[2:])
    else:
        if isinstance(error, (ImportError, SyntaxError)):
            error.msg = message
        text = _Text(message) if isinstance(error, KeyError) else message
        error.args = (text, *error.args[1:])


def _sent(error: Exception) -> Exception:
    """Return ``error`` as another process would receive it."""
    cls = type(error)
    if cls.__module__ == "builtins" or (
        issubclass(cls, SkfusionError) and cls.__reduce__ is Exception.__reduce__
    ):
        return error
    received: Exception = pickle.loads(pickle.dumps(error))
    return received


def _raised_anew(error: Exception, text: str) -> Exception:
    """Return an error of a subclass of the type of ``error`` with its attributes, and ``text``."""
    attributes = {name: value for name, value in vars(error).items() if name != "__notes__"}
    try:
        return _retold(type(error), text, error.args, attributes)
    except Exception:  # a type that allows no subclass
        return SkfusionError(f"{text} ({type(error).__name__})")


def _retold(
    cls: type[Exception], text: str, args: tuple[object, ...], attributes: dict[str, object]
) -> Exception:
    def reduce(self: Exception) -> tuple[object, ...]:
        try:
            pickle.dumps((cls, args, attributes))
        except Exception:  # what it holds cannot travel; its text can
            return SkfusionError, (f"{text} ({cls.__name__})",)
        return _retold, (cls, text, args, attributes)

    members = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        "__str__": lambda self: text,
        "__reduce__": reduce,
        "__reduce_ex__": lambda self, protocol: reduce(self),
        "__setattr__": Exception.__setattr__,
        "__delattr__": Exception.__delattr__,
    }
    # Neither its __init__ nor a __new__ of its own: they may want other arguments than ``args``.
    base = next(one for one in cls.__mro__ if one.__module__ == "builtins")
    new: Callable[..., Exception] = base.__new__
    error = new(type(cls.__name__, (cls,), members), *args)
    error.args = args
    error.__dict__.update(attributes)
    return error
