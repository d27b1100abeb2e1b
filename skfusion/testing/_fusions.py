"""The contract of fusions as one call."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from itertools import permutations
from typing import cast

import numpy as np
import torch
from torch import nn

from skfusion._batch import Batch, make_batch
from skfusion._module import ModulePlan
from skfusion._tokens import Encoded, Tokens, as_vector
from skfusion.blocks import Blocks
from skfusion.encoders import MLP
from skfusion.fusion import Fusion
from skfusion.fusion._base import GivesTokens
from skfusion.fusion._build import build_fusion
from skfusion.heads import LinearHead
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

__all__ = ["check_fusion"]

_NAMES = ("text", "photo", "facts", "voice", "clip")
_WIDTHS = (4, 6, 3, 5, 4)
_N_ROWS, _N_OUTPUTS = 8, 3
_OUTPUT = OutputSpec("value", (_N_OUTPUTS,))


def check_fusion(fusion: Fusion, n_blocks: Sequence[int] = (1, 2, 3, 5)) -> None:
    """Raise ``AssertionError`` unless ``fusion`` keeps the contract of fusions.

    For each number of blocks: shapes; a gradient for every parameter; a batch gives what its rows
    give one by one, with rows that lack blocks (or all of them) among them; a row that has
    everything gives the same next to rows that do not; values of absent blocks are never read;
    blocks may come in any order; the same input gives the same output in evaluation mode; builds
    share nothing; weights and recipe travel; float64 works.

    Parameters
    ----------
    fusion : Fusion
        The recipe.
    n_blocks : sequence of int, default=(1, 2, 3, 5)
        Numbers of blocks to try, at most 5. Blocks are called "text", "photo", "facts", "voice"
        and "clip", in this order.

    Raises
    ------
    AssertionError
        With the fusion, the number of blocks and what went wrong.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> from skfusion.fusion import Concat, Fusion
    >>> from skfusion.testing import check_fusion
    >>> check_fusion(Concat())
    >>> class Wrong(Fusion):
    ...     def build(self, widths):
    ...         return WrongModule(widths)
    >>> class WrongModule(nn.Module):
    ...     def __init__(self, widths):
    ...         super().__init__()
    ...         self.weights = [nn.Parameter(torch.ones(width)) for width in widths.values()]
    ...
    ...     def forward(self, encoded, present):
    ...         return torch.cat([v - v.mean(0) for v in encoded.values()], dim=1)
    >>> check_fusion(Wrong())
    Traceback (most recent call last):
        ...
    AssertionError: Wrong() on ...: a row gives another output alone than in its batch...
    """
    for n in n_blocks:
        case = _Case(fusion, n)
        run_checks(case, _CHECKS)
    assert_recipe_travels(fusion)


class _Case:
    """One fusion on some blocks."""

    def __init__(self, fusion: Fusion, n_blocks: int) -> None:
        self.fusion, self.n_blocks = fusion, n_blocks
        self.widths = dict(zip(_NAMES[:n_blocks], _WIDTHS, strict=False))

    def __str__(self) -> str:
        return f"{self.fusion!r} on {self.n_blocks} blocks"

    def build(self) -> nn.Module:
        return build_fusion(self.fusion, self.widths, _N_OUTPUTS)

    @cached_property
    def module(self) -> nn.Module:
        """One module for all checks that leave it as it is."""
        return seeded_build(self.build).eval()

    def encoded(self, dtype: torch.dtype = torch.float32) -> dict[str, Encoded]:
        return _encoded(self.widths, self.fusion.takes == "tokens", dtype)

    def present(self) -> torch.Tensor:
        """The first row has every block, the last has none, the others lack some."""
        return (
            _rng_tensor(_N_ROWS, self.n_blocks)
            .gt(0)
            .index_put((torch.tensor([0, _N_ROWS - 1]),), torch.tensor([[True], [False]]))
        )

    def run(self, module: nn.Module) -> torch.Tensor:
        return module(self.encoded(), None)


def _shapes(case: _Case) -> None:
    module = case.module
    for present in (None, case.present()):
        output = module(case.encoded(), present)
        assert isinstance(output, torch.Tensor), f"a tensor expected, not {type(output).__name__}."
        assert output.ndim == 2, f"(batch, width) expected, not {tuple(output.shape)}."
        assert len(output) == _N_ROWS, f"{_N_ROWS} rows in, {len(output)} out."
        assert output.dtype == torch.float32, f"float32 in, {output.dtype} out."
        assert_finite(output, "the output")
        assert not case.fusion.decides or output.shape[1] == _N_OUTPUTS, (
            "one column per output expected."
        )


def _gradients(case: _Case) -> None:
    """Of a single block there may be nothing to weigh, so that some gradients are zero."""
    for present in (None, case.present()):
        module = case.module
        assert_gradients(module, module(case.encoded(), present), case.n_blocks == 1)


def _rows_alone(case: _Case) -> None:
    module, encoded = case.module, case.encoded()
    for present in (None, case.present()):
        together = module(encoded, present)
        for row in range(_N_ROWS):
            its_own = None if present is None else present[[row]]
            alone = module(_row_of(encoded, row), its_own)
            message = "a row gives another output alone than in its batch"
            assert_close(alone[0], together[row], message)


def _nothing_missing(case: _Case) -> None:
    module, encoded = case.module, case.encoded()
    everywhere = torch.ones(_N_ROWS, case.n_blocks, dtype=torch.bool)
    message = "present=None and all present give different outputs"
    assert_close(module(encoded, everywhere), module(encoded, None), message)


def _padding(case: _Case) -> None:
    encoded, module = case.encoded(), case.module
    if case.fusion.takes != "tokens":
        return
    hidden = {name: _garbled(*pair) for name, pair in encoded.items()}
    message = "values behind the end of a row are read"
    assert_close(module(hidden, None), module(encoded, None), message)


def _fused_tokens(case: _Case) -> None:
    """What a head is given that takes the fused tokens."""
    if "tokens" not in case.fusion.gives:
        return
    module, encoded = cast(GivesTokens, case.module), case.encoded()
    for present in (None, case.present()):
        tokens, mask = module.tokens(encoded, present)
        assert tokens.ndim == 3, f"(batch, tokens, width) expected, not {tuple(tokens.shape)}."
        assert len(tokens) == _N_ROWS, f"{_N_ROWS} rows in, {len(tokens)} out."
        assert mask is None or mask.shape == tokens.shape[:2], (
            "the mask of the fused tokens must be (batch, tokens)."
        )
        together = as_vector(Tokens(tokens, mask))
        assert_finite(together, "the fused tokens")
        for row in range(_N_ROWS):
            its_own = None if present is None else present[[row]]
            alone = as_vector(Tokens(*module.tokens(_row_of(encoded, row), its_own)))
            message = "a row gives other fused tokens alone than in its batch"
            assert_close(alone[0], together[row], message)


def _absent_values(case: _Case) -> None:
    """In the whole network, whatever stands where a block is missing changes nothing."""
    network = seeded_build(_plan(case)).eval()
    zeros, numbers = (_with_absent(case, fill) for fill in (0.0, np.nan))
    outputs = network(zeros)
    assert_finite(outputs, "the output of rows that lack blocks")
    message = "the values of absent blocks are read"
    assert_close(network(numbers), outputs, message)


def _orders(case: _Case) -> None:
    for names in list(permutations(case.widths))[1:4]:
        widths = {name: case.widths[name] for name in names}
        encoded = case.encoded()
        module = seeded_build(partial(build_fusion, case.fusion, widths, _N_OUTPUTS)).eval()
        output = module({name: encoded[name] for name in names}, case.present())
        assert len(output) == _N_ROWS, f"blocks in the order {names}: {len(output)} rows out."
        assert_finite(output, f"the output of blocks in the order {names}")


def _deterministic(case: _Case) -> None:
    module = case.module
    assert torch.equal(case.run(module), case.run(module)), "two calls in evaluation mode differ."


def _independent(case: _Case) -> None:
    assert_independent(seeded_build(case.build), seeded_build(case.build))


def _state(case: _Case) -> None:
    assert_same_state(case.build, case.run)


def _double(case: _Case) -> None:
    output = copy.deepcopy(case.module).double()(case.encoded(torch.float64), case.present())
    assert output.dtype == torch.float64, f"float64 in, {output.dtype} out."
    assert_finite(output, "the output in float64")


_CHECKS: tuple[Callable[[_Case], None], ...] = (
    _shapes,
    _gradients,
    _rows_alone,
    _nothing_missing,
    _padding,
    _fused_tokens,
    _absent_values,
    _orders,
    _deterministic,
    _independent,
    _state,
    _double,
)


def _plan(case: _Case) -> ModulePlan:
    specs = _blocks(case, 0.0).specs()
    encoders = {
        name: case.fusion.encoder_for(spec) or MLP(_WIDTHS[i])
        for i, (name, spec) in enumerate(specs.items())
    }
    return ModulePlan(specs, encoders, case.fusion, LinearHead(), _OUTPUT, torch.float32)


def _blocks(case: _Case, fill: float) -> Blocks:
    """Vectors, with ``fill`` where a block is missing."""
    rng, present = np.random.default_rng(1), case.present().numpy()
    values, missing = {}, {}
    for i, name in enumerate(case.widths):
        missing[name] = ~present[:, i]
        values[name] = rng.normal(size=(_N_ROWS, 4)).astype(np.float32)
        values[name][missing[name]] = fill
    return Blocks(values, missing)


def _with_absent(case: _Case, fill: float) -> Batch:
    return make_batch(_blocks(case, fill), torch.float32, torch.device("cpu"))


def _encoded(widths: dict[str, int], as_tokens: bool, dtype: torch.dtype) -> dict[str, Encoded]:
    if not as_tokens:
        return {name: _rng_tensor(_N_ROWS, width, dtype=dtype) for name, width in widths.items()}
    encoded: dict[str, Encoded] = {}
    for i, (name, width) in enumerate(widths.items()):
        n_tokens = 3 + i % 3
        tokens = _rng_tensor(_N_ROWS, n_tokens, width, dtype=dtype)
        lengths = torch.arange(_N_ROWS)[:, None] % (n_tokens + 1)
        # Every second block is ragged; the first row of it has no token at all.
        encoded[name] = Tokens(tokens, torch.arange(n_tokens) < lengths if i % 2 else None)
    return encoded


def _row_of(encoded: dict[str, Encoded], row: int) -> dict[str, Encoded]:
    return {name: _cut(value, row) for name, value in encoded.items()}


def _cut(encoded: Encoded, row: int) -> Encoded:
    if not isinstance(encoded, Tokens):
        return encoded[[row]]
    values, mask = encoded
    return Tokens(values[[row]], None if mask is None else mask[[row]])


def _garbled(tokens: torch.Tensor, mask: torch.Tensor | None) -> Tokens:
    """Return the same tokens with other numbers where the mask says there are none."""
    if mask is None:
        return Tokens(tokens)
    return Tokens(torch.where(mask[:, :, None], tokens, 100.0), mask)


def _rng_tensor(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """Return normal numbers, the same for the same shape."""
    return torch.from_numpy(np.random.default_rng(len(shape)).normal(size=shape)).to(dtype)
