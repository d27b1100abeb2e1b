"""The prior, a constant answer, as what a network has to be better than."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from skfusion._training._codes import Codes
from skfusion._training._rows import Rows
from skfusion._training._torch_state import random_state_kept
from skfusion.blocks import cut_rows
from skfusion.exceptions import ChanceLevelWarning
from skfusion.targets import Coding

if TYPE_CHECKING:
    from skfusion._training._net import Net
    from skfusion._training._run import Run

__all__ = ["PriorLoss", "prior_loss", "warn_at_chance_level"]

# What must be gained on the prior's loss, as a share of it: less comes about by chance.
_GAIN = 0.01
# On few rows chance gains more: shares times the number of rows, at any rate and at most.
_CHANCE, _MOST_CHANCE, _LARGEST_GAIN = 2.0, 9.0, 0.5
# With fewer epochs or steps nothing could have been learned yet, which is no news.
_EPOCHS, _STEPS = 10, 50
_ROWS, _ROWS_AT_ONCE = 16_384, 4096  # for the loss of a constant; in one piece


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
    prior = torch.from_numpy(_prior(net.criterion_.target, train))
    prior = prior.to(net.placement, net.module.dtype)
    with random_state_kept(net.placement):  # a loss of the user's may draw numbers
        constant = _best_constant(net, train, prior)
        loss = _mean_loss(net, rows, constant).item()
        best = _mean_loss(net, rows, _best_constant(net, rows, constant)).item()
    size, n_rows = abs(loss), len(rows)
    if size <= torch.finfo(prior.dtype).eps:
        return PriorLoss(loss, math.nan)
    luck = min(loss - best, min(_LARGEST_GAIN, _MOST_CHANCE / n_rows) * size)
    return PriorLoss(loss, loss - max(luck, max(_GAIN, _CHANCE / n_rows) * size))


def _best_constant(net: Net, rows: Rows, start: torch.Tensor) -> torch.Tensor:
    """Return the outputs of least loss among those equal for all rows.

    The prior is close to it, and is it for cross-entropy and squared error without smoothing.
    """
    outputs = start.detach().clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [outputs], max_iter=10, tolerance_grad=1e-5, line_search_fn="strong_wolfe"
    )

    def loss_and_gradient() -> float:
        optimizer.zero_grad()
        loss = _mean_loss(net, rows, outputs)
        loss.backward()
        return loss.item()

    with torch.enable_grad():
        optimizer.step(loss_and_gradient)
    found = outputs.detach()
    return found if torch.isfinite(found).all() else start


def _mean_loss(net: Net, rows: Rows, outputs: torch.Tensor) -> torch.Tensor:
    """Return the mean loss of ``outputs`` for every row, on some of the rows if there are many."""
    every = math.ceil(len(rows) / _ROWS)
    chosen = torch.arange(0, len(rows), every)
    block = rows.codes if every == 1 else cut_rows(rows.codes, chosen.numpy())
    codes = Codes(block, outputs.dtype, outputs.device)
    weight = None if rows.weight is None else torch.from_numpy(rows.weight[::every]).to(outputs)
    losses = []
    for start in range(0, len(chosen), _ROWS_AT_ONCE):
        part = codes.take(torch.arange(start, min(start + _ROWS_AT_ONCE, len(chosen))))
        constant = outputs.expand(len(part), *outputs.shape)
        of_part = None if weight is None else weight[start : start + _ROWS_AT_ONCE]
        loss = net.criterion_.target.loss(constant, part, of_part)
        losses.append(loss * (len(constant) / len(chosen)))
    return torch.stack(losses).sum()


def warn_at_chance_level(net: Net, run: Run) -> None:
    """Warn if ``net`` ended its training no better than the prior."""
    epochs, rows = net.history[net.n_epochs_before_ :], run.held_out or run.rows
    enough = len(epochs) >= _EPOCHS and len(epochs) * net.n_steps(run.rows) >= _STEPS
    if not enough and not net.stops_:
        return
    key = "valid_loss" if run.held_out is not None else "train_loss"
    loss = epochs[-1][key] if run.held_out is None else min(epoch[key] for epoch in epochs)
    prior = prior_loss(net, run.rows, rows)
    if prior.exists and not prior.is_beaten_by(loss):
        warnings.warn(_message(net, run, loss, prior.loss), ChanceLevelWarning, stacklevel=2)


def _message(net: Net, run: Run, loss: float, prior_loss: float) -> str:
    patience, target = net.settings.patience, net.criterion_.target
    early = net.stops_ and run.held_out is not None
    how = "was stopped early" if early else "ended"
    where = "training rows" if run.held_out is None else "rows held out"
    constant = _shown(target.decode(_prior(target, run.rows)[None])[0])
    more = f"more patience than n_iter_no_change={patience}, " if early else ""
    return (
        f"The training {how} after {net.n_epochs_done} epochs, no better than the prior: "
        f"{constant} for every row (the most frequent class, or the mean). On the {where} the loss "
        f"of the prior is {prior_loss:.4g}, that of the network {loss:.4g}"
        f"{_scores(net, run, loss)}. Try another lr (it is {net.lr:g}), {more}more than "
        f"max_epochs={net.max_epochs}, numbers on one scale, or another encoder, unless X says "
        "nothing about y."
    )


def _scores(net: Net, run: Run, loss: float) -> str:
    """Return the scores of both on the rows held out, where the target has one."""
    epochs, target = net.history[net.n_epochs_before_ :], net.criterion_.target
    scored = [epoch for epoch in epochs if "valid_score" in epoch and epoch["valid_loss"] == loss]
    if run.held_out is None or not scored:
        return ""
    prior, held_out = _prior(target, run.rows), run.held_out
    codes = Codes(held_out.codes, torch.float64, torch.device("cpu")).take(
        torch.arange(len(held_out))
    )
    score = target.score(np.broadcast_to(prior, (len(codes), *prior.shape)), codes.numpy())
    return f"; their scores are {score:.3f} and {scored[0]['valid_score']:.3f}"


def _prior(target: Coding, rows: Rows) -> np.ndarray:
    return target.prior(rows.codes, rows.weight)


def _shown(answer: object) -> str:
    if isinstance(answer, np.ndarray):
        return np.array2string(answer, precision=4, threshold=6)
    answer = answer.item() if isinstance(answer, np.generic) else answer
    return f"{answer:.4g}" if isinstance(answer, float) else repr(answer)
