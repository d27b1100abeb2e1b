"""Fused vectors and losses mixed with those of other rows, while training only."""

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import nn
from torch.nn import functional as F

from skfusion import Blocks, FusionClassifier, FusionRegressor, Ragged
from skfusion._batch import make_batch
from skfusion._mixing import Mixing, draw_mixing
from skfusion._module import ModulePlan
from skfusion._reading import Reader
from skfusion._training._rows import BatchIterator, Rows
from skfusion.encoders import CNN, MLP, RNN, SparseLinear
from skfusion.exceptions import ParameterError
from skfusion.fusion import Concat, Late
from skfusion.heads import Head, LinearHead
from skfusion.targets import OutputSpec

N_ROWS = 48
FUSIONS = ["concat", "gated", "late", Late("product"), Late("vote"), "token_transformer"]


@pytest.fixture(scope="module")
def y():
    return np.arange(N_ROWS) % 3


@pytest.fixture(scope="module")
def X(y):
    rng = np.random.default_rng(0)
    signal = (y[:, None] + rng.normal(size=(N_ROWS, 3), scale=0.3)).astype(np.float32)
    photo = (60 * signal.clip(0, 3)).astype(np.uint8)[:, :, None, None].repeat(4, axis=2)
    words = Ragged.from_rows([[1 + label] * (2 + label) for label in y], n_tokens=5)
    text = sparse.csr_array(np.where(signal > 0.5, signal, 0))
    missing = {"facts": np.arange(N_ROWS) % 5 == 0, "words": np.arange(N_ROWS) % 7 == 0}
    return Blocks({"text": text, "facts": signal, "photo": photo, "words": words}, missing)


def network(kind=FusionClassifier, **params):
    parts = {
        "text": SparseLinear(width=4),
        "facts": MLP(widths=(4,)),
        "photo": CNN(channels=(2,), width=4),
        "words": RNN(width=4, embedding_width=3),
    }
    settings = {"max_epochs": 3, "lr": 0.03, "batch_size": 16, "random_state": 0}
    return kind(parts, **(settings | {"early_stopping": False} | params))


# What is mixed


@pytest.mark.parametrize("fusion", [Concat(), Late("mean")], ids=str)
def test_fused_vectors_are_mixed_or_the_outputs_of_a_fusion_that_decides(fusion):
    torch.manual_seed(0)
    rows = np.random.default_rng(0).normal(size=(4, 3))
    blocks = Blocks({"a": rows, "b": rows[:, :2]}, {"b": np.array([False, True, False, False])})
    recipes = dict.fromkeys("ab", MLP(4))
    plan = ModulePlan(
        blocks.specs(), recipes, fusion, LinearHead(), OutputSpec("value", (2,)), torch.float64
    )
    module, mixing = plan(), Mixing(torch.tensor([2, 3, 0, 1]), torch.tensor(0.3))
    plain = make_batch(blocks, torch.float64, torch.device("cpu"))
    mixed = make_batch(blocks, torch.float64, torch.device("cpu"), mixing=mixing)
    fused = module.fuse(plain)
    expected = module.head(0.3 * fused + 0.7 * fused[[2, 3, 0, 1]])
    torch.testing.assert_close(module(mixed), expected, rtol=0, atol=1e-6)
    assert not torch.allclose(module(mixed), module(plain))


def test_shares_come_from_the_beta_distribution_and_partners_from_the_batch():
    torch.manual_seed(0)
    drawn = [draw_mixing(5, 0.5, torch.device("cpu")) for _ in range(4000)]
    shares = np.array([mixing.share.item() for mixing in drawn])
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.var() == pytest.approx(1 / 8, abs=0.01)  # of Beta(a, a): 1 / (8 a + 4)
    partners = torch.stack([mixing.partners for mixing in drawn])
    assert (partners.sort(dim=1).values == torch.arange(5)).all()
    assert (partners == 3).double().mean(0).numpy() == pytest.approx(0.2, abs=0.03)


class Scripted(nn.Module):
    """A network whose outputs are the one number of each row, mixed as told."""

    def forward(self, batch):
        x = batch.inputs["X"]
        return x if batch.mixing is None else batch.mixing.rows(x)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_the_same_mix_of_the_losses_to_both_codes(weighted):
    X = np.random.default_rng(0).normal(size=(20, 1))
    weight = np.linspace(0.5, 1.5, 20) if weighted else None
    net = FusionRegressor(mixup=1.0, max_epochs=1, random_state=0).fit(X, X[:, 0]).net_
    rows = Rows(Blocks({"X": X}), np.sin(X), weight)
    torch.manual_seed(0)
    batch = next(iter(BatchIterator(rows, 20, True, torch.float64, torch.device("cpu"), mixup=1.0)))
    (partners, share), (inputs, codes, of_rows) = batch.inputs.mixing, batch
    net.module_ = Scripted()
    net.module_.fusion, net.module_.block_heads = None, None
    outputs = net.compute(inputs).requires_grad_()
    of_rows = torch.ones(20) if of_rows is None else of_rows
    expected = 0.0
    for part, who in ((share, slice(None)), (1 - share, partners)):
        each = F.mse_loss(outputs, codes[who], reduction="none")[:, 0]
        expected = expected + part * (each * of_rows[who]).mean()
    assert net.batch_loss(outputs, batch).item() == pytest.approx(expected.item(), rel=1e-6)


# When it is mixed


