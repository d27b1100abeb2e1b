"""A hash of values by what is in them; functions and classes by their code, not by their name."""

from __future__ import annotations

import functools
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from types import CellType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from joblib.hashing import NumpyHasher

from skfusion.exceptions import CheckpointError

__all__ = ["hash_of", "is_installed"]

_PATHS = ("stdlib", "platstdlib", "purelib", "platlib")
_INSTALLED = tuple({str(Path(sysconfig.get_path(name)).resolve()) for name in _PATHS})
_HERE = str(Path(__file__).resolve().parent.parent)  # told apart by its version, as libraries are
_LRU = type(functools.lru_cache(len))


def hash_of(value: object, of_data: bool = True) -> str:
    """Return a hash of ``value`` that is the same in another process.

    Code of the user is told apart by what it does: bytecode, constants, names, defaults, what it
    closes over, and the globals and other code of the user that it refers to. Code of installed
    libraries is told apart by its name and its own bytecode.

    Parameters
    ----------
    value : object
        What to hash. Locks, files and the like inside count by their type.
    of_data : bool, default=True
        Whether globals, and attributes of classes, count where they are no code. If so, what is
        callable must be told apart, or is refused.

    Raises
    ------
    CheckpointError
        If ``value`` has something callable inside whose code cannot be seen.
    """
    return str(_CodeHasher(of_data).hash(value))


def is_installed(kind: type | FunctionType) -> bool:
    """Whether a class or function comes with Python or a library, this one included."""
    module = sys.modules.get(kind.__module__ or "")
    file = getattr(module, "__file__", None)
    if isinstance(kind, FunctionType):
        file = kind.__code__.co_filename
    if file is None or str(file).startswith("<frozen"):  # built into Python
        return kind.__module__ != "__main__"
    path = Path(file)
    if path.is_relative_to(_HERE) or "site-packages" in path.parts:
        return True
    return any(path.is_relative_to(folder) for folder in _INSTALLED)


class _CodeHasher(NumpyHasher):
    """joblib's hash, which sees into code."""

    def __init__(self, of_data: bool) -> None:
        super().__init__(hash_name="md5", coerce_mmap=True)
        self.of_data = of_data

    def save(self, obj: Any) -> None:
        if isinstance(obj, MethodType):
            obj = ("method", obj.__func__, obj.__self__)
        elif isinstance(obj, _LRU):
            obj = ("cached", obj.__wrapped__)
        try:
            super().save(obj)
        except (CheckpointError, RecursionError):
            raise
        except Exception as error:  # whatever says of itself that it cannot be pickled
            if self.of_data and callable(obj) and not isinstance(obj, type):
                raise CheckpointError(
                    f"{obj!r} cannot be told apart from others of its kind, so that a checkpoint "
                    "could go on with another one. Pass a plain function, or checkpoint=None."
                ) from error
            super().save(("opaque", _name(type(obj))))

    def reducer_override(self, obj: Any) -> Any:
        """Return what to hash in the place of ``obj``, as state so that it may hold itself."""
        if isinstance(obj, FunctionType):
            return object, (), tuple(self._of_function(obj))
        if isinstance(obj, type):
            return NotImplemented if is_installed(obj) else (object, (), tuple(self._of_class(obj)))
        if isinstance(obj, ModuleType):
            return object, (), ("module", obj.__name__)
        if isinstance(obj, set | frozenset):  # in the order of their hashes, not of this process
            return object, (), (type(obj).__name__, *sorted(map(self._alone, obj)))
        if isinstance(obj, dict) and not _sortable(obj):
            items = sorted((self._alone(key), key) for key in obj)
            return object, (), ("dict", *((key, obj[own]) for key, own in items))
        if isinstance(obj, torch.Tensor) and obj.layout == torch.strided and not obj.is_meta:
            content = obj.detach().cpu().contiguous().flatten().view(torch.uint8)
            return object, (), (str(obj.dtype), tuple(obj.shape), content.numpy())
        return NotImplemented

    def _alone(self, value: object) -> str:
        return hash_of(value, self.of_data)

    def _of_function(self, function: FunctionType) -> Iterator[object]:
        yield _name(function)
        yield tuple(_of_code(function.__code__))
        yield function.__defaults__, function.__kwdefaults__
        closed_over = [_content(cell) for cell in function.__closure__ or ()]
        yield closed_over
        if not is_installed(function):
            yield from self._referred_to(function, closed_over)
            yield {name: value for name, value in vars(function).items() if self._counts(value)}

    def _referred_to(
        self, function: FunctionType, closed_over: list[object]
    ) -> Iterator[tuple[str, object]]:
        """Yield the globals that a function of the user's names, and what it names in modules."""
        names, known = sorted(_names(function.__code__)), function.__globals__
        named = [(name, known[name]) for name in names if name in known]
        yield from ((name, value) for name, value in named if self._counts(value))
        for module in [*(value for _, value in named), *closed_over]:
            for name in names if isinstance(module, ModuleType) else ():
                value = vars(module).get(name)
                if isinstance(value, type | FunctionType) and not is_installed(value):
                    yield name, value

    def _of_class(self, kind: type) -> Iterator[object]:
        yield _name(kind)
        yield kind.__bases__
        for name, value in sorted(vars(kind).items()):
            inner = getattr(value, "__func__", value)  # of static and class methods
            inner = getattr(inner, "func", inner)  # of cached properties
            if isinstance(inner, property):
                yield name, (inner.fget, inner.fset, inner.fdel)
            elif isinstance(inner, FunctionType) or (not _is_special(name) and self._counts(inner)):
                yield name, inner

    def _counts(self, value: object) -> bool:
        return self.of_data or isinstance(value, type | FunctionType | MethodType)


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # of a name that has no value yet
        return "empty"


def _of_code(code: CodeType) -> Iterator[object]:
    """Yield what bytecode does, and not where it stands."""
    yield code.co_code, getattr(code, "co_exceptiontable", b"")
    yield code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    yield code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount, code.co_flags
    for constant in code.co_consts:
        yield tuple(_of_code(constant)) if isinstance(constant, CodeType) else constant


def _names(code: CodeType) -> set[str]:
    inner = [_names(constant) for constant in code.co_consts if isinstance(constant, CodeType)]
    return set(code.co_names).union(*inner)


def _is_special(name: str) -> bool:
    return name.startswith("__") or name.startswith("_abc_")


def _name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _sortable(values: dict[Any, Any]) -> bool:
    try:
        sorted(values)
    except TypeError:
        return False
    return True
