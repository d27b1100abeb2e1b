"""Held-out rows as one means them: given, by a splitter, by groups."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    TimeSeriesSplit,
)
from skorch.callbacks import Callback

from skfusion import FusionClassifier, FusionRegressor
from skfusion.exceptions import BlockError, CheckpointError, ParameterError, TargetError

N = 120
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3)).astype(np.float32)
Y = np.arange(N) % 2
GROUPS = np.repeat(np.arange(N // 6), 6)
X_VAL, Y_VAL = X[:40] + 0.1, Y[:40]


class Recorder(Callback):
    """Keeps which rows were trained on, and which were held out."""

    seen = None

    def on_train_begin(self, net, X, **kwargs):
        type(self).seen = tuple(None if rows is None else rows.blocks["X"] for rows in X)


def model(kind=FusionClassifier, **params):
    given = {"max_epochs": 2, "random_state": 0, "callbacks": [Recorder()]}
    return kind(**{**given, **params})


def held_out():
    """Return the numbers of the rows that were held out."""
    _, rows = Recorder.seen
    return np.flatnonzero((X[:, None] == rows[None]).all(2).any(1))


def trained_on():
    rows, _ = Recorder.seen
    return np.flatnonzero((X[:, None] == rows[None]).all(2).any(1))


def test_given_rows_are_measured_and_all_others_trained_on():
    fitted = model().fit(X, Y, validation_data=(X_VAL, Y_VAL))
    assert len(trained_on()) == N
    np.testing.assert_array_equal(Recorder.seen[1], X_VAL)
    assert fitted.history_["valid_score"].iloc[-1] == fitted.score(X_VAL, Y_VAL)


def test_given_rows_stop_the_training_unless_that_is_off():
    noise = np.random.default_rng(1).integers(0, 2, 40)
    early = {"max_epochs": 200, "n_iter_no_change": 1, "lr": 0.05, "callbacks": None}
    with pytest.warns(UserWarning, match="no better than the prior"):
        stopped = model(**early).fit(X, Y, validation_data=(X_VAL, noise))
    assert len(stopped.history_) < 200
    with pytest.warns(UserWarning, match="no better than the prior"):
        ran = model(early_stopping=False, **{**early, "max_epochs": 60}).fit(
            X, Y, validation_data=(X_VAL, noise)
        )
    assert len(ran.history_) == 60
    assert "valid_loss" in ran.history_


def test_weights_of_given_rows_count():
    weight = np.r_[np.ones(20), np.zeros(20)]
    whole = model().fit(X, Y, validation_data=(X_VAL, Y_VAL, weight))
    half = model().fit(X, Y, validation_data=(X_VAL[:20], Y_VAL[:20]))
    np.testing.assert_allclose(whole.history_["valid_loss"], half.history_["valid_loss"], rtol=1e-6)


def test_frames_are_read_as_those_of_the_fit():
    frame = pd.DataFrame({"word": np.where(Y, "yes", "no"), "size": X[:, 0]})
    fitted = model(callbacks=None).fit(
        frame, Y, validation_data=(frame[["size", "word"]][:10], Y[:10])
    )
    assert fitted.specs_.keys() == {"numbers", "categories"}


@pytest.mark.parametrize(
    ("splitter", "expected"),
    [
        (TimeSeriesSplit(4), np.arange(96, 120)),
        (TimeSeriesSplit(4, gap=10), np.arange(96, 120)),
        (KFold(5), np.arange(96, 120)),
    ],
)
def test_the_last_split_of_a_splitter_is_taken(splitter, expected):
    model(validation_split=splitter).fit(X, Y)
    np.testing.assert_array_equal(held_out(), expected)
    gap = getattr(splitter, "gap", 0)
    np.testing.assert_array_equal(trained_on(), np.arange(96 - gap))


@pytest.mark.parametrize("split", [0.2, GroupShuffleSplit(test_size=0.3), GroupKFold(4)])
def test_groups_are_held_out_whole(split):
    model(validation_split=split, early_stopping=True).fit(X, Y, groups=GROUPS)
    out = set(GROUPS[held_out()])
    assert out
    assert out.isdisjoint(GROUPS[trained_on()])


def test_a_splitter_without_a_seed_has_that_of_the_estimator():
    splitter = GroupShuffleSplit(test_size=0.3)
    fits = [model(validation_split=splitter).fit(X, Y, groups=GROUPS) for _ in range(2)]
    np.testing.assert_array_equal(*(one.predict_proba(X) for one in fits))
    assert splitter.random_state is None


def test_rows_of_no_weight_leave_their_groups():
    weight = (GROUPS > 3).astype(float)
    model(validation_split=GroupKFold(4)).fit(X, Y, weight, groups=GROUPS)
    assert set(GROUPS[held_out()]) | set(GROUPS[trained_on()]) == set(range(4, 20))


def test_a_search_hands_groups_on():
    with sklearn.config_context(enable_metadata_routing=True):
        one = model(early_stopping=True).set_fit_request(groups=True)
        search = GridSearchCV(one, {"lr": [0.01]}, cv=GroupKFold(2), error_score="raise")
        search.fit(X, Y, groups=GROUPS)
    assert set(GROUPS[held_out()]).isdisjoint(GROUPS[trained_on()])


def test_persons_held_out_tell_what_new_persons_bring():
    """Random rows of known persons say too much: the same noise is in both."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(40), 20)
    mark, label = rng.normal(size=(40, 8))[person], rng.integers(0, 2, 40)[person]
    rows = (mark + 0.05 * rng.normal(size=(800, 8))).astype(np.float32)
    test = person >= 20
    scores = {}
    for name, groups in (("random", None), ("persons", person[~test])):
        fitted = FusionClassifier(
            validation_split=0.3, max_epochs=60, lr=0.02, early_stopping=True, random_state=0
        ).fit(rows[~test], label[~test], groups=groups)
        scores[name] = fitted.history_["valid_score"].max()
    assert scores["random"] > 0.95
    assert scores["persons"] < 0.85


