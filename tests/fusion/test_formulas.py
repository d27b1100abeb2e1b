"""Each fusion against its formula, computed by numpy from the module's parameters."""

from itertools import combinations, product

import numpy as np
import pytest
import torch
from scipy.special import expit, log_softmax, softmax

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
)

WIDTHS = {"words": 3, "photo": 4, "price": 2}
NAMES = list(WIDTHS)
N_ROWS = 6
WIDTH = 8
EVERYTHING = np.ones((N_ROWS, 3), bool)
PRESENT = np.array([[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 1], [0, 0, 0]], dtype=bool)
# In a row without any block, the stand-ins count.
COUNTING = PRESENT | ~PRESENT.any(1, keepdims=True)


def module_of(recipe, widths=WIDTHS, seed=0, **sizes):
    """Return a float64 module whose parameters are all random, none at a neutral start."""
    torch.manual_seed(seed)
    module = recipe.build(widths, **sizes).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
    return module


def vectors(widths=WIDTHS, seed=1):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(size=(N_ROWS, width)) for name, width in widths.items()}


def tokens(seed=1):
    """Tokens of differing number; the second block's rows all have the same."""
    rng = np.random.default_rng(seed)
    lengths = {"words": 5, "photo": 4, "price": 1}
    values = {name: rng.normal(size=(N_ROWS, lengths[name], WIDTHS[name])) for name in NAMES}
    masks = {name: np.ones((N_ROWS, lengths[name]), bool) for name in NAMES}
    masks["words"] = np.arange(5) < np.array([5, 1, 3, 2, 0, 4])[:, None]
    return values, masks


def run(module, encoded, present=None, method="forward"):
    inputs = {name: torch.from_numpy(block) for name, block in encoded.items()}
    with torch.no_grad():
        shown = None if present is None else torch.from_numpy(present)
        return getattr(module, method)(inputs, shown).numpy()


def run_tokens(module, values, masks, present=None, method="forward"):
    inputs = {
        name: (torch.from_numpy(values[name]), torch.from_numpy(masks[name])) for name in values
    }
    inputs["photo"] = (inputs["photo"][0], None)
    with torch.no_grad():
        shown = None if present is None else torch.from_numpy(present)
        return getattr(module, method)(inputs, shown).numpy()


def linear(module, x):
    bias = 0 if module.bias is None else module.bias.detach().numpy()
    return x @ module.weight.detach().numpy().T + bias


def layer_norm(module, x):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
    return scaled * module.weight.detach().numpy() + module.bias.detach().numpy()


def projected(projections, encoded):
    return [linear(one, encoded[name]) for name, one in zip(NAMES, projections.maps, strict=True)]


def over_blocks(blocks, count, rule):
    """Apply ``rule`` to the blocks that count, row by row."""
    rows = [
        np.stack([b[row] for b, c in zip(blocks, count[row], strict=True) if c])
        for row in range(N_ROWS)
    ]
    return np.stack([rule(row) for row in rows])


presence = pytest.mark.parametrize(
    ("present", "count"), [(None, EVERYTHING), (PRESENT, COUNTING)], ids=["complete", "missing"]
)


@presence
@pytest.mark.parametrize(
    ("recipe", "rule"),
    [
        (Sum(WIDTH), lambda blocks: blocks.sum(0) * 3 / len(blocks)),
        (Mean(WIDTH), lambda blocks: blocks.mean(0)),
        (Max(WIDTH), lambda blocks: blocks.max(0)),
    ],
)
def test_pooled(recipe, rule, present, count):
    module, encoded = module_of(recipe), vectors()
    expected = over_blocks(projected(module.projections, encoded), count, rule)
    np.testing.assert_allclose(run(module, encoded, present), expected, atol=1e-6)


@presence
def test_product(present, count):
    module, encoded = module_of(Product(WIDTH)), vectors()
    fused = over_blocks(projected(module.projections, encoded), count, lambda b: b.prod(0))
    expected = layer_norm(module.norm, fused)
    np.testing.assert_allclose(run(module, encoded, present), expected, atol=1e-6)


