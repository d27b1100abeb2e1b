"""The models that an ablation compares: fewer blocks, other fusions."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sklearn.base import BaseEstimator, clone

from skfusion._estimators._recipes import same
from skfusion.encoders import Encoder, SameAs
from skfusion.exceptions import ParameterError, noted
from skfusion.fusion import Early, FiLM, Fusion, Tree
from skfusion.fusion._base import FusionLike
from skfusion.fusion.tree import resolve_fusion

__all__ = ["ALONE", "LEAVE_ONE_OUT", "Variant", "check_operators", "make_variants"]

ALONE, LEAVE_ONE_OUT = "block alone", "leave one out"
Operators: TypeAlias = Sequence[FusionLike] | Mapping[str, FusionLike]


@dataclass(frozen=True)
class Variant:
    """A model to compare: its name, its kind, the blocks it sees and how it fuses them."""

    label: str
    kind: str
    blocks: tuple[str, ...]
    fusion: FusionLike

    def of(self, estimator: BaseEstimator) -> BaseEstimator:
        """Return an unfitted ``estimator`` of this variant; encoders of other blocks are left out.

        Rows may lack all of its blocks where ``estimator`` has a word on that.
        """
        params: dict[str, object] = {"fusion": self.fusion, "encoders": None}
        if estimator.encoders is not None:
            params["encoders"] = self._encoders(estimator.encoders)
        if "missing" in estimator.get_params(deep=False):
            params["missing"] = "allow"
        return clone(clone(estimator).set_params(**params))

    def _encoders(self, given: Mapping[str, Encoder | str]) -> dict[str, Encoder | str]:
        """Return the encoders of the blocks that are there, also where one shares that of a block
        that is not: the first of these inherits it.
        """
        kept: dict[str, Encoder | str] = {}
        heirs: dict[str, str] = {}
        for name in self.blocks:
            encoder = given.get(name)
            if isinstance(encoder, SameAs) and encoder.block not in self.blocks:
                heir = heirs.setdefault(encoder.block, name)
                encoder = given.get(encoder.block) if heir == name else SameAs(heir)
            if encoder is not None:
                kept[name] = encoder
        return kept


def check_operators(operators: Operators, given: FusionLike) -> dict[str, Fusion]:
    """Return the fusions to compare by their labels: ``given`` first, then the ``operators``.

    A label is the key of a dict, an alias, or the recipe's repr. An operator that equals ``given``
    gives it its label.
    """
    asked: list[tuple[str, Fusion]] = []
    for label, fusion in _labelled(operators):
        known = next((known for known, other in asked if same(fusion, other)), None)
        if known is None:
            asked.append((label, fusion))
        elif known != label:
            raise ParameterError(
                f"the operators {known!r} and {label!r} are the same fusion. Leave one of them out."
            )
    own = resolve_fusion(given)
    first = next((pair for pair in asked if same(own, pair[1])), (_label(given), own))
    others = [pair for pair in asked if not same(own, pair[1])]
    fusions: dict[str, Fusion] = {}
    for label, fusion in [first, *others]:
        if label in fusions:
            name, one, other = _shortened(label), _shortened(fusions[label]), _shortened(fusion)
            raise ParameterError(
                f"two fusions are called {name!r}: {one} and {other}. "
                "Give each operator a label of its own: operators={label: fusion}."
            )
        fusions[label] = fusion
    return fusions


def make_variants(names: tuple[str, ...], fusions: Mapping[str, Fusion]) -> list[Variant]:
    """Return every block alone, all but one, and all blocks with each of the ``fusions``.

    The first of them fuses all but one.
    """
    if len(names) < 2:
        raise ParameterError(
            f"ablation needs at least two blocks. Got {list(names)}. There is nothing to fuse."
        )
    alone = [Variant(name, ALONE, (name,), "concat") for name in names]
    fused = [Variant(label, _kind(fusion), names, fusion) for label, fusion in fusions.items()]
    return alone + _all_but_one(names, next(iter(fusions.values()))) + fused


def _labelled(operators: Operators) -> list[tuple[str, Fusion]]:
    if isinstance(operators, Mapping):
        return [(str(label), _resolved(fusion)) for label, fusion in operators.items()]
    if isinstance(operators, str) or not isinstance(operators, Iterable):
        own = "[] to compare no more than the estimator's own"
        raise ParameterError(
            f"operators must be a list or a dict of fusions. Got {operators!r}. "
            f"Write operators={own if operators is None else [operators]}."
        )
    fusions = [(fusion, _resolved(fusion)) for fusion in operators]
    return [(_label(given), fusion) for given, fusion in fusions]


def _resolved(operator: FusionLike) -> Fusion:
    with noted(f"{operator!r} is one of operators"):
        return resolve_fusion(operator)


def _all_but_one(names: tuple[str, ...], fusion: Fusion) -> list[Variant]:
    if len(names) == 2:  # they are the blocks alone
        return []
    kept = {out: tuple(name for name in names if name != out) for out in names}
    return [
        Variant(f"all but {out}", LEAVE_ONE_OUT, rest, _without(fusion, out))
        for out, rest in kept.items()
    ]


def _kind(fusion: Fusion) -> str:
    if isinstance(fusion, Early):
        return "early fusion"
    return "late fusion" if fusion.decides else "middle fusion"


def _label(fusion: FusionLike) -> str:
    if isinstance(fusion, str):
        return fusion
    whole = BaseEstimator.__repr__(resolve_fusion(fusion), N_CHAR_MAX=math.inf)
    return " ".join(whole.split())


def _shortened(fusion: FusionLike) -> str:
    return textwrap.shorten(_label(fusion), 80, placeholder=" ...")


def _without(fusion: Fusion, out: str) -> Fusion:
    """Return ``fusion`` for the blocks without ``out``, where it calls blocks by name."""
    if isinstance(fusion, FiLM) and fusion.by == out:
        return clone(fusion).set_params(by=None)
    return _pruned(fusion, out) if isinstance(fusion, Tree) else fusion


def _pruned(tree: Tree, out: str) -> Fusion:
    """Return ``tree`` without a block, and without the groups that it leaves empty."""
    gone, groups = {out}, []
    for name, blocks, fusion in tree.groups:
        kept = [block for block in blocks if block not in gone]
        if kept:
            groups.append((name, kept, _without(resolve_fusion(fusion), out)))
        else:
            gone.add(name)
    final = resolve_fusion(tree.final)
    for name in gone:
        final = _without(final, name)
    return Tree(groups, final) if groups else final
