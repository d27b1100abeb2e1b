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
    share = torch.distributions.Beta(alpha, alpha).sample()
    return Mixing(partners.to(device), share.to(device))
