"""Texts from the scores of their tokens: beam search, and draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import torch

from skfusion._tokens import Encoded
from skfusion.decoding._draw import keep_likely, noise
from skfusion.decoding._recipe import Plan
from skfusion.decoding._rules import Rule, less_repeated
from skfusion.heads import Writer, WriterState

__all__ = ["Hypothesis", "write"]

_BEGIN, _END = 0, 1


class Hypothesis(NamedTuple):
    """A text that may be written.

    Parameters
    ----------
    ids : tuple of int
        Its tokens, without begin and end.
    log_probability : float
        Of all its tokens, the end included unless it was cut off.
    rank : float
        What it is compared by.
    """

    ids: tuple[int, ...]
    log_probability: float
    rank: float


# Of each row, the best first.
Written: TypeAlias = list[list[Hypothesis]]


class _Writers:
    """Writers that were told the same rows, whose probabilities are averaged."""

    def __init__(self, writers: Sequence[Writer], fused: Sequence[Encoded]) -> None:
        self._writers = writers
        self._states: list[WriterState] = [
            writer.begin(one) for writer, one in zip(writers, fused, strict=True)
        ]

    def step(self, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return of the token behind ``ids`` the log-probabilities, and the scores in the mean.

        (rows, beams, n_tokens) each.
        """
        found = []
        for i, writer in enumerate(self._writers):
            scores, self._states[i] = writer.step(ids, self._states[i])
            found.append(scores.float())
        if len(found) == 1:
            return found[0].log_softmax(2), found[0]
        scores = torch.stack(found)
        return scores.log_softmax(3).logsumexp(0) - math.log(len(found)), scores.mean(0)

    def select(self, rows: torch.Tensor | None, beams: torch.Tensor | None) -> None:
        self._states = [state.select(rows, beams) for state in self._states]


def write(
    writers: Sequence[Writer],
    fused: Sequence[Encoded],
    plan: Plan,
    rules: Sequence[Rule],
    rows: torch.Tensor,
    keys: np.ndarray,
) -> Written:
    """Return the texts of each row.

    Parameters
    ----------
    writers : sequence of Writer
        Modules whose probabilities are averaged.
    fused : sequence of Tensor or Tokens
        What each of them looks at, of the same rows.
    plan : Plan
        How texts are chosen.
    rules : sequence of Rule
        What may be written.
    rows : int64 Tensor of shape (n_rows,)
        Which rows of the call these are, for the rules.
    keys : ndarray of int64 of shape (n_rows,)
        What draws follow from, beside the seed: numbers that tell what the rows hold.
    """
    search = _search_of(_Writers(writers, fused), plan, rules, rows, keys)
    for _ in range(plan.most):
        search.step()
        if search.is_done:
            break
    return search.result()


def _search_of(
    writers: _Writers,
    plan: Plan,
    rules: Sequence[Rule],
    rows: torch.Tensor,
    keys: np.ndarray,
) -> _Search:
    if plan.draws:
        return _Draws(writers, plan, rules, rows, keys)
    return (_Greedy if plan.n_beams == 1 else _Beams)(writers, plan, rules, rows)


