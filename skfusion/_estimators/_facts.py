"""What the bits of a fit follow from, in words: to tell whether a checkpoint is of the same fit."""

from __future__ import annotations

import pickle
import re
from numbers import Integral
from typing import Any

import joblib
import numpy as np
import sklearn
import torch

from skfusion._training import Checkpoint, pick_device
from skfusion.blocks import Blocks

__all__ = ["open_checkpoint"]

# How a fit is shown and kept; random_state and device are told by what comes of them.
_NOT_TOLD = {"callbacks", "checkpoint", "device", "encoders", "max_epochs", "memory"}
_NOT_TOLD |= {"random_state", "verbose"}
_LENGTH = 40


def open_checkpoint(
    estimator: Any, blocks: Blocks, y: Any, weight: np.ndarray | None, going_on: bool
) -> Checkpoint | None:
    """Return the checkpoint of a fit of these rows, with its state if there is one."""
    if estimator.checkpoint is None:
        return None
    facts = _settings(estimator) | _data(blocks, y, weight)
    if estimator.random_state is not None:
        facts["random_state"] = str(estimator._seed)
    # What plans ahead for all epochs is another fit where they are more.
    plans_ahead = estimator.schedule is not None or estimator.averaging is not None
    if plans_ahead:
        facts["max_epochs"] = str(estimator.max_epochs)
    if going_on:
        facts["weights to go on from"] = _content(estimator.net_.module_.state_dict())
    kind = type(estimator).__name__
    extends = isinstance(estimator.random_state, Integral) and not plans_ahead
    checkpoint = Checkpoint(estimator.checkpoint, facts, kind, estimator._seed, extends)
    n_before = len(estimator.net_.history) if going_on else 0
    checkpoint.read(n_before + estimator.max_epochs)
    return checkpoint


def _settings(estimator: Any) -> dict[str, str]:
    params = {
        name: _word(value)
        for name, value in estimator.get_params().items()
        if name not in _NOT_TOLD
    }
    return params | {
        "estimator": type(estimator).__name__,
        "callbacks": _word(estimator.callbacks),
        "device": pick_device(estimator.device),
        "versions": f"torch {torch.__version__}, scikit-learn {sklearn.__version__}",
    }


def _data(blocks: Blocks, y: Any, weight: np.ndarray | None) -> dict[str, str]:
    facts = {f"block {name!r}": _content(blocks.select([name])) for name in blocks.names}
    return facts | {"y": _content(y), "weights of rows": _content(weight)}


def _content(value: Any) -> str:
    """Return a word for data, which a memory map shares with the array it was made from."""
    rows = f"{len(value)} rows " if isinstance(value, (Blocks, np.ndarray)) else ""
    return f"{rows}{joblib.hash(value, coerce_mmap=True)[:12]}"


def _word(value: Any) -> str:
    """Return a value in short, and all of it as a hash."""
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "get_params"):
        return type(value).__name__
    shown = " ".join(re.sub(r" at 0x\w+", "", repr(value)).split())
    shown = shown if len(shown) <= _LENGTH else f"{shown[:_LENGTH]}..."
    try:
        return f"{shown} #{joblib.hash(value)}"
    except (pickle.PicklingError, AttributeError, TypeError):  # objects of classes in functions
        return type(value).__name__
