"""Block dropout, losses of single blocks, modulation of gradients, explanations."""

import numpy as np
import pytest
import torch

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion._balance import BlockHeads, block_losses, slow_leaders
from skfusion._batch import draw_dropped
from skfusion.exceptions import ParameterError
from skfusion.targets import class_target

N = 400


@pytest.fixture(scope="module")
def two_views():
    """Both blocks tell the same, one more clearly."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, N)
    signal = (2.0 * y - 1)[:, None]
    clear = signal + rng.normal(size=(N, 4)) * 0.5
    vague = signal + rng.normal(size=(N, 4)) * 1.5
    return Blocks({"clear": clear.astype(np.float32), "vague": vague.astype(np.float32)}), y


def score_without_clear(two_views, **params):
    X, y = two_views
    model = FusionClassifier(lr=1e-3, max_epochs=60, random_state=0, missing="allow", **params)
    return model.fit(X[:200], y[:200]).score(X[200:].select(["vague"]), y[200:])


def test_block_dropout_prepares_for_missing_blocks(two_views):
    assert score_without_clear(two_views, block_dropout=0.3) > 0.85
    dropped = score_without_clear(two_views, block_dropout=0.3)
    assert dropped > score_without_clear(two_views) + 0.03


def test_dropping_is_per_row_at_the_asked_share_and_never_takes_all():
    torch.manual_seed(0)
    lacks = np.arange(3000) % 3 == 0
    X = Blocks({name: np.zeros((3000, 1)) for name in "abc"}, {"a": lacks})
    dropped = draw_dropped(X, 0.4)
    there = np.stack([~lacks, np.ones(3000, bool), np.ones(3000, bool)], axis=1)
    gone = np.stack([dropped[name] for name in "abc"], axis=1)
    assert not (gone & ~there).any()
    assert (there & ~gone).any(axis=1).all()
    # Of three blocks, each goes with .4, less the rows in which all three would have gone.
    assert gone[~lacks].mean() == pytest.approx(0.4 - 0.4**3 / 3, abs=0.02)
    assert gone[lacks][:, 1:].mean() == pytest.approx(0.4 - 0.4**2 / 2, abs=0.02)


def test_block_dropout_is_off_when_predicting(two_views):
    X, y = two_views
    model = FusionClassifier(max_epochs=2, random_state=0, block_dropout=0.5).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    "params", [{"block_dropout": 0.3}, {"block_loss_weight": 1.0}, {"gradient_modulation": 0.5}]
)
@pytest.mark.parametrize("fusion", ["concat", "gated"])
def test_each_way_learns_and_repeats_to_the_bit(two_views, params, fusion):
    X, y = two_views
    model = FusionClassifier(fusion=fusion, max_epochs=15, random_state=3, **params)
    first = model.fit(X, y).predict_proba(X)
    assert model.score(X, y) > 0.9
    np.testing.assert_array_equal(first, model.fit(X, y).predict_proba(X))
    plain = FusionClassifier(fusion=fusion, max_epochs=15, random_state=3).fit(X, y)
    assert abs(plain.predict_proba(X) - first).max() > 1e-4


def test_losses_of_single_blocks_against_the_formula():
    torch.manual_seed(0)
    heads = BlockHeads({"a": 3, "b": 2}, 1).double()
    a, b = torch.randn(5, 3).double(), torch.randn(5, 2).double()
    codes = torch.tensor([0.0, 1, 1, 0, 1]).double()
    weight = torch.tensor([1.0, 2, 0.5, 0.5, 1]).double()
    present = torch.tensor([[1, 1], [1, 0], [1, 1], [1, 0], [1, 1]]).bool()
    heads.remember({"a": a, "b": b}, present)
    target = class_target([0, 1])
    losses = block_losses(heads, target, codes, weight, detached=False)
    for i, (x, rows) in enumerate([(a, slice(None)), (b, present[:, 1])]):
        logit = heads.heads[i](x[rows])[:, 0].detach().numpy()
        sign = 2 * codes[rows].numpy() - 1
        expected = (np.log1p(np.exp(-sign * logit)) * weight[rows].numpy()).mean()
        assert losses[i].item() == pytest.approx(expected)


def test_gradients_shrink_for_the_block_that_is_ahead_only():
    torch.manual_seed(0)
    encoders = torch.nn.ModuleList([torch.nn.Linear(50, 50) for _ in range(3)])
    for encoder in encoders:
        for parameter in encoder.parameters():
            parameter.grad = torch.full_like(parameter, 2.0)
    losses = torch.tensor([0.1, 1.0, 1.0])
    slow_leaders(encoders, losses, strength=0.5)
    ratio = np.exp(-0.1) / np.exp(-1.0)
    # All gradients are alike, so their spread, and with it the noise, is nil.
    assert encoders[0].weight.grad.mean().item() == pytest.approx(
        2 * (1 - np.tanh(ratio / 2)), rel=1e-4
    )
    assert all(bool((encoder.weight.grad == 2).all()) for encoder in encoders[1:])


def test_block_losses_train_each_block_and_modulation_leaves_the_encoders_to_the_fused_loss(
    two_views,
):
    X, y = two_views
    for params, reached in (
        ({"block_loss_weight": 0.5}, True),
        ({"gradient_modulation": 0.5}, False),
    ):
        model = FusionClassifier(max_epochs=1, batch_size=N, random_state=0, **params).fit(X, y)
        heads = BlockHeads({"clear": 4, "vague": 4}, 1)
        vectors = {name: torch.from_numpy(X[name]).requires_grad_() for name in X.names}
        heads.remember(vectors, None)
        codes = torch.from_numpy(y.astype(np.float32))
        block_losses(heads, model.target_, codes, None, detached=not reached).sum().backward()
        assert (vectors["clear"].grad is not None) is reached
        assert heads.heads[0].weight.grad is not None


def test_regression_with_block_losses_predicts_in_the_units_of_y(two_views):
    X, y = two_views
    model = FusionRegressor(block_loss_weight=0.5, max_epochs=30, random_state=0)
    assert model.fit(X, 100.0 * y).score(X, 100.0 * y) > 0.7


def test_negative_weights_are_refused(two_views):
    X, y = two_views
    with pytest.raises(ParameterError, match="block_loss_weight must be a number >= 0"):
        FusionClassifier(block_loss_weight=-1).fit(X, y)
    with pytest.raises(ParameterError, match="block_dropout must be a number between 0 and 1"):
        FusionClassifier(block_dropout=1.5).fit(X, y)


def test_explain_gives_weights_per_row_and_block(two_views):
    X, y = two_views
    model = FusionClassifier(fusion="gated", max_epochs=3, random_state=0).fit(X, y)
    weights = model.explain(X)
    assert list(weights.columns) == ["clear", "vague"]
    assert weights.shape == (N, 2)
    assert weights.to_numpy().std(axis=0).min() > 0


def test_explain_says_which_fusions_have_weights(two_views):
    X, y = two_views
    model = FusionClassifier(max_epochs=1).fit(X, y)
    with pytest.raises(ParameterError, match="fusion='concat' has no weights"):
        model.explain(X)
