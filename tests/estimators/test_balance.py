"""Block dropout, losses of single blocks, modulation of gradients, explanations."""

import copy
import pickle

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.special import expit
from sklearn.metrics import log_loss
from skorch.callbacks import Callback

from skfusion import Blocks, FusionClassifier, FusionRegressor, Ragged
from skfusion._balance import BlockHeads, block_losses, modulate_gradients
from skfusion._batch import draw_dropped, make_batch
from skfusion._module import ModulePlan
from skfusion._training._accumulation import Accumulation
from skfusion.encoders import RNN
from skfusion.exceptions import ParameterError
from skfusion.fusion import Fusion, MixtureOfExperts, TokenTransformer
from skfusion.heads import LinearHead
from skfusion.targets import Labels, OutputSpec

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


def without_clear(two_views, **params):
    """Return the probabilities for rows that lack the clear view, and the log-loss."""
    X, y = two_views
    settings = {"members": 1, "lr": 1e-3, "max_epochs": 60, "random_state": 0, "missing": "allow"}
    model = FusionClassifier(**settings, **params).fit(X[:200], y[:200])
    probabilities = model.predict_proba(X[200:].select(["vague"]))
    return probabilities, log_loss(y[200:], probabilities)


def test_block_dropout_prepares_for_missing_blocks(two_views):
    _, y = two_views
    probabilities, dropped = without_clear(two_views, block_dropout=0.3)
    assert np.mean(probabilities.argmax(1) == y[200:]) > 0.85
    assert dropped < without_clear(two_views)[1] - 0.03


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
    heads = BlockHeads({"a": 3, "b": 2}, OutputSpec("value", (1,))).double()
    a, b = torch.randn(5, 3).double(), torch.randn(5, 2).double()
    codes = torch.tensor([0.0, 1, 1, 0, 1]).double()
    weight = torch.tensor([1.0, 2, 0.5, 0.5, 1]).double()
    present = torch.tensor([[1, 1], [1, 0], [1, 1], [1, 0], [1, 1]]).bool()
    heads.remember({"a": a, "b": b}, present)
    target = Labels().learn(np.array([0, 1]))
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
    modulate_gradients(encoders, losses, torch.tensor([9, 9, 9]), strength=0.5)
    ratio = np.exp(-0.1) / np.exp(-1.0)
    # All gradients are alike, so their spread, and with it the noise, is nil.
    assert encoders[0].weight.grad.mean().item() == pytest.approx(
        2 * (1 - np.tanh(ratio / 2)), rel=1e-4
    )
    assert all(bool((encoder.weight.grad == 2).all()) for encoder in encoders[1:])


def slowed(gradient, losses, n_rows, strength=0.5):
    """Return what becomes of a gradient that all encoders have."""
    encoders = torch.nn.ModuleList([torch.nn.Linear(*gradient.T.shape) for _ in losses])
    for encoder in encoders:
        encoder.weight.grad = gradient.clone()
    modulate_gradients(encoders, torch.tensor(losses), torch.tensor(n_rows), strength)
    return [encoder.weight.grad for encoder in encoders]


@pytest.mark.parametrize("absent", [0, 1, 2])
def test_a_block_that_no_row_has_is_left_out_of_the_comparison(absent):
    """Its loss of zero is none; the block that leads is slowed as if it were not there."""
    losses, n_rows = [0.4, 1.0], [7, 5]
    losses.insert(absent, 0.0)
    n_rows.insert(absent, 0)
    found = [gradient.mean().item() for gradient in slowed(torch.ones(5, 5), losses, n_rows)]
    ratio = np.exp(-0.4) / np.exp(-1.0)
    expected = [1 - np.tanh(ratio / 2), 1.0]
    expected.insert(absent, 1.0)
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_batch_in_which_one_block_is_there_has_no_leader():
    gradients = slowed(torch.randn(5, 5), [0.1, 0.0], [4, 0])
    assert torch.equal(*gradients)


def test_a_group_of_batches_knows_how_many_rows_had_each_block():
    group = Accumulation(2)
    group.block_losses(torch.tensor([0.5, 2.0, 0.0]), torch.tensor([4, 3, 0]))
    group.begins = False
    losses, n_rows = group.block_losses(torch.tensor([1.0, 0.0, 0.0]), torch.tensor([2, 0, 0]))
    assert n_rows.tolist() == [6, 3, 0]
    assert losses.tolist() == pytest.approx([4 / 6, 2, 0])


