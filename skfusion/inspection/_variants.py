"""The models that an ablation compares: fewer blocks, other fusions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.base import clone

from skfusion.exceptions import ParameterError
from skfusion.fusion import Early, FiLM, Fusion, Tree, resolve_fusion

__all__ = ["ALONE", "LEAVE_ONE_OUT", "Variant", "check_operators", "make_variants"]

ALONE, LEAVE_ONE_OUT = "block alone", "leave one out"
Operators = Sequence[Any] | Mapping[str, Any]


@dataclass(frozen=True)
class Variant:
    """A model to compare: its name, its kind, the blocks it sees and how it fuses them."""

    label: str
    kind: str
    blocks: tuple[str, ...]
    fusion: Any

    def of(self, estimator: Any) -> Any:
        """Return an unfitted ``estimator`` of this variant; encoders of other blocks are left out.

        Rows may lack all of its blocks where ``estimator`` has a word on that.
        """
        params = {"fusion": self.fusion, "encoders": None}
        if estimator.encoders is not None:
            known = {name: estimator.encoders[name] for name in estimator.encoders}
            params["encoders"] = {name: known[name] for name in self.blocks if name in known}
        if "missing" in estimator.get_params(deep=False):
            params["missing"] = "allow"
        return clone(clone(estimator).set_params(**params))


def check_operators(operators: Operators) -> dict[str, Fusion]:
    """Return each operator by its label: the key of a dict, an alias, or the recipe's repr."""
    if isinstance(operators, str):
        raise ParameterError(
            f"operators must be a list or a dict of fusions. Got {operators!r}. "
            f"Write operators=[{operators!r}]."
        )
    if isinstance(operators, Mapping):
        return {label: resolve_fusion(fusion) for label, fusion in operators.items()}
    return {_label(fusion): resolve_fusion(fusion) for fusion in operators}


def make_variants(
    names: tuple[str, ...], given: Any, operators: Mapping[str, Fusion]
) -> list[Variant]:
    """Return every block alone, all but one, and all blocks with each fusion, ``given`` first."""
    if len(names) < 2:
        raise ParameterError(
            f"ablation needs at least two blocks. Got {list(names)}. There is nothing to fuse."
        )
    own = resolve_fusion(given)
    alone = [Variant(name, ALONE, (name,), "concat") for name in names]
    fusions = [(_label(given), own), *operators.items()]
    return alone + _all_but_one(names, own) + _all_blocks(names, fusions)


def _all_but_one(names: tuple[str, ...], fusion: Fusion) -> list[Variant]:
    if len(names) == 2:  # they are the blocks alone
        return []
    kept = {out: tuple(name for name in names if name != out) for out in names}
    return [
        Variant(f"all but {out}", LEAVE_ONE_OUT, rest, _without(fusion, out))
        for out, rest in kept.items()
    ]


def _all_blocks(names: tuple[str, ...], fusions: Iterable[tuple[str, Fusion]]) -> list[Variant]:
    """Return a variant per fusion; one that is there under another label is not fitted again."""
    distinct: dict[str, tuple[str, Fusion]] = {}
    for label, fusion in fusions:
        distinct.setdefault(repr(fusion), (label, fusion))
    return [Variant(label, _kind(fusion), names, fusion) for label, fusion in distinct.values()]


def _kind(fusion: Fusion) -> str:
    if isinstance(fusion, Early):
        return "early fusion"
    return "late fusion" if fusion.decides else "middle fusion"


def _label(fusion: Any) -> str:
    return fusion if isinstance(fusion, str) else " ".join(repr(resolve_fusion(fusion)).split())


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
