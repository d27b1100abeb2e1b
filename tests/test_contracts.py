"""One row per encoder and fusion; every row goes through all properties of its contract."""

import inspect

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import nn

from skfusion import FusionClassifier, encoders, fusion, heads, targets
from skfusion.blocks import Ragged
from skfusion.encoders import (
    CNN,
    MLP,
    RNN,
    Augment,
    Backbone,
    Chain,
    Encoder,
    FittedEncoder,
    NumericEmbedding,
    Policy,
    Pretrained,
    SameAs,
    SparseLinear,
    TemporalCNN,
    TimeDistributed,
    TokenEmbedding,
    Transformer,
)
from skfusion.fusion import (
    Bilinear,
    Bottleneck,
    Concat,
    CrossAttention,
    Early,
    FiLM,
    Fusion,
    Gated,
    Late,
    LowRank,
    Max,
    Mean,
    MixtureOfExperts,
    Product,
    Sum,
    Tensor,
    TokenConcat,
    TokenTransformer,
    Tree,
)
from skfusion.heads import GridHead, GRUDecoder, Head, LinearHead, MLPHead, TransformerDecoder
from skfusion.targets import Labels, SeveralTargets, Target, Texts, Values
from skfusion.testing import check_encoder, check_fusion, check_head, check_target


def public(module, base):
    values = [getattr(module, name) for name in module.__all__]
    classes = [value for value in values if inspect.isclass(value)]
    return [value for value in classes if issubclass(value, base) and value is not base]


# Encoders

STEPS = np.random.default_rng(0).normal(size=(6, 5, 4)).astype(np.float32)
IMAGES = np.random.default_rng(1).integers(0, 256, (6, 12, 12, 3), dtype=np.uint8)
CLIPS = np.stack([IMAGES, IMAGES[::-1], IMAGES], axis=1)
FACTS = STEPS[:, 0]
WORDS = Ragged.from_rows([[1, 3], [7, 2, 0], [5, 4, 6, 1]], n_tokens=8)


def backbone():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3))


def fitted(block, encoder):
    model = FusionClassifier({"block": encoder}, max_epochs=1, random_state=0)
    return model.fit({"block": block}, [0, 1] * 3)


# (encoder, rows): on rows of every form that it takes where rows is None.
ENCODERS = [
    (SparseLinear(8), None),
    (MLP((8, 4)), None),
    (MLP(8, activation="gelu", norm="layer", dropout=0.5), None),
    (NumericEmbedding(widths=8), None),
    (NumericEmbedding("piecewise", widths=8), None),
    (TokenEmbedding(8), None),
    (TokenEmbedding(8, "sum", dropout=0.5), None),
    (TokenEmbedding(8, "max"), None),
    (TokenEmbedding(8, "attention"), None),
    (TokenEmbedding(vectors=np.eye(8)), None),
    (TokenEmbedding(vectors=np.eye(8), frozen=True), None),
    (CNN((4, 8), width=8), None),
    (CNN((4,), padding="valid", output="flatten", width=None), None),
    (CNN((8, 8), norm="group", residual=True, pooling="average", output="average"), None),
    (CNN((4, 8), norm="batch", activation="silu", dropout=0.5), None),
    (RNN(8), None),
    (RNN(8, "lstm", n_layers=2, dropout=0.5), None),
    (RNN(8, "lstm", bidirectional=True), None),
    (RNN(8, "plain", pooling="max"), None),
    (RNN(8, bidirectional=True, pooling="attention"), None),
    (RNN(4, "lstm"), np.repeat(STEPS, 512, axis=2)),
    (TemporalCNN((8, 8)), None),
    (TemporalCNN((8, 6), 4, causal=True, norm="layer", pooling="last"), None),
    (TemporalCNN((6, 6), dilation=1, residual=False, pooling="attention"), None),
    (Transformer(8, n_heads=2), None),
    (Transformer(8, n_layers=1, pooling="cls", positions="learned", patch_size=5), None),
    (Transformer(8, n_layers=1, pooling="attention", positions=None), None),
    (TimeDistributed(CNN((4,), width=6), over=RNN(8, "lstm"), chunk_size=5), CLIPS),
    (TimeDistributed(), None),
    (TimeDistributed(over=Transformer(8, n_layers=1), center=True), None),
    (TimeDistributed(over=Transformer(8, n_layers=1)), STEPS),
    (TimeDistributed(MLP(6), over=TemporalCNN((8,))), STEPS),
    (Chain(CNN((4, 8)), Transformer(8, n_layers=1)), IMAGES),
    (Chain(NumericEmbedding(), Transformer(8, n_layers=1, positions=None)), FACTS),
    (Chain(TokenEmbedding(vectors=np.eye(8), frozen=True), Chain(TemporalCNN(6), RNN(8))), WORDS),
    (Augment(CNN((4,), width=8), flip="both", shift=0.2, crop=0.3, noise=0.1, cutout=0.2), IMAGES),
    (Augment(RNN(8), shift=0.2, time_warp=0.2, noise=0.1, cutout=0.2), STEPS),
    (Augment(TokenEmbedding(8), word_dropout=0.3), WORDS),
    (Pretrained(backbone), IMAGES),
    (Pretrained(backbone, frozen=False), IMAGES),
    (Policy(MLP(8), lr_scale=0.1), FACTS),
    (Policy(CNN((4,), width=8), frozen=True), IMAGES),
    (FittedEncoder(fitted(IMAGES, CNN((4,), width=8))), IMAGES),
    (FittedEncoder(fitted(FACTS, MLP(8)), part="block", frozen=False), FACTS),
]


