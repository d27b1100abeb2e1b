"""How a text is chosen among all that a network could write."""

from skfusion.decoding._recipe import Decoding

__all__ = ["Decoding"]
