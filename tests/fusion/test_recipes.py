"""Names, arguments and errors of the fusions; encoders that Early insists on."""

import inspect

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

import skfusion.fusion
from skfusion import FusionClassifier, FusionRegressor
from skfusion.blocks import Blocks, Ragged
from skfusion.exceptions import BlockError, ParameterError
from skfusion.fusion import (
    Bottleneck,
    CrossAttention,
    Early,
    FiLM,
    Fusion,
    Gated,
    Late,
    LowRank,
    MixtureOfExperts,
    Product,
    Tensor,
    TokenTransformer,
)
from skfusion.fusion.tree import resolve_fusion

ALIASES = [
    "concat",
    "sum",
    "mean",
    "max",
    "product",
    "gated",
    "low_rank",
    "tensor",
    "bilinear",
    "film",
    "cross_attention",
    "token_concat",
    "token_transformer",
    "bottleneck",
    "experts",
    "early",
    "late",
]
TWO = {"text": 5, "photo": 4}


def mixed_blocks(n_rows=24):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, n_rows)
    words = [rng.integers(0, 9, rng.integers(0, 5)) for _ in range(n_rows)]
    missing = rng.random((n_rows, 2)) < 0.3
    blocks = Blocks(
        {
            "text": csr_array(rng.random((n_rows, 6)) * (rng.random((n_rows, 6)) < 0.4)),
            "words": Ragged.from_rows(words, n_tokens=9),
            "facts": rng.normal(size=(n_rows, 3)) + y[:, None],
        },
        {"text": missing[:, 0], "words": missing[:, 1]},
    )
    return blocks, y


# Names


@pytest.mark.parametrize("fusion", ALIASES)
def test_every_alias_learns_from_blocks_that_rows_lack(fusion):
    blocks, y = mixed_blocks()
    model = FusionClassifier(fusion=fusion, max_epochs=2, random_state=0).fit(blocks, y)
    assert np.isfinite(model.predict_proba(blocks)).all()
    assert len(model.transform(blocks)) == len(y)


def test_every_public_operator_has_an_alias():
    classes = {
        value
        for name in skfusion.fusion.__all__
        if inspect.isclass(value := getattr(skfusion.fusion, name))
    }
    named = {type(resolve_fusion(alias)) for alias in ALIASES}
    assert classes - named == {Fusion, skfusion.fusion.Tree}


def test_an_unknown_name_is_met_with_the_nearest():
    with pytest.raises(ParameterError, match="Did you mean 'gated'"):
        resolve_fusion("gatd")


def test_a_class_in_the_place_of_a_recipe():
    with pytest.raises(ParameterError, match=r"write Gated\(\)"):
        resolve_fusion(Gated)


@pytest.mark.parametrize("combine", ["mean", "max", "vote", "stacked", "confidence"])
def test_late_decides_for_several_classes_and_for_values(combine):
    blocks, y = mixed_blocks()
    model = FusionClassifier(fusion=Late(combine), max_epochs=2).fit(blocks, np.arange(24) % 3)
    assert model.predict_proba(blocks).shape == (24, 3)
    model = FusionRegressor(fusion=Late(combine), max_epochs=2).fit(blocks, y * 2.0)
    assert model.predict(blocks).shape == (24,)


