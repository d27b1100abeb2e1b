"""The parts of a built network, in the order in which a row passes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sklearn.base import BaseEstimator
from torch import nn

from skfusion._module import FusionModule, ModulePlan
from skfusion.encoders import SameAs
from skfusion.encoders._base import is_frozen
from skfusion.fusion import Tree
from skfusion.fusion.tree import resolve_fusion

__all__ = ["Part", "one_line", "parts_of"]

_TIMES = " \N{MULTIPLICATION SIGN} "


@dataclass(frozen=True)
class Part:
    """One part of the network: an encoder, a fusion, the head."""

    kind: str  # "block", "group", "fusion", "head" or "block heads"
    name: str
    recipe: BaseEstimator | None
    module: nn.Module
    form: str
    input: str  # of one row
    output: str
    n_parameters: int
    trained: str  # "yes", "frozen", "partly", or "" where there is nothing to train
    inside: tuple[str, ...] = ()  # names of what a fusion fuses


def parts_of(plan: ModulePlan, module: FusionModule) -> list[Part]:
    """Return the parts of the network that was made from ``plan``."""
    found = [*_encoders(plan, module), *_fusions(plan, module)]
    if not plan.fusion.decides:
        sizes = str(module.width), _shape(plan.output.shape)
        found.append(_part("head", "", plan.head, [module.head], sizes))
    if module.block_heads is not None:
        sizes = _n_blocks(module.names), _shape(plan.output.shape)
        found.append(_part("block heads", "", None, [module.block_heads], sizes))
    return found


def one_line(recipe: BaseEstimator | None) -> str:
    """Return how a recipe is written, on one line."""
    return "" if recipe is None else " ".join(repr(recipe).split())


def _encoders(plan: ModulePlan, module: FusionModule) -> Iterator[Part]:
    missing_embeddings = dict(zip(module.names, module.missing_embeddings, strict=True))
    for name, encoder in zip(module.names, module.encoders, strict=True):
        own = nn.ParameterList([missing_embeddings[name]])
        width, spec = len(missing_embeddings[name]), plan.specs[name]
        sizes = _shape(spec.shape), str(width) if module.pooled else f"tokens{_TIMES}{width}"
        recipe = plan.encoders[name]
        # The weights of a shared encoder are those of one block, and counted there.
        modules: list[nn.Module] = [own] if isinstance(recipe, SameAs) else [encoder, own]
        yield _part("block", name, recipe, modules, sizes, form=spec.form)


def _fusions(plan: ModulePlan, module: FusionModule) -> Iterator[Part]:
    """Yield the fusion; those of the groups first, where it is a tree."""
    whole: Any = module.fusion
    if not isinstance(plan.fusion, Tree):
        sizes = _n_blocks(module.names), str(module.width)
        yield _part("fusion", "", plan.fusion, [whole], sizes, inside=module.names)
        return
    recipes = [fusion for _, _, fusion in plan.fusion.groups] + [plan.fusion.final]
    for step, recipe in zip(whole.steps, map(resolve_fusion, recipes), strict=True):
        kind, name = ("fusion", "") if step.width is None else ("group", step.name)
        sizes = _n_blocks(step.inside), str(step.width or module.width)
        yield _part(kind, name, recipe, [step.fusion], sizes, inside=step.inside)


def _part(
    kind: str,
    name: str,
    recipe: BaseEstimator | None,
    modules: list[nn.Module],
    sizes: tuple[str, str],
    form: str = "",
    inside: Iterable[str] = (),
) -> Part:
    n_parameters = sum(p.numel() for module in modules for p in module.parameters())
    main, trained = modules[0], _trained(modules[0])
    return Part(kind, name, recipe, main, form, *sizes, n_parameters, trained, tuple(inside))


def _trained(module: nn.Module) -> str:
    learns = {parameter.requires_grad for parameter in module.parameters()}
    if not learns:
        return ""
    if is_frozen(module) or learns == {False}:
        return "frozen"
    return "yes" if learns == {True} else "partly"


def _shape(shape: tuple[int | None, ...]) -> str:
    if shape == (None,):
        return "any length"
    return _TIMES.join("any" if size is None else f"{size:,}" for size in shape)


def _n_blocks(names: Iterable[str]) -> str:
    n_blocks = len(list(names))
    return f"{n_blocks} blocks" if n_blocks != 1 else "1 block"
