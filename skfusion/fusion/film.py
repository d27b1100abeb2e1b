"""One block conditions the others."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from skfusion._checks import check_int
from skfusion.fusion._base import Fusion
from skfusion.fusion._parts import Projections, check_block, mean_of_blocks

__all__ = ["FiLM"]


class FiLM(Fusion):
    """Feature-wise linear modulation (Perez, Strub, de Vries, Dumoulin and Courville, 2018).

    One block ``c``, often a question or a context, scales and shifts every number of the others:
    ``relu((1 + G_i c) * h_i + B_i c)`` with ``h_i = P_i x_i``; these are averaged over the other
    blocks that a row has. Where the conditioning block is missing its learned embedding conditions.

    {name: (batch, width of the block)} -> (batch, width).

    Parameters
    ----------
    by : str or None, default=None
        Name of the block that conditions the others; None takes the first.
    width : int, default=64
        Size of the fused vector.

    Raises
    ------
    BlockError
        If there is no block called ``by``.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import FiLM
    >>> fuse = FiLM(by="question", width=8).build({"photo": 3, "question": 2})
    >>> fuse({"photo": torch.randn(5, 3), "question": torch.randn(5, 2)}, None).shape
    torch.Size([5, 8])

    Notes
    -----
    NOTE[DIFF] The paper modulates the feature maps inside a convolutional network; here the encoded
    vectors are modulated. A single block has nothing to condition: ``relu(P x)`` remains.
    """

    def __init__(self, by: str | None = None, width: int = 64) -> None:
        self.by = by
        self.width = width

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        by = next(iter(widths)) if self.by is None else self.by
        check_block(by, widths, "FiLM(by=...)")
        return _FiLM(widths, by, check_int("width", self.width))


class _FiLM(nn.Module):
    def __init__(self, widths: Mapping[str, int], by: str, width: int) -> None:
        super().__init__()
        alone = len(widths) == 1
        others = {name: given for name, given in widths.items() if alone or name != by}
        self.by, self.positions = by, [[*widths].index(name) for name in others]
        self.projections = Projections(others, width)
        self.condition = None if alone else nn.Linear(widths[by], 2 * len(others) * width)

    def forward(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        blocks = self.projections(encoded)
        if self.condition is not None:
            condition = self.condition(encoded[self.by]).unflatten(1, (2, *blocks.shape[1:]))
            blocks = blocks * (1 + condition[:, 0]) + condition[:, 1]
        others = None if present is None else present[:, self.positions]
        return mean_of_blocks(blocks.relu(), others)
