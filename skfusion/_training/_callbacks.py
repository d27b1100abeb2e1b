"""What happens around epochs: stopping, showing, forgetting."""

from __future__ import annotations

from typing import Any

from skorch.callbacks import Callback, EarlyStopping, PassthroughScoring
from tqdm.auto import tqdm

__all__ = ["ForgetBatches", "ProgressBar", "StopEarly", "early_stopping", "listens"]


class ForgetBatches(Callback):
    """Drop the records of single batches once the epoch is scored: they would outgrow the net."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        net.history[-1]["batches"].clear()


class ProgressBar(Callback):
    """A bar over epochs with the losses and the time left."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.bar_ = tqdm(total=net.max_epochs, unit="epoch")

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        losses = {key: net.history[-1].get(key) for key in ("train_loss", "valid_loss")}
        self.bar_.set_postfix(
            {key: f"{loss:.4f}" for key, loss in losses.items() if loss is not None}
        )
        self.bar_.update()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.bar_.close()


class StopEarly(EarlyStopping):
    """Early stopping that rests while no row is held out, as in ``partial_fit``."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if "valid_loss" in net.history[-1]:
            super().on_epoch_end(net, **kwargs)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        if self.best_model_weights_ is not None:
            super().on_train_end(net, **kwargs)


def early_stopping(patience: int) -> EarlyStopping:
    """Return what stops after ``patience`` epochs without gain, and restores the best weights."""
    return StopEarly(monitor="valid_loss", patience=patience, load_best=True, sink=_silent)


def _silent(*message: Any) -> None:
    """Take what skorch would print."""


def listens(callbacks: Any, *hooks: str) -> bool:
    """Whether a callback of the user's has its own version of one of the ``hooks``."""
    return any(
        getattr(type(callback), hook) is not getattr(Callback, hook)
        for _, callback in callbacks
        for hook in hooks
        if not isinstance(callback, PassthroughScoring)
    )
