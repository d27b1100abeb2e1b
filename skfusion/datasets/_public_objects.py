"""Find the documented public objects of an installed package."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

__all__ = ["PublicObject", "public_objects"]

# Importable without an underscore, and still no part of what a package offers to its users.
_NOT_PUBLIC = frozenset({"compat", "conftest", "core", "externals", "f2py", "testing", "tests"})


@dataclass(frozen=True)
class PublicObject:
    """A documented class, function or other callable, and the area that offers it."""

    area: str
    path: str
    value: Callable[..., object]

    @property
    def name(self) -> str:
        return self.path.rpartition(".")[2]

    @property
    def is_at_home(self) -> bool:
        """Whether the object says itself that it was made in its area."""
        return _is_inside(_module_of(self.value), self.area)


def public_objects(packages: Iterable[str]) -> list[PublicObject]:
    """Return the documented public callables of ``packages``, each once, sorted by path.

    An object that several areas offer belongs to the one it was made in: the longest area that
    its ``__module__`` starts with, else the first by name.
    """
    found: dict[int, PublicObject] = {}
    with warnings.catch_warnings():
        # Namespaces on their way out warn when they are imported or merely looked at.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        for package in packages:
            for new in _walk_package(package):
                known = found.get(id(new.value))
                if known is None or _is_closer(new, known):
                    found[id(new.value)] = new
    return sorted(found.values(), key=lambda item: item.path)


def _is_closer(new: PublicObject, known: PublicObject) -> bool:
    if new.is_at_home != known.is_at_home:
        return new.is_at_home
    return new.is_at_home and len(new.area) > len(known.area)


def _walk_package(package: str) -> Iterator[PublicObject]:
    root = importlib.import_module(package)
    yield from _members(root, package)
    seen: set[str] = set()
    for module in _namespaces(root):
        yield from _walk_area(module, module.__name__, seen)


def _namespaces(root: ModuleType) -> Iterator[ModuleType]:
    """Yield the subpackages that ``root`` itself shows, so that nothing else gets imported."""
    on_disk = {module.name for module in pkgutil.iter_modules(root.__path__)}
    for name in sorted(on_disk.intersection(dir(root))):
        if _is_public(name):
            value = getattr(root, name)
            if _is_module(value):
                yield value


def _walk_area(module: ModuleType, area: str, seen: set[str]) -> Iterator[PublicObject]:
    if module.__name__ in seen:
        return
    seen.add(module.__name__)
    yield from _members(module, area)
    for name, value in sorted(vars(module).items()):
        if _is_public(name) and _is_module(value) and value.__name__ == f"{module.__name__}.{name}":
            yield from _walk_area(value, area, seen)


def _members(module: ModuleType, area: str) -> Iterator[PublicObject]:
    """Yield the documented callables that ``module`` offers, without importing lazy ones."""
    values = vars(module)
    offered = values.get("__all__")
    # Without a list of its own, a module shows what it imports as well as what it offers.
    home = area if offered is None else area.partition(".")[0]
    for name in sorted(set(offered or values).intersection(values)):
        value = values[name]
        if (
            _is_public(name)
            and _is_documented(value)
            and _is_inside(_module_of(value) or home, home)
        ):
            yield PublicObject(area, f"{module.__name__}.{name}", value)


def _is_public(name: str) -> bool:
    return not name.startswith("_") and name not in _NOT_PUBLIC


def _is_module(value: object) -> bool:
    # Not isinstance: it asks __class__, and deprecated stand-ins answer that with a warning.
    return issubclass(type(value), ModuleType)


def _is_documented(value: object) -> bool:
    """Whether ``value`` is a callable with a docstring of its own, not just that of its type."""
    text = getattr(value, "__doc__", None)
    own = isinstance(text, str) and bool(text.strip()) and text != type(value).__doc__
    return own and callable(value)


def _module_of(value: object) -> str:
    module = getattr(value, "__module__", None)
    return module if isinstance(module, str) else ""


def _is_inside(module: str, area: str) -> bool:
    return module == area or module.startswith(f"{area}.")
