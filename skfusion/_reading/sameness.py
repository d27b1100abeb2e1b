"""Blocks that are like those of the fit, or an error that says how they differ."""

from __future__ import annotations

from collections.abc import Mapping

from skfusion.blocks import Blocks, BlockSpec
from skfusion.exceptions import BlockError

__all__ = ["check_same_blocks"]


def check_same_blocks(specs: Mapping[str, BlockSpec], blocks: Blocks) -> None:
    """Raise ``BlockError`` unless ``blocks`` are of the names, forms and shapes of ``specs``."""
    new = [name for name in blocks.names if name not in specs]
    gone = [name for name in specs if name not in blocks]
    if new or gone:
        parts = [f"new are {new}"] * bool(new) + [f"gone are {gone}"] * bool(gone)
        raise BlockError(
            f"X has other blocks than at fit: {'; '.join(parts)}. "
            f"Pass the blocks of the fit: {list(specs)}"
            + (', or use missing="allow" to predict without.' if gone else ".")
        )
    for name, spec in blocks.specs().items():
        _check_same_spec(specs[name], spec)


def _check_same_spec(fitted: BlockSpec, spec: BlockSpec) -> None:
    if (fitted.form, fitted.shape) != (spec.form, spec.shape):
        raise BlockError(
            f"block {spec.name!r} has rows of form {spec.form!r} and shape {spec.shape}, but at "
            f"fit they had form {fitted.form!r} and shape {fitted.shape}."
        )
    if spec.n_tokens is not None and spec.n_tokens > (fitted.n_tokens or 0):
        raise BlockError(
            f"block {spec.name!r} has token ids up to {spec.n_tokens - 1}, but the vocabulary at "
            f"fit had {fitted.n_tokens} ids. Use the Tokenizer that was fitted, or give "
            "Ragged(..., n_tokens=...) at fit."
        )
