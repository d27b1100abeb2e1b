import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skfusion import BlockUnion, FusionClassifier
from skfusion.exceptions import MissingDependencyError, ParameterError
from skfusion.inspection import (
    AblationDisplay,
    BlockImportanceDisplay,
    MissingCurveDisplay,
    TrainingDisplay,
    WeightsDisplay,
    ablation,
    block_importance,
    missing_curve,
)

plt.switch_backend("agg")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def table(fitted, rows):
    return ablation(clone(fitted).set_params(max_epochs=2), *rows, cv=2, operators=["late"])


@pytest.fixture
def displays(fitted, rows, held_out, table):
    gated = FusionClassifier(fusion="gated", max_epochs=2, random_state=0).fit(*rows)
    importance = block_importance(fitted, *held_out, n_repeats=2, random_state=0)
    curve = missing_curve(fitted, *held_out, shares=[0, 1], n_repeats=2, random_state=0)
    return {
        "importance": BlockImportanceDisplay(importance),
        "ablation": AblationDisplay(table),
        "missing": MissingCurveDisplay(curve),
        "weights": WeightsDisplay(gated.explain(held_out[0])),
        "training": TrainingDisplay(gated.history_),
    }


NAMES = ["importance", "ablation", "missing", "weights", "training"]


@pytest.mark.parametrize("name", NAMES)
def test_a_display_draws_on_given_axes_or_on_its_own(displays, name):
    display = displays[name]
    figure, ax = plt.subplots()
    assert display.plot(ax) is display
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert ax.has_data()
    display.plot()
    assert display.ax_ is not ax
    assert display.figure_ is display.ax_.figure


@pytest.mark.parametrize("name", NAMES)
def test_axes_are_labelled(displays, name):
    ax = displays[name].plot().ax_
    assert ax.get_xlabel() or ax.get_ylabel()


@pytest.mark.parametrize("name", NAMES)
def test_without_matplotlib_the_error_says_how_to_get_it(displays, name, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingDependencyError, match=r"needs the package 'matplotlib'.*plots"):
        displays[name].plot()


def test_importance_is_sorted_with_a_dot_per_repeat(fitted, held_out):
    display = BlockImportanceDisplay.from_estimator(fitted, *held_out, n_repeats=3, random_state=0)
    found = display.importance
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["noise", "signal"]
    widths = [bar.get_width() for bar in display.ax_.patches]
    assert widths == sorted(found.importances_mean)
    assert len(display.ax_.get_lines()[0].get_xdata()) == 6
    shapley = BlockImportanceDisplay.from_estimator(fitted, *held_out, method="shapley")
    assert "Shapley" in shapley.ax_.get_xlabel()


def test_ablation_is_drawn_from_top_to_bottom(rows):
    model = FusionClassifier(max_epochs=2, random_state=0)
    display = AblationDisplay.from_estimator(model, *rows, cv=2, operators=["late"])
    labels = [label.get_text().split()[0] for label in display.ax_.get_yticklabels()]
    assert labels == ["signal", "noise", "concat", "late"]
    heights = [label.get_position()[1] for label in display.ax_.get_yticklabels()]
    assert heights == sorted(heights, reverse=True)


def test_ablation_colours_say_the_verdict(table):
    verdicts = {
        "the best single block": "tab:gray",
        "worse than 'hurt'": "tab:red",
        "fusion hurt: worse than 'text' alone": "tab:red",
        "fusion helped: better than 'text' alone": "tab:green",
        "not told apart from 'hurt'": "tab:gray",
        "fusion did not help: no better than 'text' alone": "tab:gray",
        "fusion not shown to help: its gain over 'text' alone is within chance": "tab:gray",
    }
    repeated = pd.concat([table.iloc[[0]]] * len(verdicts), ignore_index=True)
    ax = AblationDisplay(repeated.assign(verdict=list(verdicts))).plot().ax_
    dots = [line.get_color() for line in ax.get_lines() if line.get_marker() == "o"]
    assert dots == list(verdicts.values())


def test_missing_curves_have_a_line_each(fitted, held_out):
    display = MissingCurveDisplay.from_estimator(
        fitted, *held_out, shares=[1, 0], n_repeats=2, random_state=0
    )
    lines = {line.get_label(): line for line in display.ax_.get_lines()}
    assert [*lines] == ["signal", "noise", "one block at random"]
    expected = display.curve.query("block == 'signal'").sort_values("share")["mean"]
    np.testing.assert_allclose(lines["signal"].get_ydata(), expected)
    assert lines["signal"].get_xdata().tolist() == [0, 1]


