"""Texts to ragged token ids."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from skfusion._checks import check_int, check_real
from skfusion.blocks import Ragged
from skfusion.blocks._ragged import offsets_of
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs._no_set_output import NO_SET_OUTPUT
from skfusion.inputs._tables.one_column import cells_of, first_bad_row, row_name
from skfusion.inputs._text.subwords import encode_subwords, fitted_subwords
from skfusion.typing import XLike

if TYPE_CHECKING:
    from tokenizers import Tokenizer as HuggingFaceTokenizer
    from typing_extensions import Self

__all__ = ["PADDING_ID", "UNKNOWN_ID", "Tokenizer"]

PADDING_ID = 0
UNKNOWN_ID = 1
_N_RESERVED = 2

# Strings, or whatever an analyzer of the user's makes of a cell.
Word: TypeAlias = Any


class Tokenizer(TransformerMixin, BaseEstimator, **NO_SET_OUTPUT):
    r"""Texts to ragged token ids, the input of embeddings and recurrent networks.

    Words are split by scikit-learn's own analyzers, so that each option means what it means in
    ``CountVectorizer``. Id 0 is padding, id 1 any unknown word, and words have ids from 2 on by
    descending frequency, ties in alphabetical order. A Hugging Face ``tokenizers.Tokenizer`` in
    ``tokenizer`` takes the place of all that and keeps its own ids.

    Takes n texts (list, Series, array or frame of one column); gives a ``Ragged`` of int64 ids,
    shape (n, None). An empty text is a row of length 0, a text of unknown words a row of ones.

    Parameters
    ----------
    analyzer : {"word", "char", "char_wb"} or callable, default="word"
        As in ``CountVectorizer``; a callable takes a cell and returns its tokens.
    lowercase : bool, default=True
        As in ``CountVectorizer``.
    strip_accents : {"ascii", "unicode"} or callable, default=None
        As in ``CountVectorizer``.
    stop_words : {"english"} or list of str, default=None
        As in ``CountVectorizer``.
    token_pattern : str, default=r"(?u)\b\w\w+\b"
        As in ``CountVectorizer``; the default drops words of one letter.
    ngram_range : tuple of int, default=(1, 1)
        As in ``CountVectorizer``.
    min_df : int or float, default=1
        Words in fewer texts than this number, or share, become unknown.
    max_tokens : int, default=None
        Keep the most frequent words only; padding and unknown come on top. For a ``tokenizer``
        trained at fit, the number of its tokens (never less than its letters).
    max_length : int, default=None
        Keep the first tokens of each text only, before words are counted.
    vocabulary : mapping of str to int, or iterable of str, default=None
        Fixed vocabulary: words in the order of their ids, from 2 on, or the ``vocabulary_`` of
        another ``Tokenizer``. Needed where pretrained vectors start an embedding table.
    tokenizer : tokenizers.Tokenizer, default=None
        Given trained, or untrained: then a copy of it is trained at fit (extra ``text``).

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Id of each token; without padding and unknown where these are ours.
    n_tokens_ : int
        Number of ids, padding and unknown included.
    counts_ : ndarray of shape (n_tokens_,)
        How often each id occurred at fit; only where words are split by an analyzer.
    tokenizer_ : tokenizers.Tokenizer or None
        The trained copy of ``tokenizer``.

    Raises
    ------
    BlockTypeError
        For a cell that is no text; the message names its row.
    ParameterError
        For an argument out of range, or a ``min_df`` that leaves no word.

    Examples
    --------
    >>> from skfusion.inputs import Tokenizer
    >>> tokenizer = Tokenizer()
    >>> tokenizer.fit_transform(["the red fox", "the fox", ""]).pad()[0].tolist()
    [[3, 4, 2], [3, 2, 0], [0, 0, 0]]
    >>> tokenizer.transform(["the blue fox"])[0].tolist()
    [3, 1, 2]
    >>> tokenizer.get_feature_names_out().tolist()
    ['<padding>', '<unknown>', 'fox', 'the', 'red']
    """

    def __init__(
        self,
        analyzer: str | Callable[[Any], Iterable[Word]] = "word",
        *,
        lowercase: bool = True,
        strip_accents: str | Callable[[str], str] | None = None,
        stop_words: str | Sequence[str] | None = None,
        token_pattern: str = r"(?u)\b\w\w+\b",
        ngram_range: tuple[int, int] = (1, 1),
        min_df: int | float = 1,
        max_tokens: int | None = None,
        max_length: int | None = None,
        vocabulary: Mapping[str, int] | Iterable[str] | None = None,
        tokenizer: HuggingFaceTokenizer | None = None,
    ) -> None:
        self.analyzer = analyzer
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.stop_words = stop_words
        self.token_pattern = token_pattern
        self.ngram_range = ngram_range
        self.min_df = min_df
        self.max_tokens = max_tokens
        self.max_length = max_length
        self.vocabulary = vocabulary
        self.tokenizer = tokenizer

    tokenizer_: HuggingFaceTokenizer | None

    def fit(self, X: XLike, y: object = None) -> Self:
        """Learn the vocabulary of the texts ``X``."""
        texts = self._check_fit(X)
        if self.tokenizer is not None:
            self._fit_subwords(self.tokenizer, texts)
        else:
            self._fit_words(*self._read_words(texts))
        return self

    def fit_transform(self, X: XLike, y: object = None) -> Ragged:
        """Learn the vocabulary of ``X`` and return its ids, reading the texts once."""
        if self.tokenizer is not None:
            return self.fit(X).transform(X)
        words, ids = self._read_words(self._check_fit(X))
        self._fit_words(words, ids)
        return self._renumber(words, ids)

    def transform(self, X: XLike) -> Ragged:
        """Return the token ids of the texts ``X``, a ``Ragged`` of shape (n, None)."""
        check_is_fitted(self)
        texts = self._check_texts(X)
        if self.tokenizer_ is not None:
            return encode_subwords(self.tokenizer_, texts, self.n_tokens_)
        return self._renumber(*self._read_words(texts))

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the token of each id, shape (n_tokens_,)."""
        check_is_fitted(self)
        names = np.full(self.n_tokens_, "", dtype=object)
        if self.tokenizer_ is None:
            names[PADDING_ID], names[UNKNOWN_ID] = "<padding>", "<unknown>"
        names[list(self.vocabulary_.values())] = list(self.vocabulary_)
        return names

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        return tags

    def _check_fit(self, X: XLike) -> list[Any]:
        for name in ("max_tokens", "max_length"):
            if getattr(self, name) is not None:
                check_int(name, getattr(self, name), repair="Use None for no limit.")
        if isinstance(self.min_df, Integral):
            check_int("min_df", self.min_df)
        else:
            check_real("min_df", self.min_df, 0.0, 1.0, "Use an int for a number of texts.")
        texts = self._check_texts(X)
        if not texts:
            raise BlockError("Tokenizer.fit needs at least one text. Got none.")
        return texts

    def _check_texts(self, X: XLike) -> list[Any]:
        cells = cells_of(X, "Tokenizer")
        if callable(self.analyzer) and self.tokenizer is None:
            return cells
        row = first_bad_row(cells, (str,))
        if row is not None:
            raise BlockTypeError(
                f"Tokenizer: {row_name(X, row)} is {cells[row]!r}, no text. Texts are str; inside "
                'a BlockUnion missing cells are left out, elsewhere use fillna("").'
            )
        return cells

    def _fit_subwords(self, tokenizer: HuggingFaceTokenizer, texts: list[str]) -> None:
        self.tokenizer_ = fitted_subwords(tokenizer, texts, self.max_tokens, self.max_length)
        self.vocabulary_ = self.tokenizer_.get_vocab()
        self.n_tokens_ = max(self.vocabulary_.values()) + 1

    def _fit_words(self, words: list[Word], ids: Ragged) -> None:
        counts = np.bincount(ids.values, minlength=len(words))
        if self.vocabulary is None:
            chosen = self._choose_words(words, ids, counts)
            self.vocabulary_ = {word: i for i, word in enumerate(chosen, _N_RESERVED)}
        else:
            self.vocabulary_ = _fixed_vocabulary(self.vocabulary)
        self.tokenizer_ = None
        self.n_tokens_ = max(self.vocabulary_.values(), default=UNKNOWN_ID) + 1
        found = _look_up(words, self.vocabulary_)
        self.counts_ = np.bincount(found, weights=counts, minlength=self.n_tokens_).astype(np.int64)

    def _choose_words(self, words: list[Word], ids: Ragged, counts: np.ndarray) -> list[Word]:
        """Return the words to keep, most frequent first."""
        kept = list(range(len(words)))
        if self.min_df != 1 or not isinstance(self.min_df, Integral):
            share = 1 if isinstance(self.min_df, Integral) else len(ids)
            kept = np.flatnonzero(_n_texts(ids, len(words)) >= self.min_df * share).tolist()
        if len(words) and not len(kept):
            raise ParameterError(
                f"min_df={self.min_df} leaves none of {len(words):,} words in {len(ids):,} texts. "
                "Lower it."
            )
        chosen = sorted(kept, key=lambda word: (-counts[word], words[word]))
        return [words[word] for word in chosen[: self.max_tokens]]

    def _read_words(self, texts: list[Any]) -> tuple[list[Word], Ragged]:
        """Return the words in order of appearance, and the texts as numbers of these words."""
        analyze = CountVectorizer(
            analyzer=self.analyzer,
            lowercase=self.lowercase,
            strip_accents=self.strip_accents,
            stop_words=self.stop_words,
            token_pattern=self.token_pattern,
            ngram_range=self.ngram_range,
        ).build_analyzer()
        seen: defaultdict[Word, int] = defaultdict()
        seen.default_factory = seen.__len__
        ids, lengths = array("q"), array("q")
        for text in texts:
            tokens = list(analyze(text))[: self.max_length]
            ids.extend([seen[token] for token in tokens])
            lengths.append(len(tokens))
        return list(seen), Ragged(np.array(ids, dtype=np.int64), offsets_of(lengths))

    def _renumber(self, words: list[Word], ids: Ragged) -> Ragged:
        table = _look_up(words, self.vocabulary_)
        return Ragged(table[ids.values], ids.offsets, self.n_tokens_)


