"""The coding of y together with its loss, so that the two cannot disagree."""

from skfusion.targets._base import Coding, Network, PlainY, Target, TargetOptions
from skfusion.targets._labels import LabelCoding, Labels
from skfusion.targets._output import OutputSpec
from skfusion.targets._resolve import TargetLike
from skfusion.targets._several import SeveralCoding, SeveralTargets
from skfusion.targets._texts import TextCoding, Texts
from skfusion.targets._value_coding import ValueCoding
from skfusion.targets._values import Values

__all__ = [
    "Coding",
    "LabelCoding",
    "Labels",
    "Network",
    "OutputSpec",
    "PlainY",
    "SeveralCoding",
    "SeveralTargets",
    "Target",
    "TargetLike",
    "TargetOptions",
    "TextCoding",
    "Texts",
    "ValueCoding",
    "Values",
]
