"""The network: encode each block, fuse, decide."""

import pickle
import re

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import nn

from skfusion import Blocks, FusionClassifier, Ragged
from skfusion._batch import make_batch
from skfusion._module import ModulePlan
from skfusion.encoders import CNN, MLP, RNN, Encoder, SparseLinear, Tokens
from skfusion.exceptions import BlockError, ParameterError
from skfusion.fusion import Concat, Fusion, Late, Tree
from skfusion.heads import Head, LinearHead
from skfusion.targets import OutputSpec

N_ROWS = 12


@pytest.fixture(scope="module")
def blocks():
    rng = np.random.default_rng(0)
    return Blocks(
        {
            "text": sparse.random(N_ROWS, 9, 0.4, random_state=0, format="csr", dtype=np.float32),
            "facts": rng.normal(size=(N_ROWS, 3)).astype(np.float32),
            "photo": rng.integers(0, 255, (N_ROWS, 4, 4, 3)).astype(np.uint8),
            "words": Ragged.from_rows([[1, 2, 3][: 1 + i % 3] for i in range(N_ROWS)]),
        }
    )


ENCODERS = {
    "text": SparseLinear(width=2),
    "facts": MLP(widths=(3,)),
    "photo": CNN(channels=(2,), width=4),
    "words": RNN(width=5, embedding_width=2),
}


@pytest.fixture
def plan(blocks):
    """Return a function that makes a plan for some of the blocks."""

    def plan(names=tuple(ENCODERS), fusion=None, dtype=torch.float32, encoders=ENCODERS):
        chosen = {name: encoders[name] for name in names}
        specs = blocks.select(names).specs()
        return ModulePlan(
            specs, chosen, fusion or Concat(), LinearHead(), OutputSpec("value", (2,)), dtype
        )

    return plan


def build(plan, seed=0):
    torch.manual_seed(seed)
    return plan()


def batch_of(blocks, dtype=torch.float32):
    return make_batch(blocks, dtype, torch.device("cpu"))


def lacking(blocks, names, rows):
    mask = np.isin(np.arange(N_ROWS), rows)
    return Blocks({name: blocks[name] for name in names}, missing=dict.fromkeys(names, mask))


def test_widths_are_measured(plan, blocks):
    module = build(plan())
    assert module.width == 14
    assert module.fuse(batch_of(blocks)).shape == (N_ROWS, 14)
    assert module(batch_of(blocks)).shape == (N_ROWS, 2)


@pytest.mark.parametrize("n_blocks", [1, 2, 4])
def test_outputs_are_the_parts_put_together_by_hand(plan, blocks, n_blocks):
    names = ["photo", "facts", "words", "text"][:n_blocks]
    module, batch = build(plan(names)), batch_of(blocks.select(names))
    vectors = []
    for name, encoder in zip(module.names, module.encoders, strict=True):
        x = batch.inputs[name]
        vectors.append(encoder(x.values, x.mask) if name == "words" else encoder(x))
    expected = module.head(torch.cat(vectors, dim=1))
    torch.testing.assert_close(module(batch), expected)


def test_every_parameter_gets_a_gradient(plan, blocks):
    names = ["facts", "photo"]
    rows = lacking(blocks, names, [1, 5])
    rows = Blocks(
        {"text": blocks["text"], "words": blocks["words"]} | {n: rows[n] for n in names},
        missing={name: rows.missing(name) for name in names},
    )
    module = build(plan(["text", "words", *names]))
    module(batch_of(rows)).square().sum().backward()
    without = [name for name, p in module.named_parameters() if p.grad is None]
    assert without == [
        "missing_embeddings.0",
        "missing_embeddings.1",
    ]  # text and words are nowhere missing


