"""What must hold of blocks: valid names, real numbers, one row count, masks of that length."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from skfusion._checks import did_you_mean
from skfusion.exceptions import BlockError, BlockTypeError

__all__ = [
    "MAX_TOKENS",
    "check_block_name",
    "check_blocks_exist",
    "check_mask",
    "check_n_tokens",
    "check_numeric",
    "common_length",
]

MAX_TOKENS = 2**27
_SHOWN = 20


def check_block_name(name: object) -> str:
    """Return ``name`` if it can name a block: a string without dots and double underscores.

    Examples
    --------
    >>> from skfusion.blocks._agreement import check_block_name
    >>> check_block_name("photo")
    'photo'
    """
    if not isinstance(name, str) or not name or "__" in name or "." in name:
        raise BlockError(
            f"a block's name must be a non-empty string without '__' and '.'. Got {name!r}. "
            "The name is part of parameter names such as photo__channels; rename the block."
        )
    if name != name.strip("_"):
        raise BlockError(
            f"a block's name must not begin or end with an underscore. Got {name!r}. "
            f"Call it {name.strip('_') or 'block'!r}."
        )
    return name


def common_length(lengths: dict[str, int]) -> int:
    """Return the number of rows that all blocks have."""
    if not lengths:
        raise BlockError("Blocks needs at least one block. Got none.")
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{name!r} has {length}" for name, length in lengths.items())
        raise BlockError(
            f"all blocks must have the same number of rows: {counts}. "
            "Give each row every block, and mark what is absent in missing={name: mask}."
        )
    return next(iter(lengths.values()))


def check_blocks_exist(
    named: Iterable[str], blocks: Iterable[str], columns: Iterable[object] = ()
) -> None:
    """Raise ``BlockError`` for an encoder of a block that there is not.

    ``columns`` are those of a table for which an encoder might be named as well.
    """
    known = [*blocks]
    others = [column for column in columns if isinstance(column, str) and column not in known]
    for name in named:
        if name not in known:
            of_table = f", the columns {_shown(others)}" if others else ""
            raise BlockError(
                f"encoders names a block {name!r} that does not exist; the blocks are "
                f"{_shown(known)}{of_table}. {did_you_mean(name, [*known, *others])}".rstrip()
            )


def _shown(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more


def check_mask(name: str, mask: object, blocks: Collection[str], n: int) -> np.ndarray:
    """Return ``mask`` if it is a mask of ``n`` rows for one of the ``blocks``."""
    if name not in blocks:
        raise BlockError(
            f"missing names a block {name!r} that does not exist; "
            f"the blocks are {', '.join(map(repr, blocks))}."
        )
    mask = np.asarray(mask)
    if mask.dtype != bool or mask.shape != (n,):
        raise BlockError(
            f"the missing mask of block {name!r} must be boolean of shape ({n},). "
            f"Got dtype {mask.dtype}, shape {mask.shape}."
        )
    return mask


def check_n_tokens(name: str, n_tokens: int) -> int:
    """Return ``n_tokens`` if weights for so many ids fit in a memory.

    Asked before anything is made of it: ids of a hash or a data base run to billions.
    """
    if not 0 < n_tokens <= MAX_TOKENS:
        raise BlockError(
            f"block {name!r} has token ids up to {n_tokens - 1}, and a network keeps weights for "
            f"each id from 0 on, at most {MAX_TOKENS:,}. Number the tokens 0, 1, 2, ..., as "
            "Tokenizer does, or np.unique(ids, return_inverse=True)."
        )
    return n_tokens


def check_numeric(name: str, block: Any) -> Any:
    """Return ``block`` if it holds real numbers or booleans."""
    dtype = np.dtype(block.dtype)
    if dtype.kind not in "fiub":
        raise BlockTypeError(
            f"block {name!r} has dtype {dtype}, which no network takes. Blocks are real numbers; "
            "use BlockUnion to turn text, dates or categories into numbers."
        )
    return block