def _look_up(words: list[Word], vocabulary: Mapping[Word, int]) -> np.ndarray:
    return np.array([vocabulary.get(word, UNKNOWN_ID) for word in words], dtype=np.int64)


def _n_texts(ids: Ragged, n_words: int) -> np.ndarray:
    """Return in how many texts each word occurs, shape (n_words,)."""
    texts = np.repeat(np.arange(len(ids)), ids.lengths)
    pairs = np.unique(texts * n_words + ids.values)
    return np.bincount(pairs % n_words, minlength=n_words)


def _fixed_vocabulary(vocabulary: Mapping[str, int] | Iterable[str]) -> dict[str, int]:
    if not isinstance(vocabulary, Mapping):
        return {word: i for i, word in enumerate(dict.fromkeys(vocabulary), _N_RESERVED)}
    ids = list(vocabulary.values())
    if len(set(ids)) < len(ids) or min(ids, default=_N_RESERVED) < _N_RESERVED:
        raise ParameterError(
            f"vocabulary must map each word to an id of its own, from {_N_RESERVED} on (0 is "
            f"padding, 1 unknown). Got ids from {min(ids)} to {max(ids)}, {len(set(ids))} "
            f"different ones for {len(ids)} words. Give the words as a list instead."
        )
    return dict(vocabulary)