def test_weights_of_a_pipeline_are_drawn_for_its_own_input():
    frame = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40.0) % 3})
    union = BlockUnion([("first", "passthrough", ["a"]), ("second", "passthrough", ["b"])])
    model = make_pipeline(union, FusionClassifier(fusion="gated", max_epochs=2, random_state=0))
    display = WeightsDisplay.from_estimator(model.fit(frame, np.arange(40) % 2), frame)
    assert display.weights.shape == (40, 2)
    assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["first", "second"]


def test_weights_of_rows_are_ordered_by_the_first_block():
    weights = pd.DataFrame({"text": [0.7, 0.2, 0.4], "photo": [0.3, 0.8, 0.6]})
    image = WeightsDisplay(weights).plot(kind="rows").ax_.get_images()[0]
    np.testing.assert_allclose(image.get_array(), [[0.2, 0.4, 0.7], [0.8, 0.6, 0.3]])
    with pytest.raises(ParameterError, match="kind must be one of 'box', 'rows'. Got 'bars'"):
        WeightsDisplay(weights).plot(kind="bars")


def test_what_has_no_weights_is_refused(fitted, held_out):
    with pytest.raises(ParameterError, match="LogisticRegression has no explain"):
        WeightsDisplay.from_estimator(LogisticRegression(), held_out[0])
    with pytest.raises(ParameterError, match='fusion="gated"'):
        WeightsDisplay.from_estimator(fitted, held_out[0])


def test_training_shows_both_losses_and_the_rate():
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3],
            "train_loss": [3.0, 2.0, 1.0],
            "valid_loss": [3.0, 2.0, 2.5],
            "event_lr": [0.1, 0.1, 0.05],
        }
    )
    display = TrainingDisplay(history).plot()
    labels = [line.get_label() for line in display.ax_.get_lines()]
    assert labels == ["training rows", "held-out rows", "lowest in epoch 2"]
    np.testing.assert_allclose(display.rate_ax_.get_lines()[0].get_ydata(), history["event_lr"])
    assert TrainingDisplay(history[["epoch", "train_loss"]]).plot().rate_ax_ is None


def test_training_of_a_pipeline_and_of_what_has_none(held_out, rows):
    model = make_pipeline(FusionClassifier(max_epochs=2, random_state=0)).fit(*rows)
    assert len(TrainingDisplay.from_estimator(model).history) == 2
    linear = LogisticRegression().fit(np.eye(2), [0, 1])
    with pytest.raises(ParameterError, match="LogisticRegression has no history_"):
        TrainingDisplay.from_estimator(linear)


def test_training_shows_scores_and_the_losses_of_single_blocks_as_asked(rows):
    settings = {"max_epochs": 3, "early_stopping": True, "block_loss_weight": 0.5}
    model = FusionClassifier(random_state=0, **settings).fit(*rows)
    score = TrainingDisplay.from_estimator(model, kind="score").ax_
    assert score.get_ylabel() == "score"
    np.testing.assert_allclose(score.get_lines()[0].get_ydata(), model.history_["valid_score"])
    blocks = TrainingDisplay.from_estimator(model, kind="blocks").ax_
    drawn = {line.get_label(): line.get_ydata() for line in blocks.get_lines()}
    assert list(drawn) == list(model.specs_)
    for name, values in drawn.items():
        np.testing.assert_allclose(values, model.history_[f"loss_{name}"])


def test_training_has_no_axis_for_a_learning_rate_that_never_changes(fitted):
    assert fitted.history_["lr"].nunique() == 1
    assert TrainingDisplay.from_estimator(fitted).rate_ax_ is None


@pytest.mark.parametrize(
    ("kind", "repair"),
    [("score", "early_stopping=True"), ("blocks", "block_loss_weight"), ("los", "'loss'")],
)
def test_training_says_what_there_is_to_draw(kind, repair):
    history = pd.DataFrame({"epoch": [1], "train_loss": [0.5], "lr": [0.1]})
    with pytest.raises(ParameterError, match=repair):
        TrainingDisplay(history).plot(kind=kind)
