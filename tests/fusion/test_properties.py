"""What every fusion promises."""

import pickle

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone

from skfusion._batch import make_batch
from skfusion._module import ModulePlan
from skfusion.blocks import Blocks, Ragged
from skfusion.encoders import CNN, MLP, SparseLinear
from skfusion.encoders._choose import choose_encoders
from skfusion.fusion import (
    Bilinear,
    Bottleneck,
    Concat,
    CrossAttention,
    Early,
    FiLM,
    Gated,
    Late,
    LowRank,
    Max,
    Mean,
    MixtureOfExperts,
    Product,
    Sum,
    Tensor,
    TokenTransformer,
    Tree,
)
from skfusion.heads import LinearHead
from skfusion.targets import OutputSpec

RULES = ("mean", "learned", "confidence", "product", "max", "vote", "stacked")
FUSIONS = [
    Concat(),
    Sum(8),
    Mean(8),
    Max(8),
    Product(8),
    Gated(8),
    Gated(8, gate="sigmoid"),
    Gated(8, per_number=False),
    LowRank(8, rank=3),
    Tensor(8),
    Tensor(8, block_width=None),
    Bilinear(8, block_width=3),
    FiLM(width=8),
    FiLM(by="a", width=8),
    CrossAttention(8, n_heads=2),
    CrossAttention(8, n_heads=2, n_layers=2),
    TokenTransformer("one", 8, n_heads=2),
    TokenTransformer("all", 8, n_heads=2),
    Bottleneck(2, 8, n_heads=2),
    MixtureOfExperts(2, 8),
    MixtureOfExperts(2, 8, top_k=2),
    Early(8),
    *(Late(rule) for rule in RULES),
    Tree([("inner", ["a"], Gated(8))]),
    Tree([("inner", ["a"], CrossAttention(8, n_heads=2)), ("outer", ["inner"], "sum")], "late"),
]
NAMES = ("a", "b", "c", "d", "e")
WIDTHS = dict(zip(NAMES, (3, 5, 2, 4, 3), strict=True))
N_ROWS = 12

every_fusion = pytest.mark.parametrize("recipe", FUSIONS, ids=str)
every_count = pytest.mark.parametrize("n_blocks", [1, 2, 3, 5])


def widths_of(n_blocks):
    return {name: WIDTHS[name] for name in NAMES[:n_blocks]}


def build(recipe, widths, seed=0):
    torch.manual_seed(seed)
    module = recipe.build(widths, n_outputs=3) if recipe.decides else recipe.build(widths)
    return module.double()


