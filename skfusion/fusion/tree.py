"""Blocks fused in groups before the rest; from a name, or groups, to a fusion."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from skfusion._checks import resolve_recipe
from skfusion._tokens import Encoded, as_tokens
from skfusion.blocks import BlockSpec
from skfusion.encoders._measure import measuring
from skfusion.exceptions import ParameterError, noted
from skfusion.fusion._base import Fusion, FusionLike, Group
from skfusion.fusion._build import build_fusion, fused_width, takes_tokens
from skfusion.fusion._groups import check_groups, well_formed, widths_inside, with_group
from skfusion.fusion._tree_module import Step, TreeModule, WeighedTreeModule
from skfusion.fusion.bilinear import Bilinear
from skfusion.fusion.bottleneck import Bottleneck
from skfusion.fusion.concat import Concat
from skfusion.fusion.cross_attention import CrossAttention
from skfusion.fusion.early import Early
from skfusion.fusion.experts import MixtureOfExperts
from skfusion.fusion.film import FiLM
from skfusion.fusion.gated import Gated
from skfusion.fusion.late import Late
from skfusion.fusion.low_rank import LowRank
from skfusion.fusion.pointwise import Max, Mean, Product, Sum
from skfusion.fusion.tensor import Tensor
from skfusion.fusion.token_concat import TokenConcat
from skfusion.fusion.token_transformer import TokenTransformer

if TYPE_CHECKING:
    from typing_extensions import Self

    from skfusion.encoders import Encoder

__all__ = ["Tree", "resolve_fusion"]


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

    def __init__(self, groups: Sequence[Group], final: FusionLike = "concat") -> None:
        self.groups = groups
        self.final = final

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Return the parameters; where ``deep``, with those of the groups' fusions by name."""
        params: dict[str, object] = super().get_params(deep=deep)
        for name, _, fusion in well_formed(self.groups) if deep else ():
            params[name] = fusion
            if isinstance(fusion, Fusion):
                params |= {f"{name}__{key}": value for key, value in fusion.get_params().items()}
        return params

    def set_params(self, **params: object) -> Self:
        """Set parameters: the tree's, a group's fusion by its name, or ``name__parameter``."""
        if "groups" in params:
            self.groups = cast("Sequence[Group]", params.pop("groups"))
        groups = well_formed(self.groups)
        replaced = {name for name, _, _ in groups} & set(params)
        if replaced:
            self.groups = [
                (name, blocks, cast(FusionLike, params.pop(name)) if name in replaced else fusion)
                for name, blocks, fusion in groups
            ]
        own = {key: params.pop(key) for key in [*params] if "__" not in key}
        super().set_params(**own)
        self._have_recipes({key.partition("__")[0] for key in params})
        super().set_params(**params)
        return self

    def _have_recipes(self, names: set[str]) -> None:
        """Put recipes in the place of aliases and lists in groups called ``names``."""
        if "final" in names:
            self.final = resolve_fusion(self.final)
        groups = well_formed(self.groups)
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
            inside = widths_inside(nodes, blocks, widths, names, i)
            module, width = _built(fusion, inside, name)
            steps.append(Step(name, module, tuple(inside), takes_tokens(fusion), width))
            nodes = with_group(nodes, inside, name, width)
        final = self._final()
        module = build_fusion(final, nodes, n_outputs)
        steps.append(Step("final", module, tuple(nodes), takes_tokens(final)))
        weighs = all(hasattr(step.fusion, "weights") for step in steps)
        return (WeighedTreeModule if weighs else TreeModule)(tuple(widths), steps)

    def _resolved(self) -> Iterator[tuple[str, list[str], Fusion]]:
        check_groups(self.groups)
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
        return resolve_fusion(self.final)


def _built(fusion: Fusion, widths: Mapping[str, int], name: str) -> tuple[nn.Module, int]:
    """Return the module of a group, and how wide its vectors are."""
    with noted(f"in the group {name!r}"):
        module = build_fusion(fusion, widths, 1)
        return module, _width(fusion, module, widths)


def _width(fusion: Fusion, module: nn.Module, widths: Mapping[str, int]) -> int:
    made_up: dict[str, Encoded] = {name: torch.zeros(2, width) for name, width in widths.items()}
    if takes_tokens(fusion):
        made_up = {name: as_tokens(vectors) for name, vectors in made_up.items()}
    with measuring(module):
        return fused_width(fusion, lambda: module(made_up, None), n_rows=2)


_ALIASES: dict[str, Callable[[], Fusion]] = {
    "concat": Concat,
    "sum": Sum,
    "mean": Mean,
    "max": Max,
    "product": Product,
    "gated": Gated,
    "low_rank": LowRank,
    "tensor": Tensor,
    "bilinear": Bilinear,
    "film": FiLM,
    "cross_attention": CrossAttention,
    "token_concat": TokenConcat,
    "token_transformer": TokenTransformer,
    "bottleneck": Bottleneck,
    "experts": MixtureOfExperts,
    "early": Early,
    "late": Late,
}


def resolve_fusion(fusion: FusionLike) -> Fusion:
    """Return ``fusion``, a new one for an alias such as ``"gated"``, a ``Tree`` for groups.

    Examples
    --------
    >>> from skfusion.fusion.tree import resolve_fusion
    >>> resolve_fusion("gated")
    Gated()
    >>> resolve_fusion([("language", ["tfidf", "words"], "gated")])
    Tree(groups=[('language', ['tfidf', 'words'], 'gated')])
    """
    if isinstance(fusion, (list, tuple)):
        return Tree(fusion)
    rule = "fusion must be a recipe such as Concat(), a list of groups,"
    return resolve_recipe(rule, fusion, Fusion, _ALIASES)