def test_rows_that_lack_a_block_get_its_stand_in(plan, blocks):
    module = build(plan(["facts"]))
    module.missing_embeddings[0].data += 7
    fused = module.fuse(batch_of(lacking(blocks, ["facts"], [0, 3])))
    whole = module.fuse(batch_of(blocks.select(["facts"])))
    assert (fused[[0, 3]] == 7).all()
    kept = [row for row in range(N_ROWS) if row not in (0, 3)]
    torch.testing.assert_close(fused[kept], whole[kept])


def test_a_batch_in_which_every_row_lacks_a_block(plan, blocks):
    module = build(plan(["words", "facts"]))
    nowhere = lacking(blocks, ["words"], range(N_ROWS))
    rows = Blocks(
        {"words": nowhere["words"], "facts": blocks["facts"]},
        missing={"words": nowhere.missing("words")},
    )
    fused = module.fuse(batch_of(rows))
    assert (fused[:, :5] == module.missing_embeddings[0]).all()


def test_encoders_see_only_the_rows_that_have_the_block(plan, blocks):
    seen = []
    module = build(plan(["facts"]))
    module.encoders[0].register_forward_hook(lambda part, x, y: seen.append(x[0].shape[0]))
    module(batch_of(lacking(blocks, ["facts"], [2, 3, 4])))
    module(batch_of(lacking(blocks, ["facts"], range(N_ROWS))))
    assert seen == [N_ROWS - 3]


def test_a_batch_is_its_rows_one_by_one(plan, blocks):
    module = build(plan()).eval()
    one_by_one = [module(batch_of(blocks[[row]])) for row in range(N_ROWS)]
    torch.testing.assert_close(module(batch_of(blocks)), torch.cat(one_by_one))