def test_gradients_that_are_slowed_get_noise_of_their_spread():
    torch.manual_seed(0)
    gradient = torch.randn(200, 200) * 3 + 1
    first, second = slowed(gradient, [0.1, 1.0], [9, 9])
    factor = 1 - np.tanh(np.exp(0.9) / 2)
    noise = first - factor * gradient
    assert noise.std().item() == pytest.approx(3, rel=0.02)
    assert noise.mean().item() == pytest.approx(0, abs=0.05)
    assert np.corrcoef(noise.ravel(), gradient.ravel())[0, 1] == pytest.approx(0, abs=0.02)
    assert torch.equal(second, gradient)


def test_weights_without_a_gradient_get_no_noise():
    gradient = torch.randn(6, 6)
    gradient[:, 2] = 0
    first, _ = slowed(gradient, [0.1, 1.0], [9, 9])
    assert (first[:, 2] == 0).all()
    assert (first[:, :2] != gradient[:, :2]).all()
    nothing, _ = slowed(torch.zeros(6, 6), [0.1, 1.0], [9, 9])
    assert (nothing == 0).all()


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_columns_that_are_never_stored_stay_where_they_began(two_views, optimizer):
    X, y = two_views
    text = np.random.default_rng(0).random((N, 9)).round() * 0.5
    text[:, 3], text[:, 4] = y, 0
    rows = Blocks({"text": sparse.csr_array(text), "vague": X["vague"]})
    first, last = (
        FusionClassifier(
            gradient_modulation=0.5,
            optimizer=optimizer,
            weight_decay=0.0,
            max_epochs=5,
            random_state=0,
            lr=lr,
            members=1,
        ).fit(rows, y)
        for lr in (1e-30, 1e-2)
    )
    tables = [next(fitted.net_.module_.encoders[0].parameters()) for fitted in (first, last)]
    moved = (tables[0] != tables[1]).any(1)
    assert moved.tolist() == [column != 4 for column in range(9)]


# What is added to the loss


class Gradients(Callback):
    """Keeps the gradients of the first step."""

    def on_train_begin(self, net, **kwargs):
        self.first_ = None

    def on_grad_computed(self, net, named_parameters, **kwargs):
        if self.first_ is None:
            given = {name: weight.grad for name, weight in named_parameters}
            self.first_ = {name: one.clone() for name, one in given.items() if one is not None}


def first_gradients(X, y, **params):
    """Return the gradients of a single batch, and the network, which did not move."""
    model = FusionClassifier(
        members=1,
        lr=1e-30,
        max_epochs=1,
        batch_size=N,
        random_state=0,
        callbacks=[Gradients()],
        **params,
    )
    net = model.fit(X, y).net_
    return dict(net.callbacks_)["Gradients"].first_, net.module_


@pytest.mark.parametrize("n_absent", [0, 1])
def test_the_losses_of_the_blocks_that_are_there_are_averaged(two_views, n_absent):
    X, y = two_views
    arrays = {"clear": X["clear"], "vague": X["vague"], "third": X["clear"]}
    nowhere = {"third": np.ones(N, bool)} if n_absent else {}
    found, module = first_gradients(Blocks(arrays, nowhere), y, block_loss_weight=0.7)
    for i, name in enumerate(["clear", "vague"]):
        vector = module.encoders[i](torch.from_numpy(arrays[name])).detach().numpy()
        head = module.block_heads.heads[i]
        logit = vector @ head.weight[0].detach().numpy() + head.bias.item()
        expected = 0.7 / (3 - n_absent) * ((expit(logit) - y)[:, None] * vector).mean(0)
        actual = found[f"block_heads.heads.{i}.weight"][0].numpy()
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-6)


