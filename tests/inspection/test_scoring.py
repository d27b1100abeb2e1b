import threading

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skfusion import Blocks, BlockUnion, FusionClassifier
from skfusion.exceptions import ParameterError
from skfusion.inspection import (
    BlockImportanceDisplay,
    MissingCurveDisplay,
    ablation,
    block_importance,
    missing_curve,
)

MEASURES = (ablation, block_importance, missing_curve)
FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)


def search(scoring, **params):
    model = FusionClassifier(max_epochs=2, random_state=0)
    return GridSearchCV(model, {"lr": [0.02]}, cv=2, scoring=scoring, **params)


def two_scores(model, X, y):
    return {"accuracy": model.score(X, y), "loss": -log_loss(y, model.predict_proba(X))}


# What is one scorer


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("kind", [list, tuple, set])
def test_several_scorers_at_once_are_refused(fitted, held_out, measure, kind):
    with pytest.raises(ParameterError, match=f"one scorer.*Got {kind.__name__}. Call once for"):
        measure(fitted, *held_out, scoring=kind(["accuracy", "f1"]))


@pytest.mark.parametrize("measure", MEASURES)
def test_a_dict_of_scorers_is_refused(fitted, held_out, measure):
    with pytest.raises(ParameterError, match="one scorer, by name or as a callable. Got dict"):
        measure(fitted, *held_out, scoring={"a": "accuracy"})


@pytest.mark.parametrize("measure", MEASURES)
def test_without_y_there_is_nothing_to_score_against(fitted, held_out, measure):
    with pytest.raises(ParameterError, match="y must be the target of the rows.*Got None"):
        measure(fitted, held_out[0], None)


# The scorer of a search


def test_a_search_is_measured_by_its_own_scorer(rows, held_out):
    X, y = held_out
    found = search("neg_log_loss").fit(*rows)
    expected = pytest.approx(-log_loss(y, found.predict_proba(X)))
    assert block_importance(found, X, y, n_repeats=1).score == expected
    assert missing_curve(found, X, y, shares=[0], n_repeats=1)["mean"][0] == expected
    named = block_importance(found, X, y, n_repeats=1, scoring="accuracy")
    assert named.score == accuracy_score(y, found.predict(X))


@pytest.mark.parametrize(
    ("scoring", "refit"),
    [({"loss": "neg_log_loss", "hits": "accuracy"}, "loss"), (two_scores, "loss")],
)
def test_of_several_scores_the_search_was_refitted_by_one(rows, held_out, scoring, refit):
    X, y = held_out
    found = search(scoring, refit=refit).fit(*rows)
    expected = -log_loss(y, found.predict_proba(X))
    assert block_importance(found, X, y, n_repeats=1).score == pytest.approx(expected)


def test_of_several_scores_none_may_be_named(rows, held_out):
    scoring = {"loss": "neg_log_loss", "hits": "accuracy"}
    found = search(scoring, refit=lambda results: 0).fit(*rows)
    with pytest.raises(ParameterError, match="refit names none of them. Pass one as scoring"):
        block_importance(found, *held_out)


def test_a_search_without_scoring_takes_the_score_of_its_estimator(rows, held_out):
    X, y = held_out
    found = search(None).fit(*rows)
    assert block_importance(found, X, y, n_repeats=1).score == found.best_estimator_.score(X, y)


def test_a_search_in_a_search_without_scoring_is_asked(rows, held_out):
    X, y = held_out
    outer = GridSearchCV(make_pipeline(search("roc_auc")), {"gridsearchcv__refit": [True]}, cv=2)
    outer.fit(*rows)
    expected = roc_auc_score(y == "yes", outer.predict_proba(X)[:, 1])
    assert block_importance(outer, X, y, n_repeats=1).score == pytest.approx(expected)


def test_an_ablation_of_a_search_takes_its_scorer(rows):
    X, y = rows
    found = search("neg_log_loss").fit(X, y)
    table = ablation(found, X, y, cv=FOLDS, operators=[]).set_index("variant")
    model = FusionClassifier(max_epochs=2, random_state=0, lr=0.02)
    scores = cross_val_score(model, X, y, cv=FOLDS, scoring="neg_log_loss")
    assert table.loc["concat", "mean"] == pytest.approx(scores.mean())


# A search as the last step


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = pd.DataFrame({"stars": y + 0.1 * rng.normal(size=60), "pages": rng.normal(size=60)})
    return X, y


def union():
    parts = [("facts", StandardScaler(), ["stars"]), ("size", StandardScaler(), ["pages"])]
    return BlockUnion(parts)


def test_a_search_at_the_end_of_a_pipeline_is_measured_by_its_scorer_and_blocks(frame):
    X, y = frame
    model = make_pipeline(union(), search("neg_log_loss")).fit(X, y)
    found = block_importance(model, X, y, method="shapley")
    by_hand = block_importance(
        model[-1].best_estimator_,
        model[0].transform(X),
        y,
        method="shapley",
        scoring="neg_log_loss",
    )
    assert found.names == ["facts", "size"]
    assert found.score == pytest.approx(-log_loss(y, model.predict_proba(X)))
    np.testing.assert_allclose(found.importances, by_hand.importances)