@presence
@pytest.mark.parametrize("per_number", [True, False])
@pytest.mark.parametrize("gate", ["softmax", "sigmoid"])
def test_gated(gate, per_number, present, count):
    module, encoded = module_of(Gated(WIDTH, gate, per_number)), vectors()
    hidden = np.stack([np.tanh(h) for h in projected(module.projections, encoded)], axis=1)
    joined = np.concatenate([encoded[name] for name in NAMES], axis=1)
    scores = linear(module.gates, joined).reshape(N_ROWS, 3, -1)
    shown = np.broadcast_to(count[:, :, None], scores.shape)
    if gate == "softmax":
        gates = softmax(np.where(shown, scores, -1e300), axis=1)
    else:
        gates = np.where(shown, expit(scores), 0) * 3 / shown.sum(1, keepdims=True)
    expected = (gates * hidden).sum(1)
    np.testing.assert_allclose(run(module, encoded, present), expected, atol=1e-6)


def test_gated_of_two_blocks_has_the_tied_gates_of_the_paper():
    widths = {"words": 3, "photo": 4}
    module, encoded = module_of(Gated(WIDTH), widths), vectors(widths)
    x_v, x_t = encoded["words"], encoded["photo"]
    h_v, h_t = (
        np.tanh(linear(one, x)) for one, x in zip(module.projections.maps, (x_v, x_t), strict=True)
    )
    weight, bias = module.gates.weight.detach().numpy(), module.gates.bias.detach().numpy()
    difference = weight[:WIDTH] - weight[WIDTH:], bias[:WIDTH] - bias[WIDTH:]
    z = expit(np.concatenate([x_v, x_t], axis=1) @ difference[0].T + difference[1])
    np.testing.assert_allclose(run(module, encoded), z * h_v + (1 - z) * h_t, atol=1e-6)


def factors_of(module, rank):
    """Return the factor of each block: (rank, width + 1, fused width), the appended 1 last."""
    factors = []
    for one in module.factors.maps:
        weight = one.weight.detach().numpy().reshape(rank, WIDTH, -1)
        bias = one.bias.detach().numpy().reshape(rank, WIDTH, 1)
        factors.append(np.concatenate([weight, bias], axis=2).transpose(0, 2, 1))
    return factors


def with_one(x):
    return np.concatenate([x, np.ones((len(x), 1))], axis=1)


def test_low_rank():
    module, encoded = module_of(LowRank(WIDTH, rank=5)), vectors()
    fused = np.ones((5, N_ROWS, WIDTH))
    for name, factor in zip(NAMES, factors_of(module, 5), strict=True):
        fused *= np.einsum("bi,rih->rbh", with_one(encoded[name]), factor)
    expected = layer_norm(module.norm, fused.sum(0))
    np.testing.assert_allclose(run(module, encoded), expected, atol=1e-6)


def tensor_by_hand(module, encoded):
    one, two, three = (with_one(encoded[name]) for name in NAMES)
    outer = np.einsum("bi,bj,bk->bijk", one, two, three).reshape(N_ROWS, -1)
    return layer_norm(module.norm, linear(module.linear, outer))


def test_tensor_of_the_blocks_as_they_come():
    module, encoded = module_of(Tensor(WIDTH, block_width=None)), vectors()
    assert module.linear.in_features == 4 * 5 * 3
    np.testing.assert_allclose(run(module, encoded), tensor_by_hand(module, encoded), atol=1e-6)


def test_tensor_of_projected_blocks():
    module, encoded = module_of(Tensor(WIDTH, block_width=2)), vectors()
    parts = zip(NAMES, module.projections, strict=True)
    brought = {name: linear(one, encoded[name]) for name, one in parts}
    assert module.linear.in_features == 27
    np.testing.assert_allclose(run(module, encoded), tensor_by_hand(module, brought), atol=1e-6)


def test_low_rank_of_full_rank_is_the_tensor():
    """Any weights of the tensor are a sum over all places but one of products of unit factors."""
    tensor, encoded = module_of(Tensor(WIDTH, block_width=None)), vectors()
    weights = tensor.linear.weight.detach().numpy().reshape(WIDTH, 4, 5, 3)
    places = list(product(range(4), range(5)))
    low_rank = module_of(LowRank(WIDTH, rank=len(places)))
    with torch.no_grad():
        for parameter in low_rank.factors.parameters():
            parameter.zero_()
        for rank, (i, j) in enumerate(places):
            rows = slice(rank * WIDTH, (rank + 1) * WIDTH)
            for block, place in ((0, i), (1, j)):
                put(low_rank.factors.maps[block], rows, place, 1.0)
            for k in range(3):
                put(low_rank.factors.maps[2], rows, k, torch.from_numpy(weights[:, i, j, k]))
        # The tensor's bias belongs to the product of the three appended ones.
        low_rank.factors.maps[2].bias[-WIDTH:] += tensor.linear.bias
        low_rank.norm.load_state_dict(tensor.norm.state_dict())
    np.testing.assert_allclose(run(low_rank, encoded), run(tensor, encoded), atol=1e-6)


