"""What a fit says of held-out rows is of rows that no fit before it learned either."""

import numpy as np
import pytest
from sklearn.model_selection import ShuffleSplit

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion._training import outputs
from skfusion.encoders import MLP
from skfusion.exceptions import BetterBlockWarning, ParameterError

N = 160
RNG = np.random.default_rng(0)
Y = np.arange(N) % 2
LEFT = (Y[:, None] + RNG.normal(size=(N, 3))).astype(np.float32)
X = Blocks({"left": LEFT, "right": RNG.normal(size=(N, 4)).astype(np.float32)})
NOISE = RNG.integers(0, 2, N)  # labels that say nothing


def model(kind=FusionClassifier, **params):
    settings = {"max_epochs": 4, "random_state": 0, "encoders": {"left": MLP(4)}}
    return kind(**(settings | params))


def begun(**params):
    return model(members=2, warm_start=True, linear=True, **params).fit(X, Y)


def answers(fitted):
    return fitted.linear_share_, fitted.temperature_


# Fits that go on


def test_the_same_rows_stay_held_out():
    fitted = begun()
    first = fitted.held_out_
    fitted.fit(X, Y)
    assert (fitted.held_out_ != first).any() and fitted.linear_share_ > 0


def learned_by_part(fitted):
    return fitted.partial_fit(X, Y).set_params(max_epochs=1).fit(X, Y)


def learned_as_a_whole(fitted):
    fitted.set_params(early_stopping=False).fit(X, Y)
    return fitted.set_params(early_stopping="auto").fit(X, Y)


def held_out_by_another_seed(fitted):
    return fitted.set_params(random_state=7).fit(X, Y)


def in_another_order(fitted):
    order = np.argsort(Y, kind="stable")
    fitted.fit(X.take(order), Y[order])
    within = np.concatenate([RNG.permutation(N // 2), N // 2 + RNG.permutation(N // 2)])
    return fitted.fit(X.take(order[within]), Y[order[within]])


LEARNED = [learned_by_part, learned_as_a_whole, held_out_by_another_seed, in_another_order]


@pytest.mark.parametrize("go_on", LEARNED)
def test_rows_that_were_learned_are_not_called_held_out(go_on):
    fitted = begun()
    before = answers(fitted)
    go_on(fitted)
    with pytest.raises(AttributeError, match="no held_out_"):
        _ = fitted.held_out_
    with pytest.raises(AttributeError, match="no held_out_"):
        _ = fitted.held_out_score_
    assert answers(fitted) == before and "held-out" not in str(fitted)


def test_labels_learned_by_heart_get_no_score():
    settings = {"members": 2, "warm_start": True, "max_epochs": 60, "n_iter_no_change": 60}
    fitted = model(lr=0.02, linear=False, **settings).fit(X, NOISE)
    assert fitted.held_out_score_ < 0.65
    fitted.set_params(early_stopping=False).fit(X, NOISE)
    fitted.set_params(early_stopping="auto", max_epochs=1).fit(X, NOISE)
    assert fitted.score(X, NOISE) > 0.8 and not hasattr(fitted, "held_out_score_")


def test_a_part_is_learned_beside_the_linear_member():
    fitted = begun()
    share, linear = fitted.linear_share_, fitted.summary().loc["linear", "parameters"].item()
    fitted.partial_fit(X, Y)
    assert fitted.linear_share_ == share
    assert fitted.summary().loc["linear", "parameters"].item() == linear


# linear=True is checked before anything is trained


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"loss": "focal"}, "goes with a loss of cross-entropy"),
        ({"early_stopping": False}, "needs held-out rows of X.*and none are"),
    ],
)
def test_what_it_cannot_have_is_said_at_once(params, message):
    trained = []

    def callback(*_):
        trained.append(1)
        return 0.0

    with pytest.raises(ParameterError, match=message):
        model(linear=True, scoring=callback, **params).fit(X, Y)
    assert not trained


def test_a_fit_by_parts_has_none():
    with pytest.raises(ParameterError, match="linear=True needs held-out rows"):
        model(linear=True).partial_fit(X, Y)
    fitted = model(warm_start=True).partial_fit(X, Y).set_params(linear=True)
    with pytest.raises(ParameterError, match="the fits so far learned from them"):
        fitted.fit(X, Y)


# Rows without blocks, and rows held out by several


def test_of_rows_without_any_block_it_says_the_prior():
    masks = {"left": np.arange(N) % 4 == 0, "right": np.arange(N) % 8 == 0}
    masked = Blocks({name: X[name] for name in X.names}, masks)
    fitted = model(missing="allow", linear=True, max_epochs=20).fit(masked, Y)
    without = masks["left"] & masks["right"]
    np.testing.assert_allclose(
        fitted.held_out_[without], fitted.predict_proba(masked)[without], rtol=1e-6
    )
    assert np.ptp(fitted.held_out_[~without, 0]) > 0.1


def test_of_rows_held_out_twice_it_says_the_mean_of_predictions():
    split = ShuffleSplit(3, test_size=0.5, random_state=0)
    settings = {"members": 3, "linear": False, "validation_split": split, "max_epochs": 30}
    fitted = model(**settings).fit(X, Y)
    seen = np.full((3, N), np.nan)
    for found, net, (_, rows) in zip(seen, fitted.nets_, split.split(LEFT), strict=True):
        of_net = fitted.target_.probabilities(outputs(net, X, lambda *_: None))
        found[rows] = of_net[rows, 1]
    known = ~np.isnan(seen).all(axis=0)
    mean = np.nanmean(seen[:, known], axis=0)
    odds = np.log(mean / (1 - mean)) / fitted.temperature_
    np.testing.assert_allclose(fitted.held_out_[known, 1], 1 / (1 + np.exp(-odds)), atol=1e-5)


# A block that is better alone


def test_a_block_that_is_better_alone_is_named():
    noise = RNG.normal(size=(N, 600)).astype(np.float32)
    blocks = {"one": Y[:, None] + RNG.normal(size=(N, 1)) / 4, "noise": noise}
    with pytest.warns(BetterBlockWarning, match="Block 'one' alone, in a linear model"):
        FusionClassifier(random_state=0).fit(blocks, Y)


@pytest.mark.filterwarnings("error::skfusion.exceptions.BetterBlockWarning")
@pytest.mark.parametrize("kind", [FusionClassifier, FusionRegressor])
def test_blocks_that_need_each_other_are_not_warned_of(kind):
    a, b = RNG.normal(size=(2, N)).astype(np.float32)
    y = a + b + RNG.normal(size=N) / 10
    y = y > 0 if kind is FusionClassifier else y
    kind(random_state=0).fit({"a": a[:, None], "b": b[:, None]}, y)
