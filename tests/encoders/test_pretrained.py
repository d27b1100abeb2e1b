import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from skfusion import FusionClassifier
from skfusion.blocks import Blocks, Ragged
from skfusion.encoders import MLP, RNN, Chain, Policy, Pretrained, TimeDistributed, Transformer
from skfusion.exceptions import BlockError, ParameterError


def make_backbone():
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())


def normalise(x):
    return (x - 0.5) / 0.25


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)


def as_torch_wants(images):
    return torch.from_numpy(images / 255).permute(0, 3, 1, 2)


def test_images_come_as_torch_modules_expect_them(images, build, run):
    backbone = make_backbone().double().eval()
    module, _ = build(Pretrained(backbone, preprocess=normalise), images)
    with torch.no_grad():
        maps = backbone(normalise(as_torch_wants(images)))
    np.testing.assert_allclose(run(module, images), maps.mean((2, 3)).numpy(), atol=1e-6)


def test_without_pooling_a_feature_map_is_a_set_of_tokens(images, build, run):
    backbone = make_backbone().double().eval()
    module, _ = build(Pretrained(make_backbone), images, pooled=False)
    tokens, mask = run(module, images)
    with torch.no_grad():
        maps = backbone(as_torch_wants(images)).numpy()
    assert mask is None
    np.testing.assert_allclose(tokens[2, 7], maps[2, :, 1, 1], atol=1e-6)  # 6 x 6 positions


def test_a_frozen_module_stays_as_it_is(images):
    backbone = make_backbone()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    model = FusionClassifier({"photo": Pretrained(backbone)}, max_epochs=3, lr=0.1)
    model.fit({"photo": images}, [0, 1, 1, 0, 1])
    (module,) = model.net_.module_.encoders
    assert module.frozen
    assert not module.train().backbone.training
    for held in (module.backbone, backbone):
        assert all(torch.equal(before[name], value) for name, value in held.state_dict().items())


def test_a_module_that_is_not_frozen_is_trained_as_a_copy(images):
    backbone = make_backbone()
    before = backbone[0].weight.detach().clone()
    model = FusionClassifier({"photo": Pretrained(backbone, frozen=False)}, max_epochs=3, lr=0.1)
    model.fit({"photo": images}, [0, 1, 1, 0, 1])
    (module,) = model.net_.module_.encoders
    assert not module.frozen
    assert not torch.equal(module.backbone[0].weight, before)
    assert torch.equal(backbone[0].weight, before)


class Counted(nn.Module):
    """Counts rows; frozen, a fit of many epochs must run it once."""

    n_rows = 0

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x):
        Counted.n_rows += len(x)
        return self.linear(x)


def test_a_frozen_module_runs_once_per_fit(rng):
    x = rng.normal(size=(20, 3)).astype(np.float32)
    n_rows = {}
    for n_epochs in (1, 30):
        Counted.n_rows = 0
        model = FusionClassifier({"facts": Pretrained(Counted)}, max_epochs=n_epochs)
        model.fit({"facts": x}, [0, 1] * 10)
        n_rows[n_epochs] = Counted.n_rows
    assert n_rows[1] == n_rows[30]


class CountedPixels(nn.Module):
    """Counts images; (batch, channels, height, width) -> (batch, channels, height, width)."""

    n_rows = 0

    def forward(self, x):
        CountedPixels.n_rows += len(x)
        return x * 2


IMAGE, CLIP = (4, 4, 3), (5, 4, 4, 3)


@pytest.mark.parametrize(
    ("encoder", "shape"),
    [
        (Chain(Pretrained(CountedPixels), RNN(4)), IMAGE),
        (Chain(Chain(Pretrained(CountedPixels), RNN(4)), MLP(3)), IMAGE),
        (Policy(Chain(Pretrained(CountedPixels), RNN(4)), unfreeze_at=2), IMAGE),
        (Chain(Policy(Pretrained(CountedPixels, frozen=False), frozen=True), RNN(4)), IMAGE),
        (TimeDistributed(Pretrained(CountedPixels), RNN(4)), CLIP),
        (Chain(TimeDistributed(Pretrained(CountedPixels), RNN(4)), MLP(3)), CLIP),
    ],
)
@pytest.mark.parametrize("fusion", ["concat", "token_transformer"])
def test_a_frozen_beginning_runs_once_per_fit(encoder, shape, fusion, rng):
    """What is kept must be what the encoder would have computed in every epoch."""
    X = Blocks({"x": rng.normal(size=(12, *shape)).astype(np.float32)})
    n_rows, models = {}, {}
    for n_epochs in (1, 6):
        CountedPixels.n_rows = 0
        model = FusionClassifier({"x": clone(encoder)}, fusion, max_epochs=n_epochs, random_state=0)
        models[n_epochs] = model.fit(X, [0, 1] * 6)
        n_rows[n_epochs] = CountedPixels.n_rows
    assert n_rows[1] == n_rows[6]
    before, after = (model.transform(X) for model in models.values())
    assert not np.allclose(before, after)  # the rest is trained


