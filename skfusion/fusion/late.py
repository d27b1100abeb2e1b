"""Each block decides; the decisions are combined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import nn

from skfusion._checks import check_choice, check_int
from skfusion.fusion._base import Fusion
from skfusion.fusion._parts import counting, masked_softmax, mean_of_blocks, n_counting

__all__ = ["Late"]


class Late(Fusion):
    """A linear head per block, and a rule that combines their outputs (Kittler et al., 1998).

    The rules work on outputs as they are before softmax or sigmoid: one number per class, the
    log-odds of two classes and of labels, the standardised values of a regression. Only blocks that
    a row has are combined. The combined decisions are the outputs: ``head`` of an estimator has no
    place behind them and is not used.

    {name: (batch, width of the block)} -> (batch, n_outputs).

    Parameters
    ----------
    combine : str, default="mean"
        - "mean": the average; for classes the geometric mean of the probabilities.
        - "learned": an average with one learned weight per block, the same for all rows.
        - "confidence": an average with weights that depend on the row; each block states, from
          its own vector alone, how much it trusts its decision.
        - "product": the sum; for classes a product of experts (Hinton, 2002): blocks that agree
          make each other more certain. For a regression, an additive model.
        - "max": the most certain block. For three classes and more, per class the largest
          log-probability; for two classes, and for each of several labels, the log-odds furthest
          from zero. Meant for classes and labels.
        - "vote": per output the median, of three classes and more that of the log-probabilities.
          For two classes, and for each of several labels, its sign is the vote of the majority; for
          a regression it is the value in the middle.
        - "stacked": the average plus a small network on all decisions together, where a missing
          block's decision is that of its learned embedding.
    width : int, default=32
        Size of the hidden layer of "stacked"; the other rules have none.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import Late
    >>> fuse = Late(combine="learned").build({"text": 2, "photo": 3}, n_outputs=4)
    >>> encoded = {"text": torch.randn(5, 2), "photo": torch.randn(5, 3)}
    >>> fuse(encoded, None).shape, fuse.decisions(encoded).shape
    (torch.Size([5, 4]), torch.Size([5, 2, 4]))
    >>> fuse.weights(encoded, None)[0].tolist()
    [0.5, 0.5]

    Notes
    -----
    NOTE[DIFF] The heads are trained together, through the rule. Kittler et al. combine the
    probabilities of finished classifiers; of two classes "max" decides as theirs does, but returns
    the log-odds of one block. Their vote counts hard decisions, which have no gradient, and a
    stacked combiner (Wolpert, 1992) is trained on decisions for rows held out.
    """

    decides = True

    def __init__(self, combine: str = "mean", width: int = 32) -> None:
        self.combine = combine
        self.width = width

    def build(self, widths: Mapping[str, int], n_outputs: int = 1) -> nn.Module:
        check_int("width", self.width)
        rule = _RULES[check_choice("combine", self.combine, _RULES)]
        if rule is _Stacked:
            return _Stacked(widths, n_outputs, self.width)
        return rule(widths, n_outputs)


class _Late(nn.Module):
    def __init__(self, widths: Mapping[str, int], n_outputs: int) -> None:
        super().__init__()
        self.names = tuple(widths)
        self.heads = nn.ModuleList(nn.Linear(width, n_outputs) for width in widths.values())

    def forward(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        return self.combine(self.decisions(encoded), encoded, present)

    def begin_at(self, outputs: torch.Tensor) -> None:
        """Let each block decide ``outputs`` (n_outputs,), which any rule leaves as they are."""
        with torch.no_grad():
            for head in self.heads:
                cast(nn.Linear, head).bias.copy_(outputs)

    def decisions(self, encoded: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return what each block decides by itself: (batch, n_blocks, n_outputs)."""
        heads = zip(self.names, self.heads, strict=True)
        return torch.stack([head(encoded[name]) for name, head in heads], dim=1)

    def combine(
        self,
        decisions: torch.Tensor,
        encoded: Mapping[str, torch.Tensor],
        present: torch.Tensor | None,
    ) -> torch.Tensor:
        raise NotImplementedError


