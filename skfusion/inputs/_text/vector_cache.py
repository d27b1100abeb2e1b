"""Vectors of texts, kept within the process so that equal texts are encoded once."""

from __future__ import annotations

import pickle
import threading
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

import joblib
import numpy as np

__all__ = ["VectorCache", "encoder_key", "shared_cache"]


class VectorCache:
    """Vectors by encoder and text; the least recently used go first once ``n_bytes`` are full.

    Parameters
    ----------
    n_bytes : int
        Most bytes that the vectors may take.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.inputs._text.vector_cache import VectorCache
    >>> cache = VectorCache(n_bytes=16)
    >>> cache.store("encoder", ["a", "b", "c"], np.eye(3, 2, dtype=np.float32))
    >>> list(cache.find("encoder", ["a", "b", "c"]))
    ['b', 'c']
    """

    def __init__(self, n_bytes: int) -> None:
        self._room = n_bytes
        self._vectors: OrderedDict[tuple[str, bytes], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: str, texts: list[str]) -> dict[str, np.ndarray]:
        """Return the known vectors of ``texts``."""
        found = {}
        with self._lock:
            for text in texts:
                place = _place(key, text)
                if place in self._vectors:
                    self._vectors.move_to_end(place)
                    found[text] = self._vectors[place]
        return found

    def store(self, key: str, texts: list[str], vectors: np.ndarray) -> None:
        """Keep a copy of ``vectors`` (n_texts, width)."""
        with self._lock:
            for text, vector in zip(texts, vectors, strict=True):
                self._drop(_place(key, text))
                self._vectors[_place(key, text)] = vector.copy()
                self._room -= vector.nbytes
            while self._room < 0:
                self._room += self._vectors.popitem(last=False)[1].nbytes

    def _drop(self, place: tuple[str, bytes]) -> None:
        if place in self._vectors:
            self._room += self._vectors.pop(place).nbytes


shared_cache = VectorCache(n_bytes=2**28)

_keys: dict[int, tuple[weakref.ref[object], str]] = {}


def encoder_key(encoder: object) -> str | None:
    """Return what identifies ``encoder``: equal for its copies, as long as the object lives.

    The content is hashed once per object. An encoder that cannot be pickled is known by identity;
    one that takes no weak reference either has no key, and its vectors are not kept.
    """
    known = _keys.get(id(encoder))
    if known is not None and known[0]() is encoder:
        return known[1]
    try:
        reference = weakref.ref(encoder, _forget(id(encoder)))
    except TypeError:
        return _content_hash(encoder)
    key = _content_hash(encoder) or uuid.uuid4().hex
    _keys[id(encoder)] = reference, key
    return key


def _forget(number: int) -> Callable[[object], object]:
    return lambda reference: _keys.pop(number, None)


def _content_hash(encoder: object) -> str | None:
    try:
        return joblib.hash(encoder)
    except (pickle.PicklingError, TypeError, AttributeError, ValueError, RuntimeError):
        return None


def _place(key: str, text: str) -> tuple[str, bytes]:
    return key, blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
