"""The arguments of the estimators: checked and resolved, before a row is read."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from joblib import Memory
from sklearn.base import clone
from sklearn.utils.validation import check_memory

from skfusion._checks import check_choice, check_int, check_real, did_you_mean
from skfusion._estimators._held_out import ValidationSplit
from skfusion._training import TrainingSettings, check_checkpoint, pick_device
from skfusion.blocks import BlockSpec
from skfusion.encoders import Encoder
from skfusion.exceptions import ParameterError
from skfusion.fusion import Fusion
from skfusion.fusion._build import hands_tokens
from skfusion.heads import Head
from skfusion.inputs import BlockUnion
from skfusion.inputs._union.words import check_words
from skfusion.targets import Target, TargetOptions
from skfusion.targets._class_weight import ClassWeight
from skfusion.typing import Scorer, SeedLike

__all__ = [
    "Arguments",
    "MemoryLike",
    "PathLike",
    "check_batch_size",
    "check_class_weight",
    "check_device",
    "check_flag",
    "check_gradient_clipping",
    "check_lengths",
    "check_lr",
    "check_members",
    "check_memory_folder",
    "check_mixup",
    "check_place",
    "check_random",
    "check_union",
    "check_verbose",
    "has_device",
    "is_balanced",
    "net_dtype",
]


PathLike: TypeAlias = str | os.PathLike[str]
MemoryLike: TypeAlias = PathLike | Memory


@dataclass(frozen=True)
class Arguments:
    """All arguments of an estimator that a fit follows, checked and resolved.

    Recipes are copies, so that what a user changes on theirs later changes nothing that was fitted.
    """

    union: BlockUnion | None  # with the columns of the estimator; None for the usual one
    usual_union: BlockUnion | None  # of a table that no union is named for, if it is a special one
    encoders: Mapping[str, Encoder]  # those that the user named, by block
    fusion: Fusion
    head: Head
    target: Target
    target_options: TargetOptions
    members: int | str  # networks, or "auto"
    linear: bool | str  # whether a linear model is a member too, or "auto"
    early_stopping: bool | str
    validation_split: ValidationSplit | None
    scorer: Scorer | None  # of held-out rows; None for their loss
    missing: str
    memory: MemoryLike | None  # where the union and frozen encoders keep their work
    random_state: SeedLike
    device: str  # "auto", or as torch names it
    checkpoint: PathLike | None
    training: TrainingSettings
    class_weight: ClassWeight = None

    @property
    def plans_ahead(self) -> bool:
        """Whether a fit of more epochs would be another one from its first step on."""
        return self.training.schedule is not None or self.training.averaging is not None


def check_lr(lr: float) -> float:
    """Return the learning rate, a number > 0."""
    if check_real("lr", lr) == 0:
        raise ParameterError(
            f"lr must be a number > 0, since nothing is learned at a rate of 0. Got {lr!r}. "
            "The default is 0.003."
        )
    return float(lr)


def check_batch_size(batch_size: int | str) -> int | None:
    """Return the number of rows; None, for "auto", leaves it to the number of all rows."""
    if isinstance(batch_size, str) and batch_size == "auto":
        return None
    return check_int("batch_size", batch_size, repair='Or leave it to batch_size="auto".')


def check_gradient_clipping(norm: float | None) -> float | None:
    """Return the norm, a number > 0, or None."""
    if norm is not None and check_real("gradient_clipping", norm) == 0:
        raise ParameterError(
            "gradient_clipping must be a number > 0, since nothing is learned of gradients of 0. "
            f"Got {norm!r}. Use gradient_clipping=None to leave them as they are."
        )
    return norm


def check_flag(name: str, value: bool) -> bool:
    """Return ``value``, True or False."""
    return bool(check_choice(name, value, (True, False)))


def check_union(
    union: BlockUnion | None, columns: Mapping[Hashable, str] | None, usual: BlockUnion | None
) -> BlockUnion | None:
    """Return a copy of the union that X is to go through, with the kinds of ``columns``.

    None, if neither is given, has tables go through the ``usual`` one, ``BlockUnion()`` if that is
    None.
    """
    if union is not None and not isinstance(union, BlockUnion):
        what = f"the class: write {union.__name__}()" if isinstance(union, type) else f"{union!r}"
        raise ParameterError(f"union must be None or a BlockUnion. Got {what}.")
    words = check_words(columns)
    if union is None and not words:
        return None
    union = clone(union or usual or BlockUnion())
    if words:
        union.columns = {**check_words(union.columns), **words}
    return union


def check_verbose(verbose: int) -> int:
    """Return how much is shown: 0, or an int above; True is 1."""
    return int(verbose) if isinstance(verbose, bool) else check_int("verbose", verbose, 0)


def check_random(random_state: SeedLike) -> SeedLike:
    """Return what randomness follows from; nothing is drawn from it."""
    known = random_state is None or isinstance(random_state, Integral | np.random.RandomState)
    in_range = not isinstance(random_state, Integral) or 0 <= random_state < 2**32
    if not known or not in_range or isinstance(random_state, bool):
        raise ParameterError(
            "random_state must be None, an int from 0 to 4294967295 or a numpy.random.RandomState. "
            f"Got {random_state!r}."
        )
    return random_state


def check_memory_folder(memory: MemoryLike | None) -> Memory:
    """Return the folder in which is kept what does not depend on the training."""
    folder = os.fspath(memory) if isinstance(memory, os.PathLike) else memory
    if folder == "":
        raise ParameterError(
            "memory must be None, the path of a folder or a joblib.Memory. Got ''."
        )
    if isinstance(folder, str) and Path(folder).exists() and not Path(folder).is_dir():
        raise ParameterError(f"memory must be a folder. Got {folder!r}, which is a file.")
    if isinstance(folder, str) and not _may_be_made(Path(folder)):
        raise ParameterError(f"memory must be a folder that can be written. Got {folder!r}.")
    try:
        return check_memory(folder)
    except ValueError as error:
        raise ParameterError(
            f"memory must be None, the path of a folder or a joblib.Memory. Got {memory!r}."
        ) from error


def _may_be_made(folder: Path) -> bool:
    """Whether a folder is there, or can be made, and can be written to."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK)


