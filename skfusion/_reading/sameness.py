"""Blocks that are like those of the fit, or an error that says how they differ."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from skfusion.blocks import Block, Blocks, BlockSpec, Lookup, Ragged
from skfusion.blocks._dense import are_whole
from skfusion.blocks._same_form import check_same_form
from skfusion.exceptions import BlockError

__all__ = ["check_same_blocks", "in_fitted_form"]


def in_fitted_form(blocks: Blocks, fitted: Mapping[str, BlockSpec]) -> Blocks:
    """Return ``blocks`` with ids as ids and waves as waves, whatever their dtype."""
    changed = {}
    for name in blocks.names:
        if name in fitted and fitted[name].ragged:
            block = blocks[name]
            read = _in_form(block, fitted[name].form)
            if read is not block:
                changed[name] = read
    return blocks.assign(changed) if changed else blocks


def _in_form(block: Block, form: str) -> Block:
    if isinstance(block, Lookup):
        return block.with_table(_in_form(block.table, form))
    if isinstance(block, Ragged) and block.ndim == 2:
        if form == "waveform" and block.dtype.kind in "iu":
            return Ragged(block.values.astype(np.float32), block.offsets)
        if form == "tokens" and block.dtype.kind == "f" and are_whole(block.values):
            return Ragged(block.values.astype(np.int64), block.offsets)
    return block


def check_same_blocks(fitted: Mapping[str, BlockSpec], specs: Mapping[str, BlockSpec]) -> None:
    """Raise ``BlockError`` unless names, forms and shapes are those of the fit."""
    if specs.keys() != fitted.keys():
        new = [name for name in specs if name not in fitted]
        gone = [name for name in fitted if name not in specs]
        parts = [f"new are {new}"] * bool(new) + [f"gone are {gone}"] * bool(gone)
        raise BlockError(
            f"X has other blocks than at fit: {'; '.join(parts)}. "
            f"Pass the blocks of the fit: {list(fitted)}"
            + (', or use missing="allow" to predict without.' if gone else ".")
        )
    for name, spec in specs.items():
        _check_same_spec(fitted[name], spec)


def _check_same_spec(fitted: BlockSpec, spec: BlockSpec) -> None:
    check_same_form(fitted, spec)
    if spec.n_tokens is not None and spec.n_tokens > (fitted.n_tokens or 0):
        raise BlockError(
            f"block {spec.name!r} has token ids up to {spec.n_tokens - 1}, but the vocabulary at "
            f"fit had {fitted.n_tokens} ids. Use the Tokenizer that was fitted, or give "
            "Ragged(..., n_tokens=...) at fit."
        )
