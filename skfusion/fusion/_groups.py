"""Groups of blocks: their form, and which blocks are left when one is fused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skfusion._checks import did_you_mean
from skfusion.exceptions import ParameterError
from skfusion.fusion._base import Group
from skfusion.fusion._parts import check_block

__all__ = ["check_groups", "well_formed", "widths_inside", "with_group"]

_OWN = ("groups", "final")  # parameters of a tree, which no group may be called


def widths_inside(
    nodes: Mapping[str, int],
    blocks: list[str],
    given: Mapping[str, int],
    groups: list[str],
    i: int,
) -> dict[str, int]:
    """Return the widths of the blocks of group ``i``, which are ``given`` or groups before it."""
    if groups[i] in given:
        raise ParameterError(
            f"a group must not be called like a block. Rename group {groups[i]!r}."
        )
    for name in blocks:
        if name not in nodes:
            _refuse(name, nodes, given, groups, i)
    return {name: nodes[name] for name in blocks}


def _refuse(
    name: str, nodes: Mapping[str, int], given: Mapping[str, int], groups: list[str], i: int
) -> None:
    """Say why ``name`` is not one of the ``nodes`` that group ``i`` may contain."""
    group = groups[i]
    if name == group:
        raise ParameterError(f"group {name!r} contains itself. Take it out of its own blocks.")
    if name in groups[i:]:
        raise ParameterError(
            f"group {name!r} is defined later than {group!r}, which contains it. Move it up."
        )
    if name in given or name in groups:
        kind = "block" if name in given else "group"
        raise ParameterError(
            f"{kind} {name!r} is in two groups, the second is {group!r}. Leave it in one."
        )
    check_block(name, nodes, f"the group {group!r}")


def with_group(
    nodes: Mapping[str, int], inside: Mapping[str, int], group: str, width: int
) -> dict[str, int]:
    """Return the nodes with the group in the place of its first block."""
    first, after = next(iter(inside)), {}
    for name, given in nodes.items():
        if name == first:
            after[group] = width
        if name not in inside:
            after[name] = given
    return after


def well_formed(groups: object) -> list[Group]:
    """Return those groups that have a name and a fusion, for parameters in front of a check."""
    if not isinstance(groups, (list, tuple)):
        return []
    return [
        (group[0], group[1], group[2])
        for group in groups
        if isinstance(group, (list, tuple)) and len(group) == 3 and isinstance(group[0], str)
    ]


def check_groups(groups: Sequence[Group]) -> None:
    if not isinstance(groups, (list, tuple)) or not groups:
        raise ParameterError(
            "groups must be a list of (name, blocks, fusion), such as "
            f'[("language", ["tfidf", "words"], "gated")]. Got {groups!r}.'
        )
    seen: list[str] = []
    for group in groups:
        _check_group(group)
        _check_name(group[0], seen)
        seen.append(group[0])


def _check_group(group: Group) -> None:
    whole = isinstance(group, (list, tuple)) and len(group) == 3 and isinstance(group[0], str)
    blocks = group[1] if whole else []
    listed = isinstance(blocks, (list, tuple)) and all(isinstance(name, str) for name in blocks)
    if not listed or not blocks:
        raise ParameterError(
            "each group must be (name, list of blocks, fusion), with at least one block, each by "
            f"its name. Got {group!r}."
        )
    if len(set(blocks)) < len(blocks):
        raise ParameterError(f"group {group[0]!r} names a block twice: {list(blocks)}.")


def _check_name(name: str, seen: list[str]) -> None:
    if name in seen or name in _OWN or "__" in name or not name:
        raise ParameterError(
            f"a group's name must be its own, not empty, without '__' and none of {_OWN}. "
            f"Got {name!r}, after {seen}. {did_you_mean(name, seen)}".rstrip()
        )