def test_it_is_for_training_only():
    blocks = Blocks({"X": np.zeros((10, 1))})
    rows = Rows(blocks, np.zeros((10, 1)), None)
    for training in (True, False):
        batches = BatchIterator(rows, 4, training, torch.float32, torch.device("cpu"), mixup=0.5)
        assert all((batch.inputs.mixing is not None) == training for batch in batches)


def test_held_out_rows_are_measured_unmixed(X, y):
    given = (X, y)
    model = network(mixup=2.0, scoring="neg_log_loss").fit(X, y, validation_data=given)
    last = model.history_.iloc[-1]
    chosen = model.predict_proba(X)[np.arange(N_ROWS), y]
    assert last["valid_loss"] == pytest.approx(-np.log(chosen).mean(), rel=1e-4)
    assert last["train_loss"] > last["valid_loss"]


def test_off_it_draws_nothing():
    plain, off = (
        BatchIterator(
            Rows(Blocks({"X": np.zeros((10, 1))}), np.zeros((10, 1)), None),
            *(4, True, torch.float32, torch.device("cpu")),
            **more,
        )
        for more in ({}, {"mixup": 0.0})
    )
    states = []
    for batches in (plain, off):
        torch.manual_seed(0)
        list(batches)
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_an_encoder_trained_alone_is_not_mixed(X, y):
    assert network(mixup=1.0)._checked_arguments().training.alone(8).mixup == 0


# With everything else


@pytest.mark.parametrize("fusion", FUSIONS, ids=str)
def test_it_learns_with_any_fusion_and_repeats_to_the_bit(X, y, fusion):
    model = network(fusion=fusion, mixup=0.5, max_epochs=25)
    first = model.fit(X, y).predict_proba(X)
    assert model.score(X, y) > 0.85
    if fusion == "concat":
        np.testing.assert_array_equal(first, model.fit(X, y).predict_proba(X))
        plain = network(fusion=fusion, max_epochs=25).fit(X, y)
        assert abs(plain.predict_proba(X) - first).max() > 1e-3


OPTIONS = {
    "accumulate": {"accumulate": 2},
    "bf16": {"precision": "bf16"},
    "block_dropout": {"block_dropout": 0.3},
    "balance": {"block_loss_weight": 0.5, "gradient_modulation": 0.3},
    "swa": {"averaging": "swa"},
    "focal": {"loss": "focal", "label_smoothing": 0.1, "class_weight": "balanced"},
}


@pytest.mark.parametrize("option", OPTIONS)
def test_it_goes_with_other_choices(X, y, option):
    mixed = network(mixup=1.0, max_epochs=12, **OPTIONS[option]).fit(X, y)
    plain = network(max_epochs=12, **OPTIONS[option]).fit(X, y)
    assert mixed.score(X, y) > 0.7
    assert (mixed.predict_proba(X) != plain.predict_proba(X)).any()


@pytest.mark.filterwarnings("ignore:Dynamo does not know")
def test_a_compiled_network_mixes_alike(X, y):
    eager = {"compile": True, "compile__backend": "eager"}
    plain = network(mixup=1.0).fit(X, y)
    compiled = network(mixup=1.0, net_params=eager).fit(X, y)
    np.testing.assert_allclose(compiled.predict_proba(X), plain.predict_proba(X), atol=1e-5)


def test_several_labels_and_values(X, y):
    several = np.stack([y == 0, y > 0], axis=1).astype(int)
    labels = network(mixup=0.5, max_epochs=20, target="labels").fit(X, sparse.csr_array(several))
    assert labels.score(X, several) > 0.8
    for values in (y.astype(float), np.stack([y, -y], axis=1)):
        model = network(FusionRegressor, mixup=0.5, max_epochs=25).fit(X, values)
        assert model.score(X, values) > 0.6


def test_parts_of_the_rows(X, y):
    parts, plain = network(mixup=1.0), network()
    for _ in range(8):
        parts.partial_fit(X, y)
        plain.partial_fit(X, y)
    assert parts.score(X, y) > 0.7
    assert (parts.predict_proba(X) != plain.predict_proba(X)).any()
    parts.partial_fit(X[:1], y[:1])  # a row with no other beside it


def test_probabilities_are_less_sure():
    """Where labels are partly wrong, as in the paper: no vector between two rows is certain."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 10))
    y = (X[:, 0] + rng.normal(size=200) > 0).astype(int)
    plain, mixed = (
        FusionClassifier(
            {"X": MLP(64)}, max_epochs=60, early_stopping=False, random_state=0, **more
        )
        for more in ({}, {"mixup": 1.0})
    )
    sure = [abs(model.fit(X, y).predict_proba(X)[:, 0] - 0.5).mean() for model in (plain, mixed)]
    assert sure[1] < sure[0] - 0.02


# What it does not go with


class TokenHead(Head):
    takes = "tokens"

    def build(self, width, output):
        raise AssertionError("it was built")


@pytest.mark.parametrize("kind", [FusionClassifier, FusionRegressor])
def test_tokens_are_refused_before_a_row_is_read(kind, X, y, monkeypatch):
    monkeypatch.setattr(Reader, "fit", None)
    message = r"mixup=0.2 mixes the fused vectors.*head TokenHead\(\) takes.*Use mixup=0.0"
    with pytest.raises(ParameterError, match=message):
        network(kind, mixup=0.2, head=TokenHead(), fusion="token_transformer").fit(X, y)
