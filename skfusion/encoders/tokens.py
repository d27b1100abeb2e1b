"""Token ids as the sum, mean, maximum or weighted mean of their vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from skfusion._checks import check_choice, check_int, check_real
from skfusion._tokens import Encoded, Tokens
from skfusion.blocks import BlockSpec
from skfusion.encoders._base import Encoder
from skfusion.encoders._pooling import Pooling
from skfusion.encoders._steps import Embedding
from skfusion.exceptions import BlockError, ParameterError

if TYPE_CHECKING:
    from skfusion.inputs import WordTable

__all__ = ["TokenEmbedding"]

_BAGS = ("sum", "mean")
_POOLINGS = (*_BAGS, "max", "attention")


class TokenEmbedding(Encoder):
    """A vector per token id, pooled without regard to order ("bag of embeddings").

    The mean of trained vectors is the text model of fastText (Joulin et al., 2017). A document
    without tokens is encoded as zeros.

    ids (batch, tokens) and mask -> (batch, width), or (batch, tokens, width) and the mask if not
    pooled.

    Parameters
    ----------
    width : int, default=64
        Size of a token's vector; ``vectors`` bring their own.
    pooling : {"sum", "mean", "max", "attention"}, default="mean"
        How the vectors of a row become one; "attention" learns the weights of a weighted mean.
    vectors : WordTable or array of shape (n_tokens, width) or None, default=None
        Vectors to start from, row ``i`` for id ``i``; ``skfusion.inputs.word_table`` makes them
        of word vectors and a fitted ``Tokenizer``. None starts from random ones.
    frozen : bool, default=False
        Whether ``vectors`` stay as they are.
    dropout : float, default=0.0
        Share of the encoded vector set to zero while training.

    Raises
    ------
    BlockError
        If the vocabulary of the block has more ids than ``vectors`` has rows.
    ParameterError
        If ``vectors`` are words instead of a table, or frozen without ``vectors``.

    Examples
    --------
    >>> from skfusion import FusionClassifier, Ragged
    >>> from skfusion.encoders import TokenEmbedding
    >>> words = Ragged.from_rows([[1, 2, 2], [3]] * 10, n_tokens=4)
    >>> model = FusionClassifier({"words": TokenEmbedding(width=8)}, max_epochs=2)
    >>> model.fit({"words": words}, ["a", "b"] * 10).transform({"words": words}).shape
    (20, 8)
    """

    takes: ClassVar[tuple[str, ...]] = ("tokens",)

    def __init__(
        self,
        width: int = 64,
        pooling: str = "mean",
        vectors: np.ndarray | WordTable | None = None,
        frozen: bool = False,
        dropout: float = 0.0,
    ) -> None:
        self.width = width
        self.pooling = pooling
        self.vectors = vectors
        self.frozen = frozen
        self.dropout = dropout

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        how = check_choice("pooling", self.pooling, _POOLINGS)
        dropout = nn.Dropout(check_real("dropout", self.dropout, 0, 1))
        table = self._table(spec)
        if not pooled or how not in _BAGS:
            pooling = Pooling(how, table.embedding_dim) if pooled else None
            return _WordTokens(table, pooling, dropout)
        return _Bag(table, how, dropout)

    def _table(self, spec: BlockSpec) -> nn.Embedding:
        n_tokens = spec.n_tokens or 1
        if self.vectors is None:
            if self.frozen:
                raise ParameterError("TokenEmbedding: frozen=True needs `vectors` to be kept.")
            return Embedding(n_tokens, check_int("width", self.width))
        vectors = _as_table(self.vectors)
        if len(vectors) < n_tokens:
            raise BlockError(
                f"block {spec.name!r} has a vocabulary of {n_tokens} ids, but `vectors` has only "
                f"{len(vectors)} rows. Make them with word_table(vectors, tokenizer) of the "
                "tokenizer that made the block."
            )
        table = Embedding(*vectors.shape)
        with torch.no_grad():
            table.weight.copy_(torch.from_numpy(vectors))
        table.weight.requires_grad_(not self.frozen)
        return table


class _Bag(nn.Module):
    """Sums and means are one kernel, and padding is never read."""

    def __init__(self, table: nn.Embedding, how: str, dropout: nn.Dropout) -> None:
        super().__init__()
        self.table, self.how, self.dropout = table, how, dropout

    @property
    def frozen(self) -> bool:
        return not self.table.weight.requires_grad and self.dropout.p == 0

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        offsets = F.pad(mask.sum(1).cumsum(0), (1, 0))
        vectors = F.embedding_bag(
            ids[mask], self.table.weight, offsets, mode=self.how, include_last_offset=True
        )
        return self.dropout(vectors)


class _WordTokens(nn.Module):
    def __init__(self, table: nn.Embedding, pooling: nn.Module | None, dropout: nn.Dropout) -> None:
        super().__init__()
        self.table, self.pooling, self.dropout = table, pooling, dropout

    @property
    def frozen(self) -> bool:
        # Without pooling, to look the vectors up is cheap, and to keep those of all words is not.
        trained = any(parameter.requires_grad for parameter in self.parameters())
        return self.pooling is not None and not trained and self.dropout.p == 0

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> Encoded:
        vectors = self.table(ids)
        if self.pooling is None:
            return Tokens(self.dropout(vectors), mask)
        return self.dropout(self.pooling(vectors, mask))


def _as_table(vectors: np.ndarray | WordTable) -> np.ndarray:
    if isinstance(vectors, Mapping) or hasattr(vectors, "key_to_index"):
        raise ParameterError(
            "vectors must be one row per token id. Got words and their vectors: pass "
            "skfusion.inputs.word_table(vectors, tokenizer), which brings them in the order of the "
            "tokenizer's ids."
        )
    table = np.asarray(vectors, dtype=np.float32)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise ParameterError(
            "vectors must be a finite array of shape (n_tokens, width). "
            f"Got shape {table.shape}{'' if np.isfinite(table).all() else ' with NaN or infinity'}."
        )
    return table
