"""Whether a column of texts is text or categories: by shares that do not depend on its length."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = ["Tendency", "tendency_of"]

# A value in more than this share of the rows is an answer that is given often: it says nothing
# about the others, of which there must be a quarter to speak of text.
_FREQUENT = 0.1
_LEAST_REST = 0.25
# From this many equally frequent values on, the others are text: for single words, and sentences.
_MOST_WORDS, _MOST_SENTENCES = 1000.0, 40.0
_ONE_WORD, _SENTENCE = 1.5, 3.0  # mean number of words in a cell
_EXPECTED = 60.0  # how many values there are thought to be before any two rows were compared

_SAMPLE = 5000
_DRAWS = 40
_SHARE_OF_A_FOLD = 0.7
_SURE = 0.3  # in logarithms of the number of values


class Tendency(NamedTuple):
    """Above 0 for text; and whether most parts of the rows have it too."""

    to_text: float
    is_sure: bool


def tendency_of(texts: pd.Series) -> Tendency:
    """Return whether texts, of which none is missing, are sentences and names or categories.

    How often two rows have the same value tells how many values there are, whatever the number of
    rows is (Simpson, 1949). The more words a text has, the fewer values make text of it.
    """
    if len(texts) > _SAMPLE:
        texts = texts.iloc[np.linspace(0, len(texts) - 1, _SAMPLE).astype(int)]
    codes, values = pd.factorize(texts)
    words = np.array([len(str(value).split()) for value in values], dtype=float)
    whole = _to_text(codes, words)
    draws = np.random.default_rng(0)
    n_kept = int(np.ceil(_SHARE_OF_A_FOLD * len(codes)))
    parts = (codes[draws.permutation(len(codes))[:n_kept]] for _ in range(_DRAWS))
    sign = 1 if whole > 0 else -1
    return Tendency(whole, all(sign * _to_text(part, words) > _SURE for part in (codes, *parts)))


def _to_text(codes: np.ndarray, words: np.ndarray) -> float:
    counts = np.bincount(codes, minlength=len(words))
    is_frequent = (counts > _FREQUENT * len(codes)) & (counts > 1)
    rest = counts[~is_frequent]
    n_rest = int(rest.sum())
    enough = 10 * (n_rest / len(codes) - _LEAST_REST)
    n_pairs, n_alike = n_rest * (n_rest - 1) / 2, float((rest * (rest - 1)).sum() / 2)
    n_values = (n_pairs + _EXPECTED / 2) / (n_alike + 1 / 2)
    mean_words = float(counts @ words) / len(codes)
    return float(min(enough, np.log(n_values / _most(mean_words))))


def _most(mean_words: float) -> float:
    """Return how many values categories of so many words may have."""
    share = np.clip((mean_words - _ONE_WORD) / (_SENTENCE - _ONE_WORD), 0, 1)
    return float(_MOST_WORDS * (_MOST_SENTENCES / _MOST_WORDS) ** share)