def put(factor, rows, place, value):
    """Set the weight of number ``place``, or of the appended 1 that stands behind the numbers."""
    if place == factor.in_features:
        factor.bias[rows] = value
    else:
        factor.weight[rows, place] = value


def test_bilinear():
    module, encoded = module_of(Bilinear(WIDTH, block_width=3)), vectors()
    blocks = projected(module.projections, encoded)
    fused = linear(module.linear, np.concatenate(blocks, axis=1))
    forms = module.products.weight.detach().numpy().reshape(WIDTH, 3, 3, 3)
    for pair, (i, j) in enumerate(combinations(range(3), 2)):
        fused += np.einsum("bp,hpq,bq->bh", blocks[i], forms[:, pair], blocks[j])
    expected = layer_norm(module.norm, fused)
    np.testing.assert_allclose(run(module, encoded), expected, atol=1e-6)


@presence
def test_film(present, count):
    module, encoded = module_of(FiLM(by="photo", width=WIDTH)), vectors()
    condition = linear(module.condition, encoded["photo"]).reshape(N_ROWS, 2, 2, WIDTH)
    others = []
    for i, (name, one) in enumerate(zip(("words", "price"), module.projections.maps, strict=True)):
        gamma, beta = 1 + condition[:, 0, i], condition[:, 1, i]
        others.append(np.maximum(gamma * linear(one, encoded[name]) + beta, 0))
    shown = EVERYTHING[:, :2] if present is None else present[:, [0, 2]]
    shown = shown | ~shown.any(1, keepdims=True)
    expected = over_blocks(others, shown, lambda blocks: blocks.mean(0))
    np.testing.assert_allclose(run(module, encoded, present), expected, atol=1e-6)


@presence
@pytest.mark.parametrize("top_k", [None, 2])
def test_mixture_of_experts(top_k, present, count):
    module, encoded = module_of(MixtureOfExperts(2, WIDTH, top_k)), vectors()
    opinions = np.concatenate(
        [np.maximum(h, 0).reshape(N_ROWS, 2, WIDTH) for h in projected(module.experts, encoded)],
        axis=1,
    )
    scores = linear(module.router, np.concatenate([encoded[name] for name in NAMES], axis=1))
    scores = np.where(np.repeat(count, 2, axis=1), scores, -np.inf)
    if top_k:
        scores[scores < np.sort(scores, axis=1)[:, [-top_k]]] = -np.inf
    expected = np.einsum("be,beh->bh", softmax(scores, axis=1), opinions)
    np.testing.assert_allclose(run(module, encoded, present), expected, atol=1e-6)


def test_load_balance_is_the_squared_coefficient_of_variation():
    module, encoded = module_of(MixtureOfExperts(2, WIDTH, balance=0.3)).train(), vectors()
    run(module, encoded)
    scores = linear(module.router, np.concatenate([encoded[name] for name in NAMES], axis=1))
    importance = softmax(scores, axis=1).sum(0)
    expected = 0.3 * importance.var() / importance.mean() ** 2
    np.testing.assert_allclose(module.auxiliary_loss.item(), expected, atol=1e-6)


def decided(module, encoded):
    return [linear(head, encoded[name]) for name, head in zip(NAMES, module.heads, strict=True)]


@presence
@pytest.mark.parametrize("n_outputs", [1, 4])
@pytest.mark.parametrize(
    ("combine", "rule"),
    [
        ("mean", lambda blocks: blocks.mean(0)),
        ("product", lambda blocks: blocks.sum(0)),
        ("vote", lambda blocks: np.median(blocks, axis=0)),
    ],
)
def test_late_by_a_fixed_rule(combine, rule, n_outputs, present, count):
    module, encoded = module_of(Late(combine), n_outputs=n_outputs), vectors()
    expected = over_blocks(decided(module, encoded), count, rule)
    np.testing.assert_allclose(run(module, encoded, present), expected, atol=1e-6)


def furthest_from_zero(blocks):
    """Output by output: that of several labels, like that of two classes, may be any block's."""
    return np.array([max(column, key=abs) for column in blocks.T])


