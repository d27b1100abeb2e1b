"""A linear model of all blocks: what a network is compared and mixed with."""

from skfusion._linear.inputs import LinearInputs
from skfusion._linear.model import LinearChoice, LinearModel, choose_linear

__all__ = ["LinearChoice", "LinearInputs", "LinearModel", "choose_linear"]
