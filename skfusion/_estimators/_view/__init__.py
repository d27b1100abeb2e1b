"""How an estimator shows its network: a table, and a diagram in notebooks. It only reads."""

from skfusion._estimators._view.diagram import VisualBlock, diagram_of_parts, diagram_of_recipes
from skfusion._estimators._view.parts import parts_of
from skfusion._estimators._view.summary import Summary, summarise

__all__ = [
    "Summary",
    "VisualBlock",
    "diagram_of_parts",
    "diagram_of_recipes",
    "parts_of",
    "summarise",
]
