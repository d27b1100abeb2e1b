"""The benchmark of the defaults: what is kept, what fails, and what its page says."""

import json

import numpy as np
import pytest

from benchmarks import quality
from benchmarks._quality_page import page
from benchmarks._quality_sets import QualitySet, both_sides

METHODS = ["all blocks, linear", "best block, linear", "default"]


def result(losses, regression=False):
    sizes = {"n_train": 900, "n_test": len(losses), "seconds": 1.0, "regression": regression}
    score = 1 - np.mean(losses) if regression else np.mean(losses)
    return {"losses": losses, "score": score, "accuracy": 0.8, "calibration": 0.1, **sizes}


def row(text, name):
    return next(line for line in text.splitlines() if line.startswith(f"| {name}"))


def test_the_best_is_bold_and_what_is_worse_by_more_than_one_error_is_behind():
    of = {
        "all blocks, linear": [result([0.2, 0.2, 0.2, 0.2])],
        "best block, linear": [result([0.1, 0.7, 0.1, 0.7])],
        "default": [result([0.3, 0.3, 0.3, 0.4])],
    }
    text = page({"news": of}, [], METHODS, seeds=1)
    expected = (
        "| news | 900 | **0.200** | 0.400 | 0.325 | -0.075 ± 0.160 | +0.125 ± 0.025 **behind** |"
    )
    assert row(text, "news") == expected
    assert row(text, "mean rank") == "| mean rank |  | 1.00 | 3.00 | 2.00 |  |  |"


def test_of_r2_the_highest_is_best():
    of = {
        "all blocks, linear": [result([0.5, 0.7], regression=True)],
        "default": [result([0.3, 0.3], regression=True)],
    }
    text = page({"prices": of}, [], METHODS, seeds=1)
    assert row(text, "prices (R2)").startswith("| prices (R2) | 900 | 0.400 | - | **0.700** | - |")
    assert "prices (R2)" not in text.partition("Accuracy")[2]


def test_the_error_over_seeds_is_that_of_one_seed():
    once, twice = [result([0.1, 0.3])], [result([0.1, 0.3]), result([0.1, 0.3])]
    zero = result([0.0, 0.0])
    pages = [
        page({"news": {"all blocks, linear": [zero] * len(ours), "default": ours}}, [], METHODS, 1)
        for ours in (once, twice)
    ]
    assert "+0.200 ± 0.100" in pages[0]
    assert pages[0] == pages[1]


def test_a_set_that_fails_is_told_and_the_rest_goes_on(tmp_path):
    def broken():
        raise OSError("no such file")

    sets = {"absent": broken, "small": small_set}
    found, failures = {}, []
    for name, load in sets.items():
        found[name], failed = quality.results_of(
            name, load, ["all blocks, linear"], range(2), tmp_path, "tag"
        )
        failures += failed
    assert failures == ["absent, all blocks, linear: OSError: no such file"]
    text = page(found, failures, METHODS, seeds=2)
    assert "- absent, all blocks, linear: OSError: no such file" in text
    assert row(text, "small")


def test_what_is_kept_is_not_computed_again(tmp_path):
    def never():
        raise AssertionError("computed again")

    first = quality.kept(tmp_path, "small", "default", 0, "tag", lambda: {"score": 1.0})
    assert quality.kept(tmp_path, "small", "default", 0, "tag", never) == first
    with pytest.raises(AssertionError, match="computed again"):
        quality.kept(tmp_path, "small", "default", 0, "other tag", never)
    peer = quality.kept(tmp_path, "small", "boosted trees", 0, "tag", lambda: {"score": 2.0})
    assert quality.kept(tmp_path, "small", "boosted trees", 0, "other tag", never) == peer
    assert [json.loads(path.read_text()) for path in sorted(tmp_path.iterdir())] == [peer, first]


def test_rows_are_scaled_by_the_training_rows_alone():
    data = small_set()
    train, test = np.arange(20), np.arange(20, 30)
    data.X["numbers"][test] += 1000
    X, X_test = both_sides(data, train, test)
    np.testing.assert_allclose(X["numbers"].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(X["numbers"].std(axis=0), 1, rtol=1e-5)
    assert X_test["numbers"].min() > 100


def test_calibration_error_of_bins_of_equally_many_rows():
    sure, right = np.array([0.6, 0.6, 0.9, 0.9]), np.array([True, False, True, True])
    assert quality.calibration_error(sure, right, n_bins=2) == pytest.approx(0.1)


def small_set():
    rng = np.random.default_rng(0)
    y = np.arange(30) % 2
    return QualitySet({"numbers": rng.normal(size=(30, 3)) + y[:, None]}, y, scale=("numbers",))
