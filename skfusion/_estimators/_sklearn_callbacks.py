"""scikit-learn's own callbacks, which it has from version 1.9 on, told of a fit and its epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, ParamSpec, TypeVar

from skfusion._estimators._call import FitData
from skfusion._estimators._state import FittedState
from skfusion._optional import import_optional
from skfusion._training import Net, TrainingCallback

__all__ = ["CallbackSupport", "FitTask", "with_callbacks"]

P = ParamSpec("P")
R = TypeVar("R")
_HAS_CALLBACKS = find_spec("sklearn.callback") is not None
_PURPOSE = "set_callbacks"


def _support() -> Any:
    """Return the base class that adds ``set_callbacks``; a plain one where there is none yet."""
    if not _HAS_CALLBACKS:
        return object
    return import_optional("sklearn.callback", _PURPOSE).CallbackSupportMixin


_Support: Any = _support()


class CallbackSupport(_Support):
    """Adds ``set_callbacks`` where scikit-learn has it. Callbacks of skorch's are an argument."""


def with_callbacks(method: Callable[P, R]) -> Callable[P, R]:
    """Let scikit-learn tear its callbacks down behind ``method``, whatever happens in it."""
    if not _HAS_CALLBACKS:
        return method
    wrapped: Callable[P, R] = import_optional("sklearn.callback", _PURPOSE).with_callbacks(method)
    return wrapped


class FitTask:
    """A fit, as scikit-learn's callbacks are told of it; silent where there is none of them.

    Parameters
    ----------
    estimator : CallbackSupport or None
        Whose callbacks are told; None tells nobody.
    """

    def __init__(self, estimator: CallbackSupport | None = None) -> None:
        has_some = estimator is not None and getattr(estimator, "_skl_callbacks", None)
        self._estimator = estimator if has_some else None
        self._context: Any = None
        self._told: Mapping[str, object] = {}

    def begin(self, data: FitData, n_epochs: int) -> None:
        """Tell the callbacks that a fit begins, of so many epochs at most."""
        if self._estimator is None:
            return
        given = {"sample_weight": data.sample_weight, "groups": data.groups}
        metadata = {name: value for name, value in given.items() if value is not None} or None
        self._told = {"estimator": self._estimator, "X": data.X, "y": data.y, "metadata": metadata}
        self._context = self._estimator._init_callback_context(max_subtasks=n_epochs)
        self._context.call_on_fit_task_begin(**self._told)

    def epochs(self, state: FittedState) -> Sequence[tuple[str, TrainingCallback]]:
        """Return the callback of skorch's that tells them of the epochs of ``state``."""
        if self._context is None:
            return ()
        return [("scikit-learn", _EpochTasks(self._context, self._told, state))]

    def end(self, state: FittedState) -> None:
        """Tell them that the fit is through."""
        if self._context is not None:
            self._context.call_on_fit_task_end(
                **self._told, reconstruction_attributes=lambda: {"_fitted": state}
            )


class _EpochTasks(TrainingCallback):
    """The epochs of a fit as subtasks of it."""

    def __init__(self, context: Any, told: Mapping[str, object], state: FittedState) -> None:
        self.context, self.told, self.state = context, told, state

    def on_epoch_begin(self, net: Net, **kwargs: object) -> None:
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(**self.told)

    def on_epoch_end(self, net: Net, **kwargs: object) -> None:
        # A new value each time, since the history grows.
        now = {"_fitted": replace(self.state)}
        if self.epoch.call_on_fit_task_end(**self.told, reconstruction_attributes=now):
            net.stop()
