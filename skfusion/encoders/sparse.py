"""Sparse rows into a dense vector, without ever making them dense."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from scipy.sparse import csr_array
from torch import nn
from torch.nn import functional as F

from skfusion._batch import SparseRows
from skfusion._checks import check_int, check_real
from skfusion.blocks import BlockSpec
from skfusion.encoders._base import Encoder, activation

__all__ = ["SparseLinear"]


class SparseLinear(Encoder):
    """One linear layer on csr rows: TF-IDF, counts, one-hot categories, hashed features.

    Equal to ``activation(X @ weight + bias)`` on the dense matrix, at the cost of the stored
    entries. On one-hot categories this is the sum of their embeddings.

    csr (batch, n_columns) -> (batch, width).

    Parameters
    ----------
    width : int, default=64
        Size of the encoded vector.
    activation : {"relu", "gelu", "silu", "tanh", "identity"}, default="relu"
        Function behind the linear map.
    dropout : float, default=0.0
        Share of the encoded vector set to zero while training.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from skfusion import Blocks, FusionClassifier
    >>> from skfusion.encoders import SparseLinear
    >>> X = Blocks({"text": csr_array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])})
    >>> model = FusionClassifier({"text": SparseLinear(width=8)}, random_state=0)
    >>> model.fit(X, [0, 1, 1, 0]).transform(X).shape
    (4, 8)
    """

    takes: ClassVar[tuple[str, ...]] = ("csr",)

    def __init__(self, width: int = 64, activation: str = "relu", dropout: float = 0.0) -> None:
        self.width = width
        self.activation = activation
        self.dropout = dropout

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        dropout = check_real("dropout", self.dropout, 0, 1)
        return nn.Sequential(
            _SparseLinear(spec.shape[0] or 0, check_int("width", self.width)),
            activation(self.activation),
            *([nn.Dropout(dropout)] if dropout else []),
        )


class _SparseLinear(nn.Module):
    """``weight`` is (n_columns, width), so that a stored entry reads one row of it."""

    def __init__(self, n_columns: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(n_columns, width))
        self.bias = nn.Parameter(torch.zeros(width))
        # Small, and the same however many columns there are: what a rare column is given at random
        # is noise that a few rows cannot undo, and for rows of text or categories the norm stays
        # near 1, so that the scale need not shrink as it does for dense rows.
        nn.init.normal_(self.weight, std=0.05)

    def forward(self, rows: SparseRows) -> torch.Tensor:
        if self.weight.device.type == "cpu":
            product: torch.Tensor = _SparseProduct.apply(self.weight, rows)
        else:
            product = _weighted_sums(self.weight, *rows)
        return self.bias + product


class _SparseProduct(torch.autograd.Function):
    """rows @ weight, and its gradient as the same kind of sum over the transposed rows.

    torch's own gradient sorts all stored entries and adds them one by one: 2 to 6 times slower.
    """

    @staticmethod
    def forward(ctx: Any, weight: torch.Tensor, rows: SparseRows) -> torch.Tensor:
        ctx.rows, ctx.n_columns = rows, len(weight)
        return _weighted_sums(weight, *rows)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        offsets, columns, values = (part.numpy() for part in ctx.rows)
        rows = csr_array((values, columns, offsets), shape=(len(offsets) - 1, ctx.n_columns))
        columns_first = rows.tocsc()
        parts = (columns_first.indptr, columns_first.indices, columns_first.data)
        return _weighted_sums(gradient.contiguous(), *map(torch.from_numpy, parts)), None


def _weighted_sums(
    weight: torch.Tensor, offsets: torch.Tensor, columns: torch.Tensor, values: torch.Tensor
) -> torch.Tensor:
    return F.embedding_bag(
        columns,
        weight,
        offsets,
        mode="sum",
        per_sample_weights=values,
        include_last_offset=True,
    )
