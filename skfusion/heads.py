"""From the fused vector to the outputs."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from torch import nn

from skfusion._checks import check_real, check_widths, resolve_recipe

__all__ = ["Head", "LinearHead", "MLPHead", "resolve_head"]


class Head(BaseEstimator):
    """Recipe of the last part of the network: ``build`` returns any ``nn.Module``.

    (batch, width) -> (batch, n_outputs).

    Examples
    --------
    >>> from torch import nn
    >>> from skfusion.heads import Head
    >>> class Plain(Head):
    ...     def build(self, width, n_outputs):
    ...         return nn.Linear(width, n_outputs, bias=False)
    """

    def build(self, width: int, n_outputs: int) -> nn.Module:
        """Return a new module from vectors of size ``width`` to ``n_outputs`` numbers."""
        raise NotImplementedError


class LinearHead(Head):
    """One linear layer, with dropout on the fused vector.

    Parameters
    ----------
    dropout : float, default=0.0
        Share of the fused vector set to zero while training.

    Examples
    --------
    >>> from skfusion.heads import LinearHead
    >>> LinearHead().build(8, 3)
    Linear(in_features=8, out_features=3, bias=True)
    """

    def __init__(self, dropout: float = 0.0) -> None:
        self.dropout = dropout

    def build(self, width: int, n_outputs: int) -> nn.Module:
        linear = nn.Linear(width, n_outputs)
        dropout = _dropout(check_real("dropout", self.dropout, 0, 1))
        return nn.Sequential(*dropout, linear) if dropout else linear


class MLPHead(Head):
    """Fully connected layers with ReLU, then a linear one.

    Parameters
    ----------
    widths : int or sequence of int, default=(64,)
        Sizes of the layers in front of the outputs.
    dropout : float, default=0.0
        Share of the fused vector and of each layer's output set to zero while training.

    Examples
    --------
    >>> from skfusion.heads import MLPHead
    >>> len(MLPHead(widths=(32, 16)).build(64, 3))
    5
    """

    def __init__(self, widths: int | tuple[int, ...] = (64,), dropout: float = 0.0) -> None:
        self.widths = widths
        self.dropout = dropout

    def build(self, width: int, n_outputs: int) -> nn.Module:
        dropout = check_real("dropout", self.dropout, 0, 1)
        layers: list[nn.Module] = [*_dropout(dropout)]
        for width_out in check_widths("widths", self.widths):
            layers += [nn.Linear(width, width_out), nn.ReLU(), *_dropout(dropout)]
            width = width_out
        return nn.Sequential(*layers, nn.Linear(width, n_outputs))


_ALIASES = {"linear": LinearHead, "mlp": MLPHead}


def resolve_head(head: Any) -> Head:
    """Return ``head``, or a new one for an alias such as ``"linear"``.

    Examples
    --------
    >>> from skfusion.heads import resolve_head
    >>> resolve_head("mlp")
    MLPHead()
    """
    return resolve_recipe("head must be a recipe such as LinearHead()", head, Head, _ALIASES)


def _dropout(share: float) -> list[nn.Module]:
    return [nn.Dropout(share)] if share else []
