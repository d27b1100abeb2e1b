"""How the encoded blocks become one vector, as recipes."""

from skfusion.fusion._base import Fusion
from skfusion.fusion.concat import Concat
from skfusion.fusion.resolve import resolve_fusion

__all__ = ["Concat", "Fusion", "resolve_fusion"]
