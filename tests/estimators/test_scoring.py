"""Early stopping by the score that is asked for."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, make_scorer, roc_auc_score

from skfusion import FusionClassifier, FusionRegressor, Ragged
from skfusion.exceptions import ParameterError

N = 200
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3)).astype(np.float32)
Y = np.where(X[:, 0] + RNG.normal(size=N) > 0, "yes", "no")
VAL = X[:60], Y[:60]


def model(kind=FusionClassifier, **params):
    return kind(**{"max_epochs": 4, "random_state": 0, "lr": 0.02, **params})


@pytest.mark.parametrize(
    ("scoring", "expected"),
    [
        ("roc_auc", lambda m: roc_auc_score(VAL[1], m.predict_proba(VAL[0])[:, 1])),
        ("balanced_accuracy", lambda m: balanced_accuracy_score(VAL[1], m.predict(VAL[0]))),
        (lambda m, X, y: float(np.mean(m.predict(X) == y)), lambda m: m.score(*VAL)),
        (make_scorer(balanced_accuracy_score), None),
        ("neg_log_loss", None),
    ],
    ids=["roc_auc", "balanced_accuracy", "function", "make_scorer", "neg_log_loss"],
)
def test_the_history_keeps_the_score_of_held_out_rows(scoring, expected):
    fitted = model(scoring=scoring, early_stopping=False).fit(X, Y, validation_data=VAL)
    assert np.isfinite(fitted.history_["valid_score"]).all()
    if expected is not None:
        assert fitted.history_["valid_score"].iloc[-1] == pytest.approx(expected(fitted), abs=1e-6)


def test_the_best_score_decides_which_weights_stay():
    """A score that falls from epoch to epoch: the first weights stay, whatever the loss says."""
    calls = []

    def falling(estimator, X, y):
        calls.append(len(y))
        return -float(len(calls))

    params = {"max_epochs": 30, "n_iter_no_change": 3, "early_stopping": True}
    stopped = model(scoring=falling, **params).fit(X, Y, validation_data=VAL)
    once = model(max_epochs=1, early_stopping=False).fit(X, Y, validation_data=VAL)
    assert len(stopped.history_) < 30
    np.testing.assert_array_equal(stopped.predict_proba(X), once.predict_proba(X))


def test_without_it_the_loss_decides_as_ever():
    plain, scored = (
        model(early_stopping=True, scoring=scoring).fit(X, Y) for scoring in (None, "accuracy")
    )
    np.testing.assert_array_equal(plain.history_["valid_loss"], scored.history_["valid_loss"])
    np.testing.assert_allclose(plain.history_["valid_score"], scored.history_["valid_score"])


def test_rows_stand_in_their_order_where_batches_are_drawn_by_length():
    rows = Ragged.from_rows([np.ones((1 + i % 9, 2)) * (i % 2) for i in range(N)])
    seen = []

    def scorer(estimator, X, y):
        seen.append((X["steps"], y))
        return float(np.mean(estimator.predict(X) == y))

    fitted = model(batch_by_length=True, batch_size=16, scoring=scorer).fit(
        {"steps": rows}, np.arange(N) % 2, validation_data=({"steps": rows[:50]}, np.arange(50) % 2)
    )
    blocks, y = seen[-1]
    assert fitted.history_["valid_score"].iloc[-1] == fitted.score({"steps": blocks}, y)
    np.testing.assert_array_equal(y, np.arange(50) % 2)


def test_regressors_and_several_labels_are_scored_too():
    values = model(FusionRegressor, scoring="neg_mean_absolute_error")
    values.fit(X, X[:, 0], validation_data=(X, X[:, 0]))
    error = -np.abs(values.predict(X) - X[:, 0]).mean()
    assert values.history_["valid_score"].iloc[-1] == pytest.approx(error, abs=1e-5)
    labels = np.c_[Y == "yes", X[:, 1] > 0, X[:, 2] > 0].astype(int)
    several = model(scoring="f1_macro").fit(X, labels, validation_data=(X, labels))
    assert 0 <= several.history_["valid_score"].iloc[-1] <= 1


@pytest.mark.parametrize(
    ("scoring", "message"),
    [
        ("acuracy", "Did you mean 'accuracy'"),
        (5, "must be None, the name"),
        (["f1"], "must be None"),
    ],
)
def test_what_is_no_scorer_is_refused_before_a_row_is_read(scoring, message):
    with pytest.raises(ParameterError, match=message):
        model(scoring=scoring).fit(None, None)


def test_a_score_that_is_not_defined_is_said():
    one_class = X[:10], np.full(10, "yes")
    with pytest.raises(ParameterError, match="scoring returned nan on the 10 held-out rows"):
        model(scoring=lambda m, X, y: np.nan).fit(X, Y, validation_data=one_class)


def test_the_error_of_a_scorer_names_it():
    def broken(estimator, X, y):
        raise ValueError("not to my taste")

    with pytest.raises(ValueError, match="scoring=.* of the held-out rows.*not to my taste"):
        model(scoring=broken).fit(X, Y, validation_data=VAL)
