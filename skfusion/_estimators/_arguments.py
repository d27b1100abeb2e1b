"""The arguments of the estimators: checked, and resolved to what the training takes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_memory

from skfusion._checks import check_choice, check_int, check_real
from skfusion._training import Balance, TrainingSettings, check_checkpoint, pick_device
from skfusion.blocks import Blocks, BlockSpec
from skfusion.exceptions import ParameterError
from skfusion.training import resolve_averaging, resolve_schedule

__all__ = [
    "balance_of",
    "check_arguments",
    "check_lengths",
    "draw_seed",
    "has_device",
    "net_dtype",
    "training_settings",
]


def check_arguments(estimator: Any) -> None:
    """Check all arguments that no recipe checks for itself."""
    check_int("max_epochs", estimator.max_epochs)
    check_int("n_iter_no_change", estimator.n_iter_no_change)
    check_real("lr", estimator.lr)
    check_real("weight_decay", estimator.weight_decay)
    check_choice("missing", estimator.missing, ("error", "allow"))
    check_choice("batch_by_length", estimator.batch_by_length, (True, False))
    check_choice("precision", estimator.precision, ("float32", "bf16", "auto"))
    check_choice("early_stopping", estimator.early_stopping, (True, False, "auto"))
    _check_device(estimator.device)
    _check_callbacks(estimator.callbacks)
    _check_checkpoint(estimator.checkpoint)
    if estimator.batch_size != "auto":
        check_int("batch_size", estimator.batch_size, repair='Or leave it to batch_size="auto".')
    if not 0 < check_real("validation_fraction", estimator.validation_fraction) < 1:
        raise ParameterError(
            "validation_fraction must lie strictly between 0 and 1. "
            f"Got {estimator.validation_fraction!r}. Use early_stopping=False to hold out nothing."
        )


def check_lengths(estimator: Any, specs: Mapping[str, BlockSpec]) -> None:
    """Check that there are rows of different length where batches are drawn by it."""
    if estimator.batch_by_length and not any(spec.ragged for spec in specs.values()):
        forms = ", ".join(f"{name!r} ({spec.form})" for name, spec in specs.items())
        raise ParameterError(
            f"batch_by_length=True needs a block whose rows differ in length. Got {forms}. "
            "Use batch_by_length=False, or pass such a block as Ragged, unpadded."
        )


def training_settings(estimator: Any) -> TrainingSettings:
    """Return what the training takes from the arguments."""
    return TrainingSettings(
        lr=estimator.lr,
        optimizer=estimator.optimizer,
        weight_decay=estimator.weight_decay,
        batch_size=None if estimator.batch_size == "auto" else int(estimator.batch_size),
        max_epochs=estimator.max_epochs,
        patience=estimator.n_iter_no_change,
        schedule=resolve_schedule(estimator.schedule),
        gradient_clipping=_clipping(estimator.gradient_clipping),
        averaging=resolve_averaging(estimator.averaging),
        accumulate=check_int("accumulate", estimator.accumulate),
        batch_by_length=estimator.batch_by_length,
        memory=check_memory(estimator.memory),
        balance=balance_of(estimator),
        precision=estimator.precision,
        verbose=estimator.verbose,
        callbacks=tuple(estimator.callbacks or ()),
        net_params=dict(estimator.net_params or {}),
    )


def balance_of(estimator: Any) -> Balance:
    """Return how the blocks are kept in balance."""
    return Balance(
        check_real("block_dropout", estimator.block_dropout, 0, 1),
        check_real("block_loss_weight", estimator.block_loss_weight),
        check_real("gradient_modulation", estimator.gradient_modulation),
    )


def _clipping(norm: Any) -> float | None:
    if norm is not None and check_real("gradient_clipping", norm) == 0:
        raise ParameterError(
            "gradient_clipping must be a number > 0, since nothing is learned of gradients of 0. "
            f"Got {norm!r}. Use gradient_clipping=None to leave them as they are."
        )
    return norm


def _check_device(device: Any) -> None:
    if not has_device(device):
        raise ParameterError(
            'device must be "auto" or a torch device that this machine has, such as "cpu". '
            f"Got {device!r}."
        )


def has_device(device: Any) -> bool:
    """Whether this machine has the torch device."""
    try:
        torch.empty(0, device=pick_device(device))
    except (AssertionError, RuntimeError, TypeError):  # torch raises one or another of them
        return False
    return True


def _check_callbacks(callbacks: Any) -> None:
    if callbacks is not None and not isinstance(callbacks, (list, tuple)):
        raise ParameterError(
            f"callbacks must be a list of skorch callbacks. Got {callbacks!r}. "
            "Write callbacks=[...], also for one."
        )


def _check_checkpoint(checkpoint: Any) -> None:
    if checkpoint is not None and not isinstance(checkpoint, (str, os.PathLike)):
        raise ParameterError(
            'checkpoint must be None or a path: a folder, or a file that ends in ".pt". '
            f"Got {checkpoint!r}."
        )
    check_checkpoint(checkpoint)


def net_dtype(blocks: Blocks) -> torch.dtype:
    """The network follows its data: float64 where a block is, else float32."""
    kinds = [spec.dtype for spec in blocks.specs().values()]
    return torch.float64 if np.float64 in kinds else torch.float32


def draw_seed(random_state: Any) -> int:
    """Return an int that all randomness of a fit follows from."""
    return int(check_random_state(random_state).randint(2**31 - 1))
