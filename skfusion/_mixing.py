"""Rows of a batch mixed with others, as augmentation while training."""

from __future__ import annotations

from typing import NamedTuple

import torch

__all__ = ["Mixing", "draw_mixing"]


class Mixing(NamedTuple):
    """Which row of a batch each row is mixed with, and by how much.

    ``partners`` (n_rows,) are row numbers, ``share`` () is what each row keeps of itself.
    """

    partners: torch.Tensor
    share: torch.Tensor

    def rows(self, values: torch.Tensor) -> torch.Tensor:
        """Return the rows (n_rows, ...), each mixed with its partner."""
        return self.pair(values, values[self.partners])

    def pair(self, own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Return what is the row's own, mixed with the same of its partner."""
        return own * self.share + other * (1 - self.share)


def draw_mixing(n_rows: int, alpha: float, device: torch.device) -> Mixing:
    """Draw a partner for each row, and one share for all from the distribution Beta(alpha, alpha).

    Mixup (Zhang et al., 2018) of hidden vectors (manifold mixup, Verma et al., 2019). Uses torch's
    random state.

    NOTE[DIFF] Verma et al. draw for each batch the layer that is mixed, the inputs among them. Rows
    of several kinds of data cannot be mixed before they are fused, so here it is always the fused
    vector.
    """
    partners = torch.randperm(n_rows)
    return Mixing(partners.to(device), _draw_share(alpha).to(device))


def _draw_share(alpha: float) -> torch.Tensor:
    """Return a draw from Beta(alpha, alpha), also where alpha is so small that it is 0 or 1.

    It is the share of one of two draws from Gamma(alpha), which are too small for a float there: so
    it is made of their logarithms, each that of a draw from Gamma(alpha + 1) and of a uniform one.
    """
    gamma = torch.distributions.Gamma(torch.tensor(alpha + 1.0, dtype=torch.float64), 1.0)
    logs = gamma.sample((2,)).log() + torch.rand(2, dtype=torch.float64).log() / alpha
    return logs.softmax(0)[0].to(torch.get_default_dtype())
