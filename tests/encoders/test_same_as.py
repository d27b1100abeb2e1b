"""Blocks that share an encoder share its weights."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from skfusion import FusionClassifier
from skfusion.encoders import MLP, Chain, Policy, SameAs
from skfusion.exceptions import BlockError, ParameterError
from skfusion.inspection import ablation

N = 80


@pytest.fixture(scope="module")
def pairs():
    """Whether two rows are the same but for noise: to be told by comparing alone."""
    rng = np.random.default_rng(0)
    left, other = rng.normal(size=(2, N, 6)).astype(np.float32)
    same = np.arange(N) % 2 == 0
    right = np.where(same[:, None], left, other) + 0.1 * rng.normal(size=(N, 6))
    return {"left": left, "right": right.astype(np.float32)}, same


def model(encoders=None, **params):
    given = {"left": MLP(8), "right": SameAs("left")} if encoders is None else encoders
    return FusionClassifier(given, **{"max_epochs": 2, "random_state": 0, **params})


def test_weights_are_shared_before_and_after_a_fit_and_a_pickle(pairs):
    fitted = model(fusion="product").fit(*pairs)
    for one in (fitted, pickle.loads(pickle.dumps(fitted)), clone(fitted).fit(*pairs)):
        left, right = one.net_.module_.encoders
        assert left is right
        np.testing.assert_array_equal(one.predict_proba(pairs[0]), fitted.predict_proba(pairs[0]))


def test_a_shared_encoder_is_counted_once(pairs):
    summary = model().fit(*pairs).summary()
    own = model({"left": MLP(8), "right": MLP(8)}).fit(*pairs).summary()
    blocks, total = summary.loc["block", "parameters"], summary.loc["total", "parameters"].item()
    assert blocks["right"] == 8  # what stands for it where it is missing
    assert own.loc["total", "parameters"].item() - total == 6 * 8 + 8
    assert summary["parameters"].iloc[:-1].sum() == total


def test_it_trains_with_policies_balance_and_warm_start(pairs):
    encoders = {"left": Policy(MLP(8), lr_scale=0.5, pretrain_epochs=1), "right": SameAs("left")}
    tuned = model(encoders, gradient_modulation=0.5, optimizer="sgd", warm_start=True)
    assert tuned.fit(*pairs).fit(*pairs).predict(pairs[0]).shape == (N,)


def test_a_search_reaches_the_encoder_by_the_block_it_was_given_for(pairs):
    wider = model().set_params(left__widths=5).fit(*pairs)
    assert wider.net_.module_.encoders[1][0].out_features == 5


def test_the_order_of_blocks_plays_no_part(pairs):
    encoders = {"left": SameAs("right"), "right": MLP(8)}
    left, right = model(encoders).fit(*pairs).net_.module_.encoders
    assert left is right


def test_ablation_keeps_the_encoder_for_the_block_that_is_left(pairs):
    table = ablation(model(max_epochs=1), *pairs, cv=2, operators=[])
    assert table["variant"].tolist()[:2] == ["left", "right"]


@pytest.mark.parametrize(
    ("encoders", "error", "message"),
    [
        ({"right": SameAs("lefd")}, BlockError, "no such block.* Did you mean 'left'"),
        ({"right": SameAs("right")}, ParameterError, "'right' is SameAs"),
        ({"left": SameAs("right"), "right": SameAs("left")}, ParameterError, "of its own"),
        ({"right": Chain(SameAs("left"), MLP())}, ParameterError, "not inside of another"),
    ],
)
def test_what_cannot_be_shared_is_said(pairs, encoders, error, message):
    with pytest.raises(error, match=message):
        model(encoders).fit(*pairs)


def test_blocks_of_other_shapes_cannot_share(pairs):
    X = {**pairs[0], "right": pairs[0]["right"][:, :4]}
    with pytest.raises(BlockError, match=r"'right' and 'left' cannot share .*\(4,\) and \(6,"):
        model().fit(X, pairs[1])
