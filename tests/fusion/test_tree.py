"""Blocks fused in groups before the rest."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skfusion import FusionClassifier
from skfusion.blocks import Blocks
from skfusion.exceptions import BlockError, ParameterError
from skfusion.fusion import (
    CrossAttention,
    Early,
    Fusion,
    Gated,
    Late,
    MixtureOfExperts,
    Sum,
    Tree,
)
from skfusion.fusion.tree import resolve_fusion

WIDTHS = {"tfidf": 3, "words": 4, "price": 2, "photo": 5}
LANGUAGE = ("language", ["tfidf", "words"], Gated(width=8))


def encoded(n_rows=6):
    return {name: torch.randn(n_rows, width) for name, width in WIDTHS.items()}


def blocks():
    rng = np.random.default_rng(0)
    return Blocks({name: rng.normal(size=(30, width)) for name, width in WIDTHS.items()})


# What it computes


def test_a_group_is_fused_first_and_stands_in_the_place_of_its_first_block():
    module, x = Tree([LANGUAGE]).build(WIDTHS), encoded()
    language = module.steps[0].fusion({"tfidf": x["tfidf"], "words": x["words"]}, None)
    expected = torch.cat([language, x["price"], x["photo"]], dim=1)
    assert torch.equal(module(x, None), expected)


def test_groups_of_groups():
    tree = Tree([LANGUAGE, ("all", ["language", "price"], "mean")], final="concat")
    module, x = tree.build(WIDTHS), encoded()
    first, second, _ = (step.fusion for step in module.steps)
    language = first({"tfidf": x["tfidf"], "words": x["words"]}, None)
    expected = torch.cat([second({"language": language, "price": x["price"]}, None), x["photo"]], 1)
    assert torch.equal(module(x, None), expected)


def test_a_group_is_missing_where_all_its_blocks_are():
    module, x = Tree([LANGUAGE], final=Sum(8)).build(WIDTHS), encoded(3)
    present = torch.tensor([[0, 0, 1, 1], [0, 1, 1, 1], [1, 1, 1, 1]], dtype=torch.bool)
    before = module(x, present)
    after = module({**x, "tfidf": x["tfidf"] + 1}, present)
    assert torch.equal(before[0], after[0])
    assert not torch.isclose(before[2], after[2]).any()
    final = module.steps[-1].fusion
    rest = [final.projections.maps[i](x[name][0]) for i, name in ((1, "price"), (2, "photo"))]
    torch.testing.assert_close(before[0], sum(rest) * 3 / 2)


def test_tokens_reach_the_groups_that_take_them_and_others_get_their_mean():
    tree = Tree([("seen", ["words", "photo"], CrossAttention(8))], final="concat")
    assert tree.takes == "tokens"
    module = tree.build({"words": 4, "photo": 5, "price": 2}).eval()
    mask = torch.tensor([[True, True, False]] * 6)
    x = {
        "words": (torch.randn(6, 3, 4), mask),
        "photo": (torch.randn(6, 2, 5), None),
        "price": (torch.randn(6, 3, 2), mask),
    }
    seen = module.steps[0].fusion({"words": x["words"], "photo": x["photo"]}, None)
    expected = torch.cat([seen, x["price"][0][:, :2].mean(1)], dim=1)
    torch.testing.assert_close(module(x, None), expected)


def test_weights_multiply_along_the_tree():
    module, x = Tree([LANGUAGE], final="gated").build(WIDTHS), encoded()
    group, final = (step.fusion for step in module.steps)
    language = {"tfidf": x["tfidf"], "words": x["words"]}
    above = final.weights({"language": group(language, None), **x}, None)
    expected = torch.cat([above[:, :1] * group.weights(language, None), above[:, 1:]], dim=1)
    torch.testing.assert_close(module.weights(x, None), expected)
    assert not hasattr(Tree([LANGUAGE], final="concat").build(WIDTHS), "weights")


def test_auxiliary_losses_add_up():
    experts = MixtureOfExperts(width=8, balance=1.0)
    module = Tree([("language", ["tfidf", "words"], experts)], final=experts).build(WIDTHS)
    module(encoded(), None)
    inner, outer = (step.fusion.auxiliary_loss for step in module.steps)
    torch.testing.assert_close(module.auxiliary_loss, inner + outer)
    module.eval()(encoded(), None)
    assert module.auxiliary_loss is None


# In an estimator


@pytest.mark.parametrize("kind", [list, tuple])
def test_groups_are_a_tree(kind):
    model = clone(FusionClassifier(fusion=kind([LANGUAGE]), max_epochs=2))
    model.fit(blocks(), np.arange(30) % 2)
    assert model.transform(blocks()).shape == (30, 8 + 64 + 64)


def test_the_last_fusion_may_decide():
    tree = Tree([LANGUAGE], final=Late("vote"))
    model = FusionClassifier(fusion=tree, max_epochs=2).fit(blocks(), np.arange(30) % 3)
    assert model.predict_proba(blocks()).shape == (30, 3)


def test_early_within_a_group_chooses_the_encoders_of_its_blocks_only():
    tree = Tree([("language", ["tfidf", "words"], Early(width=7))])
    specs = blocks().specs()
    assert tree.encoder_for(specs["words"]).widths == (7,)
    assert tree.encoder_for(specs["price"]) is None
    assert Tree([LANGUAGE], final=Early(width=5)).encoder_for(specs["price"]).widths == (5,)


def test_a_search_reaches_inside():
    tree = Tree([LANGUAGE], final=Sum(8))
    search = GridSearchCV(
        FusionClassifier(fusion=tree, max_epochs=1),
        {"fusion__language__width": [4, 6], "fusion__final__width": [3], "fusion__final": [Sum()]},
        cv=2,
    )
    search.fit(blocks(), np.arange(30) % 2)
    best = search.best_estimator_
    assert best.fusion.groups[0][2].width in (4, 6)
    assert best.transform(blocks()).shape == (30, 3)
    assert LANGUAGE[2].width == 8


def test_a_group_s_fusion_can_be_exchanged():
    tree = clone(Tree([LANGUAGE, ("rest", ["price", "photo"], "sum")]))
    tree.set_params(rest=Gated(), language__width=4, rest__width=5, final="sum")
    fusions = [repr(fusion) for _, _, fusion in tree.groups]
    assert fusions == ["Gated(width=4)", "Gated(width=5)"]
    assert tree.get_params()["final"] == "sum"


def test_the_name_of_a_fusion_becomes_its_recipe_where_a_parameter_of_it_is_set():
    inner = [("left", ["tfidf", "words"], "sum")]
    tree = Tree([("a", ["tfidf", "words"], inner), ("b", ["price", "photo"], "gated")], "sum")
    tree.set_params(b__width=5, final__width=6, a__left__width=7)
    assert [repr(fusion) for _, _, fusion in tree.groups] == [
        "Tree(groups=[('left', ['tfidf', 'words'], Sum(width=7))])",
        "Gated(width=5)",
    ]
    assert repr(tree.final) == "Sum(width=6)"
    assert inner == [("left", ["tfidf", "words"], "sum")]


# Bad groups


@pytest.mark.parametrize(
    ("groups", "error", "message"),
    [
        ([], ParameterError, "groups must be a list of"),
        ("language", ParameterError, "groups must be a list of"),
        ([("language", ["tfidf"])], ParameterError, "each group must be"),
        ([("language", "tfidf", "sum")], ParameterError, "each group must be"),
        ([("language", [], "sum")], ParameterError, "at least one block"),
        ([("a", ["tfidf", "tfidf"], "sum")], ParameterError, "names a block twice"),
        ([("a", ["tfidf"], "sum"), ("b", ["tfidf"], "sum")], ParameterError, "in two groups"),
        ([("a", ["tfidf"], "sum"), ("a", ["words"], "sum")], ParameterError, "must be its own"),
        ([("final", ["tfidf"], "sum")], ParameterError, "none of"),
        ([("a__b", ["tfidf"], "sum")], ParameterError, "without '__'"),
        (
            [("a", ["tfidf"], "sum"), ("b", ["a"], "sum"), ("c", ["a"], "sum")],
            ParameterError,
            "group 'a' is in two groups, the second is 'c'",
        ),
        ([("a", ["tfidf", "a"], "sum")], ParameterError, "group 'a' contains itself"),
        (
            [("a", ["b"], "sum"), ("b", ["tfidf"], "sum")],
            ParameterError,
            "group 'b' is defined later than 'a', which contains it. Move it up",
        ),
        ([("a", [["tfidf"], "words"], "sum")], ParameterError, "each by its name"),
        ([("photo", ["tfidf"], "sum")], ParameterError, "must not be called like a block"),
        ([("a", ["tfidf", "word"], "sum")], BlockError, "'word' that does not.*mean 'words'"),
        ([("a", ["tfidf"], "summ")], ParameterError, "Did you mean 'sum'"),
        ([("a", ["tfidf"], "late")], ParameterError, "only the last.*final='late'"),
        ([("a", ["tfidf"], Gated(width=0))], ParameterError, "width must be an int >= 1"),
    ],
    ids=str,
)
def test_a_wrong_group_is_named(groups, error, message):
    with pytest.raises(error, match=message):
        (resolve_fusion(groups) if isinstance(groups, list) else Tree(groups)).build(WIDTHS)


class Wrong(Fusion):
    takes = "vectors"

    def __init__(self, returns=None, takes="vectors"):
        self.returns = returns
        self.takes = takes

    def build(self, widths):
        return self.returns


@pytest.mark.parametrize(
    ("fusion", "message"),
    [
        (Gated(width=0), "width must"),
        (Wrong(), "must return an nn.Module. Got None"),
        (Wrong(torch.nn.Flatten()), "forward"),
    ],
    ids=str,
)
def test_an_error_within_a_group_says_which(fusion, message):
    with pytest.raises((ParameterError, TypeError), match=message) as caught:
        Tree([("language", ["tfidf"], fusion)]).build(WIDTHS)
    assert "group 'language'" in str(caught.value)


def test_what_a_fusion_within_takes_is_checked():
    with pytest.raises(ParameterError, match="takes of the fusion.*Did you mean 'tokens'"):
        _ = Tree([("language", ["tfidf"], Wrong(takes="token"))]).takes