def made_up(recipe, widths, seed=0):
    """Return encoded blocks as the fusion takes them, with padding where these are tokens."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    if recipe.takes == "vectors":
        return {name: normal(N_ROWS, width) for name, width in widths.items()}
    encoded = {}
    for i, (name, width) in enumerate(widths.items()):
        mask = torch.rand(N_ROWS, i + 2, generator=generator) < 0.7
        encoded[name] = (normal(N_ROWS, i + 2, width), None if i == 1 else mask)
    return encoded


def some_missing(n_blocks):
    present = torch.rand(N_ROWS, n_blocks, generator=torch.Generator().manual_seed(3)) < 0.6
    present[0], present[1] = False, True
    return present


def rows_of(encoded, rows):
    if isinstance(encoded, dict):
        return {name: rows_of(block, rows) for name, block in encoded.items()}
    if isinstance(encoded, tuple):
        return tuple(None if part is None else part[rows] for part in encoded)
    return encoded[rows]


def blocks_with_missing(of_absent_rows):
    """Blocks of several forms, each missing in some rows, all in the first row.

    ``of_absent_rows`` seeds the values that stand where a block is missing; None makes them NaN,
    but for token ids, which have none.
    """
    missing = np.random.default_rng(2).random((N_ROWS, 5)) < 0.4
    missing[0], missing[1] = True, False
    data, absent = np.random.default_rng(0), np.random.default_rng(of_absent_rows or 1)
    lengths = data.integers(0, 4, N_ROWS)

    def rows(i, draw):
        there = [draw(data, lengths[row]) for row in range(N_ROWS)]
        gone = [draw(absent, lengths[row] + 1) for row in range(N_ROWS)]
        if of_absent_rows is None:
            gone = [one if one.dtype.kind in "iu" else np.full_like(one, np.nan) for one in gone]
        return [gone[row] if missing[row, i] else there[row] for row in range(N_ROWS)]

    blocks = {
        "a": np.stack(rows(0, lambda rng, _: rng.normal(size=3))),
        "b": Ragged.from_rows(rows(1, lambda rng, length: rng.normal(size=(length, 2)))),
        "c": csr_array(np.stack(rows(2, lambda rng, _: rng.normal(size=4).clip(0)))),
        "d": Ragged.from_rows(rows(3, lambda rng, length: rng.integers(0, 9, length)), n_tokens=9),
        "e": np.stack(rows(4, lambda rng, _: rng.normal(size=(4, 4, 1)))),
    }
    return Blocks(blocks, {name: missing[:, i] for i, name in enumerate(blocks)})


def learn(recipe, blocks):
    """Return the outputs for ``blocks``, and the gradients, of a network with random stand-ins."""
    specs = blocks.specs()
    given = {"a": MLP(6), "c": SparseLinear(5), "e": CNN((2,), width=4)}
    encoders = choose_encoders(given, specs, recipe.encoder_for)
    torch.manual_seed(0)
    module = ModulePlan(
        specs, encoders, recipe, LinearHead(), OutputSpec("value", (3,)), torch.float64
    )()
    with torch.no_grad():
        for embedding in module.missing_embeddings:
            embedding.normal_()
    outputs = module(make_batch(blocks, torch.float64, torch.device("cpu")))
    outputs.square().sum().backward()
    return outputs.detach(), {name: one.grad for name, one in module.named_parameters()}


# Shapes and numbers


@every_fusion
@every_count
def test_returns_a_vector_of_finite_numbers_per_row(recipe, n_blocks):
    widths = widths_of(n_blocks)
    module, encoded = build(recipe, widths), made_up(recipe, widths)
    complete, missing = module(encoded, None), module(encoded, some_missing(n_blocks))
    assert complete.ndim == 2
    assert complete.shape == missing.shape
    assert len(complete) == N_ROWS
    assert complete.isfinite().all()
    assert missing.isfinite().all()
    assert not recipe.decides or complete.shape[1] == 3


@every_fusion
@every_count
def test_every_parameter_receives_a_gradient(recipe, n_blocks):
    widths = widths_of(n_blocks)
    module, encoded = build(recipe, widths), made_up(recipe, widths)
    blocks = {
        name: (block[0] if isinstance(block, tuple) else block).requires_grad_()
        for name, block in encoded.items()
    }
    fused = module(encoded, None)
    (fused * torch.randn(fused.shape, dtype=torch.float64)).square().sum().backward()
    learned = {**blocks, **dict(module.named_parameters())}
    assert [name for name, x in learned.items() if x.grad is None or not x.grad.any()] == []


@every_fusion
@every_count
def test_a_batch_equals_its_rows_one_by_one(recipe, n_blocks):
    widths = widths_of(n_blocks)
    module, encoded = build(recipe, widths).eval(), made_up(recipe, widths)
    present = some_missing(n_blocks)
    whole = module(encoded, present)
    for row in range(N_ROWS):
        one = module(rows_of(encoded, [row]), present[[row]])
        torch.testing.assert_close(one[0], whole[row], atol=1e-9, rtol=0)


@every_fusion
def test_all_blocks_present_and_no_mask_are_the_same(recipe):
    widths = widths_of(3)
    module, encoded = build(recipe, widths).eval(), made_up(recipe, widths)
    everywhere = torch.ones(N_ROWS, 3, dtype=torch.bool)
    torch.testing.assert_close(
        module(encoded, None), module(encoded, everywhere), atol=1e-12, rtol=0
    )


@every_fusion
def test_the_order_in_which_blocks_are_handed_over_does_not_matter(recipe):
    widths = widths_of(3)
    module, encoded = build(recipe, widths).eval(), made_up(recipe, widths)
    turned = dict(reversed(encoded.items()))
    assert torch.equal(module(encoded, None), module(turned, None))


@every_fusion
def test_two_builds_share_nothing_and_a_state_round_trips(recipe):
    widths = widths_of(3)
    encoded, present = made_up(recipe, widths), some_missing(3)
    one, two = build(recipe, widths).eval(), build(recipe, widths, seed=1).eval()
    before = one(encoded, present)
    own = {parameter.data_ptr() for parameter in one.parameters()}
    assert own.isdisjoint(parameter.data_ptr() for parameter in two.parameters())
    two.load_state_dict(one.state_dict())
    assert torch.equal(two(encoded, present), before)
    assert torch.equal(pickle.loads(pickle.dumps(one))(encoded, present), before)


@every_fusion
def test_recipes_clone(recipe):
    assert repr(clone(recipe)) == repr(recipe)


# Rows that lack blocks


@pytest.mark.parametrize("garbage", [2, None], ids=["numbers", "NaN"])
@every_fusion
def test_nothing_depends_on_what_stands_where_a_block_is_missing(recipe, garbage):
    outputs, gradients = learn(recipe, blocks_with_missing(of_absent_rows=1))
    others, other_gradients = learn(recipe, blocks_with_missing(of_absent_rows=garbage))
    assert outputs.isfinite().all()
    assert torch.equal(outputs, others)
    for name, gradient in gradients.items():
        assert gradient is not None, name
        assert gradient.isfinite().all(), name
        assert torch.equal(gradient, other_gradients[name]), name


MASKING = [
    Sum(8),
    Mean(8),
    Max(8),
    Product(8),
    TokenTransformer("one", 8, n_heads=2),
    TokenTransformer("all", 8, n_heads=2),
    Bottleneck(2, 8, n_heads=2),
    *(Late(rule) for rule in RULES if rule != "stacked"),
    Tree([("inner", ["a", "b"], "mean")], final=Max(8)),
]


@pytest.mark.parametrize("recipe", MASKING, ids=str)
def test_the_stand_in_speaks_only_where_no_block_is_there(recipe):
    widths, present = widths_of(3), some_missing(3)
    module, encoded = build(recipe, widths).eval(), made_up(recipe, widths)
    changed = {
        name: replaced(block, ~present[:, i]) for i, (name, block) in enumerate(encoded.items())
    }
    before, after = module(encoded, present), module(changed, present)
    alone = ~present.any(1)
    assert torch.equal(before[~alone], after[~alone])
    assert not torch.isclose(before[alone], after[alone]).all(1).any()


def replaced(encoded, rows):
    if isinstance(encoded, tuple):
        return replaced(encoded[0], rows), encoded[1]
    return encoded + 5.0 * rows.view(-1, *[1] * (encoded.ndim - 1))


WEIGHING = [
    Mean(8),
    Gated(8),
    Gated(8, gate="sigmoid"),
    CrossAttention(8, n_heads=2),
    TokenTransformer("one", 8, n_heads=2),
    MixtureOfExperts(2, 8),
    Late("mean"),
    Late("learned"),
    Late("confidence"),
    Tree([("inner", ["a"], Gated(8))], final="gated"),
]


@pytest.mark.parametrize("recipe", WEIGHING, ids=str)
@every_count
def test_weights_are_shares_of_the_blocks_that_a_row_has(recipe, n_blocks):
    widths, present = widths_of(n_blocks), some_missing(n_blocks)
    module, encoded = build(recipe, widths).eval(), made_up(recipe, widths)
    if recipe.takes == "tokens":
        encoded = {name: (tokens, None) for name, (tokens, _) in encoded.items()}
    complete, missing = module.weights(encoded, None), module.weights(encoded, present)
    for weights in (complete, missing):
        assert weights.shape == (N_ROWS, n_blocks)
        assert (weights >= 0).all()
        torch.testing.assert_close(weights.sum(1), torch.ones_like(weights[:, 0]))
    assert (complete > 0).all()
    some = present.any(1)
    assert torch.equal(missing[some] > 0, present[some])


TOKEN_FUSIONS = [recipe for recipe in FUSIONS if recipe.takes == "tokens"]


@pytest.mark.parametrize("recipe", TOKEN_FUSIONS, ids=str)
def test_rows_without_a_single_token_stay_finite(recipe):
    widths = {"a": 3, "b": 2}
    module = build(recipe, widths)
    nothing = torch.zeros(4, 3, dtype=torch.bool)
    encoded = {
        "a": (torch.randn(4, 3, 3, dtype=torch.float64), nothing),
        "b": (torch.zeros(4, 0, 2, dtype=torch.float64), nothing[:, :0]),
    }
    fused = module(encoded, None)
    fused.square().sum().backward()
    assert fused.isfinite().all()
    gradients = [one.grad for one in module.parameters() if one.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients)


# Scale


BOUNDED = [recipe for recipe in FUSIONS if repr(recipe) != repr(Tensor(8, block_width=None))]


@pytest.mark.parametrize("n_blocks", [2, 8, 11])
@pytest.mark.parametrize("recipe", BOUNDED, ids=str)
def test_the_start_is_well_scaled(recipe, n_blocks):
    widths = dict.fromkeys("abcdefghijk"[:n_blocks], 16)
    fused = build(recipe, widths)(made_up(recipe, widths), None)
    assert 0.02 < fused.std() < 20
