"""The examples of a guide run, one after the other."""

import importlib
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, recall_score

from skfusion.fusion.tree import resolve_fusion

GUIDES = Path(__file__).parents[1] / "docs"


def module_of(guide, tmp_path_factory):
    """Yield a guide's code as a module, since what is pickled must be importable."""
    folder = tmp_path_factory.mktemp("guides")
    code = re.findall(r"```python\n(.+?)```", (GUIDES / f"{guide}.md").read_text(), re.S)
    (folder / f"guide_to_{guide}.py").write_text("\n".join(code))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module(f"guide_to_{guide}")


@pytest.fixture(scope="module")
def fusion(tmp_path_factory):
    yield from module_of("fusion", tmp_path_factory)


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    yield from module_of("targets", tmp_path_factory)


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    yield from module_of("texts", tmp_path_factory)


@pytest.fixture(scope="module")
def forecasting(tmp_path_factory):
    yield from module_of("forecasting", tmp_path_factory)


@pytest.fixture(scope="module")
def columns(tmp_path_factory):
    yield from module_of("columns", tmp_path_factory)


@pytest.mark.filterwarnings("error::skfusion.exceptions.ColumnKindWarning")
def test_columns_become_the_blocks_that_the_guide_shows(columns):
    shown = re.search(r"```text\n(.+?)```", (GUIDES / "columns.md").read_text(), re.S).group(1)
    chosen = columns.model.union_.chosen()
    rows = [line.split() for line in shown.splitlines()[1:]]
    assert [(row[0], row[1], row[-2], row[-1]) for row in rows] == [
        *chosen[["column", "kind", "block", "form"]].itertuples(index=False, name=None)
    ]
    assert columns.model.score(columns.orders, columns.broken) > 0.9
    search = columns.search.fit(columns.orders, columns.broken)
    assert len(search.cv_results_["params"]) == 8


def test_a_threshold_chosen_on_held_out_rows_finds_the_rare_class(targets):
    rng = np.random.default_rng(1)
    readings = rng.normal(size=(2000, 3))
    faulty = readings[:, 0] + rng.normal(size=2000) > 2
    found = targets.alarm.predict(readings)
    at_half = targets.watcher.predict(readings)
    assert recall_score(faulty, found) > 0.7 > 0.4 > recall_score(faulty, at_half)
    assert balanced_accuracy_score(faulty, found) > 0.75


def test_texts_say_what_the_row_says(texts):
    asked, written = texts.places[250:], texts.writer.predict(texts.places[250:])
    for column in asked:
        told = [value in text for value, text in zip(asked[column], written, strict=True)]
        assert np.mean(told) > 0.95
    assert texts.drawn is texts.writer and texts.texts.shape == (2, 3)
    spanish = texts.speaks.predict(texts.places.assign(language="es"))
    assert [*spanish] == texts.spanish


def test_a_forecast_beats_the_simple_ones(forecasting):
    errors = forecasting.errors["all"]
    assert errors["model"] < errors["persistence"] and errors["model"] < errors["seasonal"]
    assert forecasting.maps.score({"now": forecasting.seen[..., None]}, forecasting.later) > 0.5


def test_ordered_grades_are_learned(targets):
    assert targets.model.score(targets.X, targets.grades) > 0.9


def test_the_search_finds_a_fusion_that_multiplies(fusion):
    assert fusion.search.best_params_["fusion"] == "low_rank"
    assert fusion.search.score(fusion.X[300:], fusion.y[300:]) > 0.75


def test_a_fusion_of_ones_own_goes_into_an_estimator(fusion):
    model = fusion.FusionClassifier(fusion=fusion.LouderCounts(16), members=1, max_epochs=1)
    assert model.fit(fusion.X, fusion.y).transform(fusion.X).shape == (400, 16)


def test_every_fusion_that_is_named_exists():
    rows = re.findall(r"^\| (`\".+?) \|", (GUIDES / "fusion.md").read_text(), re.M)
    named = [name for row in rows for name in re.findall(r'`"(\w+)"`', row)]
    assert len(named) == 17
    for name in named:
        resolve_fusion(name)
