"""Each broken promise is found, by name."""

import numpy as np
import pytest
import torch
from torch import nn

from skfusion.blocks import Ragged
from skfusion.encoders import RNN, Encoder
from skfusion.testing import check_encoder


class Linear(nn.Module):
    """A module that keeps every promise on vectors, for the broken ones to begin from."""

    def __init__(self, spec):
        super().__init__()
        self.linear = nn.Linear(spec.shape[-1], 3)

    def forward(self, x):
        return self.linear(x)


class Unused(Linear):
    def __init__(self, spec):
        super().__init__(spec)
        self.left_over = nn.Linear(2, 2)


class Dead(Linear):
    def forward(self, x):
        return 0 * self.linear(x)


class OfTheBatch(Linear):
    def forward(self, x):
        y = self.linear(x)
        return y - y.mean(0)


class Restless(Linear):
    def forward(self, x):
        return self.linear(x) + 1e-7 * torch.rand(len(x), 3, dtype=x.dtype)


class Single(Linear):
    def forward(self, x):
        return self.linear(x).float()


class WrongRows(Linear):
    def forward(self, x):
        return self.linear(x)[:1]


class WrongAxes(Linear):
    def forward(self, x):
        return self.linear(x)[:, None, None]


class NotFinite(Linear):
    def forward(self, x):
        return self.linear(x) / 0


class Forgetful(Linear):
    """Draws numbers that are part of the computation but not of its state."""

    def __init__(self, spec):
        super().__init__(spec)
        self.shift = torch.rand(()).item()

    def forward(self, x):
        return self.linear(x) + self.shift


class StillTrained(Linear):
    frozen = True


class MovesOn(Linear):
    frozen = True

    def __init__(self, spec):
        super().__init__(spec)
        self.requires_grad_(False)

    def forward(self, x):
        return self.linear(x) + self.training


class Vectors(Encoder):
    takes = ("vector",)

    def __init__(self, kind=Linear):
        self.kind = kind

    def build(self, spec, pooled=True):
        return self.kind(spec)


def test_an_encoder_that_keeps_its_promises_passes():
    check_encoder(Vectors())


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Unused, "on vectors: parameter left_over.weight gets no gradient: it never trains"),
        (Dead, "the gradient of parameter linear.weight is zero everywhere"),
        (OfTheBatch, "a row gives another output alone than in its batch: they differ by up to"),
        (Single, "float64 in, torch.float32 out"),
        (Restless, "two calls in evaluation mode differ"),
        (WrongRows, "6 rows in, 1 out"),
        (WrongAxes, r"pooled, but the shape is \(6, 1, 1, 3\)"),
        (NotFinite, "the output: NaN or infinite values"),
        (Forgetful, "some state is missing"),
        (StillTrained, "frozen, but linear.weight is trained"),
        (MovesOn, "frozen, but in training mode it gives another output"),
    ],
)
def test_what_a_module_breaks_is_said(kind, message):
    with pytest.raises(AssertionError, match=message):
        check_encoder(Vectors(kind))


SHARED = nn.Linear(5, 3)


class Shares(Vectors):
    def build(self, spec, pooled=True):
        return SHARED


class Remembers(Vectors):
    def build(self, spec, pooled=True):
        self.width_ = spec.shape[0]
        return self.kind(spec)


class Sums(Encoder):
    """Reads the padding: a mean over all places, data or not."""

    takes = ("sequence",)

    def build(self, spec, pooled=True):
        return SumsModule(spec)


class SumsModule(Linear):
    def forward(self, x, mask=None):
        return self.linear(x.to(self.linear.weight.dtype)).mean(1)


class EmptyIsNaN(Encoder):
    takes = ("sequence",)

    def build(self, spec, pooled=True):
        return EmptyIsNaNModule(spec)


class EmptyIsNaNModule(Linear):
    def forward(self, x, mask=None):
        y = self.linear(x.to(self.linear.weight.dtype))
        if mask is None:
            return y.mean(1)
        return (y * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)


def test_two_builds_must_not_share():
    with pytest.raises(AssertionError, match="two builds share weight"):
        check_encoder(Shares())


def test_a_recipe_must_not_change_when_it_builds():
    with pytest.raises(AssertionError, match=r"keeps \['width_'\] besides its parameters"):
        check_encoder(Remembers())


def test_padding_must_not_be_read():
    with pytest.raises(AssertionError, match="sequences of different length: a row gives another"):
        check_encoder(Sums())


def test_rows_of_one_length_betray_padding_too():
    rows = Ragged.from_rows([np.eye(3, 2), np.ones((3, 2))])
    with pytest.raises(AssertionError, match="more padding behind the rows changes the output"):
        check_encoder(Sums(), rows)


def test_rows_without_steps_must_not_be_nan():
    with pytest.raises(AssertionError, match="the output of a batch with an empty row: NaN"):
        check_encoder(EmptyIsNaN())


def test_an_encoder_that_takes_nothing_is_told_what_to_do():
    with pytest.raises(AssertionError, match="takes none of the rows .* block=..."):
        check_encoder(RNN(), np.eye(3))


def test_an_error_in_the_module_tells_where():
    with pytest.raises(KeyError, match="inside") as caught:
        check_encoder(FailsEncoder())
    assert "FailsEncoder() on vectors, in shapes" in str(caught.value)


class FailsEncoder(Encoder):
    takes = ("vector",)

    def build(self, spec, pooled=True):
        return FailsModule(spec)


class FailsModule(Linear):
    def forward(self, x):
        raise KeyError("inside")
