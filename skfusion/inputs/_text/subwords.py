"""Hugging Face tokenizers behind the contract of ``Tokenizer``."""

from __future__ import annotations

import copy
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from skfusion._optional import import_optional
from skfusion.blocks import Ragged
from skfusion.blocks._ragged import offsets_of
from skfusion.exceptions import ParameterError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as HuggingFaceTokenizer

__all__ = ["encode_subwords", "fitted_subwords"]

_PADDING = "<padding>"
_UNKNOWN = "<unknown>"


def fitted_subwords(
    tokenizer: HuggingFaceTokenizer,
    texts: list[str],
    max_tokens: int | None,
    max_length: int | None,
) -> HuggingFaceTokenizer:
    """Return a copy of ``tokenizer``, trained on ``texts`` if it has no vocabulary yet.

    Trained here, id 0 is padding and id 1 unknown; a trained one keeps its ids. Padding is
    switched off (rows are ragged), and its own post-processor decides how to truncate.
    """
    tokenizers = import_optional("tokenizers", "Tokenizer(tokenizer=...)", "text")
    if not isinstance(tokenizer, tokenizers.Tokenizer):
        raise ParameterError(
            "tokenizer must be a tokenizers.Tokenizer or None. "
            f"Got {type(tokenizer).__name__}. A fast tokenizer of the transformers package holds "
            "one in its backend_tokenizer; a function that splits a text goes to analyzer."
        )
    tokenizer = copy.deepcopy(tokenizer)
    if tokenizer.get_vocab_size() <= 1:
        _train(tokenizer, texts, max_tokens)
    tokenizer.no_padding()
    if max_length is not None:
        tokenizer.enable_truncation(max_length)
    return tokenizer


def encode_subwords(tokenizer: HuggingFaceTokenizer, texts: list[str], n_tokens: int) -> Ragged:
    """Return the ids of ``texts``, a ``Ragged`` of shape (n, None)."""
    rows = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    offsets = offsets_of([len(row) for row in rows])
    values = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=offsets[-1])
    return Ragged(values, offsets, n_tokens)


def _train(tokenizer: HuggingFaceTokenizer, texts: list[str], max_tokens: int | None) -> None:
    trainer = tokenizer.model.get_trainer()
    if hasattr(tokenizer.model, "unk_token"):
        tokenizer.model.unk_token = _UNKNOWN
    else:
        # Unigram learns its unknown token from the trainer, which takes it at construction only.
        trainer = type(trainer)(unk_token=_UNKNOWN)
    trainer.show_progress = False
    trainer.special_tokens = [_PADDING, _UNKNOWN]
    if max_tokens is not None:
        trainer.vocab_size = max_tokens
    tokenizer.train_from_iterator(texts, trainer)
