"""What is said of a training that ended no better than the prior."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skfusion._training._early_stopping import StopEarly
from skfusion._training._net import Net
from skfusion._training._prior import prior_loss
from skfusion._training._rows import codes_of
from skfusion._training._run import Run
from skfusion._warn import warn_user
from skfusion.exceptions import ChanceLevelWarning

__all__ = ["warn_at_chance_level"]

# With fewer epochs or steps nothing could have been learned yet, which is no news.
_EPOCHS, _STEPS = 10, 50
# A loss of so much, and of so many times that of the prior, comes about by steps that are too long.
_EXPLODED = 100.0


def warn_at_chance_level(nets: Sequence[Net], runs: Sequence[Run]) -> None:
    """Warn if most nets ended their whole run no better than the prior, or far worse: diverged."""
    found = [message for message in map(_at_chance_level, nets, runs) if message is not None]
    if 2 * len(found) <= len(nets):
        return
    of = f"{len(found)} of {len(nets)} members are at chance level. The first: "
    warn_user((of if len(nets) > 1 else "") + found[0], ChanceLevelWarning)


def _at_chance_level(net: Net, run: Run) -> str | None:
    """Return what is to be said of a net that is no better than the prior."""
    epochs, early = net.history[net.n_epochs_before_ :], _stopped_early(net)
    enough = len(epochs) >= _EPOCHS and len(epochs) * net.n_steps(run.rows) >= _STEPS
    if run.held_out is None:
        rows, loss = run.rows, epochs[-1]["train_loss"]
    else:
        rows, loss = run.held_out, min(epoch["valid_loss"] for epoch in epochs)
    huge = loss > _EXPLODED
    if not enough and not early and not huge:
        return None
    prior = prior_loss(net, run.rows, rows)
    if huge and loss > _EXPLODED * abs(prior.loss):
        return _diverged(net, run, (prior.loss, loss))
    if (enough or early) and prior.exists and not prior.is_beaten_by(loss):
        return _message(net, run, early, (prior.loss, loss))
    return None


def _stopped_early(net: Net) -> bool:
    stops = [callback for _, callback in net.callbacks_ if isinstance(callback, StopEarly)]
    return any(callback.ended_ for callback in stops)


def _message(net: Net, run: Run, early: bool, losses: tuple[float, float]) -> str:
    how, patience = "was stopped early" if early else "ended", net.settings.patience
    where = "training rows" if run.held_out is None else "rows held out"
    more = f"more patience than n_iter_no_change={patience}, " if early else ""
    return (
        f"The training {how} after {net.n_epochs_done} epochs, no better than the prior: "
        f"{_answer(net, run)} for every row (the most frequent class, or the mean). On the {where} "
        f"the loss of the prior is {losses[0]:.4g}, that of the network {losses[1]:.4g}"
        f"{_scores(net, run, losses[1])}. Try another lr (it is {net.lr:g}), {more}more than "
        f"max_epochs={net.max_epochs}, numbers on one scale, or another encoder, unless X says "
        "nothing about y."
    )


def _diverged(net: Net, run: Run, losses: tuple[float, float]) -> str:
    return (
        f"The training diverged: after {net.n_epochs_done} epochs the loss of the network is "
        f"{losses[1]:.4g}, and that of the prior, {_answer(net, run)} for every row, "
        f"{losses[0]:.4g}. Lower lr (it is {net.lr:g}), bring numbers to one scale, or clip "
        "gradients: gradient_clipping=1.0."
    )


def _answer(net: Net, run: Run) -> str:
    """Return what the prior answers, in the terms of the user."""
    target = net.criterion_.target
    try:
        answer = target.decode(target.prior(run.rows.codes, run.rows.weight)[None])[0]
    except NotImplementedError:  # a target of the user's that needs the network to answer
        return "the same"
    if isinstance(answer, np.ndarray):
        shown = np.array2string(answer, precision=4, threshold=6, edgeitems=2)
        return " ".join(shown.split())
    answer = answer.item() if isinstance(answer, np.generic) else answer
    return f"{answer:.4g}" if isinstance(answer, float) else repr(answer)


def _scores(net: Net, run: Run, loss: float) -> str:
    """Return the scores of both on the rows held out, where the target has one."""
    epochs, target, held_out = (
        net.history[net.n_epochs_before_ :],
        net.criterion_.target,
        run.held_out,
    )
    scored = [epoch for epoch in epochs if "valid_score" in epoch and epoch["valid_loss"] == loss]
    if held_out is None or not scored:
        return ""
    prior = target.prior(run.rows.codes, run.rows.weight)
    same = np.broadcast_to(prior, (len(held_out), *prior.shape))
    score = target.score(same, codes_of(held_out)) if run.score is None else run.score(same)
    return f"; their scores are {score:.3f} and {scored[0]['valid_score']:.3f}"