class _Search:
    """What beam search and draws share: rows at work, what they wrote, and what came out.

    Tensors are of rows at work. ``_logs`` (rows, beams) are log-probabilities by the network,
    ``_ranks`` those by the rules; minus infinity where a beam is none, or no longer at work.
    """

    def __init__(
        self, writers: _Writers, plan: Plan, rules: Sequence[Rule], rows: torch.Tensor
    ) -> None:
        self._writers, self._plan, self._rules, self._rows = writers, plan, rules, rows
        self._places = torch.arange(len(rows), device=rows.device)  # in the result
        self._written = rows.new_zeros(len(rows), 1, 0)
        self._logs = rows.new_zeros((len(rows), 1), dtype=torch.float32)
        self._ranks = self._logs
        self._found: Written = [[] for _ in rows]

    @property
    def is_done(self) -> bool:
        return not len(self._rows)

    def step(self) -> None:
        """Write one more token."""
        raise NotImplementedError

    def result(self) -> Written:
        """Return the best of each row; what is at work by now is cut off."""
        at_work = self._logs > -torch.inf
        self._keep(at_work, self._written, self._logs, self._ranks, self._written.shape[2])
        best = [sorted(texts, key=lambda one: -one.rank) for texts in self._found]
        return [texts[: self._plan.n_best] for texts in best]

    def _next(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return log-probabilities of the next token, and what they are by the rules.

        (rows, beams, n_tokens) each. Both may be one tensor: what no rule allows nobody chooses, so
        that its log-probability is not asked for.
        """
        last = self._written[:, :, -1] if self._written.shape[2] else self._rows[:, None] * _BEGIN
        logs, scores = self._writers.step(last)
        penalty = self._plan.repetition_penalty
        ruled = logs if penalty == 1 else less_repeated(scores, self._written, penalty)
        for rule in self._rules:
            ruled = rule(ruled, self._written, self._rows)
        return logs, ruled

    def _compared(self, ranks: torch.Tensor, length: int) -> torch.Tensor:
        return ranks / max(1, length) ** self._plan.length_penalty

    def _keep(
        self,
        which: torch.Tensor,
        texts: torch.Tensor,
        logs: torch.Tensor,
        ranks: torch.Tensor,
        length: int,
    ) -> None:
        """Keep the texts (rows, n, time) of the mask ``which`` (rows, n), of so many tokens."""
        places = self._places[which.nonzero()[:, 0]].tolist()
        compared = self._compared(ranks[which], length).tolist()
        for place, ids, log, rank in zip(
            places, texts[which].tolist(), logs[which].tolist(), compared, strict=True
        ):
            self._found[place].append(Hypothesis(tuple(ids), log, rank))

    def _go_on(
        self,
        beams: torch.Tensor,
        tokens: torch.Tensor,
        logs: torch.Tensor,
        ranks: torch.Tensor,
    ) -> None:
        """Let ``beams`` (rows, n) go on by ``tokens`` (rows, n)."""
        self._written = torch.cat([_of_beams(self._written, beams), tokens[:, :, None]], dim=2)
        self._logs, self._ranks = logs, ranks
        self._writers.select(None, beams)

    def _leave(self, done: torch.Tensor) -> None:
        """Have rows rest that are done; take them out once they are enough to be worth a copy."""
        self._logs = self._logs.masked_fill(done[:, None], -torch.inf)
        self._ranks = self._ranks.masked_fill(done[:, None], -torch.inf)
        if 4 * int(done.sum()) < len(done):
            return
        self._select((~done).nonzero()[:, 0])

    def _select(self, kept: torch.Tensor) -> None:
        self._rows, self._places = self._rows[kept], self._places[kept]
        self._written, self._logs = self._written[kept], self._logs[kept]
        self._ranks = self._ranks[kept]
        self._writers.select(kept, None)


class _Greedy(_Search):
    """The likeliest token each time: beam search with one beam, whose past never moves."""

    def step(self) -> None:
        logs, ruled = self._next()
        best, tokens = ruled.max(2)
        ranks = self._ranks + best
        sums = self._logs + logs.gather(2, tokens[:, :, None])[:, :, 0]
        ends = (tokens == _END) & (ranks > -torch.inf)
        never = ranks == -torch.inf
        any_done = bool((ends | never).any())
        if any_done:
            self._keep(ends, self._written, sums, ranks, self._written.shape[2] + 1)
        self._written = torch.cat([self._written, tokens[:, :, None]], dim=2)
        self._logs, self._ranks = sums, ranks
        if any_done:
            self._leave((ends | never)[:, 0])


class _Beams(_Search):
    """Beam search: the best texts at each length go on, until none can become better."""

    def __init__(
        self, writers: _Writers, plan: Plan, rules: Sequence[Rule], rows: torch.Tensor
    ) -> None:
        super().__init__(writers, plan, rules, rows)
        # What the best texts that ended are compared by: (rows, beams), the best first.
        self._ended = self._logs.new_full((len(rows), plan.n_beams), -torch.inf)

    def step(self) -> None:
        (logs, ruled), n_beams = self._next(), self._plan.n_beams
        ranks, n_tokens = self._ranks[:, :, None] + ruled, logs.shape[2]
        best, at = ranks.flatten(1).topk(min(2 * n_beams, ranks[0].numel()), dim=1)
        beams, tokens = at // n_tokens, at % n_tokens
        sums = (self._logs[:, :, None] + logs).flatten(1).gather(1, at)
        ends = tokens == _END
        self._end((ends & (best > -torch.inf))[:, :n_beams], beams, sums, best)
        # The first of those that do not end go on, in their order.
        order = ends.int().argsort(dim=1, stable=True)[:, :n_beams]
        best = best.masked_fill(ends, -torch.inf).gather(1, order)
        sums = sums.gather(1, order).masked_fill(best == -torch.inf, -torch.inf)
        self._go_on(beams.gather(1, order), tokens.gather(1, order), sums, best)
        self._leave(self._are_done())

    def _end(
        self, ends: torch.Tensor, beams: torch.Tensor, logs: torch.Tensor, ranks: torch.Tensor
    ) -> None:
        n, length = ends.shape[1], self._written.shape[2] + 1
        beams, logs, ranks = beams[:, :n], logs[:, :n], ranks[:, :n]
        self._keep(ends, _of_beams(self._written, beams), logs, ranks, length)
        compared = self._compared(ranks, length).masked_fill(~ends, -torch.inf)
        both = torch.cat([self._ended, compared], dim=1)
        self._ended = both.topk(self._plan.n_beams, dim=1).values

    def _are_done(self) -> torch.Tensor:
        """Return which rows have as many texts as beams, of which none at work beats the worst."""
        best = self._compared(self._ranks.amax(1), self._written.shape[2])
        full = (self._ended[:, -1] > -torch.inf) & (best <= self._ended[:, -1])
        return full | (best == -torch.inf)

    def _select(self, kept: torch.Tensor) -> None:
        super()._select(kept)
        self._ended = self._ended[kept]


class _Draws(_Search):
    """Texts that are drawn token by token, some of each row."""

    def __init__(
        self,
        writers: _Writers,
        plan: Plan,
        rules: Sequence[Rule],
        rows: torch.Tensor,
        keys: np.ndarray,
    ) -> None:
        super().__init__(writers, plan, rules, rows)
        self._keys = keys

    def step(self) -> None:
        plan, (logs, ruled) = self._plan, self._next()
        likely = keep_likely(ruled / plan.temperature, plan.top_k, plan.top_p)
        place, n_tokens = self._written.shape[2], logs.shape[2]
        drawn = noise(plan.seed, self._keys, place, plan.n_beams, n_tokens)
        tokens = (likely + drawn.to(likely)).argmax(2)  # the largest after Gumbel noise is a draw
        beams = torch.arange(plan.n_beams, device=logs.device).clamp(max=logs.shape[1] - 1)
        beams = beams.expand(len(logs), -1)  # in the first step all come from a single one
        sums = _of_beams(logs, beams).gather(2, tokens[:, :, None])[:, :, 0]
        sums = sums + self._logs.gather(1, beams)
        ends = (tokens == _END) & (sums > -torch.inf)
        texts, length = _of_beams(self._written, beams), self._written.shape[2] + 1
        self._keep(ends, texts, sums, sums, length)
        sums = sums.masked_fill(tokens == _END, -torch.inf)
        self._go_on(beams, tokens, sums, sums)
        self._leave((sums == -torch.inf).all(1))

    def _select(self, kept: torch.Tensor) -> None:
        super()._select(kept)
        self._keys = self._keys[kept.cpu().numpy()]


def _of_beams(values: torch.Tensor, beams: torch.Tensor) -> torch.Tensor:
    """Return of values (rows, beams, ...) those of ``beams`` (rows, n)."""
    return values[torch.arange(len(beams), device=beams.device)[:, None], beams]
