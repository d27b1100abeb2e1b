"""The contract of heads as one call."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cached_property
from typing import cast

import torch
from torch import nn

from skfusion._tokens import Encoded, Tokens
from skfusion.exceptions import ParameterError
from skfusion.heads import Head, Writer
from skfusion.heads._base import build_head
from skfusion.targets import OutputSpec
from skfusion.testing._agreement import (
    assert_close,
    assert_finite,
    assert_gradients,
    assert_independent,
    assert_recipe_travels,
    assert_same_state,
    run_checks,
    seeded_build,
)

__all__ = ["check_head"]

_N_ROWS, _WIDTH, _N_TOKENS = 8, 6, 5
_OUTPUTS = (
    OutputSpec("value", (1,)),
    OutputSpec("value", (3,)),
    OutputSpec("classes", (1,), 2),
    OutputSpec("classes", (4,), 4),
    OutputSpec("labels", (3,), 3),
    OutputSpec("grid", (2, 3)),
    OutputSpec("tokens", (None,), 7),
)
_LENGTH = 4  # of the texts that a head that writes is told


def check_head(head: Head, output: OutputSpec | None = None) -> None:
    """Raise ``AssertionError`` unless ``head`` keeps the contract of heads.

    For all outputs that it builds: shapes; a gradient for every parameter; a row gives the same
    alone and in its batch; padding of tokens is not read; the same input gives the same output in
    evaluation mode; builds share nothing; weights and recipe travel; float64 works. A head that
    writes looks at no token that is yet to come, and gives step by step what it gives at once.

    Parameters
    ----------
    head : Head
        The recipe.
    output : OutputSpec, default=None
        What to build it for; None tries small ones of several forms, of which the head may refuse
        some by a ``ParameterError``.

    Raises
    ------
    AssertionError
        With the head, the outputs and what went wrong.

    Examples
    --------
    >>> from torch import nn
    >>> from skfusion.heads import Head, MLPHead
    >>> from skfusion.testing import check_head
    >>> check_head(MLPHead())
    >>> class Wrong(Head):
    ...     def build(self, width, output):
    ...         return nn.Sequential(nn.Linear(width, output.n_outputs), nn.Softmax(dim=0))
    >>> check_head(Wrong())
    Traceback (most recent call last):
        ...
    AssertionError: Wrong() for ...: a row gives another output alone than in its batch...
    """
    cases = [case for one in _tried(output) if (case := _Case(head, one)).is_built]
    assert cases, (
        f"{head!r} builds none of the outputs that it is tried for. Pass one that it builds as "
        "check_head(head, output=OutputSpec(...))."
    )
    for case in cases:
        run_checks(case, _CHECKS)
    assert_recipe_travels(head)


def _tried(output: OutputSpec | None) -> tuple[OutputSpec, ...]:
    return _OUTPUTS if output is None else (output,)


class _Case:
    """One head, built for one kind of outputs."""

    def __init__(self, head: Head, output: OutputSpec) -> None:
        self.head, self.output = head, output

    def __str__(self) -> str:
        return f"{self.head!r} for {self.output}"

    @property
    def is_built(self) -> bool:
        try:
            seeded_build(self.build)
        except ParameterError:
            return False
        return True

    def build(self) -> nn.Module:
        return build_head(self.head, _WIDTH, self.output)

    @cached_property
    def module(self) -> nn.Module:
        """One module for all checks that leave it as it is."""
        return seeded_build(self.build).eval()

    def fused(self, dtype: torch.dtype = torch.float32) -> Encoded:
        assert self.head.takes in ("vector", "tokens", "either"), (
            f'takes must be "vector", "tokens" or "either", not {self.head.takes!r}.'
        )
        generator = torch.Generator().manual_seed(0)
        values = torch.randn(_N_ROWS, _N_TOKENS, _WIDTH, generator=generator, dtype=dtype)
        if self.head.takes == "vector":
            return values[:, 0]
        lengths = 1 + torch.arange(_N_ROWS)[:, None] % _N_TOKENS
        return Tokens(values, torch.arange(_N_TOKENS) < lengths)

    def codes(self) -> torch.Tensor:
        """Texts that a head that writes is told: of two lengths, each with its end token."""
        generator = torch.Generator().manual_seed(1)
        n_tokens = self.output.n_classes or 1
        codes = torch.randint(2, n_tokens, (_N_ROWS, _LENGTH), generator=generator)
        codes[::2, 2], codes[::2, 3:], codes[1::2, 3] = 1, -100, 1
        return codes

    def call(
        self, module: nn.Module, fused: Encoded, codes: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return what the module makes of rows; one that writes is told ``codes`` too."""
        told = []
        if self.head.writes:
            told = [self.codes() if codes is None else codes]
        outputs: torch.Tensor = module(fused, *told)
        return outputs

    def run(self, module: nn.Module) -> torch.Tensor:
        return self.call(module, self.fused())


