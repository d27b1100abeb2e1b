"""Blocks fused in groups before the rest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from skfusion._checks import did_you_mean
from skfusion.blocks import BlockSpec
from skfusion.exceptions import ParameterError, noted
from skfusion.fusion._base import Fusion
from skfusion.fusion._build import build_fusion, fused_width, takes_tokens
from skfusion.fusion._parts import as_tokens, as_vector, check_block

if TYPE_CHECKING:
    from skfusion.encoders import Encoder

__all__ = ["Tree"]

_OWN = ("groups", "final")


class Tree(Fusion):
    """Fuse blocks in groups, then the groups and the remaining blocks.

    A group behaves as a block from there on: a later group may name it, and in a row that lacks all
    its blocks it is missing. ``fusion=[...]`` of an estimator is short for ``Tree([...])``.

    {name: as ``takes`` says} -> what the final fusion returns.

    Parameters
    ----------
    groups : list of (name, blocks, fusion)
        Name of the group, names of the blocks or earlier groups in it, and a fusion or its alias.
    final : Fusion or str, default="concat"
        Fusion of the groups and of the blocks that are in none.

    Raises
    ------
    BlockError
        If a group names a block that does not exist or is in another group already.
    ParameterError
        If ``groups`` is of another form, or a group's fusion is one that decides.

    Examples
    --------
    >>> import torch
    >>> from skfusion.fusion import Gated, Tree
    >>> tree = Tree([("language", ["tfidf", "words"], Gated(width=8))], final="concat")
    >>> fuse = tree.build({"tfidf": 2, "words": 3, "price": 1})
    >>> encoded = {"tfidf": torch.ones(5, 2), "words": torch.ones(5, 3), "price": torch.ones(5, 1)}
    >>> fuse(encoded, None).shape
    torch.Size([5, 9])
    >>> tree.set_params(language__width=4).get_params()["language__width"]
    4

    Notes
    -----
    Where one of the fusions takes tokens, all blocks are encoded as tokens; those that other
    fusions take as vectors are averaged over their tokens.
    """

    def __init__(self, groups: Sequence[tuple[str, Any, Any]], final: Any = "concat") -> None:
        self.groups = groups
        self.final = final

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; where ``deep``, with those of the groups' fusions by name."""
        params = super().get_params(deep=deep)
        for name, _, fusion in _well_formed(self.groups) if deep else ():
            params[name] = fusion
            if isinstance(fusion, Fusion):
                params |= {f"{name}__{key}": value for key, value in fusion.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Tree:
        """Set parameters: the tree's, a group's fusion by its name, or ``name__parameter``."""
        if "groups" in params:
            self.groups = params.pop("groups")
        groups = _well_formed(self.groups)
        replaced = {name for name, _, _ in groups} & set(params)
        if replaced:
            self.groups = [
                (name, blocks, params.pop(name) if name in replaced else fusion)
                for name, blocks, fusion in groups
            ]
        own = {key: params.pop(key) for key in [*params] if "__" not in key}
        super().set_params(**own)
        self._have_recipes({key.partition("__")[0] for key in params})
        super().set_params(**params)
        return self

    def _have_recipes(self, names: set[str]) -> None:
        """Put recipes in the place of aliases and lists in groups called ``names``."""
        from skfusion.fusion.resolve import resolve_fusion

        if "final" in names:
            self.final = resolve_fusion(self.final)
        groups = _well_formed(self.groups)
        if names & {name for name, _, _ in groups}:
            self.groups = [
                (name, blocks, resolve_fusion(fusion) if name in names else fusion)
                for name, blocks, fusion in groups
            ]

    @property
    def takes(self) -> str:
        fusions = [*(fusion for _, _, fusion in self._resolved()), self._final()]
        kinds = [takes_tokens(fusion) for fusion in fusions]
        return "tokens" if any(kinds) else "vectors"

    @property
    def decides(self) -> bool:
        return self._final().decides

    def encoder_for(self, spec: BlockSpec) -> Encoder | None:
        for _, blocks, fusion in self._resolved():
            if spec.name in blocks:
                return fusion.encoder_for(spec)
        return self._final().encoder_for(spec)

    def build(self, widths: Mapping[str, int], n_outputs: int = 1) -> nn.Module:
        nodes, steps, resolved = dict(widths), [], [*self._resolved()]
        names = [name for name, _, _ in resolved]
        for i, (name, blocks, fusion) in enumerate(resolved):
            inside = _take(nodes, blocks, widths, names, i)
            module, width = _built(fusion, inside, name)
            steps.append(_Step(name, module, tuple(inside), takes_tokens(fusion), width))
            nodes = _replace(nodes, inside, name, width)
        final = self._final()
        module = build_fusion(final, nodes, n_outputs)
        steps.append(_Step("final", module, tuple(nodes), takes_tokens(final)))
        weighs = all(hasattr(step.fusion, "weights") for step in steps)
        return (_WeighedTree if weighs else _Tree)(tuple(widths), steps)

    def _resolved(self) -> Iterator[tuple[str, list[str], Fusion]]:
        # resolve_fusion makes a Tree of a list, so that each module needs the other.
        from skfusion.fusion.resolve import resolve_fusion

        _check_groups(self.groups)
        for name, blocks, fusion in self.groups:
            with noted(f"in the group {name!r}"):
                resolved = resolve_fusion(fusion)
            if resolved.decides:
                raise ParameterError(
                    f"group {name!r} has the fusion {fusion!r}, which decides; only the last "
                    f"fusion may. Use Tree([...], final={fusion!r})."
                )
            yield name, list(blocks), resolved

    def _final(self) -> Fusion:
        from skfusion.fusion.resolve import resolve_fusion

        return resolve_fusion(self.final)


class _Step(nn.Module):
    """One fusion of the tree: what is fused, how, and what that is called."""

    fusion: Any  # nn.Module

    def __init__(
        self,
        name: str,
        fusion: nn.Module,
        inside: tuple[str, ...],
        tokens: bool,
        width: int | None = None,  # of what a group becomes
    ) -> None:
        super().__init__()
        self.width = width
        self.name, self.fusion, self.inside = name, fusion, inside
        self.convert: Any = as_tokens if tokens else as_vector

    def inputs(
        self, values: Mapping[str, Any], shown: Mapping[str, torch.Tensor]
    ) -> tuple[dict[str, Any], torch.Tensor | None]:
        """Return what the fusion is called with."""
        present = torch.stack([shown[name] for name in self.inside], dim=1) if shown else None
        return {name: self.convert(values[name]) for name in self.inside}, present


class _Tree(nn.Module):
    steps: Any  # nn.ModuleList of _Step

    def __init__(self, names: tuple[str, ...], steps: list[_Step]) -> None:
        super().__init__()
        self.names = names
        self.steps = nn.ModuleList(steps)

    def forward(self, encoded: Mapping[str, Any], present: torch.Tensor | None) -> torch.Tensor:
        *_, (_, _, _, fused) = self.walk(encoded, present)
        return fused

    @property
    def auxiliary_loss(self) -> torch.Tensor | None:
        """Sum of the losses that the fusions of the tree left behind."""
        given = [getattr(step.fusion, "auxiliary_loss", None) for step in self.steps]
        losses = [loss for loss in given if loss is not None]
        return torch.stack(losses).sum() if losses else None

    def walk(
        self, encoded: Mapping[str, Any], present: torch.Tensor | None
    ) -> Iterator[tuple[Any, dict[str, Any], torch.Tensor | None, torch.Tensor]]:
        """Yield each step, its two inputs and what it makes of them, from the leaves up."""
        values = dict(encoded)
        shown = {} if present is None else dict(zip(self.names, present.unbind(1), strict=True))
        for step in self.steps:
            inside, there = step.inputs(values, shown)
            fused = step.fusion(inside, there)
            yield step, inside, there, fused
            values[step.name] = fused
            if there is not None:
                shown[step.name] = there.any(1)


class _WeighedTree(_Tree):
    def weights(self, encoded: Mapping[str, Any], present: torch.Tensor | None) -> torch.Tensor:
        """Return (batch, n_blocks): a block's weight in its group times that of the group."""
        shares: dict[str, torch.Tensor] = {}
        for step, inside, there, _ in reversed([*self.walk(encoded, present)]):
            weights = step.fusion.weights(inside, there)
            whole = shares.get(step.name)
            for name, part in zip(step.inside, weights.unbind(1), strict=True):
                shares[name] = part if whole is None else part * whole
        return torch.stack([shares[name] for name in self.names], dim=1)


def _built(fusion: Fusion, widths: Mapping[str, int], name: str) -> tuple[nn.Module, int]:
    """Return the module of a group, and how wide its vectors are."""
    with noted(f"in the group {name!r}"):
        module = build_fusion(fusion, widths, 1)
        return module, _width(fusion, module, widths)


def _width(fusion: Fusion, module: nn.Module, widths: Mapping[str, int]) -> int:
    made_up: dict[str, Any] = {name: torch.zeros(2, width) for name, width in widths.items()}
    if takes_tokens(fusion):
        made_up = {name: as_tokens(vectors) for name, vectors in made_up.items()}
    module.eval()
    with torch.no_grad():
        width = fused_width(fusion, lambda: module(made_up, None), n_rows=2)
    module.train()
    return width


def _take(
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


def _replace(
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


def _well_formed(groups: Any) -> list[tuple[str, Any, Any]]:
    """Return those groups that have a name and a fusion, for parameters in front of a check."""
    if not isinstance(groups, (list, tuple)):
        return []
    return [
        tuple(group)
        for group in groups
        if isinstance(group, (list, tuple)) and len(group) == 3 and isinstance(group[0], str)
    ]


def _check_groups(groups: Any) -> None:
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


def _check_group(group: Any) -> None:
    whole = isinstance(group, (list, tuple)) and len(group) == 3 and isinstance(group[0], str)
    blocks = group[1] if whole else None
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
