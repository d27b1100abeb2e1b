"""Texts as a target: what a network writes token by token."""

from __future__ import annotations

import copy
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import torch
from scipy.special import log_softmax, logsumexp

from skfusion._checks import check_choice, check_int
from skfusion._warn import warn_user
from skfusion.blocks import Block, Ragged
from skfusion.blocks._ragged import offsets_of
from skfusion.exceptions import TargetError
from skfusion.targets._base import Coding, PlainY, Target, TargetOptions
from skfusion.targets._output import OutputSpec
from skfusion.targets._reading import columns_of
from skfusion.targets._vocabulary import END, KINDS, UNKNOWN, Vocabulary, learn_vocabulary
from skfusion.typing import YLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["TextCoding", "Texts", "read_references", "read_texts", "streams_of"]

Form: TypeAlias = Literal["NFC", "NFD", "NFKC", "NFKD"]
_FORMS: tuple[Form, ...] = ("NFC", "NFD", "NFKC", "NFKD")
_BYTES = 256  # that subwords begin with
_MOST_UNKNOWN = 0.2  # share of the words or characters of all texts
_RARE = 1e-5  # share of a token that no text has, for the prior


class Texts(Target):
    """Texts in any language, one a row, or several that are all right.

    Parameters
    ----------
    tokens : {"subwords", "words", "characters"}, default="subwords"
        What a text is written in. Subwords are pairs of bytes merged by their frequency (Sennrich
        et al., 2016), so that no character of any language is unknown; they need the extra
        ``text``. Words and signs, with the blank in front of them, and characters need no other
        package; what is not in the texts of the fit cannot be written.
    n_tokens : int, default=1000
        Most different tokens, begin, end and unknown among them; at least 260 for subwords.
    min_count : int, default=2
        How often a word, a character or a pair of subwords must occur to be a token.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.targets import Texts
    >>> coding = Texts("words", min_count=1).learn(np.array(["a red ball", "a ball"], object))
    >>> coding.encode(np.array(["a ball"], object))[0].tolist()
    [5, 3, 1]
    >>> coding.texts([[5, 3]])
    ['a ball']
    """

    def __init__(self, tokens: str = "subwords", n_tokens: int = 1000, min_count: int = 2) -> None:
        self.tokens = tokens
        self.n_tokens = n_tokens
        self.min_count = min_count

    def read(self, y: YLike) -> PlainY:
        return read_references(y)

    def spread(self, y: PlainY) -> tuple[np.ndarray, PlainY] | None:
        if all(isinstance(texts, str) for texts in y):
            return None
        several = [(texts,) if isinstance(texts, str) else texts for texts in y]
        flat = np.array([text for texts in several for text in texts], dtype=object)
        return np.repeat(np.arange(len(several)), [len(texts) for texts in several]), flat

    def learn(
        self,
        y: PlainY,
        weight: np.ndarray | None = None,
        options: TargetOptions | None = None,
    ) -> TextCoding:
        kind = check_choice("tokens", self.tokens, ("subwords", *KINDS))
        least = _BYTES + 4 if kind == "subwords" else 4
        n_tokens = check_int("n_tokens", self.n_tokens, least)
        texts, min_count = list(y), check_int("min_count", self.min_count)
        vocabulary = learn_vocabulary(kind, texts, n_tokens, min_count)
        _check_can_write(vocabulary, texts, self)
        smoothing = 0.0 if options is None else options.label_smoothing
        return TextCoding(vocabulary, texts, weight, smoothing)


def _check_can_write(vocabulary: Vocabulary, texts: Sequence[str], recipe: Texts) -> None:
    """Check that texts consist of known tokens, at least for the most part."""
    ids = vocabulary.encode(texts).values
    unknown = float(np.mean(ids == UNKNOWN)) if len(ids) else 0.0
    what, rule = recipe.tokens, f"min_count={recipe.min_count} and n_tokens={recipe.n_tokens}"
    if unknown == 1:
        raise TargetError(
            f"none of the {what} of y is kept by {rule}, so that no text could be written. Set "
            f'target=Texts("{what}", min_count=1), or use subwords, which know every character.'
        )
    if unknown > _MOST_UNKNOWN:
        warn_user(
            f"{unknown:.0%} of the {what} of y are not kept by {rule}, and cannot be written. Keep "
            "more of them, or use subwords, which know every character."
        )


def read_texts(y: YLike, name: str = "y") -> np.ndarray:
    """Return texts as an array of objects (n_rows,); an error calls them ``name``.

    Raises
    ------
    TargetError
        If something else is among them, or missing; names the row.
    """
    texts = _rows_of(y)
    for row, text in enumerate(texts):
        _check_text(text, f"{name}, row {row}")
    return texts


def read_references(y: YLike) -> np.ndarray:
    """Return a text, or a tuple of several, for each row: an array of objects (n_rows,).

    Raises
    ------
    TargetError
        If something else is among them, or a row has none; names the row.
    """
    texts = _rows_of(y)
    for row, given in enumerate(texts):
        if not isinstance(given, list | tuple | np.ndarray):
            _check_text(given, f"y, row {row}")
            continue
        if not len(given):
            raise TargetError(f"y, row {row}: no text is given. Leave the row out, or give it one.")
        for number, text in enumerate(given):
            _check_text(text, f"y, row {row}, text {number}")
        texts[row] = tuple(given)
    return texts


