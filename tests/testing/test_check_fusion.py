"""Each broken promise is found, by name."""

import pytest
import torch
from torch import nn

from skfusion.fusion import Fusion
from skfusion.testing import check_fusion


class Projected(nn.Module):
    """A module that keeps every promise, for the broken ones to begin from."""

    def __init__(self, widths):
        super().__init__()
        self.maps = nn.ModuleList(nn.Linear(width, 4) for width in widths.values())

    def each(self, encoded):
        return [m(v) for m, v in zip(self.maps, encoded.values(), strict=True)]

    def forward(self, encoded, present):
        return sum(self.each(encoded))


class OfTheBatch(Projected):
    def forward(self, encoded, present):
        total = sum(self.each(encoded))
        return total - total.mean(0)


class PlainList(Projected):
    """Factors in a list are no parameters: state_dict does not know them."""

    def __init__(self, widths):
        super().__init__(widths)
        self.factors = [torch.randn(4) for _ in widths]

    def forward(self, encoded, present):
        return sum(m * f.to(m) for m, f in zip(self.each(encoded), self.factors, strict=True))


class FirstOnly(Projected):
    def forward(self, encoded, present):
        return self.each(encoded)[0]


class DividesByAbsent(Projected):
    """A row that lacks everything is 0 / 0."""

    def forward(self, encoded, present):
        if present is None:
            return sum(self.each(encoded)) / len(encoded)
        kept = sum(v * present[:, [i]] for i, v in enumerate(self.each(encoded)))
        return kept / present.sum(1, keepdim=True)


class PresentMatters(Projected):
    def forward(self, encoded, present):
        return sum(self.each(encoded)) * (1 if present is None else 2)


class OneAxis(Projected):
    def forward(self, encoded, present):
        return sum(self.each(encoded)).sum(1)


class Recipe(Fusion):
    def __init__(self, kind=Projected):
        self.kind = kind

    def build(self, widths):
        return self.kind(widths)


def test_a_fusion_that_keeps_its_promises_passes():
    check_fusion(Recipe())


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (OfTheBatch, "a row gives another output alone than in its batch"),
        (PlainList, "some state is missing"),
        (FirstOnly, "on 2 blocks: parameter maps.1.weight gets no gradient: it never trains"),
        (DividesByAbsent, "the output: NaN or infinite values"),
        (PresentMatters, "present=None and all present give different outputs"),
        (OneAxis, r"on 1 blocks: \(batch, width\) expected, not \(8,\)"),
    ],
)
def test_what_a_module_breaks_is_said(kind, message):
    with pytest.raises(AssertionError, match=message):
        check_fusion(Recipe(kind))


class ReadsPadding(Fusion):
    takes = "tokens"

    def build(self, widths):
        return ReadsPaddingModule(widths)


class ReadsPaddingModule(Projected):
    def forward(self, encoded, present):
        means = {name: tokens.mean(1) for name, (tokens, _) in encoded.items()}
        return sum(self.each(means))


def test_tokens_behind_the_end_of_a_row_must_not_be_read():
    with pytest.raises(
        AssertionError, match="on 2 blocks: values behind the end of a row are read"
    ):
        check_fusion(ReadsPadding())


class Decides(Recipe):
    decides = True

    def build(self, widths, n_outputs):
        return self.kind(widths)


def test_a_fusion_that_decides_returns_the_outputs():
    with pytest.raises(AssertionError, match="one column per output expected"):
        check_fusion(Decides())
