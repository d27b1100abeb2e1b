"""scikit-learn's own checks of estimators."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks
from sklearn.utils.fixes import parse_version

from skfusion import BlockUnion, FusionClassifier, FusionGenerator, FusionRegressor
from skfusion.fusion import TokenConcat
from skfusion.heads import GRUDecoder
from skfusion.targets import Texts

ROOT = Path(__file__).parents[1]

# The checks that do not apply to a pipeline of union and classifier, and why.
IN_PLACE = {
    "check_dont_overwrite_parameters": "a Pipeline fits its last step in place",
    "check_estimators_overwrite_params": "a Pipeline fits its last step in place",
}
OF_THE_UNION = {
    "check_estimators_nan_inf": "the default union imputes NaN, which this check wants refused",
    "check_transformer_preserve_dtypes": "calls set_output, which no union of blocks has",
}
IN_FLOAT64 = {
    "check_methods_subset_invariance": "compares to 1e-7, the union makes float32",
}
BY_ITSELF = {
    "check_array_api_input": "needs SCIPY_ARRAY_API=1 before the first import, see below",
}


def pipeline(**union):
    return make_pipeline(
        BlockUnion(**union), FusionClassifier(lr=1e-2, max_epochs=30, random_state=0)
    )


def name_of(check):
    return check.func.__name__


def checks_of(model, names=None, but=()):
    """Return the checks of ``model``, each to be called with an estimator."""
    return [
        pytest.param(check, id=name_of(check))
        for _, check in estimator_checks_generator(model)
        if name_of(check) not in but and (names is None or name_of(check) in names)
    ]


@parametrize_with_checks([FusionClassifier(), FusionRegressor(), BlockUnion()])
def test_estimators(estimator, check):
    check(estimator)


class WritesNumbers(FusionGenerator):
    """Learns numbers as texts, and reads what it writes as numbers: the checks have no texts.

    A text that is no number counts as the sum of its characters' codes.
    """

    def fit(self, X, y=None, sample_weight=None):
        return super().fit(X, written(y), sample_weight)

    def partial_fit(self, X, y, sample_weight=None):
        return super().partial_fit(X, written(y), sample_weight)

    def predict(self, X):
        return np.array([sum(map(ord, text)) for text in super().predict(X)], dtype=float)

    def score(self, X, y=None):
        return -float(np.abs(self.predict(X) - y).mean())


def written(y):
    return None if y is None else [str(value) for value in np.asarray(y).ravel()]


def writer():
    small = {"fusion": TokenConcat(16), "head": GRUDecoder(16, dropout=0.0), "max_epochs": 3}
    return WritesNumbers(target=Texts("characters", min_count=1), random_state=0, **small)


@pytest.mark.parametrize("check", checks_of(writer(), but=BY_ITSELF))
def test_a_generator(check):
    check(writer())


@pytest.mark.parametrize(
    "check", checks_of(pipeline(), but={*IN_PLACE, *OF_THE_UNION, *IN_FLOAT64, *BY_ITSELF})
)
def test_a_pipeline_of_union_and_classifier(check):
    check(pipeline())


@pytest.mark.parametrize("check", checks_of(pipeline(), names=IN_FLOAT64))
def test_a_pipeline_in_float64(check):
    check(pipeline(dtype="float64"))


@pytest.mark.parametrize("check", checks_of(pipeline(), names=IN_PLACE))
def test_what_is_left_out_of_a_pipeline_fails_for_those_of_scikit_learn_too(check):
    with pytest.raises(AssertionError, match="steps"):
        check(make_pipeline(StandardScaler(), LogisticRegression()))


ARRAY_API = """
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator
from skfusion import FusionClassifier, FusionRegressor

for model in (FusionClassifier(max_epochs=2), FusionRegressor(max_epochs=2)):
    for estimator, check in estimator_checks_generator(model):
        if check.func.__name__ == "check_array_api_input":
            check(estimator)
            print("passed")
"""


def test_array_api_dispatch_does_not_change_estimators(monkeypatch):
    """scikit-learn skips this check unless a variable is set before scipy is imported."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")
    done = subprocess.run(
        [sys.executable, "-c", ARRAY_API], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    models = (FusionClassifier(), FusionRegressor())
    known = [check for model in models for check in checks_of(model, names=BY_ITSELF)]
    assert done.stdout.split() == ["passed"] * len(known)


@pytest.mark.parametrize("kind", [FusionClassifier, FusionRegressor, BlockUnion])
def test_tags_say_what_the_default_union_takes(kind):
    tags = get_tags(kind()).input_tags
    assert tags.string
    assert tags.allow_nan == (kind is BlockUnion)  # a plain matrix of an estimator must be finite
    # scikit-learn 1.6 fails at its own check of estimators that take categories.
    recent = parse_version(sklearn.__version__) >= parse_version("1.7")
    assert tags.categorical == (recent or kind is BlockUnion)


def test_tags_of_a_union_are_those_of_its_transformers():
    numbers = BlockUnion([("facts", StandardScaler(), ["cost"])])
    words = BlockUnion([("words", TfidfVectorizer(), "memo")])
    assert [get_tags(union).input_tags.string for union in (numbers, words)] == [False, True]
