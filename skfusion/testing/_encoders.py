"""The contract of encoders as one call."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TypeAlias

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import nn
from torch.nn import functional as F

from skfusion._batch import Input, Padded, make_batch
from skfusion._tokens import Encoded
from skfusion.blocks import Block, Blocks, Ragged, spec_of
from skfusion.blocks._kinds import is_csr
from skfusion.blocks._rows import as_block
from skfusion.encoders import Encoder
from skfusion.encoders._measure import encode
from skfusion.exceptions import BlockError
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
from skfusion.testing._samples import samples

__all__ = ["check_encoder"]

_CPU = torch.device("cpu")


Rows: TypeAlias = slice | list[int]


def check_encoder(encoder: Encoder, block: Block | None = None) -> None:
    """Raise ``AssertionError`` unless ``encoder`` keeps the contract of encoders.

    On every form that it takes: shapes; a gradient for every parameter; a batch gives what its
    rows give one by one, whatever padding they bring; the same input gives the same output in
    evaluation mode; builds share nothing; weights and recipe travel; tokens without pooling;
    rows without content give finite numbers; float64 works.

    Parameters
    ----------
    encoder : Encoder
        The recipe.
    block : array, csr matrix or Ragged of at least 2 rows, default=None
        Rows to prove it on, for an encoder that needs a certain shape; None takes small ones of
        each form in ``encoder.takes``.

    Raises
    ------
    AssertionError
        With the encoder, the kind of rows and what went wrong.

    Examples
    --------
    >>> from torch import nn
    >>> from skfusion.encoders import MLP, Encoder
    >>> from skfusion.testing import check_encoder
    >>> check_encoder(MLP(widths=(8, 4)))
    >>> class Wrong(Encoder):
    ...     takes = ("vector",)
    ...
    ...     def build(self, spec, pooled=True):
    ...         return nn.Softmax(dim=0)  # over the rows instead of the columns
    >>> check_encoder(Wrong())
    Traceback (most recent call last):
        ...
    AssertionError: Wrong() on ...: a row gives another output alone than in its batch...
    """
    blocks = samples(encoder.takes) if block is None else {"your block": as_block("block", block)}
    cases = [case for label, rows in blocks.items() for case in _cases(encoder, label, rows)]
    assert cases, (
        f"{encoder!r} takes none of the rows that it is tried on. Pass rows that it takes as "
        "check_encoder(encoder, block=...)."
    )
    for case in cases:
        run_checks(case, _CHECKS)
    assert_recipe_travels(encoder)


class _Case:
    """One encoder on one kind of rows, pooled or not."""

    def __init__(self, encoder: Encoder, label: str, block: Block, pooled: bool) -> None:
        self.encoder, self.label, self.block, self.pooled = encoder, label, block, pooled
        self.spec = spec_of("block", block)

    def __str__(self) -> str:
        return f"{self.encoder!r} on {self.label}{'' if self.pooled else ', not pooled'}"

    def build(self) -> nn.Module:
        return self.encoder.build(self.spec, pooled=self.pooled)

    @cached_property
    def module(self) -> nn.Module:
        """One module for all checks that leave it as it is."""
        return seeded_build(self.build).eval()

    def inputs(self, rows: Rows = slice(None), dtype: torch.dtype = torch.float32) -> Input:
        return _inputs(self.block, rows, dtype)


def _cases(encoder: Encoder, label: str, block: Block) -> Iterator[_Case]:
    """An encoder may say by a ``BlockError`` that it does not take some rows of a form."""
    try:
        seeded_build(lambda: encoder.build(spec_of("block", block)))
    except BlockError:
        return
    yield _Case(encoder, label, block, pooled=True)
    yield _Case(encoder, label, block, pooled=False)


def _shapes(case: _Case) -> None:
    output = encode(case.module, case.inputs())
    encoded, mask = _parts(output)
    n_rows = _n_rows(case.block)
    assert encoded.ndim == 2 or not case.pooled, f"pooled, but the shape is {tuple(encoded.shape)}."
    assert encoded.ndim in (2, 3), f"(batch, width) or tokens expected, not {tuple(encoded.shape)}."
    assert len(encoded) == n_rows, f"{n_rows} rows in, {len(encoded)} out."
    assert encoded.dtype == torch.float32, f"float32 in, {encoded.dtype} out."
    if mask is not None:
        shapes = f"mask {tuple(mask.shape)} of tokens {tuple(encoded.shape)}"
        assert mask.shape == encoded.shape[:2], f"{shapes}: (batch, tokens) expected."
        assert mask.dtype == torch.bool, f"the mask must be bool, not {mask.dtype}."
    assert_finite(_data(output), "the output")


def _gradients(case: _Case) -> None:
    module = case.module
    assert_gradients(module, _data(encode(module, case.inputs())))


def _rows_alone(case: _Case) -> None:
    module = case.module
    together = _by_row(encode(module, case.inputs()))
    for row, expected in enumerate(together):
        alone = _by_row(encode(module, case.inputs([row])))[0]
        assert_close(alone, expected, "a row gives another output alone than in its batch")


def _padding(case: _Case) -> None:
    inputs = case.inputs()
    if not isinstance(inputs, Padded):
        return
    module = case.module
    longer = Padded(_pad(inputs.values), F.pad(inputs.mask, (0, 3)))
    before, after = encode(module, inputs), encode(module, longer)
    for expected, found in zip(_by_row(before), _by_row(after), strict=True):
        assert_close(found, expected, "more padding behind the rows changes the output")


def _deterministic(case: _Case) -> None:
    module, inputs = case.module, case.inputs()
    first, second = _data(encode(module, inputs)), _data(encode(module, inputs))
    assert torch.equal(first, second), "two calls in evaluation mode differ."


def _independent(case: _Case) -> None:
    assert_independent(seeded_build(case.build), seeded_build(case.build))


def _state(case: _Case) -> None:
    assert_same_state(case.build, lambda module: _data(encode(module, case.inputs())))


def _empty_rows(case: _Case) -> None:
    block = _with_empty_row(case.block)
    if block is None:
        return
    module = case.module
    for rows, what in ((slice(None), "a batch with an empty row"), ([0], "an empty row alone")):
        output = _data(encode(module, _inputs(block, rows, torch.float32)))
        assert_finite(output, f"the output of {what}")
    encoded = encode(module, _inputs(block, slice(None), torch.float32))
    assert_gradients(module, _data(encoded))


def _double(case: _Case) -> None:
    output = _data(encode(copy.deepcopy(case.module).double(), case.inputs(dtype=torch.float64)))
    assert output.dtype == torch.float64, f"float64 in, {output.dtype} out."
    assert_finite(output, "the output in float64")


def _frozen(case: _Case) -> None:
    module, inputs = case.module, case.inputs()
    if not getattr(module, "frozen", False):
        return
    trained = [name for name, value in module.named_parameters() if value.requires_grad]
    assert not trained, f"frozen, but {trained[0]} is trained."
    before = _data(encode(module, inputs))
    after = _data(encode(copy.deepcopy(module).train(), inputs))
    assert torch.equal(before, after), "frozen, but in training mode it gives another output."


_CHECKS: tuple[Callable[[_Case], None], ...] = (
    _shapes,
    _gradients,
    _rows_alone,
    _padding,
    _deterministic,
    _independent,
    _state,
    _empty_rows,
    _double,
    _frozen,
)


def _inputs(block: Block, rows: Rows, dtype: torch.dtype) -> Input:
    return make_batch(Blocks({"block": block})[rows], dtype, _CPU).inputs["block"]


def _parts(output: Encoded) -> tuple[torch.Tensor, torch.Tensor | None]:
    tokens, mask = output if isinstance(output, tuple) else (output, None)
    assert isinstance(tokens, torch.Tensor), f"a tensor expected, not {type(tokens).__name__}."
    return tokens, mask


def _by_row(output: Encoded) -> list[torch.Tensor]:
    """Return per row its vector, or those of its tokens that are data."""
    tokens, mask = _parts(output)
    if mask is None:
        return list(tokens)
    return [row[kept] for row, kept in zip(tokens, mask, strict=True)]


def _data(output: Encoded) -> torch.Tensor:
    tokens, mask = _parts(output)
    return tokens if mask is None else tokens[mask]


def _pad(values: torch.Tensor) -> torch.Tensor:
    return F.pad(values, (0, 0) * (values.ndim - 2) + (0, 3))


def _n_rows(block: Block) -> int:
    return len(block) if not is_csr(block) else int(block.shape[0])


def _with_empty_row(block: Block) -> Block | None:
    """Return ``block`` with a row without content in front, None if its form has none."""
    if isinstance(block, Ragged):
        offsets = np.concatenate([block.offsets[:1], block.offsets])
        return Ragged(block.values, offsets, block.n_tokens)
    if is_csr(block):
        dense = np.concatenate([np.zeros((1, block.shape[1]), block.dtype), block.toarray()])
        return csr_array(dense)
    return None