@presence
@pytest.mark.parametrize("n_outputs", [1, 4])
def test_late_max_of_two_classes_and_of_labels(n_outputs, present, count):
    module, encoded = module_of(Late("max"), n_outputs=n_outputs), vectors()
    expected = over_blocks(decided(module, encoded), count, furthest_from_zero)
    np.testing.assert_allclose(run(module, encoded, present), expected, atol=1e-6)


def test_a_certain_no_outweighs_an_uncertain_yes():
    module = Late("max").build({"a": 1, "b": 1}, n_outputs=2)
    with torch.no_grad():
        for head, value in zip(module.heads, (-5.0, 1.0), strict=True):
            head.weight.zero_()
            head.bias.fill_(value)
    outputs = module({"a": torch.zeros(1, 1), "b": torch.zeros(1, 1)}, None)
    assert outputs.tolist() == [[-5, -5]]


@presence
@pytest.mark.parametrize(
    ("combine", "rule"),
    [("max", lambda logs: logs.max(0)), ("vote", lambda logs: np.median(logs, axis=0))],
)
def test_late_compares_the_probabilities_of_classes(combine, rule, present, count):
    module, encoded = module_of(Late(combine), n_outputs=4), vectors()
    module.exclusive = True
    logs = [log_softmax(scores, axis=1) for scores in decided(module, encoded)]
    before = run(module, encoded, present)
    np.testing.assert_allclose(before, over_blocks(logs, count, rule), atol=1e-6)
    with torch.no_grad():
        module.heads[1].bias += 5  # the same for all classes: no probability changes
    np.testing.assert_allclose(run(module, encoded, present), before, atol=1e-6)


@presence
@pytest.mark.parametrize("combine", ["learned", "confidence"])
def test_late_weighted(combine, present, count):
    module, encoded = module_of(Late(combine), n_outputs=4), vectors()
    if combine == "learned":
        scores = np.tile(module.block_scores.detach().numpy(), (N_ROWS, 1))
    else:
        parts = zip(NAMES, module.confidence, strict=True)
        scores = np.concatenate([linear(ask, encoded[name]) for name, ask in parts], axis=1)
    weights = softmax(np.where(count, scores, -np.inf), axis=1)
    expected = np.einsum("bn,bno->bo", weights, np.stack(decided(module, encoded), axis=1))
    np.testing.assert_allclose(run(module, encoded, present), expected, atol=1e-6)


@presence
def test_late_stacked(present, count):
    module, encoded = module_of(Late("stacked", width=5), n_outputs=4), vectors()
    decisions = decided(module, encoded)
    hidden = np.maximum(linear(module.judge[0], np.concatenate(decisions, axis=1)), 0)
    mean = over_blocks(decisions, count, lambda blocks: blocks.mean(0))
    expected = mean + linear(module.judge[2], hidden)
    np.testing.assert_allclose(run(module, encoded, present), expected, atol=1e-6)


def test_early_equals_one_network_on_the_joined_inputs():
    """The encoders' linear maps side by side are one linear map of all columns."""
    rng = np.random.default_rng(2)
    inputs, maps = vectors(), {n: rng.normal(size=(w, WIDTH)) for n, w in WIDTHS.items()}
    module = module_of(Early(WIDTH, n_layers=2), dict.fromkeys(NAMES, WIDTH))
    joined = np.concatenate([inputs[name] for name in NAMES], axis=1)
    hidden = np.maximum(joined @ np.concatenate([maps[name] for name in NAMES]), 0)
    for layer in (module.layers[1], module.layers[3]):
        hidden = np.maximum(linear(layer, hidden), 0)
    encoded = {name: inputs[name] @ maps[name] for name in NAMES}
    np.testing.assert_allclose(run(module, encoded), hidden, atol=1e-6)


def test_concat():
    module, encoded = module_of(Concat()), vectors()
    expected = np.concatenate([encoded[name] for name in NAMES], axis=1)
    np.testing.assert_allclose(run(module, encoded), expected, atol=1e-6)


# Attention, one row and one head at a time


QUERY, KEY, VALUE = 0, 1, 2


def part_of(module, x, which):
    """Return queries, keys or values of ``x``, which come from one matrix."""
    return np.split(linear(module.project, x), 3, axis=-1)[which]


