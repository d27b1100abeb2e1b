"""The callbacks that scikit-learn itself has from version 1.9 on; not collected with older ones."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skfusion import FusionClassifier, FusionRegressor
from skfusion.exceptions import NonFiniteLossError

N = 60


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 3))
    return pd.DataFrame(X, columns=list("abc")), (X[:, 0] > 0).astype(int)


class Recorder:
    """Keeps what it is told; asks to stop after an epoch if told so."""

    def __init__(self, stop_after=None):
        self.stop_after, self.seen, self.lengths, self.scores = stop_after, [], [], []

    def setup(self, estimator, context):
        self.seen.append("setup")

    def teardown(self, estimator, context):
        self.seen.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None, metadata=None):
        self.seen.append(f"begin {context.task_name}")
        self.metadata = metadata

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.seen.append(f"end {context.task_name}")
        if fitted_estimator is None:  # of a pipeline or a search
            return False
        self.lengths.append(len(fitted_estimator.history_))
        self.scores.append(fitted_estimator.score(X, y))
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_after


class Propagated(Recorder):
    max_propagation_depth = None


def classifier(**params):
    return FusionClassifier(**({"max_epochs": 3, "random_state": 0, "lr": 0.01} | params))


def test_a_callback_is_told_of_the_fit_and_of_every_epoch(rows):
    told = Recorder()
    model = classifier().set_callbacks(told).fit(*rows)
    assert told.seen == [
        "setup",
        "begin fit",
        *["begin epoch", "end epoch"] * 3,
        "end fit",
        "teardown",
    ]
    assert told.lengths == [1, 2, 3, 3]
    assert told.scores[-1] == model.score(*rows)
    assert len(set(told.scores)) > 1


def test_watching_changes_no_result_and_leaves_nothing_behind(rows):
    watched = classifier().set_callbacks(Recorder()).fit(*rows)
    plain = classifier().fit(*rows)
    np.testing.assert_array_equal(watched.predict_proba(rows[0]), plain.predict_proba(rows[0]))
    assert set(vars(watched)) - set(vars(plain)) == {"_skl_callbacks"}
    assert watched.net_.run_ is None


def test_a_callback_stops_the_training(rows):
    stops = Recorder(stop_after=2)
    assert len(classifier(max_epochs=9).set_callbacks(stops).fit(*rows).history_) == 2
    assert stops.seen[-2:] == ["end fit", "teardown"]


def test_early_stopping_ends_the_epochs_in_order(rows):
    told = Recorder()
    model = classifier(max_epochs=50, early_stopping=True, n_iter_no_change=1, lr=1.0)
    n_epochs = len(model.set_callbacks(told).fit(*rows).history_)
    assert n_epochs < 4 * 50
    assert told.seen.count("begin epoch") == told.seen.count("end epoch") == n_epochs


def test_a_second_fit_is_told_as_the_first(rows):
    told = Recorder()
    model = classifier().set_callbacks(told).fit(*rows)
    first = [*told.scores]
    model.fit(*rows)
    assert told.scores == first * 2
    assert told.lengths == [1, 2, 3, 3] * 2


def test_a_fit_that_fails_is_torn_down(rows):
    told = Recorder()
    model = classifier(lr=1e30, optimizer="sgd", max_epochs=20).set_callbacks(told)
    with pytest.raises(NonFiniteLossError, match="[Ll]ower lr"):
        model.fit(*rows)
    assert told.seen[-1] == "teardown" and "end fit" not in told.seen
    assert not hasattr(model, "net_") and not hasattr(model, "_callback_fit_ctx")


def test_sample_weight_is_handed_over(rows):
    told = Recorder()
    weight = np.ones(N)
    FusionRegressor(max_epochs=1).set_callbacks(told).fit(*rows, sample_weight=weight)
    assert told.metadata["sample_weight"] is weight


def test_in_a_pipeline_and_in_a_search_callbacks_come_from_outside(rows):
    told = Propagated()
    make_pipeline(classifier()).set_callbacks(told).fit(*rows)
    assert told.seen.count("end epoch") == 3
    told = Propagated()
    GridSearchCV(classifier(), {"lr": [0.01, 0.1]}, cv=2, refit=False).set_callbacks(told).fit(
        *rows
    )
    assert told.seen.count("end epoch") == 3 * 4


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_score_is_monitored_in_every_epoch_of_a_search(rows, n_jobs):
    monitor = ScoringMonitor(scoring="accuracy")
    model = make_pipeline("passthrough", classifier().set_callbacks(monitor))
    GridSearchCV(model, {"fusionclassifier__lr": [0.01]}, cv=2, n_jobs=n_jobs).fit(*rows)
    log = monitor.get_logs().data_as_pandas
    assert (log["task_name"] == "epoch").sum() == 3 * (2 + 1)
    assert log["accuracy"].between(0, 1).all()


def test_the_bar_of_scikit_learn(rows, capsys):
    make_pipeline(classifier()).set_callbacks(ProgressBar()).fit(*rows)
    shown = capsys.readouterr().out
    assert "FusionClassifier - fit" in shown and "100%" in shown


def test_callbacks_are_taken_along(rows):
    monitor = ScoringMonitor(scoring="accuracy")
    model = classifier().set_callbacks(monitor)
    clone(model).fit(*rows)
    assert len(monitor.get_logs().data) == 3 + 1
    fitted = model.fit(*rows)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(rows[0]), fitted.predict(rows[0]))
