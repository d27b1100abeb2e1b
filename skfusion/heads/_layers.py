"""Heads of fully connected layers."""

from __future__ import annotations

from torch import nn

from skfusion._checks import check_real, check_widths
from skfusion.heads._base import Head, shaped
from skfusion.targets import OutputSpec

__all__ = ["LinearHead", "MLPHead"]


class LinearHead(Head):
    """One linear layer, with dropout on the fused vector.

    Parameters
    ----------
    dropout : float, default=0.0
        Share of the fused vector set to zero while training.

    Examples
    --------
    >>> from skfusion.heads import LinearHead
    >>> from skfusion.targets import OutputSpec
    >>> LinearHead().build(8, OutputSpec("classes", (3,), n_classes=3))
    Linear(in_features=8, out_features=3, bias=True)
    """

    def __init__(self, dropout: float = 0.0) -> None:
        self.dropout = dropout

    def build(self, width: int, output: OutputSpec) -> nn.Module:
        linear = nn.Linear(width, output.n_outputs)
        around = [*_dropout(check_real("dropout", self.dropout, 0, 1)), linear, *shaped(output)]
        return nn.Sequential(*around) if len(around) > 1 else linear


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
    >>> from skfusion.targets import OutputSpec
    >>> len(MLPHead(widths=(32, 16)).build(64, OutputSpec("value", (3,))))
    5
    """

    def __init__(self, widths: int | tuple[int, ...] = (64,), dropout: float = 0.0) -> None:
        self.widths = widths
        self.dropout = dropout

    def build(self, width: int, output: OutputSpec) -> nn.Module:
        dropout = check_real("dropout", self.dropout, 0, 1)
        layers: list[nn.Module] = [*_dropout(dropout)]
        for width_out in check_widths("widths", self.widths):
            layers += [nn.Linear(width, width_out), nn.ReLU(), *_dropout(dropout)]
            width = width_out
        return nn.Sequential(*layers, nn.Linear(width, output.n_outputs), *shaped(output))


def _dropout(share: float) -> list[nn.Module]:
    return [nn.Dropout(share)] if share else []
