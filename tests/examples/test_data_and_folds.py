"""What must hold of the examples' data and folds for their figures to mean something."""

import numpy as np
import pandas as pd
import pytest


def test_no_gesture_is_in_two_parts(example):
    digits, parts = np.tile(np.arange(10), 30), np.repeat([0, 1, 2], 100)
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 18))
    paired = example("plot_voice_gesture").pair(digits, parts, labels)
    assert (labels[paired] == digits).all()
    used = [set(paired[parts == part]) for part in range(3)]
    assert not used[0] & used[1] | used[0] & used[2] | used[1] & used[2]


@pytest.mark.parametrize("quick", [True, False])
def test_rain_is_forecast_from_earlier_frames_only(quick, example):
    radar = example("plot_radar_next_frame")
    places = pd.DataFrame({"moment": np.repeat(np.arange(3, 37), 4)})
    for train, test in radar.make_folds(places, quick):
        last_seen = places["moment"][train].max() + radar.AHEAD
        assert last_seen <= places["moment"][test].min()


def test_rain_that_moves_steadily_is_extrapolated_exactly(example):
    radar = example("plot_radar_next_frame")
    rain = np.random.default_rng(0).random((64, 64), dtype=np.float32)
    storm = np.stack([np.roll(rain, (moment, -moment), (0, 1)) for moment in range(12)])
    X, changes, places = radar.make_rows(storm[np.newaxis], first=6)
    assert set(places["down"]) == {3}
    assert set(places["right"]) == {-3}
    np.testing.assert_allclose(X["motion"], changes, atol=1e-6)


def test_histories_end_in_the_week_before(example):
    chickenpox = example("plot_chickenpox")
    cases = np.arange(60.0).reshape(20, 3)  # 20 weeks, 3 counties
    rows = chickenpox.by_row(cases, np.array([8, 9]))
    assert rows.shape == (6, 8)
    np.testing.assert_array_equal(rows[:3, -1], cases[7])
    np.testing.assert_array_equal(rows[4], cases[1:9, 1])


def test_a_county_is_not_its_own_neighbour(example):
    edges = np.array([[0, 0], [1, 1], [0, 1], [1, 0], [2, 2], [0, 2], [2, 0]])
    weights = example("plot_chickenpox").neighbour_weights(edges, 3)
    np.testing.assert_array_equal(weights, [[0, 0.5, 0.5], [1, 0, 0], [1, 0, 0]])


@pytest.mark.parametrize("quick", [True, False])
def test_chickenpox_is_forecast_from_earlier_weeks_only(quick, example):
    places = pd.DataFrame({"week": np.repeat(np.arange(8, 521), 2)})
    folds = example("plot_chickenpox").make_folds(places, quick)
    assert all(places["week"][train].max() < places["week"][test].min() for train, test in folds)
    assert len(folds[-1][1]) == pytest.approx(0.2 * len(places), abs=2)


def test_drawers_are_never_on_both_sides(example):
    drawer = np.tile(np.arange(1, 21), 3)
    folds = example("plot_strokes_video").make_folds(drawer, quick=False)
    assert all(not set(drawer[train]) & set(drawer[test]) for train, test in folds)
    assert set(drawer[folds[0][1]]) == set(range(15, 21))
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(60))


def test_people_are_never_on_both_sides(example):
    people, labels = np.repeat(np.arange(20), 2), np.repeat([0, 1], [12, 28])
    folds = example("plot_spiral_sequence").make_folds(people, labels, people, quick=False)
    assert all(not set(people[train]) & set(people[test]) for train, test in folds)
    assert sorted(np.concatenate([test for _, test in folds])) == sorted([*range(40)] * 2)


def test_each_speaker_is_held_out_in_turn(example):
    new_speakers, speakers = example("plot_new_speakers"), np.tile(["ann", "ben", "cleo"], 20)
    digits = np.repeat([1, 2], 30)
    turns = [
        new_speakers.hold_out(digits, speakers, new_speakers.SPEAKER, turn) for turn in range(3)
    ]
    assert [set(speakers[held_out]) for held_out in turns] == [{"ann"}, {"ben"}, {"cleo"}]
    assert np.sum(turns, axis=0).tolist() == [1] * 60
    at_random = new_speakers.hold_out(digits, speakers, new_speakers.ROWS, 0)
    assert at_random.sum() == 6
    assert set(speakers[at_random]) <= set(speakers[~at_random])


@pytest.fixture
def drawings():
    """Return the table of 6 characters in two alphabets, 5 drawings each, in no order of rows."""
    characters = np.repeat([f"{name}{i}" for name in ("Greek ", "Latin ") for i in range(3)], 5)
    table = pd.DataFrame({"alphabet": [name[:5] for name in characters], "character": characters})
    return table.sample(frac=1, random_state=0)


def test_pairs_are_of_two_drawings_and_of_one_alphabet(drawings, example):
    rng = np.random.default_rng(0)
    left, right, same = example("plot_siamese_omniglot").draw_pairs(drawings, 400, rng)
    one, other = drawings.loc[left], drawings.loc[right]
    assert (left != right).all()
    assert same.mean() == 0.5
    np.testing.assert_array_equal(one["character"].to_numpy() == other["character"], same)
    assert (one["alphabet"].to_numpy() == other["alphabet"]).all()


@pytest.mark.parametrize(
    ("scores", "expected"), [([4, 3, 2, 1], 0), ([1, 2, 3, 4], 1), ([4, 2, 3, 1], 0.5)]
)
def test_the_equal_error_rate_counts_both_kinds_of_error(scores, expected, example):
    rate = example("plot_siamese_omniglot").equal_error_rate(np.array([1, 1, 0, 0]), scores)
    assert rate == pytest.approx(expected)


def test_a_clip_shows_what_is_new_in_its_second_channel(example):
    video = np.zeros((1, 12, 28, 28), dtype=np.uint8)
    video[0, 3:, 0:2, 0:2] = 200
    clip = example("plot_strokes_video").make_clip(video)
    assert clip.shape == (1, 6, 14, 14, 2)
    assert clip[0, :, 0, 0, 0].tolist() == [0, 200, 200, 200, 200, 200]
    assert clip[0, :, 0, 0, 1].tolist() == [0, 200, 0, 0, 0, 0]
    assert clip.sum() == 6 * 200
