"""From the fused vector to the outputs."""

import pytest
import torch
from sklearn.base import clone
from torch import nn

from skfusion.exceptions import ParameterError
from skfusion.heads import Head, LinearHead, MLPHead
from skfusion.heads._resolve import resolve_head
from skfusion.targets import OutputSpec

HEADS = [LinearHead(), LinearHead(dropout=0.5), MLPHead(), MLPHead(widths=5), MLPHead((6, 4), 0.3)]


def of(n_outputs):
    return OutputSpec("value", (n_outputs,))


def linears(module):
    return [part for part in module.modules() if isinstance(part, nn.Linear)]


@pytest.mark.parametrize("head", HEADS, ids=repr)
class TestHeads:
    def test_vectors_become_outputs(self, head):
        assert head.build(7, of(3))(torch.randn(5, 7)).shape == (5, 3)

    def test_every_parameter_gets_a_gradient(self, head):
        torch.manual_seed(0)
        module = head.build(7, of(3))
        module(torch.randn(50, 7)).square().sum().backward()
        assert all(parameter.grad.abs().sum() > 0 for parameter in module.parameters())

    def test_outputs_are_unbounded(self, head):
        torch.manual_seed(0)
        outputs = head.build(7, of(3)).eval()(100 * torch.randn(50, 7))
        assert outputs.min() < -1
        assert outputs.max() > 1

    def test_two_builds_are_independent(self, head):
        one, other = head.build(4, of(2)), head.build(4, of(2))
        assert not {id(part) for part in one.parameters()} & {id(p) for p in other.parameters()}

    def test_prediction_is_deterministic(self, head):
        module, x = head.build(4, of(2)).eval(), torch.randn(6, 4)
        assert torch.equal(module(x), module(x))

    def test_a_clone_is_the_same_recipe(self, head):
        assert repr(clone(head)) == repr(head)


def test_widths_are_the_layers_in_front_of_the_outputs():
    sizes = [
        (part.in_features, part.out_features) for part in linears(MLPHead((6, 4)).build(9, of(2)))
    ]
    assert sizes == [(9, 6), (6, 4), (4, 2)]
    assert [part.out_features for part in linears(LinearHead().build(9, of(2)))] == [2]


@pytest.mark.parametrize("head", [LinearHead(dropout=0.5), MLPHead(dropout=0.5)])
def test_dropout_acts_while_training_only(head):
    torch.manual_seed(0)
    module, x = head.build(50, of(1)), torch.randn(1, 50)
    assert len({module(x).item() for _ in range(10)}) > 5
    assert len({module.eval()(x).item() for _ in range(10)}) == 1


def test_names_of_heads():
    assert isinstance(resolve_head("linear"), LinearHead)
    assert isinstance(resolve_head("mlp"), MLPHead)
    own = MLPHead(widths=3)
    assert resolve_head(own) is own


def test_a_head_of_ones_own():
    class Twice(Head):
        def build(self, width, output):
            return nn.Linear(width, output.n_outputs, bias=False)

    assert resolve_head(Twice()).build(3, of(2)).bias is None


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: resolve_head("mpl"), "head must be a recipe.*Got 'mpl'. Did you mean 'mlp'"),
        (lambda: resolve_head(nn.Linear(2, 2)), "head must be a recipe such as LinearHead"),
        (lambda: LinearHead(dropout=2).build(2, of(2)), "dropout must be a number between 0 and 1"),
        (
            lambda: MLPHead(widths=(4, 0)).build(2, of(2)),
            "each of widths must be an int >= 1. Got 0",
        ),
        (
            lambda: MLPHead(widths="64").build(2, of(2)),
            "widths must be an int or a sequence of ints",
        ),
    ],
)
def test_errors(call, match):
    with pytest.raises(ParameterError, match=match):
        call()