def _rows_of(y: YLike) -> np.ndarray:
    """Return what each row has, whatever it is: an array of objects (n_rows,)."""
    rows = list(y) if isinstance(y, Sequence) and not isinstance(y, str) else columns_of(y)
    if isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.shape[1] == 1:
        rows = rows[:, 0]
    found = np.empty(len(rows), dtype=object)
    for row, given in enumerate(rows):
        found[row] = str(given) if isinstance(given, str) else given
    return found


def _check_text(text: object, where: str) -> None:
    if not isinstance(text, str):
        raise TargetError(
            f"{where}: a text is expected. Got {text!r} of type {type(text).__name__}. Leave the "
            "row out, or give it a text; an empty one is allowed."
        )


def streams_of(references: np.ndarray) -> list[list[str | None]]:
    """Return the references as sacrebleu takes them: the first of each row, the second, ..."""
    rows = [(one,) if isinstance(one, str) else one for one in references]
    most = max(map(len, rows), default=0)
    return [[row[i] if i < len(row) else None for row in rows] for i in range(most)]


class TextCoding(Coding):
    """Texts as ids of tokens, each followed by the end token.

    Parameters
    ----------
    vocabulary : Vocabulary
        Between texts and ids.
    texts : sequence of str
        Those of the fit.
    weight : ndarray of shape (n_texts,) or None
        Their weights.
    label_smoothing : float
        Share of a token's weight that is spread evenly over all tokens.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.targets import Texts
    >>> coding = Texts("characters", min_count=1).learn(np.array(["no", "on"], object))
    >>> coding.output
    OutputSpec(form='tokens', shape=(None,), n_classes=5)
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        texts: Sequence[str],
        weight: np.ndarray | None,
        label_smoothing: float,
    ) -> None:
        super().__init__(OutputSpec("tokens", (None,), vocabulary.n_tokens))
        self.vocabulary, self._smoothing = vocabulary, label_smoothing
        self._form = _form_of(texts)
        lengths = self.vocabulary.encode(texts).lengths
        self.longest = int(lengths.max(initial=0))
        self._mean_length = float(np.average(lengths, weights=weight)) + 1

    def encode(self, y: PlainY) -> Ragged:
        """Return the ids of each text, with the end token behind them: (n_rows, None)."""
        ids = self.vocabulary.encode([str(text) for text in y])
        values = np.insert(ids.values, ids.offsets[1:], END)
        return Ragged(values, offsets_of(ids.lengths + 1), self.vocabulary.n_tokens)

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Return the texts of the likeliest token at each place, where the places are known.

        (n_rows, length, n_tokens) -> (n_rows,). Whole texts are searched for by
        ``skfusion.decoding.write``.
        """
        if outputs.ndim != 3:
            raise NotImplementedError("texts need scores at each place")
        ids, found = outputs.argmax(axis=2), np.empty(len(outputs), dtype=object)
        lengths = np.where((ids == END).any(axis=1), (ids == END).argmax(axis=1), ids.shape[1])
        rows = [row[:length] for row, length in zip(ids.tolist(), lengths, strict=True)]
        found[:] = self.texts(rows)
        return found

    def texts(self, rows: Iterable[Sequence[int]]) -> list[str]:
        """Return the texts of rows of ids, in the Unicode form of the texts of the fit."""
        found = self.vocabulary.decode(rows)
        form = self._form
        return found if form is None else [unicodedata.normalize(form, text) for text in found]

    def loss(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the mean over rows of the loss of their tokens, in mean lengths of a text.

        So it is the loss of a token, where rows count by how many they have.

        Parameters
        ----------
        outputs : Tensor of shape (batch, length, n_tokens) or (batch, n_tokens)
            Scores of the tokens, at each place or the same at all.
        codes : Tensor of shape (batch, length)
            Ids, negative behind the end of a text.
        weight : Tensor of shape (batch,) or None
            Weights of the rows.
        """
        each = self._losses(outputs.log_softmax(-1), codes.clamp(min=0)) * (codes >= 0)
        of_rows = each.sum(1) / self._mean_length
        return of_rows.mean() if weight is None else (of_rows * weight).mean()

    def _losses(self, log_shares: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return the loss of each token (batch, length)."""
        if log_shares.ndim == 2:
            right, even = log_shares.gather(1, codes), log_shares.mean(1, keepdim=True)
        else:
            right = log_shares.gather(2, codes[:, :, None])[:, :, 0]
            even = log_shares.mean(2) if self._smoothing else right
        smoothing = self._smoothing
        return -right if not smoothing else -(1 - smoothing) * right - smoothing * even

    def prior(self, codes: Block, weight: np.ndarray | None) -> np.ndarray:
        """Return the logarithm of how often each token occurs (n_tokens,)."""
        assert isinstance(codes, Ragged)
        n_tokens, ids = self.vocabulary.n_tokens, codes.values[codes.offsets[0] : codes.offsets[-1]]
        of_ids = None if weight is None else np.repeat(weight, codes.lengths)
        counts = np.bincount(ids, of_ids, n_tokens)
        shares = np.maximum(counts / counts.sum(), _RARE)
        return np.log(shares / shares.sum())

    def mixed(self, outputs: Sequence[np.ndarray], shares: Sequence[float]) -> np.ndarray:
        column = np.reshape(shares, (-1, *[1] * outputs[0].ndim))
        return logsumexp([log_softmax(one, -1) for one in outputs], 0, column)

    def with_options(self, options: TargetOptions) -> Self:
        other = copy.copy(self)
        other._smoothing = options.label_smoothing
        return other


def _form_of(texts: Sequence[str]) -> Form | None:
    """Return the Unicode form that all texts are in; None if there is none."""
    return next(
        (form for form in _FORMS if all(unicodedata.is_normalized(form, one) for one in texts)),
        None,
    )
