"""Word vectors as the first state of an embedding table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from sklearn.utils.validation import check_is_fitted

from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs._text.tokenizer import Tokenizer

__all__ = ["WordTable", "word_table"]


class WordVectors(Protocol):
    """Vectors by word: a mapping, or gensim's ``KeyedVectors``."""

    def __contains__(self, word: object, /) -> bool: ...

    def __getitem__(self, word: str, /) -> ArrayLike: ...


@dataclass(frozen=True, eq=False)
class WordTable:
    """One vector per token id, and what the source of the vectors did not know.

    Parameters
    ----------
    array : ndarray of shape (n_tokens, width), float32
        Row ``i`` is the vector of id ``i``; ``numpy.asarray(table)`` gives it too.
    unknown_words : tuple of str
        Words of the vocabulary without a vector, in the order of their ids.
    unknown_share : float
        Share of the vocabulary's words that have no vector.
    unknown_share_of_text : float or None
        Share of the words in the texts of the tokenizer's fit that have no vector, words outside
        the vocabulary included; None where no counts are known.

    Examples
    --------
    >>> from skfusion.inputs import Tokenizer, word_table
    >>> tokenizer = Tokenizer().fit(["red fox", "red hen"])
    >>> table = word_table({"red": [1.0, 0.0], "fox": [0.0, 1.0]}, tokenizer)
    >>> table
    WordTable(5 ids x 2, no vector for 33.3 % of words, 25.0 % of text)
    >>> table.unknown_words
    ('hen',)
    """

    array: np.ndarray
    unknown_words: tuple[str, ...]
    unknown_share: float
    unknown_share_of_text: float | None

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.array, dtype=dtype) if copy else np.asarray(self.array, dtype=dtype)

    def __repr__(self) -> str:
        n_ids, width = self.array.shape
        text = self.unknown_share_of_text
        of_text = "" if text is None else f", {100 * text:.1f} % of text"
        return (
            f"WordTable({n_ids:,} ids x {width}, "
            f"no vector for {100 * self.unknown_share:.1f} % of words{of_text})"
        )


def word_table(vectors: WordVectors, vocabulary: Tokenizer | Mapping[str, int]) -> WordTable:
    """Return the embedding table of a vocabulary, filled from given word vectors.

    Padding (id 0) is zero; the unknown word (id 1) and words without a vector get the mean of
    the vectors found, which a trained table then moves apart and a frozen one keeps as the plain
    "some word". Ids are those of one vocabulary: refit on other texts, a ``Tokenizer`` numbers
    anew, so fix it with ``Tokenizer(vocabulary=tokenizer.vocabulary_)`` wherever the table is used.

    Parameters
    ----------
    vectors : mapping of str to vector, or gensim KeyedVectors
        Anything with ``word in vectors`` and ``vectors[word]``.
    vocabulary : fitted Tokenizer, or mapping of str to int
        Ids of the words.

    Raises
    ------
    BlockError
        If no word has a vector, or vectors differ in length or are not finite.

    Examples
    --------
    >>> from skfusion.inputs import word_table
    >>> word_table({"red": [1.0, 0.0], "hen": [3.0, 2.0]}, {"red": 2, "fox": 3}).array.tolist()
    [[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]
    """
    ids, counts = _ids_and_counts(vocabulary)
    known = [word for word in ids if word in vectors]
    found = _stack(vectors, known, ids)
    places = np.fromiter((ids[word] for word in known), dtype=np.int64, count=len(known))
    array = np.tile(found.mean(axis=0), (max(max(ids.values()) + 1, 2), 1))
    array[0] = 0
    array[places] = found
    unknown = tuple(sorted(ids.keys() - set(known), key=ids.__getitem__))
    share_of_text = None
    if counts is not None and counts.sum():
        share_of_text = 1 - float(counts[places].sum() / counts.sum())
    return WordTable(array.astype(np.float32), unknown, len(unknown) / len(ids), share_of_text)


def _ids_and_counts(
    vocabulary: Tokenizer | Mapping[str, int],
) -> tuple[Mapping[str, int], np.ndarray | None]:
    if isinstance(vocabulary, Mapping):
        return vocabulary, None
    if isinstance(vocabulary, Tokenizer):
        check_is_fitted(vocabulary)
        return vocabulary.vocabulary_, getattr(vocabulary, "counts_", None)
    raise BlockTypeError(
        "vocabulary must be a fitted Tokenizer or a mapping of words to ids. "
        f"Got {type(vocabulary).__name__}."
    )


def _stack(vectors: WordVectors, known: list[str], ids: Mapping[str, int]) -> np.ndarray:
    if not known:
        raise BlockError(
            f"word_table: none of the {len(ids):,} words of the vocabulary has a vector, for "
            f"example {next(iter(ids), '')!r}. Are both of one language and one case?"
        )
    rows = [np.asarray(vectors[word], dtype=np.float64) for word in known]
    width = rows[0].shape
    for word, row in zip(known, rows, strict=True):
        if row.shape != width or row.ndim != 1:
            raise BlockError(
                f"word_table: the vector of {word!r} has shape {row.shape}, but that of "
                f"{known[0]!r} has {width}. All must be 1-D and of one length."
            )
    found = np.stack(rows)
    bad = np.flatnonzero(~np.isfinite(found).all(axis=1))
    if len(bad):
        raise BlockError(f"word_table: the vector of {known[bad[0]]!r} has NaN or infinite values.")
    return found
