"""From the fused vector to the outputs."""

from skfusion.heads._base import Head
from skfusion.heads._layers import LinearHead, MLPHead

__all__ = ["Head", "LinearHead", "MLPHead"]
