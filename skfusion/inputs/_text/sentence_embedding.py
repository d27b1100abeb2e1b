"""Texts to vectors by an encoder that is already trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skfusion._checks import check_int
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs._sharing import clone_sharing
from skfusion.inputs._tables.one_column import cells_of, first_bad_row, row_name
from skfusion.inputs._text.vector_cache import encoder_key, shared_cache
from skfusion.typing import XLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SentenceEmbedding"]


class TextEncoder(Protocol):
    """What turns texts into vectors."""

    def encode(self, texts: list[str], /) -> ArrayLike:
        """Return an array (n_texts, width)."""
        ...


class SentenceEmbedding(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Texts to vectors by any object with ``encode(list_of_str) -> (n, width)``.

    Takes n texts (list, Series, array or frame of one column); gives an ndarray (n, width).

    Equal texts are encoded once. Vectors are kept by the content of text and encoder in one
    cache per process (256 MiB, least recently used go first), so a search pays once for each
    text: clones share the encoder instead of copying it, copies in worker processes of ``n_jobs``
    find what earlier tasks of that process encoded. The encoder must not change once it was used.

    Parameters
    ----------
    encoder : object with ``encode``
        For example ``sentence_transformers.SentenceTransformer``.
    batch_size : int, default=256
        Texts per call of ``encode``.
    cache : bool, default=True
        Whether vectors are kept. Switch it off for texts that never come twice.

    Attributes
    ----------
    n_outputs_ : int
        Width of the vectors.

    Raises
    ------
    ParameterError
        If the encoder has no ``encode``.
    BlockTypeError
        For a cell that is no text.
    BlockError
        If ``encode`` returns another number of vectors than texts, or values that are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.inputs import SentenceEmbedding
    >>> class Lengths:
    ...     def encode(self, texts):
    ...         return np.array([[len(text), text.count(" ") + 1] for text in texts], float)
    >>> SentenceEmbedding(Lengths()).fit_transform(["red fox", "hen"]).tolist()
    [[7.0, 2.0], [3.0, 1.0]]
    """

    def __init__(self, encoder: TextEncoder, *, batch_size: int = 256, cache: bool = True) -> None:
        self.encoder = encoder
        self.batch_size = batch_size
        self.cache = cache

    def fit(self, X: XLike, y: object = None) -> Self:
        """Learn the width of the vectors from the first text of ``X``."""
        check_int("batch_size", self.batch_size)
        if isinstance(self.encoder, type) or not callable(getattr(self.encoder, "encode", None)):
            raise ParameterError(
                "encoder must be an object with encode(list_of_str) that returns an array (n, "
                f"width). Got {self.encoder!r}. Wrap your model in a class with that method."
            )
        texts = self._check_texts(X)
        if not texts:
            raise BlockError("SentenceEmbedding.fit needs at least one text. Got none.")
        if self.cache:
            # Before the first text: an encoder that then loads its model may not pickle any more,
            # and copies of it in other tasks could not be told to be the same.
            encoder_key(self.encoder)
        self.n_outputs_ = self._encode(texts[:1]).shape[1]
        return self

    def transform(self, X: XLike) -> np.ndarray:
        """Return the vectors of the texts ``X``, shape (n, n_outputs_)."""
        check_is_fitted(self)
        texts = self._check_texts(X)
        if not texts:
            return np.empty((0, self.n_outputs_), dtype=np.float32)
        unique = list(dict.fromkeys(texts))
        known = self._known_vectors(unique)
        vectors = np.stack([known[text] for text in unique])
        self._check_finite(X, texts, unique, vectors)
        place = {text: i for i, text in enumerate(unique)}
        return vectors[[place[text] for text in texts]]

    @property
    def _n_features_out(self) -> int:
        return self.n_outputs_

    def __sklearn_clone__(self) -> Self:
        return clone_sharing(self, "encoder")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        return tags

    def _check_texts(self, X: XLike) -> list[str]:
        cells = cells_of(X, "SentenceEmbedding")
        row = first_bad_row(cells, (str,))
        if row is not None:
            raise BlockTypeError(
                f"SentenceEmbedding: {row_name(X, row)} is {cells[row]!r}, no text. Texts are str; "
                'inside a BlockUnion missing cells are left out, elsewhere use fillna("").'
            )
        return cells

    def _known_vectors(self, unique: list[str]) -> dict[str, np.ndarray]:
        """Return the vector of each text, from the cache or encoded batch by batch."""
        key = encoder_key(self.encoder) if self.cache else None
        known = {} if key is None else shared_cache.find(key, unique)
        new = [text for text in unique if text not in known]
        for start in range(0, len(new), self.batch_size):
            texts = new[start : start + self.batch_size]
            vectors = self._encode(texts)
            self._check_width(vectors)
            known.update(zip(texts, vectors, strict=True))
            if key is not None:
                shared_cache.store(key, texts, vectors)
        return known

    def _encode(self, texts: list[str]) -> np.ndarray:
        vectors = np.asarray(self.encoder.encode(texts))
        if vectors.ndim != 2 or len(vectors) != len(texts) or vectors.dtype.kind not in "fiu":
            raise BlockError(
                f"SentenceEmbedding: encode of {len(texts)} texts must return numbers of shape "
                f"({len(texts)}, width). {type(self.encoder).__name__} returned shape "
                f"{vectors.shape}, dtype {vectors.dtype}."
            )
        return vectors if vectors.dtype.kind == "f" else vectors.astype(np.float32)

    def _check_width(self, vectors: np.ndarray) -> None:
        if vectors.shape[1] != self.n_outputs_:
            raise BlockError(
                f"SentenceEmbedding: the encoder gave vectors of width {self.n_outputs_} at fit "
                f"and of width {vectors.shape[1]} now. Fit again with this encoder."
            )

    def _check_finite(
        self, X: XLike, texts: list[str], unique: list[str], vectors: np.ndarray
    ) -> None:
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
        if len(bad):
            text = unique[bad[0]]
            raise BlockError(
                f"SentenceEmbedding: {row_name(X, texts.index(text))}, {text[:40]!r}: the encoder "
                "returned NaN or infinite values. Leave such texts out, or repair the encoder."
            )
