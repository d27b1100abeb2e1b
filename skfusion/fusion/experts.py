"""Experts of each block, chosen by a router that sees all blocks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from skfusion._checks import check_int, check_real
from skfusion.fusion._base import Fusion
from skfusion.fusion._parts import Projections, counting, join

__all__ = ["MixtureOfExperts"]


class MixtureOfExperts(Fusion):
    """Mixture of experts (Jacobs, Jordan, Nowlan and Hinton, 1991; Shazeer et al., 2017).

    Each block has ``n_experts`` experts ``relu(W_e x_i + b_e)``. A router sees all blocks of the
    row and weighs all experts by a softmax; the fused vector is the weighted sum. Experts of a
    missing block are never chosen.

    So that no expert, and no block, is left unused, training adds
    ``balance * mean_e (g_e / t_e - 1)**2``: ``g_e`` is the mean weight of expert e in the batch,
    ``t_e`` what it would be if each row weighed all experts of its blocks alike.

    {name: (batch, width of the block)} -> (batch, width).

    Parameters
    ----------
    n_experts : int, default=2
        Number of experts per block.
    width : int, default=64
        Size of the fused vector.
    top_k : int or None, default=None
        Number of experts that a row uses, the others get weight zero; None uses all.
    balance : float, default=0.01
        Weight of the load balance in the loss; 0 leaves it out.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import MixtureOfExperts
    >>> fuse = MixtureOfExperts(width=8, top_k=2).build({"text": 2, "photo": 3})
    >>> encoded = {"text": torch.randn(5, 2), "photo": torch.randn(5, 3)}
    >>> fuse(encoded, None).shape, fuse.weights(encoded, None).shape
    (torch.Size([5, 8]), torch.Size([5, 2]))
    >>> fuse.auxiliary_loss.shape, fuse.eval()(encoded, None).shape, fuse.auxiliary_loss
    (torch.Size([]), torch.Size([5, 8]), None)

    Notes
    -----
    NOTE[DIFF] Shazeer et al. choose with added noise among experts that all see the same input.
    The balance is their importance loss, the squared coefficient of variation, with targets that
    follow which blocks the rows have. Every expert is computed, also where it gets weight zero.
    """

    def __init__(
        self, n_experts: int = 2, width: int = 64, top_k: int | None = None, balance: float = 0.01
    ) -> None:
        self.n_experts = n_experts
        self.width = width
        self.top_k = top_k
        self.balance = balance

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        n_experts, width = check_int("n_experts", self.n_experts), check_int("width", self.width)
        balance = check_real("balance", self.balance)
        top_k = None
        if self.top_k is not None:
            top_k = check_int("top_k", self.top_k, repair="Use top_k=None for all experts.")
        return _MixtureOfExperts(widths, n_experts, width, top_k, balance)


class _MixtureOfExperts(nn.Module):
    auxiliary_loss: torch.Tensor | None = None

    def __init__(
        self,
        widths: Mapping[str, int],
        n_experts: int,
        width: int,
        top_k: int | None,
        balance: float,
    ) -> None:
        super().__init__()
        self.n_experts, self.top_k, self.balance = n_experts, top_k, balance
        self.experts = Projections(widths, n_experts * width)
        n_all = len(widths) * n_experts
        # A single expert has weight 1 whatever a router says.
        self.router = nn.Linear(sum(widths.values()), n_all) if n_all > 1 else None

    def forward(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        opinions = self.experts(encoded).relu().unflatten(2, (self.n_experts, -1)).flatten(1, 2)
        gates = self.route(encoded, present)
        self.auxiliary_loss = None
        if self.training and self.balance and self.router is not None:
            self.auxiliary_loss = self.balance * self._imbalance(gates, present)
        return (gates[:, :, None] * opinions).sum(1)

    def route(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        """Return (batch, n_blocks * n_experts): the weight of each expert, block after block."""
        joined = join(encoded, self.experts.names)
        if self.router is None:
            return joined.new_ones(len(joined), 1)
        scores, available = self.router(joined), self._available(present)
        if available is not None:
            scores = scores.masked_fill(~available, -torch.inf)
        if self.top_k is not None and self.top_k < scores.shape[1]:
            best = scores.topk(self.top_k, dim=1)
            scores = torch.full_like(scores, -torch.inf).scatter(1, best.indices, best.values)
        return scores.softmax(1)

    def weights(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        """Return (batch, n_blocks): the weight of all experts of each block."""
        return self.route(encoded, present).unflatten(1, (-1, self.n_experts)).sum(2)

    def _available(self, present: torch.Tensor | None) -> torch.Tensor | None:
        count = counting(present)
        return None if count is None else count.repeat_interleave(self.n_experts, dim=1)

    def _imbalance(self, gates: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        available = self._available(present)
        possible = torch.ones_like(gates) if available is None else available.to(gates.dtype)
        target = (possible / possible.sum(1, keepdim=True)).mean(0)
        usable = target > 0
        return (gates.mean(0)[usable] / target[usable] - 1).square().mean()

    def __getstate__(self) -> dict[str, object]:
        """Leave out the loss of the last step, which is part of a graph that no copy can take."""
        return {**self.__dict__, "auxiliary_loss": None}
