"""Permuting the order of the blocks permutes nothing else.

A module for the same blocks in another order, with each parameter put where its block now stands,
returns the same.
"""

import re
from itertools import combinations

import pytest
import torch

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

WIDTHS = {"a": 3, "b": 5, "c": 2}
NAMES = list(WIDTHS)
ORDER = [2, 0, 1]
PERMUTED = {NAMES[i]: WIDTHS[NAMES[i]] for i in ORDER}
N_ROWS = 10


def numbered(position):
    """Return how keys change in which the block stands behind ``position``."""
    pattern = re.compile(rf"^({position}\.)(\d+)(\..*)?$")

    def change(key, value):
        found = pattern.match(key)
        if not found:
            return None
        return f"{found[1]}{ORDER.index(int(found[2]))}{found[3] or ''}", value

    return change


def pieces(key, axis, sizes=None):
    """Return how a parameter changes that has a piece per block along ``axis``."""

    def change(given, value):
        if given != key:
            return None
        parts = value.split(sizes, axis) if sizes else value.chunk(len(NAMES), axis)
        return given, torch.cat([parts[i] for i in ORDER], dim=axis)

    return change


def rows_and_columns(key):
    """Rows belong to blocks by number, columns by the blocks' widths."""

    def change(given, value):
        if given != key:
            return None
        return pieces(key, 1, list(WIDTHS.values()))(*pieces(key, 0)(given, value))

    return change


def products_of_pairs(key, value):
    """Pair (i, j) of the new order is the old pair of those blocks, transposed if turned round."""
    if key != "products.weight":
        return None
    pairs = list(combinations(range(3), 2))
    forms = value.unflatten(1, (3, 4, 4))
    new = []
    for left, right in pairs:
        i, j = ORDER[left], ORDER[right]
        form = forms[:, pairs.index((min(i, j), max(i, j)))]
        new.append(form if i < j else form.transpose(1, 2))
    return key, torch.stack(new, dim=1).flatten(1)


def axes_of_tensor(key, value):
    if key != "linear.weight":
        return None
    axes = value.unflatten(1, [width + 1 for width in WIDTHS.values()])
    return key, axes.permute(0, *(i + 1 for i in ORDER)).flatten(1)


def film_conditions(key, value):
    """The others were b, c and are c, b."""
    if not key.startswith("condition."):
        return None
    return key, value.unflatten(0, (2, 2, -1)).flip(1).flatten(0, 2)


def film_projections(key, value):
    if not key.startswith("projections."):
        return None
    return key.translate(str.maketrans("01", "10")), value


def rest_of_tree(key, value):
    """The group of a and b comes first, then c; now c comes first."""
    if not key.startswith("steps.1.fusion.projections."):
        return None
    head, maps, tail = key.partition("maps.")
    return head + maps + tail.translate(str.maketrans("01", "10")), value


projections, heads = numbered(r"(?:\w+\.)?maps"), numbered("heads")

ROWS = [
    (Sum(8), [projections]),
    (Mean(8), [projections]),
    (Max(8), [projections]),
    (Product(8), [projections]),
    (Early(8), [projections]),
    (LowRank(8, rank=3), [projections]),
    (Bilinear(8, block_width=4), [projections, pieces("linear.weight", 1), products_of_pairs]),
    (Tensor(8, block_width=None), [axes_of_tensor]),
    (FiLM(by="a", width=8), [film_projections, film_conditions]),
    (TokenTransformer("all", 8, n_heads=2), [projections]),
    (
        Bottleneck(2, 8, n_heads=2),
        [projections, pieces("cls", 0), numbered(r"layers\.0"), numbered(r"layers\.1")],
    ),
    (CrossAttention(8, n_heads=2), [projections, numbered("stacks"), numbered("norms")]),
    *(
        (
            Gated(8, gate),
            [
                projections,
                rows_and_columns("gates.weight"),
                pieces("gates.bias", 0),
            ],
        )
        for gate in ("softmax", "sigmoid")
    ),
    (
        MixtureOfExperts(2, 8),
        [
            projections,
            rows_and_columns("router.weight"),
            pieces("router.bias", 0),
        ],
    ),
    *((Late(rule), [heads]) for rule in ("mean", "product", "max", "vote")),
    (Late("learned"), [heads, pieces("block_scores", 0)]),
    (Late("confidence"), [heads, numbered("confidence")]),
    (Late("stacked"), [heads, pieces(r"judge.0.weight", 1)]),
    (Concat(), []),
    (Tree([("ab", ["a", "b"], Gated(8))], final=Max(8)), [rest_of_tree]),
]


def build(recipe, widths, seed):
    torch.manual_seed(seed)
    module = recipe.build(widths, n_outputs=3) if recipe.decides else recipe.build(widths)
    with torch.no_grad():
        for parameter in module.double().parameters():
            parameter.normal_()
    return module.eval()


def carried_over(module, changes):
    state = {}
    for key, value in module.state_dict().items():
        changed = [new for change in changes if (new := change(key, value)) is not None]
        state.update(changed or [(key, value)])
    return state


@pytest.mark.parametrize(("recipe", "changes"), ROWS, ids=[str(recipe) for recipe, _ in ROWS])
def test_permuting_the_blocks_permutes_nothing_else(recipe, changes):
    module, permuted = build(recipe, WIDTHS, 0), build(recipe, PERMUTED, 1)
    permuted.load_state_dict(carried_over(module, changes))
    encoded = {name: torch.randn(N_ROWS, width).double() for name, width in WIDTHS.items()}
    if recipe.takes == "tokens":
        encoded = {name: (block[:, None].repeat(1, 2, 1), None) for name, block in encoded.items()}
    present = torch.rand(N_ROWS, 3) < 0.6
    expected = module(encoded, present)
    if isinstance(recipe, CrossAttention):
        expected = torch.cat([expected.chunk(3, dim=1)[i] for i in ORDER], dim=1)
    elif isinstance(recipe, Concat):
        parts = expected.split(list(WIDTHS.values()), dim=1)
        expected = torch.cat([parts[i] for i in ORDER], dim=1)
    actual = permuted({name: encoded[name] for name in PERMUTED}, present[:, ORDER])
    torch.testing.assert_close(actual, expected, atol=1e-9, rtol=0)
