"""What a head promises that writes token by token."""

from __future__ import annotations

from typing import Protocol, TypeAlias

import torch
from torch.nn import functional as F

from skfusion._tokens import Encoded, masked_mean
from skfusion.exceptions import ParameterError
from skfusion.targets import OutputSpec

__all__ = ["Memory", "Writer", "WriterState", "mean_of", "memory_of", "n_tokens_of", "shifted"]

_BEGIN, _END = 0, 1
# Tokens (batch, n, width) that a writer looks at, and which are data; None where all are.
Memory: TypeAlias = tuple[torch.Tensor, "torch.Tensor | None"]


class WriterState(Protocol):
    """What a writer keeps from token to token: of each row what it reads, of each beam the past.

    Examples
    --------
    >>> import torch
    >>> from skfusion.heads import GRUDecoder
    >>> from skfusion.targets import OutputSpec
    >>> writer = GRUDecoder(width=8).build(4, OutputSpec("tokens", (None,), n_classes=30))
    >>> state = writer.begin(torch.zeros(3, 4)).select(torch.tensor([0, 2]), None)
    >>> scores, state = writer.step(torch.zeros(2, 1, dtype=torch.int64), state)
    >>> scores.shape
    torch.Size([2, 1, 30])
    """

    def select(self, rows: torch.Tensor | None, beams: torch.Tensor | None) -> WriterState:
        """Return the state of some rows, and there of some beams.

        Parameters
        ----------
        rows : int64 Tensor of shape (n_kept,) or None
            Rows to keep; None for all.
        beams : int64 Tensor of shape (n_kept, n_beams) or None
            Which beams go on, of each row that is kept; None for all as they stand.
        """
        ...


class Writer(Protocol):
    """The module of a head that writes: learns from whole texts, and writes token by token.

    Ids are those of the target's vocabulary: 0 begins a text, 1 ends it.

    Examples
    --------
    >>> import torch
    >>> from skfusion.heads import TransformerDecoder
    >>> from skfusion.targets import OutputSpec
    >>> output = OutputSpec("tokens", (None,), n_classes=30)
    >>> writer = TransformerDecoder(width=8).build(4, output).eval()
    >>> whole = writer(torch.zeros(1, 4), torch.tensor([[7, 1]]))
    >>> first, state = writer.step(torch.tensor([[0]]), writer.begin(torch.zeros(1, 4)))
    >>> bool(torch.allclose(first[0], whole[0, :1], atol=1e-5))
    True
    """

    def __call__(self, fused: Encoded, codes: torch.Tensor) -> torch.Tensor:
        """Return the scores of all tokens at each place, told the tokens before it.

        Parameters
        ----------
        fused : Tensor of shape (batch, width), or Tokens
            What the fusion gives.
        codes : int64 Tensor of shape (batch, length)
            Texts with their end tokens, negative behind them.

        Returns
        -------
        scores : Tensor of shape (batch, length, n_tokens)
        """
        ...

    def begin(self, fused: Encoded) -> WriterState:
        """Return the state before the first token, one beam a row."""
        ...

    def step(self, ids: torch.Tensor, state: WriterState) -> tuple[torch.Tensor, WriterState]:
        """Return the scores of the next token, (rows, beams, n_tokens), and the state by then.

        ``ids`` (rows, beams) are the tokens written last.
        """
        ...


def n_tokens_of(output: OutputSpec) -> int:
    """Return the number of different tokens.

    Raises
    ------
    ParameterError
        If no texts are asked for.
    """
    if output.form != "tokens" or output.n_classes is None:
        raise ParameterError(
            f"this head writes texts, and the target asks for outputs of the form {output.form!r}. "
            'Use it in a FusionGenerator, or head="linear".'
        )
    return output.n_classes


def memory_of(fused: Encoded) -> Memory:
    """Return tokens and mask; a vector is the only token of its row."""
    values, mask = fused if isinstance(fused, tuple) else (fused[:, None], None)
    if mask is None:
        return values, None
    # A row without tokens looks at padding, which is zeros: a softmax over nothing would be NaN.
    values = values.masked_fill(~mask[:, :, None], 0)
    return values, mask | ~mask.any(1, keepdim=True)


def mean_of(memory: Memory) -> torch.Tensor:
    """Return one vector a row (batch, width)."""
    return masked_mean(*memory)


def shifted(codes: torch.Tensor) -> torch.Tensor:
    """Return what a writer was told at each place: the begin token, then all but the last."""
    before = F.pad(codes[:, :-1], (1, 0), value=_BEGIN)
    return before.masked_fill(before < 0, _END)
