"""What an encoder may know about its block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from scipy.sparse import csr_array

from skfusion.blocks._agreement import check_numeric
from skfusion.blocks._kinds import Block, is_csr
from skfusion.blocks._lookup import Lookup
from skfusion.blocks._ragged import Ragged
from skfusion.exceptions import BlockError

__all__ = ["FORMS", "BlockSpec", "form_of", "spec_of"]

FORMS = ("csr", "vector", "tokens", "sequence", "image", "video", "waveform")

_DENSE = {2: "vector", 3: "sequence", 4: "image", 5: "video"}
_RAGGED = {3: "sequence", 5: "video"}


@dataclass(frozen=True)
class BlockSpec:
    """Name, form and shape of a block: all that an encoder may know before it sees a row.

    Parameters
    ----------
    name : str
        Name of the block.
    form : {"csr", "vector", "tokens", "sequence", "image", "video", "waveform"}
        Kind of data.
    shape : tuple of int or None
        Shape of one row; None stands for a length that differs from row to row.
    dtype : numpy.dtype
        Type of the values as they arrive.
    n_tokens : int or None, default=None
        Number of different ids, for tokens.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.blocks import Blocks
    >>> Blocks({"photo": np.zeros((5, 8, 8, 3), np.uint8)}).specs()["photo"]
    BlockSpec(name='photo', form='image', shape=(8, 8, 3), dtype=dtype('uint8'), n_tokens=None)
    """

    name: str
    form: str
    shape: tuple[int | None, ...]
    dtype: np.dtype
    n_tokens: int | None = None

    @property
    def ragged(self) -> bool:
        """Whether rows differ in length."""
        return None in self.shape

    def empty(self, n_rows: int) -> Block:
        """Return a block of ``n_rows`` rows of this kind that holds nothing and costs nothing.

        Examples
        --------
        >>> import numpy as np
        >>> from skfusion.blocks import BlockSpec
        >>> BlockSpec("photo", "image", (8, 8, 3), np.dtype("uint8")).empty(100).shape
        (100, 8, 8, 3)
        """
        if self.form == "csr":
            return csr_array((n_rows, int(self.shape[0] or 0)), dtype=self.dtype)
        sizes = [0 if size is None else size for size in self.shape]
        if not self.ragged:
            return np.broadcast_to(np.zeros(1, self.dtype), (n_rows, *sizes))
        values = np.zeros((0, *sizes[1:]), self.dtype)
        return Ragged(values, np.zeros(n_rows + 1, np.int64), self.n_tokens)


def form_of(block: Block, name: str = "block") -> str:
    """Return the form of ``block``, that of its things where it is a ``Lookup``.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.blocks._spec import form_of
    >>> form_of(np.zeros((2, 8, 8, 3)))
    'image'
    """
    if isinstance(block, Lookup):
        return form_of(block.table, name)
    if is_csr(block):
        return "csr"
    if isinstance(block, Ragged):
        return _ragged_form(block, name)
    if block.ndim not in _DENSE:
        raise BlockError(
            f"block {name!r} has {block.ndim} axes, shape {block.shape}. A block has 2 (vectors), "
            "3 (sequences), 4 (images) or 5 (videos). Reshape your data: a single feature is "
            "x.reshape(-1, 1), grey images are x[..., None]."
        )
    return _DENSE[block.ndim]


def _ragged_form(block: Ragged, name: str) -> str:
    if block.ndim == 2:
        return "tokens" if np.issubdtype(block.dtype, np.integer) else "waveform"
    if block.ndim not in _RAGGED:
        raise BlockError(
            f"block {name!r} is ragged with items of shape {block.values.shape[1:]}. Items are "
            "numbers (tokens, waveforms), vectors (sequences) or frames (height, width, channels)."
        )
    return _RAGGED[block.ndim]


def spec_of(name: str, block: Block) -> BlockSpec:
    """Return the ``BlockSpec`` of ``block``; of the things in a ``Lookup``.

    Examples
    --------
    >>> from skfusion.blocks import Ragged, spec_of
    >>> spec_of("words", Ragged.from_rows([[4, 1], [2]])).n_tokens
    5
    """
    block = block.table if isinstance(block, Lookup) else block
    form = form_of(block, name)
    shape = tuple(block.shape[1:])
    n_tokens = _count_tokens(name, cast(Ragged, block)) if form == "tokens" else None
    return BlockSpec(name, form, shape, _native(check_numeric(name, block).dtype), n_tokens)


def _native(dtype: np.dtype) -> np.dtype:
    """Return the dtype that a network knows: of this machine's order of bytes, at most 64 bits."""
    native = np.dtype(dtype).newbyteorder("=")
    return np.dtype(np.float64) if native == np.longdouble else native


def _count_tokens(name: str, block: Ragged) -> int:
    values = block.values[block.offsets[0] : block.offsets[-1]]
    low, high = values.min(initial=0), values.max(initial=0)
    n_tokens = block.n_tokens if block.n_tokens is not None else int(high) + 1
    if low < 0 or high >= n_tokens:
        wrong = low if low < 0 else high
        position = block.offsets[0] + np.argmax(values == wrong)
        row = int(np.searchsorted(block.offsets, position, side="right")) - 1
        raise BlockError(
            f"block {name!r}, row {row}: token id {wrong} is outside the vocabulary of {n_tokens} "
            f"ids (0 to {n_tokens - 1}). Map unknown tokens to an id of their own."
        )
    return n_tokens
