"""The learning rate over the course of a whole fit, and gradients that are cut down.

A schedule rests in ``partial_fit``, which does not know how many steps are yet to come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from skorch.callbacks import GradientNormClipping
from torch.optim.lr_scheduler import LRScheduler

from skfusion._training._callbacks import OwnCallback
from skfusion.training import Schedule

if TYPE_CHECKING:
    from skfusion._training._net import Net

__all__ = ["ClipGradients", "FollowSchedule"]


class ClipGradients(OwnCallback, GradientNormClipping):
    """skorch's clipping, told apart from one of the user's."""


class FollowSchedule(OwnCallback):
    """Let torch's scheduler set the rates; afterwards they are as they were before."""

    kept = ("scheduler_",)

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.scheduler_: LRScheduler | None = None

    def on_train_begin(self, net: Net, X: Any = None, **kwargs: Any) -> None:
        self.scheduler_ = None
        if net.run_ is None or not net.run_.whole:
            return
        self.before_ = [_settings(group) for group in net.optimizer_.param_groups]
        self.n_steps_ = net.max_epochs * net.n_steps(X[0])
        self.scheduler_ = self.schedule.build(net.optimizer_, self.n_steps_)

    def on_step_end(self, net: Net) -> None:
        if self.scheduler_ is None or self.schedule.per != "step":
            return
        if self.scheduler_.last_epoch + 1 < self.n_steps_:
            self.scheduler_.step()

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        if self.scheduler_ is not None and self.schedule.per == "epoch":
            epoch = net.history[-1]
            self.scheduler_.step(epoch.get("valid_loss", epoch["train_loss"]))

    def on_train_end(self, net: Net, **kwargs: Any) -> None:
        if self.scheduler_ is None:
            return
        for group, before in zip(net.optimizer_.param_groups, self.before_, strict=True):
            for key in _settings(group).keys() - before.keys():
                del group[key]
            group.update(before)


def _settings(group: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in group.items() if key != "params"}
