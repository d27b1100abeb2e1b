"""Real data that every installation already has."""

from skfusion.datasets._docstrings import load_docstrings

__all__ = ["load_docstrings"]
