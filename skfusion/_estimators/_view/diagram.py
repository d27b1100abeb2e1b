"""The network as boxes in scikit-learn's HTML diagram: blocks, encoders, fusion, head."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from sklearn.base import BaseEstimator

from skfusion._estimators._view.parts import Part
from skfusion.encoders import Encoder, Policy
from skfusion.encoders._choose import resolve_encoder
from skfusion.fusion import Fusion, Tree
from skfusion.fusion._base import FusionLike
from skfusion.fusion.tree import resolve_fusion
from skfusion.heads import Head
from skfusion.heads._resolve import resolve_head
from skfusion.inputs._union.diagram import branches, chain, labelled

__all__ = ["VisualBlock", "diagram_of_parts", "diagram_of_recipes"]

VisualBlock: TypeAlias = Any  # of scikit-learn, which has no public name for it

_LINES = 60  # of a module's description: a large pretrained network has thousands
_LONGEST = 40  # characters of a caption
_OTHERS, _EVERY = "other blocks", "every block"


class _Node(NamedTuple):
    """A block or a group of them: its box, what is said of it, and what flows into it."""

    box: VisualBlock
    details: str
    inside: tuple[str, ...] = ()


def diagram_of_parts(parts: Sequence[Part], told: str) -> VisualBlock:
    """Return the diagram of a built network; what is ``told`` of the whole is below it."""
    nodes = {part.name: _node(part) for part in parts if part.kind in ("block", "group")}
    fusion = next(part for part in parts if part.kind == "fusion")
    heads = [part for part in parts if part.kind == "head"]
    whole = [labelled(_unbroken(told), "", "Each network is like the one above.")] if told else []
    return _diagram(fusion.inside, nodes, [*(_box(part) for part in (fusion, *heads)), *whole])


def diagram_of_recipes(
    encoders: Mapping[str, Encoder | str] | None, fusion: FusionLike, head: Head | str
) -> VisualBlock:
    """Return the diagram of a network that is not built yet, so far as it is known."""
    fusion = resolve_fusion(fusion)
    groups = _groups(fusion)
    given = {name: resolve_encoder(encoder) for name, encoder in (encoders or {}).items()}
    named = dict.fromkeys([*given, *(name for _, inside, _ in groups for name in inside)])
    nodes = {name: _Node(_plain(given.get(name)), "not fitted") for name in named}
    nodes |= {name: _Node(_plain(own), _members(blocks), blocks) for name, blocks, own in groups}
    nodes[_OTHERS if nodes else _EVERY] = _Node(_plain(None), "not fitted")
    grouped = {name for node in nodes.values() for name in node.inside}
    ends: list[BaseEstimator] = [
        resolve_fusion(fusion.final) if isinstance(fusion, Tree) else fusion
    ]
    ends += [] if fusion.decides else [resolve_head(head)]
    free = [name for name in nodes if name not in grouped]
    return _diagram(free, nodes, [_plain(end) for end in ends])


def _diagram(
    names: Sequence[str], nodes: Mapping[str, _Node], ends: Sequence[VisualBlock]
) -> VisualBlock:
    return chain([_side_by_side(names, nodes), *ends], dash_wrapped=True)


def _side_by_side(names: Sequence[str], nodes: Mapping[str, _Node]) -> VisualBlock:
    contents = [_branch(nodes[name], nodes) for name in names]
    return branches(names, contents, [nodes[name].details for name in names])


def _branch(node: _Node, nodes: Mapping[str, _Node]) -> VisualBlock:
    return chain([_side_by_side(node.inside, nodes), node.box]) if node.inside else node.box


def _node(part: Part) -> _Node:
    if part.kind == "group":
        return _Node(_box(part), _members(part.inside), part.inside)
    return _Node(_box(part), f"{part.form}, rows of shape {part.input}")


def _groups(fusion: Fusion) -> list[tuple[str, tuple[str, ...], Fusion]]:
    groups = fusion.groups if isinstance(fusion, Tree) else []
    return [(name, tuple(blocks), resolve_fusion(own)) for name, blocks, own in groups]


def _members(names: Sequence[str]) -> str:
    return "group of " + ", ".join(names)


def _box(part: Part) -> VisualBlock:
    """Return the box of a built part, with its sizes below its name."""
    weights = f"{part.n_parameters:,} parameters" if part.n_parameters else "no parameters"
    frozen = ", frozen" * (part.trained == "frozen")
    caption = f"{_unbroken(f'{part.input} → {part.output}')} {_unbroken(f'({weights}{frozen})')}"
    lines = str(part.module).splitlines()
    shown = lines[:_LINES] + ["…"] * (len(lines) > _LINES)
    return labelled(_label(part.recipe), caption, "\n".join([repr(part.recipe), "", *shown]))


def _unbroken(words: str) -> str:
    """Keep a browser from breaking the line between these words."""
    return words.replace(" ", "\N{NO-BREAK SPACE}")


def _plain(recipe: BaseEstimator | None) -> VisualBlock:
    """Return the box of a recipe, with those parameters that are not as usual below its name."""
    if recipe is None:
        return labelled(_unbroken("by its form"), "", "The usual encoder for the block's form.")
    caption = ", ".join(_changed(recipe))
    if len(caption) > _LONGEST:
        caption = caption[: _LONGEST - 1] + "…"
    return labelled(_label(recipe), caption, repr(recipe))


def _changed(recipe: BaseEstimator) -> Iterator[str]:
    """Yield the parameters that are not as usual, but for the recipes that the label names."""
    defaults = inspect.signature(type(recipe)).parameters
    for name, value in recipe.get_params(deep=False).items():
        if isinstance(value, BaseEstimator):
            yield from _changed(value) if isinstance(recipe, Policy) else ()
        elif repr(value) != repr(defaults[name].default):
            yield f"{name}={value!r}"


def _label(recipe: BaseEstimator | None) -> str:
    """Return the class of a recipe, with those of the recipes in it: "Chain(CNN, RNN)"."""
    if isinstance(recipe, Policy):
        return _label(recipe.encoder)
    name = type(recipe).__name__
    given = recipe.get_params(deep=False).values() if isinstance(recipe, BaseEstimator) else ()
    inner = [_label(value) for value in given if isinstance(value, BaseEstimator)]
    return f"{name}({', '.join(inner)})" if inner else name
