"""Windows of a series are rows, and what follows is y."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_score

from skfusion import FusionRegressor
from skfusion.exceptions import BlockError, ParameterError
from skfusion.forecasting import compare, windows

SERIES = np.arange(40.0)
DAYS = pd.date_range("2024-01-01", periods=20)
MAPS = np.random.default_rng(0).random((30, 6, 5)).astype(np.float32)


@pytest.mark.parametrize(("past", "horizon", "stride"), [(3, 2, 1), (5, 1, 4), (20, 20, 3)])
def test_each_row_is_what_was_and_what_comes(past, horizon, stride):
    found = windows(SERIES, past, horizon, stride)
    assert len(found) == (40 - past - horizon) // stride + 1
    for row in range(len(found)):
        first = row * stride
        np.testing.assert_array_equal(
            np.asarray(found.X["past"])[row, :, 0], SERIES[first : first + past]
        )
        np.testing.assert_array_equal(found.y[row], SERIES[first + past : first + past + horizon])
        assert found.times[row] == first + past


@pytest.mark.parametrize(
    ("shape", "block", "y"),
    [
        ((30,), (4, 1), (2,)),
        ((30, 3), (4, 3), (2, 3)),
        ((30, 6, 5), (4, 6, 5, 1), (2, 6, 5)),
        ((30, 6, 5, 2), (4, 6, 5, 2), (2, 6, 5, 2)),
    ],
)
def test_shapes(shape, block, y):
    found = windows(np.zeros(shape), 4, 2)
    assert found.X.specs()["past"].shape == block and found.y.shape == (25, *y)


def test_nothing_is_copied():
    found = windows(MAPS, 4, 3)
    assert np.shares_memory(found.y, MAPS)
    assert np.shares_memory(np.asarray(found.X["past"]), MAPS)


def test_no_step_is_on_both_sides_of_a_split():
    for stride in (1, 2, 3):
        found = windows(SERIES, 5, 3, stride)
        splits = [found.split(0.2), *found.splitter(2, test_size=2).split(found.y)]
        for train, test in splits:
            last = (train.max() * stride) + 5 + 3  # behind the last step of training
            assert last <= test.min() * stride < last + stride


def test_a_frame_with_a_column_for_each_place():
    weeks = pd.date_range("2024-01-01", periods=20, freq="W")
    frame = pd.DataFrame({"north": np.arange(20.0), "south": -np.arange(20.0)}, index=weeks)
    found = windows(frame, 3, 1)
    assert found.places == ("north", "south") and found.times[0] == weeks.to_numpy()[3]
    long = frame.rename_axis("week").reset_index().melt("week", var_name="place", value_name="n")
    same = windows(long.sample(frac=1, random_state=0), 3, 1, time="week", place="place", value="n")
    np.testing.assert_array_equal(same.y, found.y)
    np.testing.assert_array_equal(same.times, found.times)


def test_covariates_of_the_past_and_known_ahead():
    heat, month = SERIES + 100, SERIES % 12
    found = windows(SERIES, 4, 2, covariates={"heat": heat}, known={"month": month})
    assert found.X.names == ("past", "heat", "month")
    assert np.asarray(found.X["heat"])[1, :, 0].tolist() == [101, 102, 103, 104]
    assert np.asarray(found.X["month"])[0, :, 0].tolist() == [0, 1, 2, 3, 4, 5]


def test_forecasts_go_through_scikit_learn():
    waves = np.sin(np.arange(300) * np.pi / 6)
    rows = windows(waves, 12, 3)
    model = FusionRegressor(max_epochs=30, random_state=0)
    assert cross_val_score(model, rows.X, rows.y, cv=rows.splitter(2)).min() > 0.7


def test_simple_forecasts_are_what_they_are_called():
    rows = windows(np.tile([1.0, 5.0, 2.0, 7.0], 30), 8, 2)
    errors = compare(FusionRegressor(max_epochs=2, random_state=0), rows, season=4)
    assert errors.loc["seasonal", "all"] == 0 and errors.loc["linear", "all"] < 0.1
    _, test = rows.split()
    truth, last = rows.y[test], np.asarray(rows.X["past"])[test][:, -1]
    np.testing.assert_allclose(
        errors.loc["persistence", 1], np.sqrt(np.mean((truth[:, 0] - last[:, 0]) ** 2))
    )
    assert errors.loc["model"].notna().all()


def test_maps_with_cells_that_are_not_known():
    holes = np.where(np.random.default_rng(1).random(MAPS.shape) < 0.1, np.nan, MAPS)
    rows = windows(MAPS, 3, 2)
    partly = type(rows)(rows.X, windows(holes, 3, 2).y, rows.times, rows.gap)
    model = FusionRegressor(max_epochs=2, missing_targets="ignore", random_state=0)
    fitted = model.fit(partly.X, partly.y)
    assert np.isfinite(fitted.predict(partly.X)).all()


@pytest.mark.parametrize("index", [np.arange(20)[::-1], np.zeros(20), DAYS[::-1], DAYS[[0] * 20]])
def test_steps_must_follow_each_other(index):
    with pytest.raises(ParameterError, match="the index is not in the order of time: .* stands"):
        windows(pd.Series(np.arange(20.0), index=index), 3, 1)


def test_a_gap_between_dates_is_warned_of():
    gap = pd.Series(np.arange(19.0), index=DAYS.delete(7))
    with pytest.warns(UserWarning, match="the longest is 2 days .*, before 2024-01-09.* 1 days"):
        windows(gap, 3, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for every in ("D", "MS", "B", "h"):
            index = pd.date_range("2024-01-01", periods=20, freq=every)
            windows(pd.Series(np.arange(20.0), index=index), 3, 1)


LONG = pd.DataFrame({"t": [0, 1, 1], "p": ["a", "a", "a"], "v": [1.0, 2.0, 3.0]})


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: windows(SERIES, 39, 2),
            r"windows of 39 \+ 2 steps are longer",
        ),
        (lambda: windows(SERIES, 0, 2), "past must be an int >= 1"),
        (lambda: windows(SERIES, 2, 2, 0), "stride must be an int >= 1"),
        (lambda: windows(SERIES, 2, 2, known={"a": SERIES[:5]}), "covariate 'a' has 5 steps, and"),
        (
            lambda: windows(SERIES, 2, 2, known={"past": SERIES}),
            "two blocks would be called",
        ),
        (lambda: windows(LONG, 1, 1, time="t"), "place=None is no column of the frame"),
        (lambda: windows(LONG, 1, 1, time="x", place="p", value="v"), "time='x' is no column"),
        (lambda: windows(LONG, 1, 1, time="t", place="p", value="v"), "row 2: place 'a' has a val"),
        (lambda: windows(SERIES, 20, 10).split(0.2), "of 11 windows none is left to train on"),
        (
            lambda: compare(FusionRegressor(), windows(SERIES, 4, 1), season=9),
            "a season of 9",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises((ParameterError, BlockError), match=message):
        call()