def check_mixup(mixup: float, fusion: Fusion, head: Head) -> float:
    """Return the alpha of mixup, which needs one fused vector a row."""
    alpha = check_real("mixup", mixup, repair="0 mixes nothing.")
    if alpha and hands_tokens(fusion, head.takes):
        raise ParameterError(
            f"mixup={mixup!r} mixes the fused vectors of rows, but the head {head!r} takes the "
            "fused tokens, which stand for other things in each row. Use mixup=0.0, or a head that "
            'takes the vector, such as head="linear".'
        )
    return alpha


def check_members(members: int | str) -> int | str:
    """Return the number of networks, or "auto"."""
    if isinstance(members, str) and members == "auto":
        return members
    return check_int("members", members, repair='Or leave it to members="auto".')


def check_device(device: str | torch.device) -> str:
    """Return "auto", or the device as torch names it."""
    if not has_device(device):
        raise ParameterError(
            'device must be "auto" or a torch device that this machine has, such as "cpu". '
            f"Got {device!r}."
        )
    return str(device)


def has_device(device: str | torch.device) -> bool:
    """Whether this machine has the torch device, one that holds numbers ("meta" does not)."""
    try:
        torch.zeros(1, device=pick_device(device)).cpu()
    except (AssertionError, RuntimeError, TypeError, ValueError):  # torch raises any of them
        return False
    return True


def check_place(checkpoint: PathLike | None) -> PathLike | None:
    """Return the path where the state of a fit is kept, if there is one."""
    if checkpoint is not None and not _is_path(checkpoint):
        raise ParameterError(
            'checkpoint must be None or a path: a folder, or a file that ends in ".pt". '
            f"Got {checkpoint!r}."
        )
    check_checkpoint(checkpoint)
    return checkpoint


def _is_path(value: object) -> bool:
    """Whether ``value`` names a place; an empty text would stand for the current folder."""
    return isinstance(value, os.PathLike) or (isinstance(value, str) and bool(value))


def check_class_weight(class_weight: ClassWeight) -> ClassWeight:
    """Return the weights of classes: by class, "balanced" or None."""
    if isinstance(class_weight, Mapping):
        for label, weight in class_weight.items():
            check_real(f"class_weight of {label!r}", weight)
    elif class_weight is not None and not is_balanced(class_weight):
        hint = did_you_mean(class_weight, ["balanced"])
        raise ParameterError(
            'class_weight must be None, "balanced" or a dict of class to weight. '
            f"Got {class_weight!r}. {hint}".rstrip()
        )
    return class_weight


def is_balanced(class_weight: object) -> bool:
    """Whether weights of classes are asked for that make up for how often each occurs."""
    return isinstance(class_weight, str) and class_weight == "balanced"


def check_lengths(by_length: bool, specs: Mapping[str, BlockSpec]) -> None:
    """Check that there are rows of different length where batches are drawn by it."""
    if by_length and not any(spec.ragged for spec in specs.values()):
        forms = ", ".join(f"{name!r} ({spec.form})" for name, spec in specs.items())
        raise ParameterError(
            f"batch_by_length=True needs a block whose rows differ in length. Got {forms}. "
            "Use batch_by_length=False, or pass such a block as Ragged, unpadded."
        )


def net_dtype(specs: Mapping[str, BlockSpec]) -> torch.dtype:
    """The network follows its data: float64 where a block is, else float32."""
    kinds = [spec.dtype for spec in specs.values()]
    return torch.float64 if np.float64 in kinds else torch.float32
