import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin

from skfusion import Blocks
from skfusion.exceptions import ParameterError
from skfusion.inspection import block_predictions, missing_curve


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


@pytest.fixture
def asked():
    X = Blocks({"a": np.arange(10.0), "b": np.arange(10.0)}, missing={"b": np.arange(10) == 3})
    model = Recorder().fit(X, None)
    missing_curve(model, X, np.arange(10.0), shares=[0, 0.3, 1], n_repeats=2, random_state=0)
    # 3 curves, 3 shares, 2 repeats
    return np.reshape(model.asked_, (3, 3, 2))


def test_the_asked_share_of_rows_lacks_the_block(asked):
    n_lacking = [[masks["a"].sum() for masks in share] for share in asked[0]]
    assert n_lacking == [[0, 0], [3, 3], [10, 10]]
    assert all(masks["b"].tolist() == (np.arange(10) == 3).tolist() for masks in asked[0].ravel())
    assert all(masks["b"][3] for masks in asked[1].ravel())
    assert [masks["b"].sum() for masks in asked[1, 2]] == [10, 10]


def test_rows_of_a_smaller_share_are_among_those_of_a_larger_one(asked):
    for repeat in range(2):
        few, all_rows = asked[0, 1, repeat]["a"], asked[0, 2, repeat]["a"]
        assert (all_rows | ~few).all()
    assert not np.array_equal(asked[0, 1, 0]["a"], asked[0, 1, 1]["a"])


def test_at_random_each_row_loses_one_block(asked):
    others = np.arange(10) != 3  # row 3 lacks b from the start
    for masks in asked[2, 2]:
        np.testing.assert_array_equal(masks["a"][others], ~masks["b"][others])
    assert 0 < asked[2, 2, 0]["a"].sum() < 10


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
    with pytest.raises(ParameterError, match="each of blocks must be one of.*mean 'signal'"):
        missing_curve(fitted, *held_out, blocks=["signals"])


# Predictions from each block alone


def test_predictions_from_each_block_alone(fitted, held_out):
    X, _ = held_out
    answers = block_predictions(fitted, X)
    assert [*answers.columns] == ["all blocks", "signal", "noise"]
    assert answers["all blocks"].tolist() == fitted.predict(X).tolist()
    alone = X.assign({}, {"noise": np.ones(len(X), dtype=bool)})
    assert answers["signal"].tolist() == fitted.predict(alone).tolist()


def test_probabilities_from_each_block_alone_carry_the_labels(fitted, held_out):
    answers = block_predictions(fitted, held_out[0][:5], method="predict_proba")
    assert answers.columns.tolist()[:2] == [("all blocks", "no"), ("all blocks", "yes")]
    np.testing.assert_allclose(answers["noise"].sum(axis=1), 1)


def test_other_answers_are_refused(fitted, held_out):
    with pytest.raises(ParameterError, match="method must be one of.*Got 'transform'"):
        block_predictions(fitted, held_out[0], method="transform")