@pytest.mark.parametrize(("encoder", "rows"), ENCODERS, ids=lambda value: type(value).__name__)
def test_encoders_keep_their_contract(encoder, rows):
    check_encoder(encoder, rows)


def test_every_public_encoder_has_a_row():
    # SameAs has no module of its own; that of Backbone needs a folder, in test_backbone.py.
    with_module = set(public(encoders, Encoder)) - {Backbone, SameAs}
    assert {type(encoder) for encoder, _ in ENCODERS} == with_module


# Fusions

LATE_RULES = ("mean", "learned", "confidence", "product", "max", "vote", "stacked")
FUSIONS = [
    Concat(),
    Sum(8),
    Mean(8),
    Max(8),
    Product(8),
    Gated(8),
    Gated(8, gate="sigmoid", per_number=False),
    LowRank(8, rank=3),
    Tensor(8),
    Tensor(8, block_width=None),
    Bilinear(8, block_width=3),
    FiLM(width=8),
    FiLM(by="text", width=8),
    CrossAttention(8, n_heads=2),
    TokenConcat(8),
    TokenTransformer("one", 8, n_heads=2),
    TokenTransformer("all", 8, n_heads=2),
    Bottleneck(2, 8, n_heads=2),
    MixtureOfExperts(2, 8),
    MixtureOfExperts(2, 8, top_k=2),
    Early(8),
    *(Late(rule) for rule in LATE_RULES),
    Tree([("inner", ["text"], Gated(8))], "sum"),
    Tree([("inner", ["text"], CrossAttention(8, n_heads=2))], "late"),
]


@pytest.mark.parametrize("recipe", FUSIONS, ids=repr)
def test_fusions_keep_their_contract(recipe):
    check_fusion(recipe)


def test_every_public_fusion_has_a_row():
    assert {type(recipe) for recipe in FUSIONS} == set(public(fusion, Fusion))


# Heads

HEADS = [
    LinearHead(),
    LinearHead(dropout=0.5),
    MLPHead(),
    MLPHead((6, 4), dropout=0.3),
    GRUDecoder(8, n_heads=2),
    GridHead(8, n_heads=2),
    GridHead(8, n_heads=2, n_stages=1),
    TransformerDecoder(8, n_heads=2, n_layers=1),
]


@pytest.mark.parametrize("head", HEADS, ids=repr)
def test_heads_keep_their_contract(head):
    check_head(head)


def test_every_public_head_has_a_row():
    assert {type(head) for head in HEADS} == set(public(heads, Head))


# Targets

SETS = np.array([[1, 0, 1], [0, 0, 1], [1, 1, 0], [0, 0, 0], [1, 0, 0]])
VALUES = np.array([3.0, -1.0, 4.0, 10.0, 2.5])

TARGETS = [
    (Labels(), ["yes", "no", "no", "yes", "no"]),
    (Labels(), [7, 3, 3, 9, 7, 9, 9]),
    (Labels(), SETS),
    (Labels(several=True), sparse.csr_array(SETS)),
    (Values(), VALUES),
    (Values(), np.column_stack([VALUES, 1000 * VALUES[::-1]])),
    (Values(), np.multiply.outer(VALUES, [[1.0, 2.0], [3.0, -4.0]])),
    (SeveralTargets(), {"kind": ["a", "b", "a", "c", "b", "c"], "on": [True, False] * 3}),
    (Texts("characters", min_count=1), ["no", "yes", "", "maybe", "no"]),
]


@pytest.mark.parametrize(("target", "y"), TARGETS, ids=lambda value: type(value).__name__)
def test_targets_keep_their_contract(target, y):
    check_target(target, y)


def test_every_public_target_has_a_row():
    assert {type(target) for target, _ in TARGETS} == set(public(targets, Target))


def test_the_proofs_leave_the_global_state_of_torch_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    check_encoder(MLP(4))
    check_fusion(Concat(), n_blocks=(2,))
    check_head(MLPHead())
    check_target(Labels(), [0, 1, 0, 1])
    assert torch.equal(torch.rand(3), expected)
