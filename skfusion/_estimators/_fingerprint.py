"""What the bits of a fit follow from, in words: to tell whether a checkpoint is of the same fit."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from types import FunctionType

import joblib
import numpy as np
import sklearn
import torch

from skfusion._estimators._hashing import hash_of, is_installed
from skfusion._training import pick_device
from skfusion.blocks import Blocks
from skfusion.exceptions import CheckpointError

__all__ = ["content", "fingerprint"]

# How a fit is shown and kept; random_state and device are told by what comes of them, encoders and
# other recipes by their own parameters. So is how texts are chosen, which no weight follows from.
_NOT_TOLD = {
    "checkpoint",
    "device",
    "encoders",
    "max_epochs",
    "memory",
    "random_state",
    "union__memory",
    "union__n_jobs",
    "union__verbose",
    "verbose",
}
_LENGTH = 40


def fingerprint(
    kind: type, params: Mapping[str, object], blocks: Blocks, y: object, weight: np.ndarray | None
) -> dict[str, str]:
    """Return what a fit is of, by name.

    Parameters
    ----------
    kind : type
        The class of the estimator.
    params : dict of str to object
        All of its parameters, those of its recipes included.
    blocks : Blocks
        What it learns from.
    y : array
        What it learns.
    weight : ndarray of shape (n_rows,) or None
        Weights of the rows.

    Returns
    -------
    words : dict of str to str
        A value in short, and behind " #" all of it as a hash.

    Raises
    ------
    CheckpointError
        If a function among the parameters cannot be told apart from others.
    """
    told = {name: _told(name, value) for name, value in params.items() if _is_told(name)}
    python = ".".join(map(str, sys.version_info[:2]))  # whose bytecode is that of no other version
    versions = f"torch {torch.__version__}, scikit-learn {sklearn.__version__}, Python {python}"
    return {
        **told,
        "estimator": _word(kind),
        "device": pick_device(str(params["device"])),
        "versions": versions,
        **{f"block {name!r}": content(blocks.select([name])) for name in blocks.names},
        "y": content(y),
        "weights of rows": content(weight),
    }


def _is_told(name: str) -> bool:
    return name not in _NOT_TOLD and not name.startswith("decoding")


def content(value: object) -> str:
    """Return a word for data, which a memory map shares with the array it was made from."""
    rows = f"{len(value)} rows " if isinstance(value, Blocks | np.ndarray) else ""
    return f"{rows}{joblib.hash(value, coerce_mmap=True)[:12]}"


def _told(name: str, value: object) -> str:
    # What a callback counts in its class or in globals may change from fit to fit.
    try:
        return _word(value, of_data=name != "callbacks")
    except CheckpointError as error:
        raise CheckpointError(f"{name}: {error}") from error


def _word(value: object, of_data: bool = True) -> str:
    """Return a value in short, and all of it as a hash."""
    if hasattr(value, "get_params"):  # a recipe or its class, whose parameters are told themselves
        value = value if isinstance(value, type) else type(value)
    if isinstance(value, type | FunctionType):
        shown = (
            value.__name__
            if isinstance(value, type)
            else f"{value.__module__}.{value.__qualname__}"
        )
        return (
            shown
            if isinstance(value, type) and is_installed(value)
            else f"{shown} #{hash_of(value, of_data)}"
        )
    shown = " ".join(re.sub(r" at 0x\w+", "", repr(value)).split())
    shown = shown if len(shown) <= _LENGTH else f"{shown[:_LENGTH]}..."
    return f"{shown} #{hash_of(value, of_data)}"
