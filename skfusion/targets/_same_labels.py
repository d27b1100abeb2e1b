"""Labels beside each other: whether they can be equal, and whether they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from skfusion.blocks._kinds import is_csr
from skfusion.exceptions import TargetError
from skfusion.targets._base import PlainY
from skfusion.targets._reading import read_labels
from skfusion.typing import ArrayLike

if TYPE_CHECKING:
    from skfusion.targets._labels import LabelCoding

__all__ = [
    "are_comparable",
    "check_label_type",
    "check_same_classes",
    "listed",
    "same_labels",
]


def are_comparable(labels: np.ndarray, others: np.ndarray) -> bool:
    """Whether labels can be equal: a text is no number, a date neither."""
    if _is_text(labels) != _is_text(others):
        return False
    if labels.dtype.kind not in "OMm" and others.dtype.kind not in "OMm":
        return True
    try:
        return bool((labels[:1] < others[:1]) | True)
    except TypeError:
        return False


def listed(labels: np.ndarray) -> list[object]:
    """Return labels as they are written."""
    listed: list[object] = (labels.astype(str) if labels.dtype.kind in "Mm" else labels).tolist()
    return listed


def _is_text(labels: np.ndarray) -> bool:
    return labels.dtype.kind == "U" or (labels.dtype == object and isinstance(labels[0], str))


def check_same_classes(classes: ArrayLike, coding: LabelCoding) -> None:
    """Raise ``TargetError`` if ``classes`` are not those that were named, or learned, before."""
    if coding.output.form == "labels":  # which have no names
        return
    found, known = np.unique(read_labels(classes)), coding.classes
    if len(found) != len(known) or not same_labels(found, known).all():
        raise TargetError(
            f"classes={listed(found)} are not the classes of the first fit, which were "
            f"{listed(known)}. Name all classes in the first partial_fit, or fit anew."
        )


def check_label_type(labels: PlainY, predicted: np.ndarray) -> None:
    """Raise ``TargetError`` for labels that no prediction can equal, since they are of one type."""
    if labels.ndim == 1 == predicted.ndim and len(predicted):
        known = np.asarray(labels)
        if not are_comparable(known, predicted):
            raise TargetError(
                f"y holds {listed(known)[0]!r} in row 0, but the classes of the fit are such as "
                f"{listed(predicted)[0]!r}, of another type. Pass labels of the type of the fit."
            )


def same_labels(labels: PlainY, predicted: np.ndarray) -> np.ndarray:
    """Return whether each row has the predicted label, or all of the predicted labels.

    A label that no row of the fit had is simply another one.
    """
    if labels.shape[1:] != predicted.shape[1:]:
        raise TargetError(
            f"y has shape {labels.shape}, but predictions have {predicted.shape}. Pass y as in "
            "the fit."
        )
    if predicted.ndim == 1:
        known = np.asarray(labels)
        if len(known) and not are_comparable(known, predicted):
            return np.zeros(len(known), bool)
        return np.asarray(known == predicted)
    given = labels.toarray() if is_csr(labels) else np.asarray(labels)
    right: np.ndarray = (given == predicted).all(axis=1)
    return right
