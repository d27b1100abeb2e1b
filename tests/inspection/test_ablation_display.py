import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from skfusion import FusionClassifier
from skfusion.fusion import Gated, Tree
from skfusion.inspection import AblationDisplay
from skfusion.inspection._variants import check_operators, make_variants
from skfusion.inspection._verdicts import Results, compare

plt.switch_backend("agg")


def made_up(names, given="concat", operators=("late",), n_folds=10):
    """The table of an ablation with scores out of the air."""
    rng = np.random.default_rng(0)
    variants = make_variants(names, check_operators(operators, given))
    scores = 0.8 + 0.05 * rng.normal(size=(len(variants), n_folds))
    return compare(Results([(v.label, v.kind) for v in variants], scores, 90, 10), 0.05)


TABLE = made_up(("left", "right", "noise"))


def texts(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def drawn(ax):
    """Return intervals and dots, each by its height, and the heights of dotted lines."""
    lines = ax.get_lines()
    dots = {line.get_ydata()[0]: line.get_xdata()[0] for line in lines if line.get_marker() == "o"}
    intervals = {
        line.get_ydata()[0]: list(line.get_xdata())
        for line in lines
        if line.get_ydata()[0] in dots and line.get_marker() != "o"
    }
    dotted = [line.get_ydata()[0] for line in lines if line.get_linestyle() == ":"]
    return intervals, dots, dotted


def test_each_variant_is_drawn_with_its_difference_and_interval():
    ax = AblationDisplay(TABLE).plot().ax_
    intervals, dots, _ = drawn(ax)
    heights = list(ax.get_yticks())
    assert heights == sorted(heights, reverse=True)
    assert list(dots) == heights
    np.testing.assert_allclose([dots[height] for height in heights], TABLE["difference"])
    expected = TABLE[["low", "high"]].to_numpy()
    assert (expected[:, 0] < expected[:, 1]).sum() == len(TABLE) - 1
    np.testing.assert_allclose([intervals[height] for height in heights], expected)


def test_labels_are_the_variant_and_its_mean_score():
    table = made_up(("left", "right"))
    assert texts(AblationDisplay(table).plot().ax_) == [
        f"{name}  {mean:.3f}" for name, mean in zip(table["variant"], table["mean"], strict=True)
    ]


def test_kinds_are_separated_by_dotted_lines():
    """Three blocks alone, three left out, two fusions of different levels."""
    ax = AblationDisplay(TABLE).plot().ax_
    heights, (_, _, dotted) = ax.get_yticks(), drawn(ax)
    assert len(heights) == 8
    middles = [(heights[2] + heights[3]) / 2, (heights[5] + heights[6]) / 2]
    np.testing.assert_allclose(dotted, middles)


def test_without_intervals_none_is_promised():
    ax = AblationDisplay(made_up(("left", "right"), n_folds=1)).plot().ax_
    assert ax.get_xlabel().replace("\n", " ").endswith("alone")
    assert ax.get_title() == ""
    ax = AblationDisplay(made_up(("left", "right"))).plot().ax_
    assert ax.get_xlabel().replace("\n", " ").endswith("alone, with its 95 % interval")


def test_long_names_are_wrapped_and_fit(labels_fit):
    names = tuple(f"a block with quite a long name, the one with number {i}" for i in range(4))
    tree = Tree([(f"group {i}", names[2 * i : 2 * i + 2], Gated(width=4)) for i in range(2)])
    display = AblationDisplay(made_up(names, tree)).plot()
    assert max(len(line) for text in texts(display.ax_) for line in text.split("\n")) <= 34
    assert labels_fit(display)
    display.figure_.draw_without_rendering()
    label = display.ax_.xaxis.label.get_window_extent()
    assert 0 <= label.x0 < label.x1 <= display.figure_.bbox.x1


def test_names_of_the_whole_table_are_drawn_for_an_estimator(rows):
    model = FusionClassifier(max_epochs=2, random_state=0)
    settings = {"cv": 2, "operators": ["late"]}
    display = AblationDisplay.from_estimator(model, *rows, **settings)
    names = [text.split()[0] for text in texts(display.ax_)]
    assert names == ["signal", "noise", "concat", "late"]
    lenient = AblationDisplay.from_estimator(model, *rows, alpha=1.0, **settings).table
    pd.testing.assert_frame_equal(
        lenient.drop(columns="verdict"), display.table.drop(columns="verdict")
    )
    assert lenient["verdict"].tolist() != display.table["verdict"].tolist()


def test_colours_say_the_verdict():
    verdicts = {
        "the best single block": "tab:gray",
        "worse than 'hurt'": "tab:red",
        "fusion hurt: worse than 'text' alone": "tab:red",
        "fusion helped: better than 'text' alone": "tab:green",
        "not told apart from 'hurt'": "tab:gray",
        "fusion did not help: no better than 'text' alone": "tab:gray",
        "fusion not shown to help: its gain over 'text' alone is within chance": "tab:gray",
    }
    repeated = pd.concat([TABLE.iloc[[0]]] * len(verdicts), ignore_index=True)
    ax = AblationDisplay(repeated.assign(verdict=list(verdicts))).plot().ax_
    dots = [line.get_color() for line in ax.get_lines() if line.get_marker() == "o"]
    assert dots == list(verdicts.values())
