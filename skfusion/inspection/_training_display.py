"""The picture of a training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skfusion.exceptions import ParameterError
from skfusion.inspection._axes import axes_for
from skfusion.inspection._splitting import final_step

__all__ = ["TrainingDisplay"]

_LOSSES = {"train_loss": "training rows", "valid_loss": "held-out rows"}
_RATES = ("lr", "event_lr")


class TrainingDisplay:
    """Losses over epochs; the learning rate too, where a callback recorded it.

    Parameters
    ----------
    history : DataFrame
        A row an epoch, as in ``history_`` of a fitted estimator: ``epoch``, ``train_loss``, and,
        where they are there, ``valid_loss`` and ``lr`` or ``event_lr``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the losses were drawn.
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
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> TrainingDisplay:
        """Draw the training of a fitted estimator, a pipeline that ends in one, or a search."""
        learner = final_step(estimator)
        check_is_fitted(learner)
        if not hasattr(learner, "history_"):
            raise ParameterError(
                f"{type(learner).__name__} has no history_ of its training. Pass a fitted "
                "FusionClassifier or FusionRegressor, or a Pipeline that ends in one."
            )
        return cls(learner.history_).plot(ax)

    def plot(self, ax: Any = None) -> TrainingDisplay:
        """Draw on ``ax``, or on a new figure; a dotted line marks the lowest held-out loss."""
        ax = axes_for(ax, "TrainingDisplay")
        epochs = self.history["epoch"]
        for name, label in _LOSSES.items():
            if name in self.history:
                ax.plot(epochs, self.history[name], label=label)
        if "valid_loss" in self.history:
            lowest = epochs.iloc[int(np.argmin(self.history["valid_loss"]))]
            ax.axvline(lowest, color="black", linestyle=":", label=f"lowest in epoch {lowest}")
        ax.set_xlabel("epoch")
        ax.set_ylabel("loss")
        self.rate_ax_ = self._draw_rate(ax, epochs)
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw_rate(self, ax: Any, epochs: pd.Series) -> Any:
        name = next((name for name in _RATES if name in self.history), None)
        if name is None:
            return None
        rate_ax = ax.twinx()
        rate_ax.plot(epochs, self.history[name], color="tab:gray", linewidth=0.8)
        rate_ax.set_ylabel("learning rate", color="tab:gray")
        return rate_ax