def test_building_measures_without_a_trace(plan):
    """Measuring runs the module, and must leave neither gradients nor moved statistics."""
    encoders = ENCODERS | {"photo": CNN(channels=(2,), norm="batch")}
    module = build(plan(encoders=encoders))
    assert module.training
    assert all(parameter.grad is None for parameter in module.parameters())
    (norm,) = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norm.num_batches_tracked == 0
    assert (norm.running_mean == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_everything_has_the_dtype_of_the_plan(plan, blocks, dtype):
    module = build(plan(dtype=dtype))
    assert {parameter.dtype for parameter in module.parameters()} == {dtype}
    assert module(batch_of(blocks, dtype)).dtype == dtype


def test_a_plan_gives_independent_modules_and_travels(plan, blocks):
    one, other = build(plan()), build(pickle.loads(pickle.dumps(plan())))
    assert not {id(part) for part in one.parameters()} & {id(part) for part in other.parameters()}
    torch.testing.assert_close(one(batch_of(blocks)), other(batch_of(blocks)))
    assert len(pickle.dumps(plan())) < 5000


# Tokens instead of vectors


class Pooled(Fusion):
    """The mean of all tokens, each made as wide as the widest."""

    takes = "tokens"

    def build(self, widths):
        return _Pooled(max(widths.values()))


class _Pooled(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.width = width

    def forward(self, encoded, present):
        parts = [(_widened(tokens, self.width), mask) for tokens, mask in encoded.values()]
        masks = [
            torch.ones(tokens.shape[:2], dtype=torch.bool) if mask is None else mask
            for tokens, mask in parts
        ]
        tokens = torch.cat([tokens for tokens, _ in parts], dim=1)
        mask = torch.cat(masks, dim=1)[:, :, None]
        return (tokens * mask).sum(1) / mask.sum(1)


def _widened(tokens, width):
    return nn.functional.pad(tokens, (0, width - tokens.shape[2]))


def test_a_fusion_of_tokens_gets_tokens_and_masks(plan, blocks):
    module = build(plan(fusion=Pooled()))
    encoded = module.encode(batch_of(blocks))
    shapes = {name: tuple(tokens.shape[1:]) for name, (tokens, _) in encoded.items()}
    assert shapes == {"text": (1, 2), "facts": (1, 3), "photo": (4, 2), "words": (3, 5)}
    np.testing.assert_array_equal(encoded["words"][1].sum(1), blocks["words"].lengths)
    assert module(batch_of(blocks)).shape == (N_ROWS, 2)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_missing_row_has_its_stand_in_as_its_one_token(plan, blocks, name):
    module = build(plan([name], fusion=Pooled()))
    module.missing_embeddings[0].data += 7
    fused = module.fuse(batch_of(lacking(blocks, [name], [0, 3])))
    assert (fused[[0, 3]] == 7).all()
    whole = module.fuse(batch_of(blocks.select([name])))
    torch.testing.assert_close(fused[[1, 2]], whole[[1, 2]])
    nowhere = module.fuse(batch_of(lacking(blocks, [name], range(N_ROWS))))
    assert (nowhere == 7).all()


# Encoders that do not keep their promise


class Broken(Encoder):
    def __init__(self, returns=None, fails_in=None):
        self.returns = returns
        self.fails_in = fails_in

    def build(self, spec, pooled=True):
        if self.fails_in == "build":
            raise RuntimeError("no such layer")
        return _Broken(self.returns, self.fails_in)


class _Broken(nn.Module):
    def __init__(self, returns, fails_in):
        super().__init__()
        self.returns, self.fails_in = returns, fails_in

    def forward(self, x):
        if self.fails_in == "forward":
            raise RuntimeError("shapes do not match")
        return {"scalar": x.sum(), "map": x[:, :, None, None], "nothing": None}[self.returns]


@pytest.mark.parametrize("returns", ["scalar", "map", "nothing"])
def test_an_encoder_that_returns_no_vectors(plan, returns):
    with pytest.raises(BlockError, match=r"encoder of block 'facts' must return \(batch, width\)"):
        build(plan(["facts"], encoders={"facts": Broken(returns)}))


@pytest.mark.parametrize(("fails_in", "doing"), [("build", "building"), ("forward", "measuring")])
def test_errors_in_an_encoder_name_its_block(plan, fails_in, doing):
    with pytest.raises(RuntimeError, match="no such layer|shapes do not match") as caught:
        build(plan(["facts"], encoders={"facts": Broken(fails_in=fails_in)}))
    assert f"while {doing} the encoder of block 'facts'" in str(caught.value)


# Fusions that do not keep their promise


class WrongFusion(Fusion):
    takes = "vectors"

    def __init__(self, module=None, takes="vectors"):
        self.module = module
        self.takes = takes

    def build(self, widths):
        return self.module


class Returns(nn.Module):
    """Gives what a function makes of the blocks' vectors."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, encoded, present):
        return self.function(torch.cat([*encoded.values()], dim=1))


class Unfinished(Fusion):
    pass


class Counts(Fusion):
    decides = True

    def build(self, widths, n_outputs):
        return Returns(lambda x: x)


VECTOR_A_ROW = r"WrongFusion\(.*must return \(batch, width\). Got .*Return one vector a row"


@pytest.mark.parametrize(
    ("fusion", "message"),
    [
        (WrongFusion(Returns(lambda x: x.sum(1))), VECTOR_A_ROW),
        (WrongFusion(Returns(lambda x: x[:, :, None])), VECTOR_A_ROW),
        (WrongFusion(Returns(lambda x: x[:1])), VECTOR_A_ROW),
        (WrongFusion(Returns(lambda x: (x, x))), VECTOR_A_ROW),
        (WrongFusion(None), r"WrongFusion\(\) must return an nn.Module. Got None"),
        (WrongFusion(takes="token"), r"takes of the fusion WrongFusion.*Did you mean 'tokens'"),
        (Counts(), r"Counts\(\) decides.*n_outputs=2.*Got width 3. Return as many"),
    ],
    ids=["one axis", "three axes", "one row", "a pair", "no module", "takes", "n_outputs"],
)
def test_a_fusion_that_returns_no_vectors(plan, fusion, message):
    with pytest.raises(ParameterError, match=re.compile(message, re.DOTALL)):
        build(plan(["facts"], fusion=fusion))


@pytest.mark.parametrize(
    ("fusion", "doing", "message"),
    [
        (Unfinished(), "building", r"Unfinished must define build\(self, widths\)"),
        (WrongFusion(Returns(lambda x: x @ x)), "measuring", "shapes cannot be multiplied"),
        (WrongFusion(nn.Flatten()), "measuring", "takes 2 positional arguments"),
    ],
    ids=["no build", "shapes", "arguments"],
)
def test_errors_in_a_fusion_name_it(plan, fusion, doing, message):
    with pytest.raises((NotImplementedError, RuntimeError, TypeError), match=message) as caught:
        build(plan(["facts"], fusion=fusion))
    assert f"while {doing} the fusion {type(fusion).__name__}(" in str(caught.value)


# What the outputs are

GROUP = ("group", ["text"], "mean")


@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("within", [lambda late: late, lambda late: Tree([GROUP], final=late)])
@pytest.mark.parametrize("combine", ["max", "vote"])
def test_late_fusion_knows_whether_outputs_are_classes(blocks, combine, within, exclusive):
    """What is added to all classes of a block changes nothing; what is added to labels does."""
    names = ["text", "facts"]
    module = ModulePlan(
        blocks.select(names).specs(),
        {name: ENCODERS[name] for name in names},
        within(Late(combine)),
        LinearHead(),
        OutputSpec("classes" if exclusive else "labels", (3,), 3),
        torch.float64,
    )()
    batch = batch_of(blocks.select(names), torch.float64)
    before = module(batch)
    (late,) = [part for part in module.modules() if hasattr(part, "decisions")]
    late.heads[1].bias.data += 5
    assert torch.allclose(module(batch), before) is exclusive


# What fails once rows come


class Fails(nn.Module):
    """Works while it is measured, by two rows of zeros."""

    def forward(self, fused):
        if len(fused) > 2:
            raise LookupError("not so many")
        return torch.zeros(2, 1)


class FailingHead(Head):
    def build(self, width, output):
        return Fails()


class Weighing(nn.Module):
    """Fails when it is asked for weights."""

    def forward(self, encoded, present):
        return torch.cat([tokens.values.mean(1) for tokens in encoded.values()], dim=1)

    def weights(self, encoded, present):
        raise LookupError("not today")

    def tokens(self, encoded, present):
        values = torch.cat([tokens.values for tokens in encoded.values()], dim=1)
        if len(values) > 2:
            raise LookupError("not so many")
        return Tokens(values)


class FailingFusion(Fusion):
    takes = "tokens"
    gives = ("vector", "tokens")

    def build(self, widths):
        return Weighing()


class MeanOfTokens(Head):
    takes = "tokens"

    def build(self, width, output):
        return _MeanOfTokens(width, output.n_outputs)


class _MeanOfTokens(nn.Linear):
    def forward(self, fused):
        return super().forward(fused.values.mean(1))


@pytest.fixture
def fitted_on():
    X = np.random.default_rng(0).normal(size=(12, 3))

    def fitted_on(**params):
        model = FusionClassifier({"X": MLP(4)}, max_epochs=1, random_state=0, **params)
        return model.fit(X, np.arange(12) % 2), X

    return fitted_on


def test_errors_of_a_head_name_it_at_work(fitted_on):
    with pytest.raises(LookupError, match="in the head.*not so many"):
        fitted_on(head=FailingHead())


def test_errors_in_tokens_of_a_fusion_name_it(fitted_on):
    with pytest.raises(LookupError, match="in the fusion.*not so many"):
        fitted_on(fusion=FailingFusion(), head=MeanOfTokens())


def test_errors_in_weights_of_a_fusion_name_it(fitted_on):
    model, X = fitted_on(fusion=FailingFusion())
    with pytest.raises(LookupError, match="in the fusion.*not today"):
        model.explain(X)
