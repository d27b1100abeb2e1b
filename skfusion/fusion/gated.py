"""Each row decides how much of each block comes through."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from skfusion._checks import check_choice, check_int
from skfusion.fusion._base import Fusion
from skfusion.fusion._parts import Projections, counting, join, masked_softmax

__all__ = ["Gated"]


class Gated(Fusion):
    """Gated multimodal unit (Arevalo, Solorio, Montes-y-Gomez and Gonzalez, 2017).

    Each block becomes ``h_i = tanh(W_i x_i + b_i)``; gates that are computed from all blocks of the
    row weigh them: ``sum_i z_i * h_i`` with ``z = gate(V [x_1; ...; x_n] + c)``, one gate per block
    and number. A missing block has no gate; the gates of the others share its part.

    {name: (batch, width of the block)} -> (batch, width).

    Parameters
    ----------
    width : int, default=64
        Size of the fused vector.
    gate : {"softmax", "sigmoid"}, default="softmax"
        "softmax": the gates of a row sum to 1 over the blocks. For two blocks these are the
        paper's tied gates z and 1 - z. "sigmoid": a gate of its own for each block, the paper's
        form for any number of blocks.
    per_number : bool, default=True
        Whether each of the ``width`` numbers has gates of its own, as in the paper, or one gate
        weighs a whole block, which is easier to read.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import Gated
    >>> fuse = Gated(width=8).build({"text": 2, "photo": 3})
    >>> encoded = {"text": torch.randn(5, 2), "photo": torch.randn(5, 3)}
    >>> fuse(encoded, None).shape, fuse.weights(encoded, None).shape
    (torch.Size([5, 8]), torch.Size([5, 2]))

    Notes
    -----
    NOTE[DIFF] The paper has no biases, ties the gates of two blocks only, and knows no missing
    blocks; its sigmoid gates are scaled up here by the share of blocks that are missing.
    """

    def __init__(self, width: int = 64, gate: str = "softmax", per_number: bool = True) -> None:
        self.width = width
        self.gate = gate
        self.per_number = per_number

    def build(self, widths: Mapping[str, int]) -> nn.Module:
        width = check_int("width", self.width)
        gate = _GATES[check_choice("gate", self.gate, _GATES)]
        check_choice("per_number", self.per_number, (True, False))
        return gate(widths, width, width if self.per_number else 1)


class _Gated(nn.Module):
    def __init__(self, widths: Mapping[str, int], width: int, n_gates: int) -> None:
        super().__init__()
        self.projections = Projections(widths, width)
        self.gates = self.make_gates(sum(widths.values()), len(widths), n_gates)

    def forward(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        hidden = self.projections(encoded).tanh()
        return (self.open(encoded, present) * hidden).sum(1)

    def open(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the gates (batch, n_blocks, width or 1)."""
        names = self.projections.names
        return self.weigh(self.gates(join(encoded, names)).unflatten(1, (len(names), -1)), present)

    def make_gates(self, width: int, n_blocks: int, n_gates: int) -> nn.Module:
        return nn.Linear(width, n_blocks * n_gates)

    def weigh(self, scores: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        raise NotImplementedError

    def weights(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        """Return (batch, n_blocks): the mean gate of each block, as shares that sum to 1."""
        gates = self.open(encoded, present).mean(2)
        return gates / gates.sum(1, keepdim=True)


class _SoftmaxGated(_Gated):
    def make_gates(self, width: int, n_blocks: int, n_gates: int) -> nn.Module:
        # A single gate is 1 whatever it computes: parameters behind it would never learn.
        return _NoGate() if n_blocks == 1 else super().make_gates(width, n_blocks, n_gates)

    def weigh(self, scores: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        return masked_softmax(scores, present)


class _SigmoidGated(_Gated):
    def weigh(self, scores: torch.Tensor, present: torch.Tensor | None) -> torch.Tensor:
        gates, count = scores.sigmoid(), counting(present)
        if count is None:
            return gates
        scale = gates.shape[1] / count.sum(1, keepdim=True)  # (batch, 1)
        return gates.masked_fill(~count[:, :, None], 0) * scale[:, :, None]


class _NoGate(nn.Module):
    def forward(self, joined: torch.Tensor) -> torch.Tensor:
        return joined.new_zeros(len(joined), 1)


_GATES = {"softmax": _SoftmaxGated, "sigmoid": _SigmoidGated}
