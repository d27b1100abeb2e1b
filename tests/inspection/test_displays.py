import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
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


LABELS = {
    "importance": ("fall in score when the block's rows are shuffled", ""),
    "ablation": (
        "difference in score to {best!r} alone, with its 95 % interval",
        "variant, mean score",
    ),
    "missing": ("share of the rows that lack the block", "score"),
    "weights": ("weight of the block in a row", ""),
    "training": ("epoch", "loss"),
}


@pytest.mark.parametrize("name", NAMES)
def test_axes_are_labelled(displays, table, name):
    ax = displays[name].plot().ax_
    below, beside = LABELS[name]
    best = table.loc[table["verdict"] == "the best single block", "variant"].item()
    assert ax.get_xlabel().replace("\n", " ") == below.format(best=best)
    assert ax.get_ylabel() == beside


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


@pytest.mark.parametrize(
    ("method", "meaning"),
    [
        ("permute", "fall in score when the block's rows are shuffled"),
        ("drop", "fall in score when all rows lack the block"),
        ("shapley", "Shapley value: share in the score above that of the prior"),
    ],
)
def test_importance_says_what_its_bars_mean(fitted, held_out, method, meaning):
    display = BlockImportanceDisplay.from_estimator(fitted, *held_out, method=method, n_repeats=1)
    assert display.ax_.get_xlabel() == meaning
    assert display.ax_.get_title() == f"score with all blocks: {display.importance.score:.3f}"


def test_missing_curves_have_a_line_each(fitted, held_out):
    display = MissingCurveDisplay.from_estimator(
        fitted, *held_out, shares=[1, 0], n_repeats=2, random_state=0
    )
    lines = {line.get_label(): line for line in display.ax_.get_lines()}
    assert [*lines] == ["signal", "noise", "one block at random"]
    expected = display.curve.query("block == 'signal'").sort_values("share")["mean"]
    np.testing.assert_allclose(lines["signal"].get_ydata(), expected)
    assert lines["signal"].get_xdata().tolist() == [0, 1]


def test_bands_are_one_standard_deviation_to_both_sides():
    curve = pd.DataFrame(
        {"block": "text", "share": [0.0, 0.5, 1.0], "mean": [0.9, 0.8, 0.6], "std": [0.0, 0.1, 0.2]}
    )
    band = MissingCurveDisplay(curve).plot().ax_.collections[0].get_paths()[0].vertices
    corners = {(share, round(score, 6)) for share, score in band.tolist()}
    assert corners == {(0.0, 0.9), (0.5, 0.7), (0.5, 0.9), (1.0, 0.4), (1.0, 0.8)}


def lies_above(display):
    """Whether the legend stands wholly above the axes, and inside the figure."""
    display.figure_.draw_without_rendering()
    legend = display.ax_.get_legend().get_window_extent()
    below = legend.y0 >= display.ax_.get_window_extent().y1
    return below and legend.y1 <= display.figure_.bbox.y1 and legend.x1 <= display.figure_.bbox.x1


@pytest.mark.parametrize("length", [6, 30, 60])
@pytest.mark.parametrize("n_curves", [4, 5, 9])
def test_the_legend_of_many_curves_does_not_hide_them(n_curves, length):
    names = [f"{i}".ljust(length, "x") for i in range(n_curves)]
    shares = [
        {"block": name, "share": x, "mean": 1 - x, "std": 0.1} for name in names for x in (0, 1)
    ]
    losses = {f"loss_{name}": [1.0, 0.5] for name in names}
    history = pd.DataFrame({"epoch": [1, 2], "lr": [0.1, 0.01], **losses})
    for display in (
        MissingCurveDisplay(pd.DataFrame(shares)).plot(),
        TrainingDisplay(history).plot(kind="blocks"),
    ):
        assert lies_above(display) == (n_curves > 4)
        assert display.ax_.get_window_extent().height > 250


def test_weights_of_a_pipeline_are_drawn_for_its_own_input():
    frame = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40.0) % 3})
    union = BlockUnion([("first", "passthrough", ["a"]), ("second", "passthrough", ["b"])])
    model = make_pipeline(union, FusionClassifier(fusion="gated", max_epochs=2, random_state=0))
    display = WeightsDisplay.from_estimator(model.fit(frame, np.arange(40) % 2), frame)
    assert display.weights.shape == (40, 2)
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == ["first", "second"]


def test_boxes_lie_in_the_order_of_the_blocks():
    weights = pd.DataFrame({"text": [0.1, 0.2, 0.3, np.nan], "photo": [0.9, 0.8, 0.7, np.nan]})
    ax = WeightsDisplay(weights).plot().ax_
    names = {tick.get_text(): tick.get_position()[1] for tick in ax.get_yticklabels()}
    assert names["text"] > names["photo"]
    medians = [line for line in ax.get_lines() if line.get_color() == "C1"]
    found = {round(float(np.mean(line.get_ydata()))): line.get_xdata()[0] for line in medians}
    assert found == {names["text"]: pytest.approx(0.2), names["photo"]: pytest.approx(0.8)}


def test_long_names_of_eight_blocks_neither_overlap_nor_are_cut(labels_fit):
    names = [f"a block with quite a long name, the one with number {i}" for i in range(8)]
    weights = pd.DataFrame(np.random.default_rng(0).dirichlet(np.ones(8), 20), columns=names)
    for kind in ("box", "rows"):
        assert labels_fit(WeightsDisplay(weights).plot(kind=kind))


def test_a_search_at_the_end_of_a_pipeline_is_drawn():
    frame = pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40.0) % 3})
    union = BlockUnion([("first", "passthrough", ["a"]), ("second", "passthrough", ["b"])])
    network = FusionClassifier(fusion="gated", max_epochs=2, random_state=0)
    model = make_pipeline(union, GridSearchCV(network, {"lr": [0.01]}, cv=2))
    model.fit(frame, np.arange(40) % 2)
    assert WeightsDisplay.from_estimator(model, frame).weights.shape == (40, 2)
    assert len(TrainingDisplay.from_estimator(model).history) == 2


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
    model = make_pipeline(FusionClassifier(max_epochs=2, random_state=0, members=1)).fit(*rows)
    assert len(TrainingDisplay.from_estimator(model).history) == 2
    linear = LogisticRegression().fit(np.eye(2), [0, 1])
    with pytest.raises(ParameterError, match="LogisticRegression has no history_"):
        TrainingDisplay.from_estimator(linear)


def test_training_shows_scores_and_the_losses_of_single_blocks_as_asked(rows):
    settings = {"members": 1, "max_epochs": 3, "early_stopping": True}
    settings |= {"block_loss_weight": 0.5}
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
