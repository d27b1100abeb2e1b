"""The network as a table."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion.encoders import CNN, MLP, Chain, Policy, Pretrained

FUSIONS = [
    "concat",
    "gated",
    "cross_attention",
    "late",
    [("language", ["text", "words"], "gated"), ("seen", ["language", "photo"], "sum")],
]


def n_parameters(model):
    return sum(parameter.numel() for parameter in model.net_.module_.parameters())


@pytest.mark.parametrize("fusion", FUSIONS, ids=str)
@pytest.mark.parametrize("block_loss_weight", [0.0, 0.5])
def test_parts_add_up_to_the_whole(X, y, make, fusion, block_loss_weight):
    model = make(fusion=fusion, block_loss_weight=block_loss_weight, max_epochs=1).fit(X, y)
    summary = model.summary()
    parts, total = summary.iloc[:-1], summary.loc[("total", "")]
    assert parts["parameters"].sum() == total["parameters"] == n_parameters(model)
    np.testing.assert_allclose(parts["share"], parts["parameters"] / n_parameters(model))
    assert total["share"] == 1
    assert ("block heads" in summary.index) == (block_loss_weight > 0)


@pytest.mark.parametrize("linear", [True, False])
def test_of_several_networks_one_is_shown_and_all_are_counted(X, y, make, linear):
    one = make(members=1, max_epochs=1).fit(X, y).summary()
    several = make(members=2, max_epochs=1, early_stopping=True, linear=linear).fit(X, y).summary()
    shown = one.index[:-1]
    assert several.loc[shown, "parameters"].tolist() == one.loc[shown, "parameters"].tolist()
    total = one.loc[("total", ""), "parameters"]
    assert several.loc[("network", "1 of 2"), "parameters"] == total
    of_linear = several.loc[("linear", ""), "parameters"] if linear else 0
    assert several.loc[("total", ""), "parameters"] == 2 * total + of_linear
    assert ("linear" in several.index) == linear


def test_blocks_are_told_with_form_sizes_and_recipe(X, y, make):
    summary = make(max_epochs=1).fit(X, y).summary()
    assert summary.loc["block"].index.tolist() == ["text", "facts", "photo", "words"]
    words, photo = summary.loc[("block", "words")], summary.loc[("block", "photo")]
    assert (words["form"], words["input"], words["output"]) == ("tokens", "any length", "4")
    assert (photo["form"], photo["input"], photo["output"]) == (
        "image",
        "3 \N{MULTIPLICATION SIGN} 4 \N{MULTIPLICATION SIGN} 1",
        "4",
    )
    assert photo["recipe"] == "CNN(channels=(2,), width=4)"
    # One weight each from 3 numbers to 4, 4 biases, and 4 numbers for rows without the block.
    assert summary.loc[("block", "facts"), "parameters"] == 3 * 4 + 4 + 4
    fusion, head = summary.loc[("fusion", "")], summary.loc[("head", "")]
    assert (fusion["recipe"], fusion["input"], fusion["output"]) == ("Concat()", "4 blocks", "16")
    assert (head["input"], head["output"], head["parameters"]) == ("16", "1", 17)


def test_a_tree_has_a_row_per_group(X, y, make):
    model = make(fusion=FUSIONS[-1], max_epochs=1).fit(X, y)
    summary = model.summary()
    assert summary.loc["group"].index.tolist() == ["language", "seen"]
    assert summary.loc[("group", "language"), ["input", "output"]].tolist() == ["2 blocks", "64"]
    assert summary.loc[("fusion", ""), ["input", "output"]].tolist() == ["2 blocks", "68"]
    assert model.transform(X[:2]).shape == (2, 68)


def test_tokens_and_fusions_that_decide(X, y, make):
    tokens = make(fusion="cross_attention", max_epochs=1).fit(X, y).summary()
    assert tokens.loc[("block", "words"), "output"] == "tokens \N{MULTIPLICATION SIGN} 4"
    late = make(fusion="late", max_epochs=1).fit(X, y).summary()
    assert "head" not in late.index
    assert late.loc[("fusion", ""), "output"] == "1"


def test_what_is_frozen_is_told(X, y):
    encoders = {
        "facts": Policy(MLP(), frozen=True),
        "photo": Policy(CNN(channels=(2,)), unfreeze_at=2),
        "text": Policy(MLP(), unfreeze_at=9),
    }
    model = FusionClassifier(encoders, max_epochs=2, random_state=0, early_stopping=False)
    X = Blocks({name: X[name] for name in ("facts", "photo")} | {"text": X["facts"]})
    summary = model.fit(X, y).summary()
    assert summary.loc["block", "trained"].to_dict() == {
        "facts": "frozen",
        "photo": "yes",
        "text": "frozen",
    }
    assert summary.loc[("fusion", ""), "trained"] == ""
    assert summary.loc[("total", ""), "trained"] == "partly"


def test_an_encoder_that_is_frozen_in_part(y):
    X = {"facts": np.random.default_rng(0).normal(size=(len(y), 3)).astype(np.float32)}
    encoder = Chain(Pretrained(torch.nn.Linear(3, 5)), MLP(widths=(2,)))
    summary = FusionRegressor({"facts": encoder}, max_epochs=1).fit(X, y).summary()
    assert summary.loc[("block", "facts"), "trained"] == "partly"


def test_it_prints_whole_and_is_a_table_all_the_same(X, y, make):
    encoder = Policy(CNN(channels=(2,), width=4), lr_scale=0.1, weight_decay=0.01, frozen=False)
    summary = make(max_epochs=1).set_params(photo=encoder).fit(X, y).summary()
    for shown in (str(summary), summary._repr_html_()):
        assert "..." not in shown and "NaN" not in shown
        assert "100.0%" in shown and f"{summary['parameters'].iloc[-1]:,}" in shown
    assert max(map(len, str(summary).splitlines())) < 130
    assert "weight_decay" in summary.loc[("block", "photo"), "recipe"]
    assert summary["parameters"].dtype == int and summary["share"].dtype == float


def test_sizes_are_not_known_before_the_fit(make):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        make().summary()


def test_showing_changes_nothing(X, y, make):
    model = make(members=1, max_epochs=1, early_stopping=True).fit(X, y)
    before = model.predict_proba(X)
    model.summary()
    model._repr_html_()
    assert not model.net_.module_.training
    np.testing.assert_array_equal(model.predict_proba(X), before)
