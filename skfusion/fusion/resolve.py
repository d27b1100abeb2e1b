"""From a name, or groups, to a fusion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skfusion._checks import resolve_recipe
from skfusion.fusion._base import Fusion
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
from skfusion.fusion.token_transformer import TokenTransformer
from skfusion.fusion.tree import Tree

__all__ = ["resolve_fusion"]

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
    "token_transformer": TokenTransformer,
    "bottleneck": Bottleneck,
    "experts": MixtureOfExperts,
    "early": Early,
    "late": Late,
}


def resolve_fusion(fusion: Any) -> Fusion:
    """Return ``fusion``, a new one for an alias such as ``"gated"``, a ``Tree`` for groups.

    Examples
    --------
    >>> from skfusion.fusion import resolve_fusion
    >>> resolve_fusion("gated")
    Gated()
    >>> resolve_fusion([("language", ["tfidf", "words"], "gated")])
    Tree(groups=[('language', ['tfidf', 'words'], 'gated')])
    """
    if isinstance(fusion, (list, tuple)):
        return Tree(fusion)
    rule = "fusion must be a recipe such as Concat(), a list of groups,"
    return resolve_recipe(rule, fusion, Fusion, _ALIASES)