def looks(module, queries, context, mask, n_heads=2):
    """Return how much each query of one row attends to what, for each head (q, k)."""
    query, key = part_of(module, queries, QUERY), part_of(module, context, KEY)
    parts = zip(*(np.split(x, n_heads, axis=1) for x in (query, key)), strict=True)
    scores = [q @ k.T / np.sqrt(q.shape[1]) for q, k in parts]
    return [softmax(np.where(mask, one, -np.inf), axis=1) for one in scores]


def attention(module, queries, context, mask, n_heads=2):
    """One row: queries (q, width), context (k, width), mask (k,)."""
    values = np.split(part_of(module, context, VALUE), n_heads, axis=1)
    shares = looks(module, queries, context, mask, n_heads)
    heads = [share @ value for share, value in zip(shares, values, strict=True)]
    return linear(module.output, np.concatenate(heads, axis=1))


def transformer_layer(module, x, context, mask):
    normed = layer_norm(module.norm_attention, x), layer_norm(module.norm_attention, context)
    x = x + attention(module.attention, *normed, mask)
    hidden = linear(module.hidden, layer_norm(module.norm_hidden, x))
    gelu = torch.nn.functional.gelu(torch.from_numpy(hidden)).numpy()
    return x + linear(module.out, gelu)


def token_row(module, values, masks, row):
    """Return the projected tokens of each block in one row, and their masks."""
    parts = zip(NAMES, module.blocks.maps, strict=True)
    return [(linear(one, values[name][row]), masks[name][row]) for name, one in parts]


@presence
def test_token_transformer(present, count):
    module = module_of(TokenTransformer("all", WIDTH, n_heads=2, n_layers=2))
    values, masks = tokens()
    expected = []
    for row in range(N_ROWS):
        blocks = token_row(module, values, masks, row)
        x = np.concatenate([module.cls.detach().numpy()[0], *[tokens for tokens, _ in blocks]])
        shown = [mask & count[row, i] for i, (_, mask) in enumerate(blocks)]
        mask = np.concatenate([[True], *shown])
        for layer in module.layers:
            x = transformer_layer(layer, x, x, mask)
        expected.append(layer_norm(module.norm, x[0]))
    actual = run_tokens(module, values, masks, present)
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_token_transformer_of_one_token_per_block():
    """A vector is the only token of its block."""
    module, encoded = module_of(TokenTransformer("one", WIDTH, n_heads=2)), vectors()
    as_tokens = {name: block[:, None] for name, block in encoded.items()}
    masks = {name: np.ones((N_ROWS, 1), bool) for name in NAMES}
    expected = run_tokens(module, as_tokens, masks)
    np.testing.assert_allclose(run(module, encoded), expected, atol=1e-12)


@presence
def test_cross_attention(present, count):
    module = module_of(CrossAttention(WIDTH, n_heads=2, n_layers=2))
    values, masks = tokens()
    expected = []
    for row in range(N_ROWS):
        blocks, fused = token_row(module, values, masks, row), []
        for i, (x, own) in enumerate(blocks):
            others = [j for j in range(3) if j != i]
            context = np.concatenate(
                [module.nothing.detach().numpy()[0], *[blocks[j][0] for j in others]]
            )
            mask = np.concatenate([[True], *[blocks[j][1] & count[row, j] for j in others]])
            for layer in module.stacks[i]:
                x = transformer_layer(layer, x, context, mask)
            pooled = x[own].mean(0) if own.any() else np.zeros(WIDTH)
            fused.append(layer_norm(module.norms[i], pooled))
        expected.append(np.concatenate(fused))
    actual = run_tokens(module, values, masks, present)
    np.testing.assert_allclose(actual, expected, atol=1e-6)


@presence
def test_bottleneck(present, count):
    module = module_of(Bottleneck(n_bottlenecks=2, width=WIDTH, n_heads=2, n_layers=3))
    values, masks = tokens()
    expected = []
    for row in range(N_ROWS):
        shared = module.shared.detach().numpy()[0]
        states = [
            (np.concatenate([cls, tokens]), np.concatenate([[True], mask]))
            for cls, (tokens, mask) in zip(
                module.cls.detach().numpy(), token_row(module, values, masks, row), strict=True
            )
        ]
        for layers in module.layers:
            told = []
            for i, (own, mask) in enumerate(states):
                x = np.concatenate([own, shared])
                x = transformer_layer(layers[i], x, x, np.concatenate([mask, [True, True]]))
                states[i] = (x[: len(own)], mask)
                told.append(x[len(own) :])
            shared = np.mean([t for t, c in zip(told, count[row], strict=True) if c], axis=0)
        ends = [layer_norm(module.norm, own[0]) for own, _ in states]
        expected.append(np.mean([e for e, c in zip(ends, count[row], strict=True) if c], axis=0))
    actual = run_tokens(module, values, masks, present)
    np.testing.assert_allclose(actual, expected, atol=1e-6)