def _shapes(case: _Case) -> None:
    outputs = case.run(case.module)
    assert isinstance(outputs, torch.Tensor), f"a tensor expected, not {type(outputs).__name__}."
    assert outputs.shape[:1] == (_N_ROWS,), f"{_N_ROWS} rows in, {tuple(outputs.shape)} out."
    writes = case.head.writes
    shape = (_LENGTH, case.output.n_classes) if writes else case.output.shape
    sizes = zip(outputs.shape[1:], shape, strict=False)
    same = outputs.ndim == 1 + len(shape) and all(size in (found, None) for found, size in sizes)
    expected = "(batch, length, n_tokens)" if writes else f"(batch, *{shape})"
    assert same, f"{expected} expected, not {tuple(outputs.shape)}."
    assert outputs.dtype == torch.float32, f"float32 in, {outputs.dtype} out."
    assert_finite(outputs, "the output")


def _gradients(case: _Case) -> None:
    assert_gradients(case.module, case.run(case.module))


def _rows_alone(case: _Case) -> None:
    together, fused = case.run(case.module), case.fused()
    for row in range(_N_ROWS):
        codes = case.codes()[[row]] if case.head.writes else None
        alone = case.call(case.module, _row_of(fused, row), codes)
        assert_close(alone[0], together[row], "a row gives another output alone than in its batch")


def _padding(case: _Case) -> None:
    fused = case.fused()
    if not isinstance(fused, tuple) or fused.mask is None:
        return
    hidden = Tokens(torch.where(fused.mask[:, :, None], fused.values, 100.0), fused.mask)
    message = "values behind the end of a row are read"
    assert_close(case.call(case.module, hidden), case.call(case.module, fused), message)


def _deterministic(case: _Case) -> None:
    one, other = case.run(case.module), case.run(case.module)
    assert torch.equal(one, other), "two calls in evaluation mode differ."


def _independent(case: _Case) -> None:
    assert_independent(seeded_build(case.build), seeded_build(case.build))


def _state(case: _Case) -> None:
    assert_same_state(case.build, case.run)


def _double(case: _Case) -> None:
    outputs = case.call(copy.deepcopy(case.module).double(), case.fused(torch.float64))
    assert outputs.dtype == torch.float64, f"float64 in, {outputs.dtype} out."
    assert_finite(outputs, "the output in float64")


def _future(case: _Case) -> None:
    if not case.head.writes:
        return
    other = case.codes()
    other[:, -1] = 2
    other[:, -2] = 3
    told, otherwise = case.run(case.module), case.call(case.module, case.fused(), other)
    n_same = _LENGTH - 1  # at each place the tokens before it are told
    assert_close(otherwise[:, :n_same], told[:, :n_same], "tokens that are yet to come are read")


def _steps(case: _Case) -> None:
    if not case.head.writes:
        return
    writer, whole, codes = cast(Writer, case.module), case.run(case.module), case.codes()
    state, ids = writer.begin(case.fused()), torch.zeros(_N_ROWS, 1, dtype=torch.int64)
    for place in range(_LENGTH):
        scores, state = writer.step(ids, state)
        there = codes[:, place] >= 0
        message = "scores differ step by step from those at once"
        assert_close(scores[there, 0], whole[there, place], message)
        ids = codes[:, [place]].clamp(min=0)


_CHECKS: tuple[Callable[[_Case], None], ...] = (
    _shapes,
    _gradients,
    _rows_alone,
    _padding,
    _deterministic,
    _independent,
    _state,
    _double,
    _future,
    _steps,
)


def _row_of(fused: Encoded, row: int) -> Encoded:
    if isinstance(fused, tuple):
        values, mask = fused
        return Tokens(values[[row]], None if mask is None else mask[[row]])
    return fused[[row]]