def test_an_ablation_of_a_fitted_search_keeps_the_steps_in_front(frame):
    X, y = frame
    model = make_pipeline(union(), FusionClassifier(max_epochs=2, random_state=0))
    grid = {"fusionclassifier__lr": [0.05]}
    found = GridSearchCV(model, grid, cv=2).fit(X, y)
    best = ablation(found.best_estimator_, X, y, cv=FOLDS, operators=[])
    assert best["variant"].tolist() == ["facts", "size", "concat"]
    pd.testing.assert_frame_equal(ablation(found, X, y, cv=FOLDS, operators=[]), best)


def test_an_ablation_looks_into_a_search_over_pipelines_at_the_end_of_a_pipeline(frame):
    X, y = frame
    inner = make_pipeline(FunctionTransformer(), FusionClassifier(max_epochs=1, random_state=0))
    last = GridSearchCV(inner, {"fusionclassifier__lr": [0.05]}, cv=2)
    model = make_pipeline(FunctionTransformer(), union(), last).fit(X, y)
    table = ablation(model, X, y, cv=FOLDS, operators=[])
    assert table["variant"].tolist() == ["facts", "size", "concat"]


def test_a_callable_scorer_receives_blocks_and_the_part_behind_them(frame):
    X, y = frame
    asked = []

    def spy(model, X, y):
        asked.append((type(model), X.names))
        return 0.0

    model = make_pipeline(union(), FusionClassifier(max_epochs=1, random_state=0)).fit(X, y)
    for measure in MEASURES:
        measure(model, X, y, scoring=spy)
    assert {kind for kind, _ in asked} == {FusionClassifier}
    assert {names for _, names in asked} == {("facts", "size"), ("facts",), ("size",)}


# Weights of rows


def test_rows_count_in_the_score_by_their_weight(fitted, held_out):
    X, y = held_out
    weight = np.linspace(0, 1, len(y)) ** 2
    expected = np.average(fitted.predict(X) == y, weights=weight)
    assert block_importance(fitted, X, y, sample_weight=weight).score == pytest.approx(expected)
    gone = X.assign({}, {"signal": np.ones(len(X), dtype=bool)})
    without = np.average(fitted.predict(gone) == y, weights=weight)
    dropped = block_importance(fitted, X, y, method="drop", sample_weight=weight)
    assert dropped.importances[0, 0] == pytest.approx(expected - without)
    curve = missing_curve(fitted, X, y, blocks=["signal"], shares=[0, 1], sample_weight=weight)
    np.testing.assert_allclose(curve["mean"], [expected, without])


def test_displays_hand_the_weights_on(fitted, held_out):
    X, y = held_out
    weight = np.linspace(0, 1, len(y)) ** 2
    expected = pytest.approx(np.average(fitted.predict(X) == y, weights=weight))
    settings = {"n_repeats": 1, "sample_weight": weight}
    importance = BlockImportanceDisplay.from_estimator(fitted, X, y, **settings).importance
    assert importance.score == expected
    curve = MissingCurveDisplay.from_estimator(fitted, X, y, shares=[0], **settings).curve
    assert curve["mean"][0] == expected


def test_weights_of_another_length_are_refused(fitted, held_out):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        block_importance(fitted, *held_out, sample_weight=np.ones(3))


# Workers


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("n_jobs", "beside"), [(None, False), (2, True)])
def test_jobs_are_shared_among_workers(fitted, held_out, measure, n_jobs, beside):
    workers = set()

    def spy(model, X, y):
        workers.add(threading.current_thread())
        return 0.0

    with parallel_config(backend="threading"):
        measure(fitted, *held_out, scoring=spy, n_jobs=n_jobs)
    assert (threading.main_thread() not in workers) == beside


# X is read as predict would read it


def test_a_block_that_x_lacks_altogether_is_an_error_unless_allowed(frame):
    X, y = frame
    rows = union().fit_transform(X)
    model = FusionClassifier(max_epochs=1, random_state=0).fit(rows, y)
    for measure in (block_importance, missing_curve):
        with pytest.raises(ValueError, match=r"gone are \['size'\]"):
            measure(model, rows.select(["facts"]), y)
    allowing = FusionClassifier(max_epochs=1, random_state=0, missing="allow").fit(rows, y)
    found = block_importance(allowing, rows.select(["facts"]), y, method="drop")
    assert found.names == ["facts", "size"]
    assert found.importances[1, 0] == 0


def test_selected_rows_are_cut_once():
    class Counted:
        shape, ndim, dtype = (8, 4, 4, 3), 4, np.dtype(np.float32)

        def __len__(self):
            return 8

        def __getitem__(self, rows):
            return np.zeros(self.shape, np.float32)[rows]

    X = Blocks({"photo": Counted(), "price": np.arange(8.0)})[[7, 6, 5, 4, 3, 2]]
    model = FusionClassifier(max_epochs=1, random_state=0).fit(X, [0, 1] * 3)
    assert block_importance(model, X, [0, 1] * 3, n_repeats=1).importances.shape == (2, 1)


def test_a_linear_model_behind_blocks_may_weigh_rows(frame):
    X, y = frame
    model = make_pipeline(union(), FunctionTransformer(Blocks.hstack), LogisticRegression())
    model.fit(X, y)
    weight = np.arange(60.0)
    expected = np.average(model.predict(X) == y, weights=weight)
    assert block_importance(model, X, y, sample_weight=weight).score == pytest.approx(expected)
