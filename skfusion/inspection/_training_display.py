"""The picture of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skfusion._axes import add_legend, axes_for, legend_height
from skfusion._checks import check_choice
from skfusion.exceptions import ParameterError
from skfusion.inspection._splitting import final_step

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self

__all__ = ["TrainingDisplay"]

_LOSSES = {"train_loss": "training rows", "valid_loss": "held-out rows"}
_SCORES = {"valid_score": "held-out rows"}
_BLOCK = "loss_"  # what the columns of single blocks begin with
_RATES = ("lr", "event_lr")
_REPAIRS = {
    "loss": "Pass history_ of a fitted estimator.",
    "score": "Fit with early_stopping=True, which holds out rows.",
    "blocks": "Fit with block_loss_weight above 0.",
}


class TrainingDisplay:
    """Losses or scores over epochs, and the learning rate where it was not the same throughout.

    Parameters
    ----------
    history : DataFrame
        A row an epoch, as in ``history_`` of a fitted estimator: ``epoch``, ``train_loss``, and,
        where they are there, ``valid_loss``, ``valid_score``, ``loss_<block>`` and ``lr`` or
        ``event_lr``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the curves were drawn.
    rate_ax_ : matplotlib Axes or None
        Where the learning rate was drawn.
    figure_ : matplotlib Figure
        The figure of the axes.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionClassifier
    >>> from skfusion.inspection import TrainingDisplay
    >>> model = FusionClassifier(max_epochs=3, random_state=0).fit(np.eye(4), [0, 1, 0, 1])
    >>> display = TrainingDisplay.from_estimator(model)
    >>> [line.get_label() for line in display.ax_.get_lines()]
    ['training rows']
    """

    def __init__(self, history: pd.DataFrame) -> None:
        self.history = history

    @classmethod
    def from_estimator(
        cls, estimator: BaseEstimator, *, kind: str = "loss", ax: Axes | None = None
    ) -> TrainingDisplay:
        """Draw the training of a fitted estimator, a pipeline that ends in one, or a search."""
        learner = final_step(estimator)
        check_is_fitted(learner)
        if not hasattr(learner, "history_"):
            raise ParameterError(
                f"{type(learner).__name__} has no history_ of its training. Pass a fitted "
                "FusionClassifier or FusionRegressor, or a Pipeline that ends in one."
            )
        return cls(learner.history_).plot(ax, kind=kind)

    def plot(self, ax: Axes | None = None, *, kind: str = "loss") -> Self:
        """Draw on ``ax``, or on a new figure; a dotted line marks the lowest held-out loss.

        Several members have a curve and a line each.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw.
        kind : {"loss", "score", "blocks"}, default="loss"
            What to draw: the losses on the rows that are trained on and on those held out; the
            score on the rows held out; or the loss of each block alone, which the training knows
            where ``block_loss_weight`` or ``gradient_modulation`` is on.

        Returns
        -------
        display : TrainingDisplay
            This display.
        """
        curves = self._curves(check_choice("kind", kind, _REPAIRS))
        ax = axes_for(ax, "TrainingDisplay", 4.0 + legend_height([*curves.values()]))
        members = self._members()
        for number, (name, label) in enumerate(curves.items()):
            for member, own in enumerate(members):
                shown = "_nolegend_" if member else label
                ax.plot(own["epoch"], own[name], color=f"C{number % 10}", label=shown)
        if kind == "loss" and "valid_loss" in self.history:
            for member, own in enumerate(members):
                lowest = own["epoch"].iloc[int(np.argmin(own["valid_loss"]))]
                of_one = f"lowest in epoch {lowest}" if len(members) == 1 else "lowest of a member"
                label = "_nolegend_" if member else of_one
                ax.axvline(lowest, color="black", linestyle=":", label=label)
        ax.set_xlabel("epoch")
        ax.set_ylabel("loss of the block alone" if kind == "blocks" else kind)
        self.rate_ax_ = self._draw_rate(ax, members[0])
        add_legend(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _curves(self, kind: str) -> dict[str, str]:
        """Return what is drawn, and how it is called."""
        columns = map(str, self.history.columns)
        blocks = [name for name in columns if name.startswith(_BLOCK)]
        known: dict[str, dict[str, str]] = {
            "loss": _LOSSES,
            "score": _SCORES,
            "blocks": {name: name.removeprefix(_BLOCK) for name in blocks},
        }
        curves = {name: label for name, label in known[kind].items() if name in self.history}
        if not curves:
            raise ParameterError(f"the history has nothing of kind={kind!r}. {_REPAIRS[kind]}")
        return curves

    def _members(self) -> list[pd.DataFrame]:
        """Return the epochs of each member."""
        if "member" not in self.history:
            return [self.history]
        return [own for _, own in self.history.groupby("member")]

    def _draw_rate(self, ax: Axes, epochs: pd.DataFrame) -> Axes | None:
        """Draw the learning rate, if it changes; that of members is alike."""
        rates = [name for name in _RATES if name in epochs]
        name = next((name for name in rates if epochs[name].nunique() > 1), None)
        if name is None:
            return None
        rate_ax = ax.twinx()
        rate_ax.plot(epochs["epoch"], epochs[name], color="tab:gray", linewidth=0.8)
        rate_ax.set_ylabel("learning rate", color="tab:gray")
        return rate_ax
