"""BlockUnion(memory=): what was made of the same rows before is taken from there."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skfusion import FusionClassifier
from skfusion.inputs import BlockUnion

CALLS = []


class Counting(CountVectorizer):
    """Says when it works."""

    def fit_transform(self, raw_documents, y=None):
        CALLS.append("fit")
        return super().fit_transform(raw_documents, y)

    def transform(self, raw_documents):
        CALLS.append("transform")
        return super().transform(raw_documents)


@pytest.fixture
def frame():
    CALLS.clear()
    words = np.random.default_rng(0).choice(["red", "green", "blue", "grey"], (40, 3))
    return pd.DataFrame({"words": [" ".join(row) for row in words], "size": np.arange(40.0)})


@pytest.fixture
def union(tmp_path):
    parts = [("words", Counting(), "words"), ("size", StandardScaler(), ["size"])]
    return BlockUnion(parts, memory=str(tmp_path))


def test_the_same_rows_are_worked_on_once(union, frame):
    first = union.fit_transform(frame)
    again = clone(union).fit_transform(frame)
    assert CALLS == ["fit"]
    assert (first["words"] != again["words"]).nnz == 0
    np.testing.assert_array_equal(first["size"], again["size"])


def test_other_rows_or_parameters_are_worked_on(union, frame):
    union.fit(frame)
    clone(union).fit(frame[:30])
    clone(union).set_params(words__binary=True).fit(frame)
    assert CALLS == ["fit"] * 3


def test_transform_is_that_of_the_transformer_that_was_fitted(union, frame):
    frame.loc[0, "words"] = "violet"  # known to one of the two
    one = union.fit(frame[:20])
    other = clone(union).fit(frame[20:])
    CALLS.clear()
    for fitted in (one, other, one, other):
        plain = fitted.named_transformers_["words"]
        expected = CountVectorizer.transform(plain, frame["words"])
        assert (fitted.transform(frame)["words"] != expected).nnz == 0
    assert CALLS == ["transform"] * 2


def test_a_union_fitted_anew_learns_anew(union, frame):
    union.fit(frame[:20])
    again = union.fit(frame[20:])
    assert CALLS == ["fit"] * 2
    vocabulary = CountVectorizer().fit(frame["words"][20:]).vocabulary_
    assert again.named_transformers_["words"].vocabulary_ == vocabulary


def test_a_search_over_the_network_fits_and_transforms_once_per_fold(union, frame):
    network = FusionClassifier(max_epochs=1, random_state=0)
    grid = {"fusionclassifier__lr": [0.1, 0.01, 0.001]}
    search = GridSearchCV(make_pipeline(union, network), grid, cv=2, refit=False)
    search.fit(frame, frame["words"].str.contains("red"))
    assert sorted(CALLS) == ["fit"] * 2 + ["transform"] * 2