# Arguments


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (LowRank(rank=0), r"rank must be an int >= 1. Got 0. Use fusion=\"concat\""),
        (Product(width=1), "width must be an int >= 2. Got 1"),
        (Gated(gate="tanh"), "gate must be one of 'softmax', 'sigmoid'"),
        (Gated(per_number="yes"), "per_number must be one of True, False"),
        (Tensor(block_width="large"), 'Or leave it to block_width="auto"'),
        (TokenTransformer(tokens="some"), "tokens must be one of 'one', 'all'"),
        (
            TokenTransformer(width=30),
            "multiple of n_heads. Got width=30 and n_heads=4. Use width=32",
        ),
        (CrossAttention(dropout=2), "dropout must be a number between 0 and 1"),
        (Bottleneck(n_layers=1), "n_layers must be an int >= 2"),
        (MixtureOfExperts(top_k=0), "Use top_k=None for all experts"),
        (MixtureOfExperts(balance=-1), "balance must be a number >= 0"),
        (MixtureOfExperts(balance=np.inf), "balance must be a finite number >= 0. Got inf"),
        (Late(combine="median"), "combine must be one of 'mean', 'learned'"),
        (Gated(gate=["softmax"]), r"gate must be one of.*Got \['softmax'\]"),
        (Late(combine={"mean": 1}), "combine must be one of.*Got {'mean': 1}"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_named(recipe, message):
    with pytest.raises(ParameterError, match=message):
        recipe.build(TWO)


def test_film_names_a_block_that_exists():
    with pytest.raises(
        BlockError, match="names a block 'fotos'.*'text', 'photo'. Did you mean 'ph"
    ):
        FiLM(by="fotos").build(TWO)


def test_tensor_refuses_absurd_sizes():
    with pytest.raises(ParameterError, match=r"17,850,625 entries.*LowRank\(\)"):
        Tensor(block_width=None).build(dict.fromkeys("abcd", 64))


def test_tensor_stays_small_by_itself():
    for n_blocks in range(1, 12):
        names = [f"block_{i}" for i in range(n_blocks)]
        module = Tensor().build(dict.fromkeys(names, 512))
        assert module.linear.in_features <= 4096
    assert Tensor().build(dict.fromkeys("ab", 512)).linear.in_features == 33**2


def test_low_rank_factors_are_parameters():
    module = LowRank(width=4, rank=3).build(TWO)
    factors = [p for name, p in module.named_parameters() if name.startswith("factors")]
    assert sum(p.numel() for p in factors) == 3 * 4 * (5 + 1) + 3 * 4 * (4 + 1)


def test_gates_depend_on_the_row():
    module = Gated(width=4).build(TWO)
    weights = module.weights({"text": torch.randn(9, 5), "photo": torch.randn(9, 4)}, None)
    assert weights.std(0).min() > 0


@pytest.mark.parametrize("recipe", [TokenTransformer(), CrossAttention(), Bottleneck()], ids=str)
def test_attention_drops_while_training_only(recipe):
    encoded = {"text": torch.randn(9, 5), "photo": torch.randn(9, 4)}
    module = recipe.build(TWO)
    assert not torch.equal(module(encoded, None), module(encoded, None))
    assert torch.equal(module.eval()(encoded, None), module(encoded, None))
    module = recipe.set_params(dropout=0.0).build(TWO)
    assert torch.equal(module(encoded, None), module(encoded, None))


# Load balance


def imbalance(present=None, bias=None, **arguments):
    module = MixtureOfExperts(width=4, balance=1.0, **arguments).build(TWO).train()
    with torch.no_grad():
        module.router.weight.zero_()
        module.router.bias.copy_(torch.zeros(4) if bias is None else torch.tensor(bias))
    module({"text": torch.randn(6, 5), "photo": torch.randn(6, 4)}, present)
    return module.auxiliary_loss.item()


def test_load_balance_is_zero_when_rows_weigh_all_they_have_alike():
    only_text = torch.tensor([[True, False]] * 5 + [[True, True]])
    assert imbalance() == pytest.approx(0)
    assert imbalance(only_text) == pytest.approx(0, abs=1e-6)


def test_load_balance_grows_when_an_expert_takes_over():
    assert imbalance(bias=[1.0, 0, 0, 0]) < imbalance(bias=[9.0, 0, 0, 0])
    # One of four experts has all: the squared coefficient of variation is 3.
    assert imbalance(bias=[50.0, 0, 0, 0]) == pytest.approx(3)


def test_load_balance_is_left_only_by_training():
    encoded = {"text": torch.randn(6, 5), "photo": torch.randn(6, 4)}
    module = MixtureOfExperts(width=4).build(TWO)
    module(encoded, None)
    assert module.auxiliary_loss.requires_grad
    module.eval()(encoded, None)
    assert module.auxiliary_loss is None
    module = MixtureOfExperts(width=4, balance=0).build(TWO).train()
    module(encoded, None)
    assert module.auxiliary_loss is None


# Early


def test_early_joins_the_inputs():
    """One network on the joined inputs learns what only the product of two blocks tells."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(300, 1)), rng.normal(size=(300, 1))
    y = (a * b > 0).ravel()
    blocks = Blocks({"a": a, "b": b})
    model = FusionClassifier(fusion=Early(), max_epochs=60, lr=1e-2, random_state=0).fit(blocks, y)
    assert model.score(blocks, y) > 0.9


def test_early_is_linear_in_each_block():
    """Its encoders map sums of inputs to sums, but for the bias."""
    blocks, _ = mixed_blocks()
    specs = blocks.specs()
    images = Blocks({"photo": np.random.default_rng(0).normal(size=(4, 2, 2, 3))})
    clips = [np.random.default_rng(i).normal(size=(i, 3)) for i in range(4)]
    steps = Blocks({"steps": Ragged.from_rows(clips)})
    for spec in (specs["facts"], images.specs()["photo"]):
        encode = Early(width=5).encoder_for(spec).build(spec)
        x, z = torch.randn(2, 4, *spec.shape)
        offset = encode(torch.zeros_like(x))
        torch.testing.assert_close(encode(x) + encode(z) - offset, encode(x + z))
    spec = steps.specs()["steps"]
    encode = Early(width=5).encoder_for(spec).build(spec).double()
    values, mask = (torch.from_numpy(part) for part in steps["steps"].pad())
    means = torch.stack([torch.from_numpy(c).mean(0) if len(c) else torch.zeros(3) for c in clips])
    alone = encode(means[:, None], torch.ones(4, 1, dtype=torch.bool))
    torch.testing.assert_close(encode(values, mask), alone)


@pytest.mark.parametrize("name", ["text", "words", "facts"])
def test_early_insists_on_encoders_of_its_width(name):
    blocks, y = mixed_blocks()
    model = FusionClassifier(fusion=Early(width=7), max_epochs=1).fit(blocks, y)
    position = blocks.names.index(name)
    assert model.net_.module_.missing_embeddings[position].shape == (7,)
