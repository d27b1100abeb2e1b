"""Texts as ids of tokens and back: subwords, words or characters, learned from texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Protocol

import numpy as np

from skfusion._optional import import_optional
from skfusion.blocks import Ragged
from skfusion.blocks._ragged import offsets_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["BEGIN", "END", "KINDS", "UNKNOWN", "Vocabulary", "learn_vocabulary"]

BEGIN, END, UNKNOWN = 0, 1, 2
_FIRST = 3  # id of the first token that is a piece of text
# Every character is in one piece, so that joined pieces are the text: a word or a sign has the
# blank in front of it, if there is one.
_WORDS = re.compile(r"\s?\w+|\s?[^\w\s]|\s")


class Vocabulary(Protocol):
    """Ids of the tokens that a text consists of.

    ``BEGIN``, ``END`` and ``UNKNOWN`` are the ids 0, 1 and 2.
    """

    n_tokens: int

    def encode(self, texts: Sequence[str]) -> Ragged:
        """Return the ids of each text, without begin and end: (n_texts, None)."""
        ...

    def decode(self, rows: Iterable[Sequence[int]]) -> list[str]:
        """Return the texts of rows of ids, without begin and end."""
        ...


def learn_vocabulary(kind: str, texts: Sequence[str], n_tokens: int, min_count: int) -> Vocabulary:
    """Return the vocabulary of a kind of tokens, of at most ``n_tokens`` of them."""
    if kind == "subwords":
        return Subwords(texts, n_tokens - _FIRST, min_count)
    return Pieces(KINDS[kind], texts, n_tokens - _FIRST, min_count)


def _words(text: str) -> list[str]:
    return _WORDS.findall(text)


KINDS: dict[str, Callable[[str], list[str]]] = {"words": _words, "characters": list}


class Pieces:
    """The most frequent words or characters, in their order; others are ``UNKNOWN``."""

    def __init__(
        self,
        split: Callable[[str], list[str]],
        texts: Sequence[str],
        most: int,
        min_count: int,
    ) -> None:
        counts = Counter(chain.from_iterable(map(split, texts)))
        ranked = sorted(counts, key=lambda piece: (-counts[piece], piece))
        kept = sorted([piece for piece in ranked if counts[piece] >= min_count][:most])
        self._split, self._pieces = split, ["", "", "", *kept]
        self._ids = {piece: number for number, piece in enumerate(kept, _FIRST)}
        self.n_tokens = len(self._pieces)

    def encode(self, texts: Sequence[str]) -> Ragged:
        rows = [[self._ids.get(piece, UNKNOWN) for piece in self._split(text)] for text in texts]
        return _ragged(rows, self.n_tokens)

    def decode(self, rows: Iterable[Sequence[int]]) -> list[str]:
        return ["".join(self._pieces[number] for number in row) for row in rows]


class Subwords:
    """Byte-pair encoding of bytes (Sennrich et al., 2016), in which no character is unknown."""

    def __init__(self, texts: Sequence[str], most: int, min_count: int) -> None:
        tokenizers = import_optional("tokenizers", 'Texts(tokens="subwords")', "text")
        self._tokenizer: Tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
        self._tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
        self._tokenizer.decoder = tokenizers.decoders.ByteLevel()
        trainer = tokenizers.trainers.BpeTrainer(
            vocab_size=most,
            min_frequency=min_count,
            initial_alphabet=sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        )
        self._tokenizer.train_from_iterator(texts, trainer)
        self.n_tokens = _FIRST + self._tokenizer.get_vocab_size()

    def encode(self, texts: Sequence[str]) -> Ragged:
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        found = _ragged(rows, self.n_tokens)
        return Ragged(found.values + _FIRST, found.offsets, self.n_tokens)

    def decode(self, rows: Iterable[Sequence[int]]) -> list[str]:
        own = [[number - _FIRST for number in row if number >= _FIRST] for row in rows]
        found: list[str] = self._tokenizer.decode_batch(own)
        return found


def _ragged(rows: list[list[int]], n_tokens: int) -> Ragged:
    offsets = offsets_of([len(row) for row in rows])
    values = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=offsets[-1])
    return Ragged(values, offsets, n_tokens)
