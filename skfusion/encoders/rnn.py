"""Sequences through recurrent layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, cast

import torch
from torch import nn
from torch.nn import functional as F

from skfusion._checks import check_choice, check_int, check_real
from skfusion._tokens import Encoded, ModuleListOf, Tokens
from skfusion.blocks import BlockSpec
from skfusion.encoders._base import Encoder
from skfusion.encoders._pooling import Pooling
from skfusion.encoders._steps import as_steps

__all__ = ["RNN"]


class _Cell(nn.RNNBase):
    """What torch sets on a layer of one direction, named for the type checker."""

    weight_ih_l0: torch.Tensor
    weight_hh_l0: torch.Tensor
    bias_ih_l0: torch.Tensor
    bias_hh_l0: torch.Tensor


_CELLS: dict[str, type[nn.GRU | nn.LSTM | nn.RNN]] = {
    "gru": nn.GRU,
    "lstm": nn.LSTM,
    "plain": nn.RNN,
}
_KERNELS: dict[str, Callable[..., tuple[torch.Tensor, ...]]] = {
    "GRU": torch.gru,
    "LSTM": torch.lstm,
    "RNN_TANH": torch.rnn_tanh,
}

# From this width on, projecting all steps by one product of matrices and handing the kernel an
# identity in place of the projection is quicker: up to three times, behind flattened feature maps.
_WIDE = 2048


class RNN(Encoder):
    """Recurrent network on sequences, dense or ragged, and on token ids.

    A row's output depends on its own steps alone, never on the padding that longer neighbours
    bring. A sequence without steps is encoded as zeros.

    (batch, time, d) or ids (batch, time), with a mask where ragged -> (batch, width), or
    (batch, time, width) and the mask if not pooled; twice the width if bidirectional.

    Parameters
    ----------
    width : int, default=64
        Size of the hidden state.
    cell : {"gru", "lstm", "plain"}, default="gru"
        Kind of cell (Cho et al., 2014; Hochreiter and Schmidhuber, 1997; Elman, 1990).
    n_layers : int, default=1
        Number of layers.
    bidirectional : bool, default=False
        Whether a second network reads each row from its end.
    pooling : {"last", "mean", "max", "attention"}, default="last"
        How the states of a row become one vector.
    dropout : float, default=0.0
        Share of each layer's output set to zero while training.
    embedding_width : int, default=64
        Size of a token's vector, for token ids.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionClassifier, Ragged
    >>> from skfusion.encoders import RNN
    >>> visits = Ragged.from_rows([np.ones((3, 2)), np.zeros((1, 2))] * 10)
    >>> model = FusionClassifier({"visits": RNN(width=8, cell="lstm")}, max_epochs=2)
    >>> model.fit({"visits": visits}, [1, 0] * 10).transform({"visits": visits}).shape
    (20, 8)

    Notes
    -----
    Weights start as in Keras: Glorot for the input, orthogonal for the recurrence, zero biases and
    a forget bias of 1. torch's own start saturates the gates behind very wide inputs.
    """

    takes: ClassVar[tuple[str, ...]] = ("sequence", "tokens")

    def __init__(
        self,
        width: int = 64,
        cell: str = "gru",
        n_layers: int = 1,
        bidirectional: bool = False,
        pooling: str = "last",
        dropout: float = 0.0,
        embedding_width: int = 64,
    ) -> None:
        self.width = width
        self.cell = cell
        self.n_layers = n_layers
        self.bidirectional = bidirectional
        self.pooling = pooling
        self.dropout = dropout
        self.embedding_width = embedding_width

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        self.check(spec)
        steps, step_width = as_steps(spec, self.embedding_width)
        both = check_choice("bidirectional", self.bidirectional, (True, False))
        width, n_directions = check_int("width", self.width), 2 if both else 1
        cell = _CELLS[check_choice("cell", self.cell, _CELLS)]
        layers: list[ModuleListOf[_Cell]] = []
        for _ in range(check_int("n_layers", self.n_layers)):
            layers.append(
                ModuleListOf(
                    _initialise(cast(_Cell, cell(step_width, width, batch_first=True)))
                    for _ in range(n_directions)
                )
            )
            step_width = width * n_directions
        pooling = Pooling(self.pooling, step_width) if pooled else None
        return _RNN(steps, layers, check_real("dropout", self.dropout, 0, 1), pooling)


class _RNN(nn.Module):
    def __init__(
        self,
        steps: nn.Module,
        layers: list[ModuleListOf[_Cell]],
        dropout: float,
        pooling: Pooling | None,
    ) -> None:
        super().__init__()
        self.both_ways = len(layers[-1]) == 2
        self.steps = steps
        self.layers: ModuleListOf[ModuleListOf[_Cell]] = ModuleListOf(layers)
        self.dropout = nn.Dropout(dropout)
        self.pooling = pooling

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> Encoded:
        states = self.steps(x)
        for layer in self.layers:
            states = self.dropout(_both_ways(layer, states, mask))
        if self.pooling is None:
            return Tokens(states, mask)
        if self.pooling.how == "last" and self.both_ways:
            return _two_ends(states, mask, self.pooling)
        return self.pooling(states, mask)


def _both_ways(
    directions: ModuleListOf[_Cell], states: torch.Tensor, mask: torch.Tensor | None
) -> torch.Tensor:
    forward = _states(directions[0], states)
    if len(directions) == 1:
        return forward
    backward = _reverse(_states(directions[1], _reverse(states, mask)), mask)
    return torch.cat([forward, backward], dim=2)


def _states(cell: _Cell, steps: torch.Tensor) -> torch.Tensor:
    """Return the state behind each step: (batch, time, d) -> (batch, time, width)."""
    if cell.input_size < _WIDE or steps.device.type != "cpu":
        return cell(steps)[0]
    projected = F.linear(steps, cell.weight_ih_l0, cell.bias_ih_l0)
    if projected.requires_grad:
        projected.register_hook(_without_denormals)
    eye = torch.eye(projected.shape[2], dtype=projected.dtype, device=projected.device)
    weights = [eye, cell.weight_hh_l0, torch.zeros_like(cell.bias_ih_l0), cell.bias_hh_l0]
    start = projected.new_zeros(1, len(steps), cell.hidden_size)
    first = (start, start) if cell.mode == "LSTM" else start
    kernel = _KERNELS[cell.mode]
    return kernel(projected, first, weights, True, 1, 0.0, cell.training, False, True)[0]


def _without_denormals(gradient: torch.Tensor) -> torch.Tensor:
    """Return zeros for gradients that are next to nothing.

    Behind saturated gates many are so small that a processor takes its slow path for them, and the
    product with a wide input ten times as long.
    """
    return F.hardshrink(gradient, torch.finfo(gradient.dtype).tiny * 2**40)


def _reverse(states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Reverse each row within its own length; the padding stays behind."""
    if mask is None:
        return states.flip(1)
    lengths = mask.sum(1, keepdim=True)
    position = torch.arange(states.shape[1], device=states.device)
    index = torch.where(mask, lengths - 1 - position, position)
    return states.gather(1, index[:, :, None].expand_as(states))


def _two_ends(states: torch.Tensor, mask: torch.Tensor | None, last: nn.Module) -> torch.Tensor:
    """The forward network ends at a row's last step, the backward one at its first."""
    width = states.shape[2] // 2
    first = states[:, 0, width:]
    if mask is not None:
        first = first * mask[:, :1]
    return torch.cat([last(states[..., :width], mask), first], dim=1)


def _initialise(cell: _Cell) -> _Cell:
    n_gates = cell.weight_hh_l0.shape[0] // cell.hidden_size
    for gate in cell.weight_ih_l0.chunk(n_gates):
        nn.init.xavier_uniform_(gate)
    for gate in cell.weight_hh_l0.chunk(n_gates):
        nn.init.orthogonal_(gate)
    nn.init.zeros_(cell.bias_ih_l0)
    nn.init.zeros_(cell.bias_hh_l0)
    if cell.mode == "LSTM":
        nn.init.ones_(cell.bias_ih_l0[cell.hidden_size : 2 * cell.hidden_size])
    return cell
