"""From a word or a recipe to a target that goes with its estimator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from skfusion._checks import resolve_recipe
from skfusion.exceptions import ParameterError
from skfusion.targets._base import Target
from skfusion.targets._labels import Labels
from skfusion.targets._texts import Texts
from skfusion.targets._values import Values

__all__ = ["TargetLike", "resolve_label_target", "resolve_text_target", "resolve_value_target"]

TargetLike: TypeAlias = Target | str

_LABELS = {
    "auto": Labels,
    "classes": lambda: Labels(several=False),
    "labels": lambda: Labels(several=True),
}
_VALUES = {"auto": Values, "values": Values}
_TEXTS = {"auto": Texts, "texts": Texts}


def resolve_label_target(target: TargetLike) -> Target:
    """Return the target of a classifier: a recipe, or what a word stands for.

    Examples
    --------
    >>> from skfusion.targets._resolve import resolve_label_target
    >>> resolve_label_target("labels")
    Labels(several=True)
    """
    if isinstance(target, Values):
        raise ParameterError(f"target={target!r} is for FusionRegressor. Use Labels().")
    return resolve_recipe("target must be a recipe such as Labels()", target, Target, _LABELS)


def resolve_value_target(target: TargetLike) -> Target:
    """Return the target of a regressor: a recipe, or what a word stands for.

    Examples
    --------
    >>> from skfusion.targets._resolve import resolve_value_target
    >>> resolve_value_target("auto")
    Values()
    """
    if isinstance(target, Labels):
        raise ParameterError(f"target={target!r} is for FusionClassifier. Use Values().")
    return resolve_recipe("target must be a recipe such as Values()", target, Target, _VALUES)


def resolve_text_target(target: TargetLike) -> Target:
    """Return the target of a generator: a recipe, or what a word stands for.

    Examples
    --------
    >>> from skfusion.targets._resolve import resolve_text_target
    >>> resolve_text_target("auto")
    Texts()
    """
    for other, estimator in ((Labels, "FusionClassifier"), (Values, "FusionRegressor")):
        if isinstance(target, other):
            raise ParameterError(f"target={target!r} is for {estimator}. Use Texts().")
    return resolve_recipe("target must be a recipe such as Texts()", target, Target, _TEXTS)


def check_heeded(target: Target, given: Mapping[str, object], usual: Mapping[str, object]) -> None:
    """Raise ``ParameterError`` if an argument is not the usual one and ``target`` heeds none."""
    if target.takes_loss:
        return
    for name, value in given.items():
        if value != usual[name] and type(value) is not usual[name]:
            raise ParameterError(
                f"{name}={value!r} has no effect, since target={target!r} has a loss of its own. "
                f"Leave {name} out, or choose another target."
            )
