"""Encoded things of the lookups in a batch, as what the fusion takes of its rows."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn.functional import embedding, embedding_bag

from skfusion._tokens import Encoded, Tokens, as_vector

__all__ = ["Places"]


class Places(NamedTuple):
    """Where among the distinct things of a batch each row finds its own.

    Parameters
    ----------
    numbers : int64 Tensor of shape (n_items,)
        Places of the things of all rows, one row after the other.
    offsets : int64 Tensor of shape (n_rows + 1,) or None, default=None
        Row ``i`` has the items ``offsets[i]:offsets[i + 1]``, one or more; None: each row has one.
    weights : Tensor of shape (n_items,) or None, default=None
        Of the items, summing to 1 in each row; None: all of a row weigh the same.

    Examples
    --------
    >>> import torch
    >>> from skfusion._gather import Places
    >>> things = torch.tensor([[1.0], [3.0]])
    >>> Places(torch.tensor([1, 0, 1])).of_rows(things, pooled=True).tolist()
    [[3.0], [1.0], [3.0]]
    >>> Places(torch.tensor([1, 0, 1]), torch.tensor([0, 2, 3])).of_rows(things, True).tolist()
    [[2.0], [3.0]]
    """

    numbers: torch.Tensor
    offsets: torch.Tensor | None = None
    weights: torch.Tensor | None = None

    def of_rows(self, things: Encoded, pooled: bool) -> Encoded:
        """Return what the rows have of the encoded ``things`` (n_things, ...).

        A row of one thing has what that has. Of a history, the vectors of its things are averaged,
        or, where not ``pooled``, are the tokens of the row.
        """
        if self.offsets is None:
            if isinstance(things, tuple):
                values, mask = things
                return Tokens(self._taken(values), None if mask is None else self._taken(mask))
            return self._taken(things)
        return self._averaged(as_vector(things)) if pooled else self._as_tokens(as_vector(things))

    def _taken(self, values: torch.Tensor) -> torch.Tensor:
        if not values.is_floating_point():
            return values[self.numbers]
        # The gradients of an embedding are summed in an order of their own, on every device.
        taken = embedding(self.numbers, values.flatten(1))
        return taken.view(len(self.numbers), *values.shape[1:])

    def _averaged(self, vectors: torch.Tensor) -> torch.Tensor:
        assert self.offsets is not None
        starts = self.offsets[:-1]
        if self.weights is None:
            return embedding_bag(self.numbers, vectors, starts, mode="mean")
        vectors = vectors.to(self.weights.dtype)  # of less precision within autocast
        return embedding_bag(
            self.numbers, vectors, starts, mode="sum", per_sample_weights=self.weights
        )

    def _as_tokens(self, vectors: torch.Tensor) -> Tokens:
        """Return each thing as a token, times its weight over the mean weight of its row."""
        assert self.offsets is not None
        lengths = self.offsets.diff()
        longest = int(lengths.max()) if len(lengths) else 1
        mask = torch.arange(longest, device=lengths.device) < lengths[:, None]
        items = embedding(self.numbers, vectors)
        if self.weights is not None:
            share = lengths.repeat_interleave(lengths) * self.weights
            items = items * share[:, None].to(items.dtype)
        values = items.new_zeros(*mask.shape, items.shape[1])
        return Tokens(values.index_put(mask.nonzero(as_tuple=True), items), mask)