@pytest.mark.parametrize("fusion", ["concat", "token_transformer"])
def test_what_a_frozen_beginning_leaves_is_trained_as_without_keeping(fusion, rng, monkeypatch):
    clips = Ragged.from_rows([rng.normal(size=(n, 4, 4, 3)) for n in (1, 3, 0, 2, 4, 2)])
    X = Blocks(
        {"clip": clips, "facts": rng.normal(size=(6, 2))}, missing={"clip": np.arange(6) == 1}
    )
    encoder = TimeDistributed(Pretrained(make_backbone), Chain(RNN(4), RNN(3)))
    model = FusionClassifier(
        {"clip": encoder},
        fusion,
        max_epochs=4,
        batch_size=4,
        lr=0.01,
        missing="allow",
        random_state=0,
    )
    kept = clone(model).fit(X, [0, 1] * 3).predict_proba(X)
    monkeypatch.setattr("skfusion._module.frozen_part", lambda module: None)
    np.testing.assert_allclose(kept, model.fit(X, [0, 1] * 3).predict_proba(X), atol=1e-9)


def test_it_survives_clone_and_pickle(images, run):
    X, y = {"photo": images}, [0, 1, 1, 0, 1]
    model = FusionClassifier({"photo": Pretrained(make_backbone())}, max_epochs=1, random_state=0)
    expected = model.fit(X, y).predict_proba(X)
    np.testing.assert_allclose(clone(model).fit(X, y).predict_proba(X), expected)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)


class LanguageModel(nn.Module):
    """Called and answering as models of the transformers library do."""

    def __init__(self):
        super().__init__()
        self.embeddings = nn.Embedding(6, 4)

    def forward(self, input_ids, attention_mask):
        hidden = self.embeddings(input_ids)
        return SimpleNamespace(last_hidden_state=hidden / attention_mask[:, :, None])


def as_named(input_ids, attention_mask):
    return {"attention_mask": attention_mask.long(), "input_ids": input_ids}


@pytest.mark.parametrize("preprocess", [None, as_named])
def test_language_models(preprocess, build, run):
    """What stands behind the end of a text may even be infinite, as here."""
    words = Ragged.from_rows([[1, 2, 5], [4], []], n_tokens=6)
    model = LanguageModel().double()
    module, _ = build(Pretrained(model, preprocess), words)
    vectors = model.embeddings.weight.detach().numpy()
    expected = [vectors[[1, 2, 5]].mean(0), vectors[4], np.zeros(4)]
    np.testing.assert_allclose(run(module, *words.pad()), expected, atol=1e-6)
    tokens, mask = run(build(Pretrained(model), words, pooled=False)[0], *words.pad())
    np.testing.assert_allclose(tokens[mask], vectors[[1, 2, 5, 4]], atol=1e-6)


def test_in_front_of_and_inside_other_encoders(images, build, run):
    chain, _ = build(Chain(Pretrained(make_backbone), Transformer(8)), images)
    assert run(chain, images).shape == (5, 8)
    assert not chain.frozen
    clips = np.stack([images, images], axis=1)
    over_time, _ = build(TimeDistributed(Pretrained(make_backbone), RNN(6)), clips)
    assert run(over_time, clips).shape == (5, 6)
    both, _ = build(Chain(Pretrained(nn.Flatten), Pretrained(nn.Identity)), images)
    assert both.frozen


class FiveAxes(nn.Module):
    def forward(self, x):
        return x[None]


class Words(nn.Module):
    def forward(self, x):
        return "cat"


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        (Pretrained("resnet18"), ParameterError, "module must be a torch.nn.Module or a function"),
        (Pretrained(dict), ParameterError, "Got {}"),
        (Pretrained(FiveAxes), BlockError, "returned the shape .* must return vectors"),
        (Pretrained(Words), BlockError, "'block': the module of Pretrained returned a str"),
    ],
)
def test_what_cannot_be_is_refused(encoder, error, message, images, build, run):
    with pytest.raises(error, match=message):
        run(build(encoder, images)[0], images)