def test_a_checkpoint_knows_what_was_held_out(tmp_path):
    path = tmp_path / "fit.pt"

    class Stop(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="^$"):
        model(checkpoint=path, callbacks=[Stop()]).fit(X, Y, validation_data=(X_VAL, Y_VAL))
    with pytest.raises(CheckpointError, match="validation_data"):
        model(checkpoint=path, callbacks=[Stop()]).fit(X, Y, validation_data=(X_VAL, 1 - Y_VAL))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"validation_data": X_VAL}, ParameterError, r"must be a pair \(X_val, y_val\)"),
        ({"validation_data": (X_VAL,)}, ParameterError, "Got tuple of 1"),
        ({"validation_data": (X_VAL[:, :2], Y_VAL)}, ValueError, "2 features"),
        ({"validation_data": (X_VAL, Y_VAL[:3])}, ValueError, "inconsistent"),
        ({"validation_data": (X_VAL, Y_VAL + 1)}, TargetError, "validation_data.*label 2 is none"),
        ({"validation_data": (X_VAL * np.nan, Y_VAL)}, BlockError, "validation_data.*NaN"),
        ({"groups": GROUPS[:5]}, ValueError, "groups beside X"),
        ({"groups": np.zeros((N, 2))}, ParameterError, "one value a row"),
        ({"groups": [None, *GROUPS[1:]]}, ParameterError, "groups: row 0 has none"),
        ({"groups": [*GROUPS[:-1], "a"]}, ParameterError, f"groups .*'a' .str. in row {N - 1}"),
        ({"groups": pd.Series(pd.NaT, range(N))}, ParameterError, "groups: row 0 has none"),
    ],
)
def test_what_is_wrong_is_said_before_training(given, error, message):
    unfitted = model(early_stopping=True)
    with pytest.raises(error, match=message):
        unfitted.fit(X, Y, **given)
    assert not hasattr(unfitted, "net_")


@pytest.mark.parametrize(
    ("params", "given", "message"),
    [
        ({"validation_split": "all"}, {}, "a number or a splitter of scikit-learn"),
        ({"validation_split": KFold}, {}, "a number or a splitter"),
        ({"validation_split": GroupKFold(3)}, {}, "validation_split=GroupKFold"),
        ({"validation_split": 0.1}, {"groups": np.zeros(N)}, "at least two different values"),
    ],
)
def test_a_split_that_cannot_be_made_is_said(params, given, message):
    with pytest.raises(ValueError, match=message):
        model(early_stopping=True, **params).fit(X, Y, **given)


def test_the_regressor_has_the_same_words():
    fitted = model(FusionRegressor, validation_split=TimeSeriesSplit(4)).fit(X, X[:, 0])
    np.testing.assert_array_equal(held_out(), np.arange(96, 120))
    assert "valid_score" in fitted.history_


@pytest.mark.parametrize(
    ("params", "given", "named"),
    [({}, {"groups": GROUPS}, "groups"), ({"scoring": "accuracy"}, {}, "scoring")],
)
def test_what_has_no_effect_on_few_rows_is_said(params, given, named):
    with pytest.warns(UserWarning, match=f"{named} have no effect: of {N} rows none is held out"):
        FusionClassifier(members=1, max_epochs=1, **params).fit(X, Y, **given)
