"""check_target and check_head find what is wrong with a target or a head."""

import numpy as np
import pytest
import torch
from torch import nn

from skfusion.heads import Head, LinearHead
from skfusion.losses import Squared
from skfusion.targets import LabelCoding, Labels, OutputSpec, Target, ValueCoding, Values
from skfusion.testing import check_head, check_target

Y = np.array([3.0, -1.0, 4.0, 10.0, 2.5])
WORDS = np.array(["a", "b", "c", "a", "b", "c"])


def valued(**methods):
    """Return a target of values, of whose coding some methods are others."""
    coding = type("Coding", (ValueCoding,), methods)
    learn = {"learn": lambda self, y, weight=None, options=None: coding(y, weight, Squared())}
    return type("Wrong", (Values,), learn)()


def total(self, outputs, codes, weight):
    return (outputs - codes).square().sum()


def unweighted(self, outputs, codes, weight):
    return (outputs - codes).square().mean()


def of_ranks(self, y):
    return np.argsort(y)[:, None].astype(float)


WRONG = {
    "a sum": (valued(loss=total), "is not the mean over its rows"),
    "no weights": (valued(loss=unweighted), "not the mean of weight times loss"),
    "ranks": (valued(encode=of_ranks), "another code alone than among others"),
    "a prior": (valued(prior=lambda self, c, w: np.ones(1)), "smaller loss than the prior"),
    "a shape": (valued(prior=lambda self, c, w: np.zeros(2)), r"prior of shape \(1,\) expected"),
    "codes": (
        valued(decode=lambda self, outputs: outputs[:, 0]),
        "outputs of least loss decode to",
    ),
    "columns": (valued(decode=lambda self, outputs: outputs), "y has shape"),
    "a score": (valued(score=lambda self, o, c: float(np.square(o - c).mean())), "no more than"),
    "mixing": (valued(mixed=lambda self, outputs, shares: outputs[0] + 1), "mixed with itself"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_with_a_target(kind):
    target, match = WRONG[kind]
    with pytest.raises(AssertionError, match=f"^Wrong.*: .*{match}"):
        check_target(target, Y)


class Halves(Labels):
    def learn(self, y, weight=None, options=None):
        coding = super().learn(y, weight, options)
        return HalfCoding(coding.classes, coding.output)


class HalfCoding(LabelCoding):
    def loss(self, outputs, codes, weight):
        each = nn.functional.cross_entropy(outputs, codes, reduction="none")
        return each.mean() if weight is None else (each * weight).mean()

    def prior(self, codes, weight):
        return np.log(np.bincount(codes) / len(codes))

    def probabilities(self, outputs):
        return np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True) / 2


def test_probabilities_that_are_none():
    with pytest.raises(AssertionError, match="probabilities sum to"):
        check_target(Halves(), WORDS)


class Remembers(Values):
    def learn(self, y, weight=None, options=None):
        self.y = y
        return super().learn(y, weight, options)


class Nothing(Target):
    def learn(self, y, weight=None, options=None):
        return None


def test_a_recipe_that_learns():
    with pytest.raises(AssertionError, match=r"keeps \['y'\] besides its parameters"):
        check_target(Remembers(), Y)
    with pytest.raises(AssertionError, match="learn must return a Coding, not NoneType"):
        check_target(Nothing(), Y)


# Heads


class Built(Head):
    """A head whose module is made by a function."""

    def __init__(self, make=None):
        self.make = make

    def build(self, width, output):
        return self.make(width, output)


class Frozen(nn.Module):
    def __init__(self, width, n_outputs):
        super().__init__()
        self.linear, self.unused = nn.Linear(width, n_outputs), nn.Linear(2, 2)

    def forward(self, fused):
        return self.linear(fused)


class Noisy(nn.Linear):
    def forward(self, fused):
        return super().forward(fused) + torch.rand(1)


SHARED = nn.Linear(6, 3)
THREE = OutputSpec("value", (3,))
WRONG_HEADS = {
    "a gradient": (lambda width, output: Frozen(width, 3), "gets no gradient"),
    "a draw": (lambda width, output: Noisy(width, 3), "differ|alone than in its batch"),
    "one module": (lambda width, output: SHARED, "two builds share"),
    "a shape": (lambda width, output: nn.Linear(width, 4), r"\(batch, \*\(3,\)\) expected"),
    "the batch": (
        lambda width, output: nn.Sequential(nn.Linear(width, 3), nn.Softmax(0)),
        "alone than in its batch",
    ),
}


@pytest.mark.parametrize("kind", WRONG_HEADS)
def test_what_is_wrong_with_a_head(kind):
    make, match = WRONG_HEADS[kind]
    with pytest.raises(AssertionError, match=match):
        check_head(Built(make), THREE)


class ReadsPadding(Head):
    takes = "tokens"

    def build(self, width, output):
        return _Mean(width, output.n_outputs)


class _Mean(nn.Module):
    def __init__(self, width, n_outputs):
        super().__init__()
        self.linear = nn.Linear(width, n_outputs)

    def forward(self, tokens):
        return self.linear(tokens.values.mean(1))


def test_padding_that_is_read():
    with pytest.raises(AssertionError, match="values behind the end of a row are read"):
        check_head(ReadsPadding(), THREE)


def test_a_head_for_other_outputs():
    with pytest.raises(AssertionError, match=r"builds none of the outputs.*output=OutputSpec"):
        check_head(LinearHead(), OutputSpec("tokens", (None,), 4))
