"""The transformer of each kind of column, where the user gives none."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

import numpy as np
from sklearn.pipeline import make_pipeline

from skfusion.inputs._images.frame_loader import FrameLoader
from skfusion.inputs._images.image_loader import ImageLoader
from skfusion.inputs._sequences.array_stacker import ArrayStacker
from skfusion.inputs._sound.logmel import LogMel
from skfusion.inputs._tables.dates import DateParts
from skfusion.inputs._tables.number_texts import NumberTexts
from skfusion.inputs._tables.plain import PlainFlags, PlainLabels, PlainNumbers
from skfusion.inputs._text.tokenizer import Tokenizer

__all__ = [
    "RECIPES",
    "booleans",
    "dense_categories",
    "form_made_by",
    "frames",
    "numbers",
    "reading_numbers",
    "repeat_words",
    "single_words",
    "words",
    "words_of_labels",
]

_IMAGE_SIZE = (64, 64)
ROWS_FOR_RARE_WORDS = 100
# Single characters and signs count as words: a column of them must not leave no vocabulary.
_WORD = r"(?u)\w+|[^\w\s]+"

# scikit-learn's transformers are imported where they are used: they bring half of it along, which
# `import skfusion` need not wait for.


def numbers(cells: str = "any") -> object:
    """Return the transformer of numbers; ``cells`` are "plain", "any" or "texts"."""
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    steps = (SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    return make_pipeline(*reading_numbers(cells), *steps)


def reading_numbers(cells: str) -> list[PlainNumbers]:
    """Return what makes floats of such cells."""
    if cells == "plain":
        return []
    return [NumberTexts() if cells == "texts" else PlainNumbers()]


def booleans() -> object:
    """Return the transformer of booleans."""
    from sklearn.impute import SimpleImputer

    return make_pipeline(
        PlainFlags(), SimpleImputer(strategy="most_frequent", keep_empty_features=True)
    )


def _categories() -> object:
    from sklearn.preprocessing import OneHotEncoder

    return make_pipeline(PlainLabels(), OneHotEncoder(handle_unknown="ignore", dtype=np.float32))


def dense_categories() -> object:
    """Return the transformer of categories for an encoder of vectors."""
    from sklearn.preprocessing import OneHotEncoder

    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    return make_pipeline(PlainLabels(), one_hot)


def _text() -> object:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(
        token_pattern=_WORD, ngram_range=(1, 2), min_df=2, sublinear_tf=True, dtype=np.float32
    )


def single_words() -> object:
    """Return the transformer of texts that have too little in common to leave out rare words."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(token_pattern=_WORD, sublinear_tf=True, dtype=np.float32)


def repeat_words(texts: Collection[object]) -> bool:
    """Whether there are many texts, some of which have a word in common."""
    if len(texts) < ROWS_FOR_RARE_WORDS:
        return False
    seen: set[str] = set()
    for text in texts:
        found = set(re.findall(_WORD, str(text).lower()))
        if not seen.isdisjoint(found):
            return True
        seen |= found
    return False


def words() -> object:
    """Return the transformer of texts for an encoder of tokens."""
    return Tokenizer(token_pattern=_WORD)


def words_of_labels() -> object:
    """Return the transformer of categories, of any type, for an encoder of tokens."""
    return make_pipeline(PlainLabels(), words())


def frames() -> object:
    """Return the transformer of clips."""
    return FrameLoader(size=_IMAGE_SIZE)


def _images() -> object:
    return ImageLoader(size=_IMAGE_SIZE)


def form_made_by(transformer: object) -> str | None:
    """Return the form of what a transformer will make, as far as its class says it."""
    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
    from sklearn.preprocessing import OneHotEncoder

    if isinstance(transformer, OneHotEncoder):
        return "csr" if transformer.sparse_output else "vector"
    forms: dict[str, type | tuple[type, ...]] = {
        "csr": (CountVectorizer, HashingVectorizer),
        "tokens": Tokenizer,
        "image": ImageLoader,
        "sequence": LogMel,
        "vector": DateParts,
    }
    return next((form for form, kinds in forms.items() if isinstance(transformer, kinds)), None)


# By the argument of BlockUnion that takes another one.
RECIPES: Mapping[str, Callable[[], object]] = {
    "text": _text,
    "numbers": numbers,
    "categories": _categories,
    "booleans": booleans,
    "dates": DateParts,
    "images": _images,
    "audio": LogMel,
    "arrays": ArrayStacker,
}
