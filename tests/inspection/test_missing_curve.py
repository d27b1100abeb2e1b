import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin

from skfusion import Blocks
from skfusion.exceptions import ParameterError
from skfusion.inspection import missing_curve
from skfusion.inspection._missing_curve import ONE_AT_RANDOM


class Recorder(RegressorMixin, BaseEstimator):
    """Keeps which rows of which blocks were missing."""

    def fit(self, X, y):
        self.asked_ = []
        return self

    def predict(self, X):
        masks = {name: X.missing(name) for name in X.names}
        no = np.zeros(len(X), dtype=bool)
        self.asked_.append({name: no if m is None else m for name, m in masks.items()})
        return np.zeros(len(X))


def asked(block, shares, n_repeats=1):
    """Return which rows lacked what in each prediction; row 3 lacks b from the start."""
    X = Blocks({"a": np.arange(10.0), "b": np.arange(10.0)}, missing={"b": np.arange(10) == 3})
    model = Recorder().fit(X, None)
    settings = {"n_repeats": n_repeats, "random_state": 0}
    missing_curve(model, X, np.arange(10.0), blocks=block, shares=shares, **settings)
    return model.asked_


def test_the_asked_share_of_rows_lacks_the_block():
    masks = asked(["a"], [0, 0.3, 1], n_repeats=2)
    assert [mask["a"].sum() for mask in masks] == [0, 3, 3, 10]
    assert all(mask["b"].tolist() == (np.arange(10) == 3).tolist() for mask in masks)
    assert all(mask["b"][3] for mask in asked(["b"], [0.3], n_repeats=5))
    assert [mask["b"].sum() for mask in asked(["b"], [0, 1])] == [1, 10]


def test_rows_of_a_smaller_share_are_among_those_of_a_larger_one():
    few, other_few, more, other_more = (mask["a"] for mask in asked(["a"], [0.3, 0.8], 2))
    assert (more | ~few).all()
    assert (other_more | ~other_few).all()
    assert not np.array_equal(few, other_few)


def test_at_random_each_row_loses_one_block():
    others = np.arange(10) != 3
    masks = asked([ONE_AT_RANDOM], [1], n_repeats=2)
    assert len(masks) == 2
    for mask in masks:
        np.testing.assert_array_equal(mask["a"][others], ~mask["b"][others])
    assert 0 < masks[0]["a"].sum() < 10


def test_at_random_a_row_loses_one_of_the_blocks_that_it_has():
    assert all(mask["a"][3] for mask in asked([ONE_AT_RANDOM], [1], n_repeats=20))


def test_at_random_all_blocks_of_a_row_are_drawn_equally_often():
    X = Blocks({name: np.zeros(900) for name in "abcd"}, missing={"d": np.ones(900, dtype=bool)})
    model = Recorder().fit(X, None)
    settings = {"blocks": [ONE_AT_RANDOM], "shares": [1], "n_repeats": 1, "random_state": 0}
    missing_curve(model, X, np.zeros(900), **settings)
    counts = [model.asked_[0][name].sum() for name in "abc"]
    assert sum(counts) == 900
    assert min(counts) > 240


def test_a_row_that_lacks_all_blocks_stays_as_it_is():
    gone = np.arange(10) == 3
    X = Blocks({"a": np.zeros(10), "b": np.zeros(10)}, missing={"a": gone, "b": gone})
    model = Recorder().fit(X, None)
    missing_curve(model, X, np.zeros(10), blocks=[ONE_AT_RANDOM], shares=[1], random_state=0)
    for mask in model.asked_:
        assert mask["a"][3] and mask["b"][3]
        assert (mask["a"].astype(int) + mask["b"])[~gone].tolist() == [1] * 9


def test_rows_that_are_alike_are_predicted_once():
    """Nothing taken: once. A block: once per repeat, and once in all rows. At random: each time."""
    assert len(asked(None, [0, 0.5, 1], n_repeats=4)) == 1 + 2 * (4 + 1) + 2 * 4
    assert len(asked(["a"], [0, 0.04, 0.5, 0.52, 0.5], n_repeats=3)) == 1 + 3


def test_mean_and_spread_over_repeats_by_hand(fitted, held_out):
    X, y = held_out
    scores = []

    def spy(model, X, y):
        scores.append(model.score(X, y))
        return scores[-1]

    settings = {"blocks": ["signal"], "shares": [0, 0.5, 1], "n_repeats": 4, "random_state": 0}
    curve = missing_curve(fitted, X, y, scoring=spy, **settings)
    drawn = scores[1:5]
    assert np.ptp(drawn) > 0
    assert curve["mean"][1] == pytest.approx(sum(drawn) / 4)
    spread = (sum((score - sum(drawn) / 4) ** 2 for score in drawn) / 4) ** 0.5
    np.testing.assert_allclose(curve["std"], [0, spread, 0])
    assert curve["mean"].tolist()[::2] == [scores[0], scores[5]]


def test_workers_do_not_change_the_curve(fitted, held_out):
    settings = {"shares": [0.5], "n_repeats": 2, "random_state": 0}
    alone = missing_curve(fitted, *held_out, **settings)
    shared = missing_curve(fitted, *held_out, n_jobs=2, **settings)
    assert alone.equals(shared)


def test_curves_fall_for_the_informative_block_only(fitted, held_out):
    curve = missing_curve(fitted, *held_out, shares=[0, 0.5, 1], random_state=0)
    table = curve.pivot(index="share", columns="block", values="mean")
    assert [*table.columns] == ["noise", "one block at random", "signal"]
    np.testing.assert_allclose(table.loc[0.0], fitted.score(*held_out))
    assert table["signal"].is_monotonic_decreasing
    assert table["signal"][0.0] - table["signal"][1.0] > 0.15
    assert table["signal"][1.0] < table["one block at random"][1.0] < table["signal"][0.0]
    assert (curve["n_repeats"] == 5).all()


def test_a_block_missing_everywhere_is_as_if_masked_by_hand(fitted, held_out):
    X, y = held_out
    curve = missing_curve(
        fitted, X, y, blocks=["signal"], shares=[1.0], scoring="neg_log_loss", random_state=0
    )
    gone = X.assign({}, {"signal": np.ones(len(X), dtype=bool)})
    probabilities = fitted.predict_proba(gone)
    truth = probabilities[np.arange(len(y)), np.searchsorted(fitted.classes_, y)]
    assert curve["mean"][0] == pytest.approx(np.log(truth).mean())
    assert curve["std"][0] == pytest.approx(0)


def test_the_draw_is_repeatable(fitted, held_out):
    curves = [
        missing_curve(fitted, *held_out, shares=[0.5], n_repeats=2, random_state=seed)["mean"]
        for seed in (0, 0, 1)
    ]
    assert curves[0].equals(curves[1])
    assert not curves[0].equals(curves[2])


def test_bad_input_is_refused(fitted, held_out):
    with pytest.raises(ParameterError, match="each of shares must be a number between 0 and 1"):
        missing_curve(fitted, *held_out, shares=[30])
    with pytest.raises(ParameterError, match="at least one share of rows. Got none"):
        missing_curve(fitted, *held_out, shares=[])
    with pytest.raises(ParameterError, match="at least one block to take away. Got none"):
        missing_curve(fitted, *held_out, blocks=[])
    with pytest.raises(ParameterError, match="each of blocks must be one of.*mean 'signal'"):
        missing_curve(fitted, *held_out, blocks=["signals"])
