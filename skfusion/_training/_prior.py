"""The prior, a constant answer, as what a network has to be better than."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from skfusion._training._codes import Codes
from skfusion._training._rows import Rows
from skfusion._training._torch_state import random_state_kept

if TYPE_CHECKING:
    from skfusion._training._net import Net

__all__ = ["PriorLoss", "prior_loss"]

# What must be gained on the prior's loss, as a share of it: less comes about by chance.
_GAIN = 0.01
# On few rows chance gains more: shares times the number of rows, at any rate and at most.
_CHANCE, _MOST_CHANCE, _LARGEST_GAIN = 2.0, 9.0, 0.5
_NOTHING = 1e-4  # a loss so small leaves nothing to learn, as where one class has all the weight
_ROWS_AT_ONCE = 4096  # and as many are enough to find the best constant


@dataclass(frozen=True)
class PriorLoss:
    """What a network has to be better than, on some rows.

    Parameters
    ----------
    loss : float
        Mean loss of the prior of the rows that are trained on.
    bar : float
        What the mean loss of a network that learned something is below. Constant answers do not
        get there, be it with some luck. NaN if nothing can, as where y is constant.
    """

    loss: float
    bar: float

    @property
    def exists(self) -> bool:
        return math.isfinite(self.bar)

    def is_beaten_by(self, loss: float) -> bool:
        return loss < self.bar


def prior_loss(net: Net, train: Rows, rows: Rows) -> PriorLoss:
    """Return the loss on ``rows`` of the prior of the rows that are trained on."""
    prior = torch.from_numpy(net.criterion_.target.prior(train.codes, train.weight))
    prior = prior.to(net.placement, net.module.dtype)
    with random_state_kept(net.placement):  # a loss of the user's may draw numbers
        constant = _best_constant(net, train, prior)
        loss = _mean_loss(net, rows, constant).item()
        size, least = abs(loss), max(_GAIN, _CHANCE / len(rows))
        most = min(_LARGEST_GAIN, _MOST_CHANCE / len(rows))
        if size <= _NOTHING:
            return PriorLoss(loss, math.nan)
        luck = 0.0
        if most > least:  # on few rows another constant may be better by more than that
            luck = loss - _mean_loss(net, rows, _best_constant(net, rows, constant)).item()
    return PriorLoss(loss, loss - max(min(luck, most * size), least * size))


def _best_constant(net: Net, rows: Rows, start: torch.Tensor) -> torch.Tensor:
    """Return the outputs of least loss among those equal for all rows.

    The prior is close to it, and is it for cross-entropy and squared error without smoothing.
    """
    outputs, every = start.detach().clone().requires_grad_(), math.ceil(len(rows) / _ROWS_AT_ONCE)
    optimizer = torch.optim.LBFGS(
        [outputs], max_iter=6, tolerance_grad=1e-5, line_search_fn="strong_wolfe"
    )

    def loss_and_gradient() -> float:
        optimizer.zero_grad()
        loss = _mean_loss(net, rows, outputs, every)
        loss.backward()
        return loss.item()

    with torch.enable_grad():
        optimizer.step(loss_and_gradient)
    found = outputs.detach()
    return found if torch.isfinite(found).all() else start


def _mean_loss(net: Net, rows: Rows, outputs: torch.Tensor, every: int = 1) -> torch.Tensor:
    """Return the mean loss of ``outputs`` for every row, or for each of so many."""
    chosen = torch.arange(0, len(rows), every)
    codes = Codes(rows.codes, outputs.dtype, outputs.device)
    weight = None if rows.weight is None else torch.from_numpy(rows.weight).to(outputs)
    losses = []
    for part in chosen.split(_ROWS_AT_ONCE):
        # In memory of its own, which a loss of the user's may write to.
        constant = outputs.expand(len(part), *outputs.shape).clone()
        of_part = None if weight is None else weight[part.to(weight.device)]
        loss = net.criterion_.target.loss(constant, codes.take(part), of_part)
        losses.append(loss * (len(part) / len(chosen)))
    return torch.stack(losses).sum()
