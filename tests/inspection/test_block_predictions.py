import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from skfusion import BlockUnion, FusionClassifier, FusionRegressor
from skfusion.blocks import Blocks
from skfusion.exceptions import BlockError, ParameterError
from skfusion.inspection import WeightsDisplay, block_predictions


def test_predictions_from_each_block_alone(fitted, held_out):
    X, _ = held_out
    answers = block_predictions(fitted, X)
    assert [*answers.columns] == ["all blocks", "signal", "noise"]
    assert answers["all blocks"].tolist() == fitted.predict(X).tolist()
    alone = X.assign({}, {"noise": np.ones(len(X), dtype=bool)})
    assert answers["signal"].tolist() == fitted.predict(alone).tolist()
    assert answers.index.tolist() == list(range(len(X)))


def test_probabilities_from_each_block_alone_carry_the_labels(fitted, held_out):
    answers = block_predictions(fitted, held_out[0][:5], method="predict_proba")
    assert answers.columns.tolist()[:2] == [("all blocks", "no"), ("all blocks", "yes")]
    np.testing.assert_allclose(answers["noise"].sum(axis=1), 1)


def test_other_answers_are_refused(fitted, held_out):
    with pytest.raises(ParameterError, match="method must be one of.*Got 'transform'"):
        block_predictions(fitted, held_out[0], method="transform")


def test_a_row_that_lacks_the_block_gets_the_prior(fitted, rows, held_out):
    X = held_out[0][:4].assign({}, {"signal": np.array([True, False, False, False])})
    answers = block_predictions(fitted, X, method="predict_proba")["signal"]
    prior = [np.mean(rows[1] == label) for label in fitted.classes_]
    np.testing.assert_allclose(answers.iloc[0], prior, atol=1e-6)
    assert not np.allclose(answers.iloc[1], prior, atol=1e-2)


def test_a_block_that_x_lacks_altogether_is_an_error(fitted, held_out):
    with pytest.raises(BlockError, match=r"gone are \['noise'\]"):
        block_predictions(fitted, held_out[0].select(["signal"]))


# What explains rows of pandas keeps their index


@pytest.fixture(scope="module")
def frame():
    index = [f"row {i}" for i in range(39)] + ["row 0"]  # names of rows may repeat
    return pd.DataFrame({"size": np.arange(40.0), "word": ["good", "bad"] * 20}, index=index)


@pytest.fixture(scope="module")
def gated(frame):
    model = FusionClassifier(fusion="gated", max_epochs=2, random_state=0, missing="allow")
    return model.fit(frame, [0, 1] * 20)


def test_the_index_of_a_frame_is_kept(frame, gated):
    for found in (
        gated.explain(frame),
        block_predictions(gated, frame),
        block_predictions(gated, frame, method="predict_proba"),
        WeightsDisplay.from_estimator(gated, frame).weights,
    ):
        assert found.index.tolist() == frame.index.tolist()


def test_the_index_of_a_frame_is_kept_in_front_of_a_pipeline(frame):
    union = BlockUnion([("size", "passthrough", ["size"])])
    model = make_pipeline(union, FusionClassifier(max_epochs=1, random_state=0))
    model.fit(frame, [0, 1] * 20)
    assert block_predictions(model, frame).index.tolist() == frame.index.tolist()


def test_a_row_without_any_block_has_no_weights():
    gone = np.arange(12) == 5
    X = Blocks(
        {"left": np.arange(12.0) - 6, "right": np.ones(12)},
        missing={"left": gone, "right": gone | (np.arange(12) == 7)},
    )
    model = FusionClassifier(fusion="gated", max_epochs=1, random_state=0, missing="allow")
    weights = model.fit(X[~gone], [0, 1] * 5 + [0]).explain(X)
    assert weights.isna().all(axis=1).tolist() == gone.tolist()
    np.testing.assert_allclose(weights[~gone].sum(axis=1), 1, rtol=1e-5)
    assert weights["left"][7] == pytest.approx(1)


def test_a_grid_has_a_column_a_cell():
    X = Blocks({"left": np.eye(6), "right": np.ones((6, 2))})
    y = np.arange(36.0).reshape(6, 2, 3)
    model = FusionRegressor(max_epochs=1, random_state=0).fit(X, y)
    answers = block_predictions(model, X)
    assert answers.shape == (6, 18)
    np.testing.assert_allclose(answers["all blocks"]["(1, 2)"], model.predict(X)[:, 1, 2])