class _Weighted(_Late):
    """Decisions weighed by a softmax over blocks; equal scores are the plain average."""

    def combine(
        self,
        decisions: torch.Tensor,
        encoded: Mapping[str, torch.Tensor],
        present: torch.Tensor | None,
    ) -> torch.Tensor:
        return (self.weights(encoded, present)[:, :, None] * decisions).sum(1)

    def weights(
        self, encoded: Mapping[str, torch.Tensor], present: torch.Tensor | None
    ) -> torch.Tensor:
        """Return (batch, n_blocks): the weight of each block's decision."""
        return masked_softmax(self.scores(encoded), present)

    def scores(self, encoded: Mapping[str, torch.Tensor]) -> torch.Tensor:
        first = encoded[self.names[0]]
        return first.new_zeros(len(first), len(self.names))


class _Learned(_Weighted):
    def __init__(self, widths: Mapping[str, int], n_outputs: int) -> None:
        super().__init__(widths, n_outputs)
        # The only block has weight 1 whatever its score.
        self.block_scores = nn.Parameter(torch.zeros(len(widths))) if len(widths) > 1 else None

    def scores(self, encoded: Mapping[str, torch.Tensor]) -> torch.Tensor:
        equal = super().scores(encoded)
        return equal if self.block_scores is None else equal + self.block_scores


class _Confident(_Weighted):
    def __init__(self, widths: Mapping[str, int], n_outputs: int) -> None:
        super().__init__(widths, n_outputs)
        asked = widths.values() if len(widths) > 1 else ()
        self.confidence = nn.ModuleList(nn.Linear(width, 1) for width in asked)

    def scores(self, encoded: Mapping[str, torch.Tensor]) -> torch.Tensor:
        if len(self.names) == 1:
            return super().scores(encoded)
        asked = zip(self.names, self.confidence, strict=True)
        return torch.cat([ask(encoded[name]) for name, ask in asked], dim=1)


class _Product(_Late):
    def begin_at(self, outputs: torch.Tensor) -> None:
        super().begin_at(outputs / len(self.names))

    def combine(
        self,
        decisions: torch.Tensor,
        encoded: Mapping[str, torch.Tensor],
        present: torch.Tensor | None,
    ) -> torch.Tensor:
        count = counting(present)
        if count is not None:
            decisions = decisions.masked_fill(~count[:, :, None], 0)
        return decisions.sum(1)


class _Compared(_Late):
    """The decisions of blocks against each other, for which they need a common scale."""

    exclusive = False  # whether the outputs are classes, of which one is right

    def comparable(self, decisions: torch.Tensor) -> torch.Tensor:
        # What is added to all classes of a block leaves its probabilities as they are.
        return decisions.log_softmax(2) if self.exclusive else decisions


class _Max(_Compared):
    def combine(
        self,
        decisions: torch.Tensor,
        encoded: Mapping[str, torch.Tensor],
        present: torch.Tensor | None,
    ) -> torch.Tensor:
        decisions = self.comparable(decisions)
        size = decisions if self.exclusive else decisions.abs()
        count = counting(present)
        if count is not None:
            size = size.masked_fill(~count[:, :, None], -torch.inf)
        return decisions.gather(1, size.argmax(1, keepdim=True)).squeeze(1)


class _Vote(_Compared):
    def combine(
        self,
        decisions: torch.Tensor,
        encoded: Mapping[str, torch.Tensor],
        present: torch.Tensor | None,
    ) -> torch.Tensor:
        decisions, count = self.comparable(decisions), counting(present)
        if count is not None:
            decisions = decisions.masked_fill(~count[:, :, None], torch.inf)
        n_voters = n_counting(present, decisions.shape[1])
        voters = torch.as_tensor(n_voters, device=decisions.device).view(-1, 1, 1)
        middle = torch.cat([(voters - 1) // 2, voters // 2], dim=1)
        middle = middle.expand(len(decisions), 2, decisions.shape[2])
        return decisions.sort(1).values.gather(1, middle).mean(1)


class _Stacked(_Late):
    def __init__(self, widths: Mapping[str, int], n_outputs: int, width: int) -> None:
        super().__init__(widths, n_outputs)
        n_decisions = len(widths) * n_outputs
        self.judge = nn.Sequential(
            nn.Linear(n_decisions, width), nn.ReLU(), nn.Linear(width, n_outputs)
        )

    def combine(
        self,
        decisions: torch.Tensor,
        encoded: Mapping[str, torch.Tensor],
        present: torch.Tensor | None,
    ) -> torch.Tensor:
        return mean_of_blocks(decisions, present) + self.judge(decisions.flatten(1))


_RULES: dict[str, type[_Late]] = {
    "mean": _Weighted,
    "learned": _Learned,
    "confidence": _Confident,
    "product": _Product,
    "max": _Max,
    "vote": _Vote,
    "stacked": _Stacked,
}
