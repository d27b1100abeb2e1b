"""Weights of rows by their class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from sklearn.utils import compute_class_weight

from skfusion._checks import did_you_mean
from skfusion.exceptions import ParameterError, TargetError
from skfusion.targets._base import PlainY

__all__ = ["ClassWeight", "check_classes_known", "weight_by_class"]

ClassWeight: TypeAlias = "Mapping[object, float] | str | None"


def check_classes_known(class_weight: ClassWeight, classes: np.ndarray) -> None:
    """Raise ``ParameterError`` if a class is named that y does not have, in place of one it has."""
    if not isinstance(class_weight, Mapping):
        return
    known = classes.tolist()
    unknown = [label for label in class_weight if label not in known]
    if unknown and any(label not in class_weight for label in known):
        meant = [label for label in known if str(label) == str(unknown[0])]
        texts = [label for label in known if isinstance(label, str)]
        hint = f"Did you mean {meant[0]!r}?" if meant else did_you_mean(unknown[0], texts)
        raise ParameterError(
            f"class_weight names {unknown[0]!r}, which is none of the classes {known} of y. "
            + f"{hint} A class that is not named has weight 1.".strip()
        )


def weight_by_class(class_weight: ClassWeight, y: PlainY) -> np.ndarray | None:
    """Return the weight of each row by its class, or None where there is none.

    Raises
    ------
    TargetError
        If y has several labels a row, or the weights leave one class.
    """
    if class_weight is None:
        return None
    if y.ndim != 1 or not isinstance(y, np.ndarray):
        raise TargetError("class_weight does not go with several labels a row. Pass sample_weight.")
    classes, positions = np.unique(y, return_inverse=True)
    if isinstance(class_weight, Mapping):
        weights = np.array([class_weight.get(label, 1.0) for label in classes.tolist()], float)
    else:
        weights = compute_class_weight("balanced", classes=classes, y=y)
    left = classes[weights > 0]
    if len(left) < 2 <= len(classes):
        raise TargetError(
            f"class_weight leaves {left.tolist() or 'no class'} of the classes {classes.tolist()}: "
            "all others have weight 0, so there is nothing to tell apart. Give two classes at "
            "least a weight above 0."
        )
    return weights[positions]
