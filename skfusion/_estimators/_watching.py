"""scikit-learn's own callbacks, which it has from version 1.9 on, told of a fit and its epochs."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from skfusion._optional import import_optional
from skfusion._training import TrainingCallback, history_table

__all__ = ["WatchedFit", "fit_watched"]

_PURPOSE = "set_callbacks"


def _support() -> Any:
    """Return the base class that adds ``set_callbacks``; a plain one where there is none yet."""
    if find_spec("sklearn.callback") is None:
        return object
    return import_optional("sklearn.callback", _PURPOSE).CallbackSupportMixin


_Support: Any = _support()


class WatchedFit(_Support):
    """Adds ``set_callbacks`` where scikit-learn has it. Callbacks of skorch's are an argument."""


class _Epochs(TrainingCallback):
    """The epochs of a fit as subtasks of it."""

    def __init__(self, context: Any, draft: Any, facts: dict[str, Any]) -> None:
        self.context, self.draft, self.facts = context, draft, facts

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(**self.facts)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        fitted = self.fitted
        if self.epoch.call_on_fit_task_end(**self.facts, reconstruction_attributes=fitted):
            net.stop()

    def fitted(self) -> dict[str, Any]:
        """Return what makes the estimator one that was fitted up to now."""
        given = {"_run_callbacks", *self.draft.get_params(deep=False)}
        learned = {name: value for name, value in vars(self.draft).items() if name not in given}
        return {**learned, "history_": history_table(self.draft.net_.history)}


def fit_watched(estimator: Any, draft: Any, X: Any, y: Any, sample_weight: Any) -> None:
    """Fit ``draft``, and tell the callbacks of ``estimator`` of it, if there are any."""
    if not getattr(estimator, "_skl_callbacks", None):
        draft._fit(X, y, sample_weight)
        return
    with_callbacks = import_optional("sklearn.callback", _PURPOSE).with_callbacks
    with_callbacks(_fit_and_tell)(estimator, draft, X, y, sample_weight)


def _fit_and_tell(estimator: Any, draft: Any, X: Any, y: Any, sample_weight: Any) -> None:
    weight = None if sample_weight is None else {"sample_weight": sample_weight}
    facts = {"estimator": estimator, "X": X, "y": y, "metadata": weight}
    context = estimator._init_callback_context(max_subtasks=estimator.max_epochs)
    context.call_on_fit_task_begin(**facts)
    epochs = _Epochs(context, draft, facts)
    draft._run_callbacks = [("scikit-learn", epochs)]
    draft._fit(X, y, sample_weight)
    del draft._run_callbacks
    context.call_on_fit_task_end(**facts, reconstruction_attributes=epochs.fitted)
