"""The examples of a guide run, one after the other."""

import importlib
import re
from pathlib import Path

import pytest

from skfusion.fusion.tree import resolve_fusion

GUIDES = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def fusion(tmp_path_factory):
    """The guide's code as a module, since what is pickled must be importable."""
    folder = tmp_path_factory.mktemp("guides")
    code = re.findall(r"```python\n(.+?)```", (GUIDES / "fusion.md").read_text(), re.S)
    (folder / "guide_to_fusion.py").write_text("\n".join(code))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("guide_to_fusion")


@pytest.fixture(scope="module")
def targets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guides")
    code = re.findall(r"```python\n(.+?)```", (GUIDES / "targets.md").read_text(), re.S)
    (folder / "guide_to_targets.py").write_text("\n".join(code))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield importlib.import_module("guide_to_targets")


def test_ordered_grades_are_learned(targets):
    assert targets.model.score(targets.X, targets.grades) > 0.9


def test_the_search_finds_a_fusion_that_multiplies(fusion):
    assert fusion.search.best_params_["fusion"] == "low_rank"
    assert fusion.search.score(fusion.X[300:], fusion.y[300:]) > 0.75


def test_a_fusion_of_ones_own_goes_into_an_estimator(fusion):
    model = fusion.FusionClassifier(fusion=fusion.LouderCounts(16), max_epochs=1)
    assert model.fit(fusion.X, fusion.y).transform(fusion.X).shape == (400, 16)


def test_every_fusion_that_is_named_exists():
    rows = re.findall(r"^\| (`\".+?) \|", (GUIDES / "fusion.md").read_text(), re.M)
    named = [name for row in rows for name in re.findall(r'`"(\w+)"`', row)]
    assert len(named) == 16
    for name in named:
        resolve_fusion(name)