# Weights of the blocks


@presence
def test_weights_of_the_token_transformer(present, count):
    module = module_of(TokenTransformer("all", WIDTH, n_heads=2, n_layers=1))
    values, masks = tokens()
    expected = []
    for row in range(N_ROWS):
        blocks = token_row(module, values, masks, row)
        x = np.concatenate([module.cls.detach().numpy()[0], *[tokens for tokens, _ in blocks]])
        shown = [mask & count[row, i] for i, (_, mask) in enumerate(blocks)]
        mask = np.concatenate([[True], *shown])
        x = layer_norm(module.layers[0].norm_attention, x)
        part = module.layers[0].attention
        query, key = part_of(part, x[0], QUERY), part_of(part, x, KEY)
        heads = [
            softmax(np.where(mask, key[:, h] @ query[h] / 2, -np.inf))
            for h in (slice(0, 4), slice(4, 8))
        ]
        received = np.split(np.mean(heads, axis=0)[1:], np.cumsum([5, 4]))
        totals = np.array([one.sum() for one in received])
        expected.append(totals / totals.sum())
    actual = run_tokens(module, values, masks, present, method="weights")
    np.testing.assert_allclose(actual, expected, atol=1e-6)


@presence
@pytest.mark.parametrize("per_number", [True, False])
@pytest.mark.parametrize("gate", ["softmax", "sigmoid"])
def test_weights_of_gates(gate, per_number, present, count):
    module, encoded = module_of(Gated(WIDTH, gate, per_number)), vectors()
    joined = np.concatenate([encoded[name] for name in NAMES], axis=1)
    scores = linear(module.gates, joined).reshape(N_ROWS, 3, -1)
    scores[~count] = -np.inf
    opened = (softmax(scores, axis=1) if gate == "softmax" else expit(scores)).sum(2)
    expected = opened / opened.sum(1, keepdims=True)
    actual = run(module, encoded, present, method="weights")
    np.testing.assert_allclose(actual, expected, atol=1e-6)


@presence
def test_weights_of_cross_attention(present, count):
    """What a row's blocks give to each other in their last layers, by the share of each."""
    module = module_of(CrossAttention(WIDTH, n_heads=2, n_layers=2))
    values, masks = tokens()
    expected = []
    for row in range(N_ROWS):
        blocks, received = token_row(module, values, masks, row), np.zeros(3)
        for i, (x, own) in enumerate(blocks):
            if not count[row, i] or not own.any():
                continue
            others = [j for j in range(3) if j != i]
            context = np.concatenate(
                [module.nothing.detach().numpy()[0], *[blocks[j][0] for j in others]]
            )
            mask = np.concatenate([[True], *[blocks[j][1] & count[row, j] for j in others]])
            first, last = module.stacks[i]
            x = transformer_layer(first, x, context, mask)
            x, context = (layer_norm(last.norm_attention, part) for part in (x, context))
            given = np.mean(looks(last.attention, x, context, mask), axis=0)[own].mean(0)
            first, second = others
            split = 1 + len(blocks[first][0])
            received[first] += given[1:split].sum()
            received[second] += given[split:].sum()
        shares = count[row] / count[row].sum()
        expected.append(received / received.sum() if received.any() else shares)
    actual = run_tokens(module, values, masks, present, method="weights")
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_weights_of_cross_attention_follow_what_is_looked_at():
    """With equal scores a block receives by its number of tokens; `nothing` counts as one."""
    module = module_of(CrossAttention(WIDTH, n_heads=1))
    values, masks = tokens()
    with torch.no_grad():
        for stack in module.stacks:
            stack[0].attention.project.weight[WIDTH : 2 * WIDTH].zero_()  # keys
    received = np.array([5 / 7 + 5 / 10, 4 / 6 + 4 / 10, 1 / 6 + 1 / 7])
    weights = run_tokens(module, values, masks, method="weights")
    np.testing.assert_allclose(weights[0], received / received.sum(), atol=1e-6)