def test_modulation_leaves_the_gradients_of_encoders_to_the_fused_loss(two_views):
    """A single block leads nobody, so that its encoder learns as without modulation."""
    X, y = two_views
    plain, modulated, added = (
        first_gradients(X.select(["clear"]), y, **params)[0]
        for params in ({}, {"gradient_modulation": 0.5}, {"block_loss_weight": 0.5})
    )
    for name in plain:
        torch.testing.assert_close(plain[name], modulated[name], rtol=1e-4, atol=1e-7)
    assert modulated["block_heads.heads.0.weight"].any()
    first = next(name for name in plain if name.startswith("encoders.0"))
    assert abs(plain[first] - added[first]).max() > 1e-3


class Priced(Fusion):
    """Concatenation at a price, which no output depends on."""

    def build(self, widths):
        return _Priced()


class _Priced(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.price = torch.nn.Parameter(torch.ones(()))

    def forward(self, encoded, present):
        self.auxiliary_loss = 3 * self.price if self.training else None
        return torch.cat([*encoded.values()], dim=1)


@pytest.mark.parametrize("params", [{}, {"block_loss_weight": 0.5}])
def test_what_a_fusion_adds_to_the_loss_is_trained_on(two_views, params):
    found, _ = first_gradients(*two_views, fusion=Priced(), **params)
    assert found["fusion.price"].item() == pytest.approx(3)


def test_experts_are_trained_on_their_balance(two_views):
    (without, _), (found, module) = (
        first_gradients(*two_views, fusion=MixtureOfExperts(width=4, balance=balance))
        for balance in (0.0, 0.3)
    )
    X, _ = two_views
    vectors = [
        encode(torch.from_numpy(X[name])).detach()
        for encode, name in zip(module.encoders, X.names, strict=True)
    ]
    bias = module.fusion.router.bias.detach().clone().requires_grad_()
    scores = torch.cat(vectors, dim=1) @ module.fusion.router.weight.detach().T + bias
    importance = scores.softmax(1).mean(0)
    (0.3 * importance.var(correction=0) / importance.mean() ** 2).backward()
    added = found["fusion.router.bias"] - without["fusion.router.bias"]
    torch.testing.assert_close(added, bias.grad, rtol=1e-2, atol=1e-6)


def test_block_losses_read_no_padding():
    """NaN behind the end of a row of tokens reaches neither the loss nor a gradient."""
    rng = np.random.default_rng(0)
    clips = Ragged.from_rows([rng.normal(size=(1 + i % 3, 2)) for i in range(12)])
    specs = Blocks({"clips": clips}).specs()
    plan = ModulePlan(
        specs,
        {"clips": RNN(width=4)},
        TokenTransformer("all", 8),
        LinearHead(),
        OutputSpec("value", (1,)),
        torch.float64,
        block_heads=True,
    )
    module = plan()
    module.encoders[0].register_forward_hook(
        lambda part, inputs, encoded: (
            torch.where(encoded[1][:, :, None], encoded[0], torch.nan),
            encoded[1],
        )
    )
    batch = make_batch(Blocks({"clips": clips}), torch.float64, torch.device("cpu"))
    module.fuse(batch)
    ((decisions, _),) = module.block_heads.decide(detached=False)
    assert decisions.isfinite().all()


def test_what_is_remembered_of_a_batch_does_not_travel(two_views):
    heads = BlockHeads({"a": 3}, OutputSpec("value", (1,)))
    heads.remember({"a": torch.ones(2, 3, requires_grad=True) * 2}, None)
    assert len(copy.deepcopy(heads).heads) == len(pickle.loads(pickle.dumps(heads)).heads) == 1


def test_block_losses_train_each_block_and_modulation_leaves_the_encoders_to_the_fused_loss(
    two_views,
):
    X, y = two_views
    for params, reached in (
        ({"block_loss_weight": 0.5}, True),
        ({"gradient_modulation": 0.5}, False),
    ):
        model = FusionClassifier(max_epochs=1, batch_size=N, random_state=0, **params).fit(X, y)
        heads = BlockHeads({"clear": 4, "vague": 4}, OutputSpec("value", (1,)))
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
    with pytest.raises(ParameterError, match="block_loss_weight must be a finite number"):
        FusionClassifier(block_loss_weight=np.inf).fit(X, y)
    with pytest.raises(ParameterError, match="must be a number.*Use one number for all blocks"):
        FusionClassifier(block_loss_weight={"clear": 1.0}).fit(X, y)
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
    with pytest.raises(ParameterError, match=r"Concat\(\), has no weights"):
        model.explain(X)
