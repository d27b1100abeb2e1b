"""The kind of a column does not depend on which rows of it are there, or a warning says so."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import cross_validate

from skfusion import BlockUnion, FusionClassifier
from skfusion.exceptions import ChanceLevelWarning, ColumnKindWarning
from skfusion.inputs._union.text_or_category import tendency_of


def words(rng, n_values, n_words):
    """Return different texts of so many words."""
    return [
        " ".join([f"v{value}", *(f"w{word}" for word in rng.integers(99, size=n_words - 1))])
        for value in range(n_values)
    ]


def texts(rng, n_rows):
    """Return a column of texts of any kind: few or many, even or not, long or short."""
    n_values = int(np.exp(rng.uniform(np.log(2), np.log(2000))))
    weights = [
        np.ones(n_values),
        1 / np.arange(1, n_values + 1),
        1 / np.arange(1, n_values + 1) ** 2,
        np.r_[rng.uniform(0.3, 0.95) * n_values, np.ones(n_values - 1)],  # most say the same
    ][rng.integers(4)]
    return rng.choice(
        words(rng, n_values, int(rng.integers(1, 7))), n_rows, p=weights / weights.sum()
    )


def frame_of(seed):
    rng = np.random.default_rng(seed)
    n = int(np.exp(rng.uniform(np.log(10), np.log(300))))
    return pd.DataFrame(
        {
            "text": texts(rng, n),
            "other": pd.Series(texts(rng, n)).where(rng.random(n) < 0.8, None),
            "count": rng.integers(0, 50, n),
            "size": pd.Series(rng.normal(size=n)).where(rng.random(n) < 0.9),
            "day": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 99, n), "D"),
            "flag": rng.random(n) < 0.2,
        }
    )


def kinds(frame):
    """Return the kind of each column, and the columns that are warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ColumnKindWarning)
        union = BlockUnion().fit(frame)
    told = [str(one.message) for one in caught if one.category is ColumnKindWarning]
    return union.kinds_, {name for name in frame if any(f"{name!r}" in one for one in told)}


@pytest.mark.hypothesis
@given(st.integers(0, 2**32 - 1))
def test_seventy_percent_of_the_rows_have_the_kind_of_all_or_it_is_in_doubt(seed):
    rng = np.random.default_rng(seed)
    column = pd.Series(texts(rng, int(np.exp(rng.uniform(np.log(10), np.log(600))))))
    part = column.sample(frac=0.7, random_state=rng)
    one, other = tendency_of(column), tendency_of(part)
    assert (one.to_text > 0) == (other.to_text > 0) or not (one.is_sure and other.is_sure)


def test_doubt_is_rare_and_ends_once_the_kind_is_said():
    in_doubt = 0
    for seed in range(40):
        frame = frame_of(seed)
        whole, warned = kinds(frame)
        in_doubt += len(warned & {"text", "other"})
        with warnings.catch_warnings():
            warnings.simplefilter("error", ColumnKindWarning)
            said = {name: whole[name] for name in warned}
            assert BlockUnion(columns=said).fit(frame).kinds_ == whole
    assert 0 < in_doubt < 36  # of 80, most of them made to be hard to tell


N = 200
RNG = np.random.default_rng(0)
CLEAR = {
    "category": [
        RNG.choice(["post", "van"], N),
        RNG.choice(["post", "van", "bike"], 12),
        RNG.choice([f"city {i}" for i in range(30)], N),
        RNG.choice(["New York City", "Rio de Janeiro now", "Stoke on Trent"], N),
        np.repeat(words(RNG, 10, 5), 5),
        np.tile(words(RNG, 300, 1), 20),
    ],
    "text": [
        words(RNG, N, 6),
        words(RNG, 12, 5),
        words(RNG, N, 1),
        np.where(RNG.random(N) < 0.6, "no comment", words(RNG, N, 8)),
        RNG.choice(words(RNG, 1000, 6), N),
    ],
}


@pytest.mark.parametrize(
    ("kind", "column"), [(kind, column) for kind, some in CLEAR.items() for column in some]
)
@pytest.mark.filterwarnings("error::skfusion.exceptions.ColumnKindWarning")
def test_what_is_clear_is_not_in_doubt(kind, column):
    frame = pd.DataFrame({"column": column})
    for rows in (frame, frame.sample(frac=0.7, random_state=0)):
        tendency = tendency_of(rows["column"])
        assert tendency.is_sure
        assert (tendency.to_text > 0) == (kind == "text")


@pytest.mark.filterwarnings(f"ignore::{ChanceLevelWarning.__module__}.ChanceLevelWarning")
@pytest.mark.parametrize("seed", range(2))
def test_encoders_for_any_column_are_cross_validated(seed):
    frame = frame_of(1000 + seed)
    y = np.arange(len(frame)) % 2
    for name, encoder in (("text", "rnn"), ("size", "mlp"), ("day", "mlp"), ("count", "tokens")):
        model = FusionClassifier({name: encoder}, max_epochs=1, random_state=0)
        found = cross_validate(model, frame, y, cv=2, return_estimator=True, error_score="raise")
        assert {fitted.specs_[name].form for fitted in found["estimator"]} <= {"tokens", "vector"}
