"""How the encoded blocks become one vector, as recipes."""

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
from skfusion.fusion.token_concat import TokenConcat
from skfusion.fusion.token_transformer import TokenTransformer
from skfusion.fusion.tree import Tree

__all__ = [
    "Bilinear",
    "Bottleneck",
    "Concat",
    "CrossAttention",
    "Early",
    "FiLM",
    "Fusion",
    "Gated",
    "Late",
    "LowRank",
    "Max",
    "Mean",
    "MixtureOfExperts",
    "Product",
    "Sum",
    "Tensor",
    "TokenConcat",
    "TokenTransformer",
    "Tree",
]
