"""What happens around epochs: showing, forgetting."""

from __future__ import annotations

import copy
import inspect
import multiprocessing
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from joblib.parallel import get_active_backend
from skorch.callbacks import Callback, EarlyStopping, EpochTimer, PassthroughScoring
from tqdm.auto import tqdm

from skfusion._training._settings import CallbackLike

if TYPE_CHECKING:
    from skfusion._training._net import Net
    from skfusion._training._rows import TrainingBatch

__all__ = [
    "ForgetBatches",
    "OwnCallback",
    "ProgressBar",
    "TrainingCallback",
    "asked_to_stop",
    "hears",
    "listens",
    "own_copy",
    "same_callbacks",
]

_SHOWN = ("train_loss", "valid_loss", "valid_score")


class TrainingCallback(Callback):
    """Base of what other packages hand in to watch a training; ``net.stop()`` ends it."""


class OwnCallback(Callback):
    """Base of this library's own callbacks: they are quick, and wait for no other fit."""

    def on_step_end(self, net: Net) -> None:
        """Called after each step of the optimiser."""

    def on_rows_end(self, net: Net, batches: Iterable[TrainingBatch]) -> None:
        """Called in each epoch, when all rows were trained on and before those held out."""


class ForgetBatches(OwnCallback):
    """Drop the records of single batches once the epoch is scored: they would outgrow the net.

    The very last one stays, since callbacks at the end of the training may ask for it.
    """

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        for epoch in net.history[-2:-1]:
            epoch["batches"].clear()
        del net.history[-1]["batches"][:-1]


class ProgressBar(OwnCallback):
    """A bar over epochs with losses, the held-out score and the time left."""

    bar_: tqdm | None = None

    def on_train_begin(self, net: Net, **kwargs: Any) -> None:
        done, alone = net.n_epochs_done, not _one_of_many()
        self.bar_ = tqdm(total=net.max_epochs, initial=done, unit="epoch", disable=not alone)

    def on_epoch_end(self, net: Net, **kwargs: Any) -> None:
        epoch = net.history[-1]
        assert self.bar_ is not None
        self.bar_.set_postfix({key: f"{epoch[key]:.4f}" for key in _SHOWN if key in epoch})
        self.bar_.update()

    def on_train_end(self, net: Net, **kwargs: Any) -> None:
        if self.bar_ is not None:
            self.bar_.close()


def _one_of_many() -> bool:
    """Whether other fits run beside this one, in a search with ``n_jobs``: bars would mix."""
    backend, _ = get_active_backend()
    return backend.nesting_level > 0 or multiprocessing.parent_process() is not None


def own_copy(callback: Any) -> Any:
    """Return a callback that keeps for itself what it sees.

    What it was made with is shared: a logger's open connection cannot be copied, or must not be.
    """
    if isinstance(callback, tuple):
        name, unnamed = callback
        return name, own_copy(unnamed)
    if not isinstance(callback, Callback):
        return callback  # a class, which the net makes an instance of
    if isinstance(callback, OwnCallback) or type(callback) in (EpochTimer, PassthroughScoring):
        return copy.copy(callback)  # begins anew with each training
    own, given = copy.copy(callback), inspect.signature(type(callback)).parameters
    kept = {name: value for name, value in vars(callback).items() if name not in given}
    vars(own).update(copy.deepcopy(kept))
    return own


def same_callbacks(some: Sequence[CallbackLike], others: Sequence[CallbackLike]) -> bool:
    """Whether these are the same callbacks, of the same names."""

    def key(one: CallbackLike) -> tuple[str, int]:
        return (one[0], id(one[1])) if isinstance(one, tuple) else ("", id(one))

    return [*map(key, some)] == [*map(key, others)]


def listens(callbacks: Iterable[tuple[str, Callback]], *hooks: str) -> bool:
    """Whether a callback of the user's has its own version of one of the ``hooks``."""
    return any(
        hears(callback, hook)
        for _, callback in callbacks
        for hook in hooks
        if not isinstance(callback, PassthroughScoring)
    )


def hears(callback: Callback, hook: str) -> bool:
    """Whether the callback has its own version of the hook."""
    return getattr(type(callback), hook) is not getattr(Callback, hook)


def asked_to_stop(interruption: KeyboardInterrupt) -> bool:
    """Whether skorch's early stopping raised it, which it does to end the training in order."""
    traceback = interruption.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None or traceback.tb_frame.f_code is not EarlyStopping.on_epoch_end.__code__:
        return False
    callback: EarlyStopping = traceback.tb_frame.f_locals["self"]
    return callback.misses_ == callback.patience
