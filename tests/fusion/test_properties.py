"""What every fusion promises."""

import pickle
import re
from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skfusion._batch import make_batch
from skfusion._module import ModulePlan
from skfusion.blocks import Blocks, Ragged
from skfusion.encoders import MLP, choose_encoders
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
    resolve_fusion,
)
from skfusion.heads import LinearHead

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


def build(recipe, widths):
    torch.manual_seed(0)
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


def blocks_with_missing(n_blocks, seed=0):
    """Blocks of several forms, each missing in some rows, not all in any."""
    rng = np.random.default_rng(seed)
    lengths = np.random.default_rng(1).integers(0, 4, N_ROWS)
    blocks = {
        "a": rng.normal(size=(N_ROWS, 3)),
        "b": Ragged.from_rows([rng.normal(size=(length, 2)) for length in lengths]),
        "c": rng.normal(size=(N_ROWS, 4)),
        "d": Ragged.from_rows([rng.integers(0, 9, length) for length in lengths + 1], n_tokens=9),
        "e": rng.normal(size=(N_ROWS, 2)),
    }
    missing = np.random.default_rng(2).random((N_ROWS, n_blocks)) < 0.4
    missing[missing.all(1), 0] = False
    kept = {name: blocks[name] for name in NAMES[:n_blocks]}
    masks = {name: missing[:, i] for i, name in enumerate(kept) if missing[:, i].any()}
    return Blocks(kept, masks)


def network(recipe, blocks):
    specs = blocks.specs()
    encoders = choose_encoders({"a": MLP(6)}, specs, recipe.encoder_for)
    torch.manual_seed(0)
    module = ModulePlan(specs, encoders, recipe, LinearHead(), 3, torch.float64)()
    with torch.no_grad():
        for stand_in in module.stand_ins:
            stand_in.normal_()
    return module


def batch_of(blocks):
    return make_batch(blocks, torch.float64, torch.device("cpu"))


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
    loss = (module(encoded, None) * torch.randn(N_ROWS, 1, dtype=torch.float64)).square().sum()
    loss.backward()
    without = [
        name
        for name, parameter in module.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]
    assert without == []


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
    if isinstance(recipe, (Concat,)):
        return
    widths = widths_of(3)
    module, encoded = build(recipe, widths).eval(), made_up(recipe, widths)
    turned = dict(reversed(encoded.items()))
    assert torch.equal(module(encoded, None), module(turned, None))


@every_fusion
def test_two_builds_share_nothing_and_a_state_round_trips(recipe):
    widths = widths_of(3)
    encoded, present = made_up(recipe, widths), some_missing(3)
    one = build(recipe, widths).eval()
    torch.manual_seed(1)
    two = (recipe.build(widths, n_outputs=3) if recipe.decides else recipe.build(widths)).double()
    before = one(encoded, present)
    own = {parameter.data_ptr() for parameter in one.parameters()}
    assert own.isdisjoint(parameter.data_ptr() for parameter in two.parameters())
    two.load_state_dict(one.state_dict())
    assert torch.equal(two.eval()(encoded, present), before)
    assert torch.equal(pickle.loads(pickle.dumps(one))(encoded, present), before)


@every_fusion
def test_recipes_clone(recipe):
    assert repr(clone(recipe)) == repr(recipe)


# The order of blocks

N_BLOCKS = 3
POSITIONED = re.compile(r"^(.*?(?:maps|heads|confidence|projections|stacks|norms)\.)(\d+)(\..*)$")


def carried_over(recipe, module, order):
    """Return the state of ``module`` for the same blocks in another order, new from old."""
    widths = widths_of(N_BLOCKS)
    state = {}
    for key, value in module.state_dict().items():
        found = POSITIONED.match(key)
        if found:
            new = order.index(int(found[2]))
            state[f"{found[1]}{new}{found[3]}"] = value
        else:
            state[key] = rearranged(recipe, key, value, order, list(widths.values()))
    return state


def rearranged(recipe, key, value, order, widths):
    """Rearrange parameters whose rows or columns belong to blocks."""
    if key == "gates.weight" or key == "router.weight":
        value = torch.cat([value.split(widths, dim=1)[i] for i in order], dim=1)
    if key.startswith(("gates.", "router.")) or key in ("block_scores", "cls_of_blocks"):
        value = torch.cat([value.chunk(N_BLOCKS)[i] for i in order])
    if isinstance(recipe, Bottleneck) and key == "cls":
        value = value[order]
    if isinstance(recipe, Late) and key == "judge.0.weight":
        value = torch.cat([value.chunk(N_BLOCKS, dim=1)[i] for i in order], dim=1)
    if isinstance(recipe, Tensor) and key == "linear.weight":
        sizes = [width + 1 for width in widths] if recipe.block_width is None else [16] * N_BLOCKS
        value = value.unflatten(1, sizes).permute(0, *(i + 1 for i in order)).flatten(1)
    return value


ORDERED = [
    recipe
    for recipe in FUSIONS
    if not isinstance(recipe, (Concat, Tree, Bilinear, Bottleneck)) and recipe != FUSIONS[12]
]


@pytest.mark.parametrize("recipe", ORDERED, ids=str)
def test_permuting_the_blocks_permutes_nothing_else(recipe):
    if isinstance(recipe, FiLM):
        recipe = FiLM(by="a", width=8)
    widths, order = widths_of(N_BLOCKS), [2, 0, 1]
    module, encoded = build(recipe, widths).eval(), made_up(recipe, widths)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    names = [NAMES[i] for i in order]
    permuted = build(recipe, {name: widths[name] for name in names}).eval()
    permuted.load_state_dict(carried_over(recipe, module, order))
    present = some_missing(N_BLOCKS)
    expected = module(encoded, present)
    actual = permuted({name: encoded[name] for name in names}, present[:, order])
    if isinstance(recipe, CrossAttention):
        expected = torch.cat([expected.chunk(N_BLOCKS, dim=1)[i] for i in order], dim=1)
    torch.testing.assert_close(actual, expected, atol=1e-9, rtol=0)
