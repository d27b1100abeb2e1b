"""What may be written next: changes of the scores of tokens, by what was written before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from skfusion.decoding._recipe import Plan

__all__ = ["Allowed", "Prefix", "Rule", "less_repeated", "rules_of"]

_BEGIN, _END, _UNKNOWN = 0, 1, 2
_NEVER = -torch.inf


class Rule(Protocol):
    """Changes the log-probabilities of the next token of each beam."""

    def __call__(
        self, scores: torch.Tensor, written: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        """Return other scores.

        Parameters
        ----------
        scores : Tensor of shape (n_rows, n_beams, n_tokens)
            Log-probabilities, to be changed in place or not.
        written : int64 Tensor of shape (n_rows, n_beams, time)
            What was written so far.
        rows : int64 Tensor of shape (n_rows,)
            Which rows of the call these are.
        """
        ...


def less_repeated(scores: torch.Tensor, written: torch.Tensor, penalty: float) -> torch.Tensor:
    """Return log-probabilities by which tokens are rarer that were written before.

    Their scores are divided by the penalty, or multiplied where they are negative (Keskar et al.,
    2019). Scores, and not log-probabilities: that of a token that is all but sure is near 0.
    """
    before = torch.zeros_like(scores, dtype=torch.bool).scatter_(2, written, True)
    before[..., _END] = False
    rarer = torch.where(scores > 0, scores / penalty, scores * penalty)
    return torch.where(before, rarer, scores).log_softmax(2)


def rules_of(plan: Plan) -> list[Rule]:
    """Return the rules that hold for all rows."""
    rules: list[Rule] = [_no_begin_nor_unknown]
    if plan.n_gram:
        rules.append(_NoRepeatedRun(plan.n_gram))
    return rules


def _no_begin_nor_unknown(
    scores: torch.Tensor, written: torch.Tensor, rows: torch.Tensor
) -> torch.Tensor:
    scores[..., _BEGIN] = scores[..., _UNKNOWN] = _NEVER
    return scores


class _NoRepeatedRun:
    """No run of ``size`` tokens occurs twice."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __call__(
        self, scores: torch.Tensor, written: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        time, size = written.shape[2], self._size
        if time < size:
            return scores
        runs = written.unfold(2, size, 1)  # (rows, beams, runs, size)
        last = written[:, :, time - size + 1 :]
        again = (runs[..., :-1] == last[:, :, None]).all(3)  # an empty run is always there
        ends = torch.where(again, runs[..., -1], _BEGIN)
        never = torch.zeros_like(scores, dtype=torch.bool).scatter_(2, ends, True)
        never[..., _END] = False
        return scores.masked_fill(never, _NEVER)


class Prefix:
    """Each text begins with ids of its own."""

    def __init__(self, rows: Sequence[Sequence[int]], device: torch.device) -> None:
        longest = max(map(len, rows), default=0)
        padded = [[*row, *[-1] * (longest - len(row))] for row in rows]
        self._ids = torch.tensor(padded, dtype=torch.int64, device=device).reshape(len(rows), -1)

    def __call__(
        self, scores: torch.Tensor, written: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        time = written.shape[2]
        if time >= self._ids.shape[1]:
            return scores
        asked = self._ids[rows, time][:, None, None]
        tokens = torch.arange(scores.shape[2], device=scores.device)
        return scores.masked_fill((asked >= 0) & (tokens != asked), _NEVER)


class Allowed:
    """Only texts of a set come out."""

    def __init__(self, texts: Sequence[Sequence[int]]) -> None:
        following: dict[tuple[int, ...], set[int]] = {}
        for text in texts:
            for i, token in enumerate([*text, _END]):
                following.setdefault(tuple(text[:i]), set()).add(token)
        self._following = {before: sorted(after) for before, after in following.items()}

    def __call__(
        self, scores: torch.Tensor, written: torch.Tensor, rows: torch.Tensor
    ) -> torch.Tensor:
        never = torch.ones_like(scores, dtype=torch.bool)
        for row, beams in enumerate(written.tolist()):
            for beam, ids in enumerate(beams):
                never[row, beam, self._following.get(tuple(ids), [])] = False
        return scores.masked_fill(never, _NEVER)

    def begins_with(self, prefix: Sequence[int]) -> bool:
        """Whether a text of the set begins with these ids."""
        return tuple(prefix) in self._following
