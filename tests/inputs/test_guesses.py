"""Guesses that may be wrong are warned of, with the word that changes them; others are not."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from skfusion import FusionClassifier
from skfusion.encoders import SparseLinear
from skfusion.exceptions import ColumnKindWarning
from skfusion.inputs import BlockUnion

N = 60
ROWS = np.arange(N)
RNG = np.random.default_rng(0)


def warned(**columns):
    memo = [f"thing number {row} is here" for row in range(N)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        BlockUnion().fit(pd.DataFrame({"memo": memo, **columns}))
    return [str(one.message) for one in caught if one.category is ColumnKindWarning]


DOUBTFUL = [
    ([f"{row * 1.37:.2f}" for row in ROWS], "depot", "number"),
    ([f"{row * 211:,}" for row in ROWS], "depot", "number"),
    (["12,5", "13,75"] * 30, "depot", "number"),
    ([f"{row} EUR" for row in ROWS], "depot", "number"),
    ([f"${row}.50" for row in ROWS], "depot", "number"),
    (["50 %", "20 %"] * 30, "depot", "number"),
    ([str(row * 7) for row in ROWS], "depot", "number"),
    ([str(day.date()) for day in pd.date_range("2020-01-01", periods=N)], "depot", "date"),
    (["2020-01-01", "2020-02-01", None] * 20, "depot", "date"),
    ([f"{row % 28 + 1:02d}.03.2024" for row in ROWS], "depot", "date"),
    (["3 April 2025", "Apr 5, 2025"] * 30, "depot", "date"),
    ([f"2024-03-01T{row % 24:02d}:30:00Z" for row in ROWS], "depot", "date"),
    (RNG.choice([10115, 20095, 50667, 80331], N), "depot", "category"),
    (RNG.integers(1, 9999, N), "zip_code", "category"),
    (RNG.integers(1, 9999, N), "PLZ", "category"),
    ([f"photos/{row}.JPG" for row in ROWS], "depot", "image"),
    ([f"C:\\clips\\{row}.wav" for row in ROWS], "depot", "audio"),
    ([f"A-{row:05d}" for row in ROWS], "depot", "drop"),
    (ROWS + 5000, "customer_id", "drop"),
    (ROWS[::-1] * 3, "userID", "drop"),
]


@pytest.mark.parametrize(("values", "name", "word"), DOUBTFUL)
def test_doubtful_columns(values, name, word):
    (message,) = warned(**{name: values})
    assert f"column {name!r} looks like" in message
    assert f"columns={{{name!r}: {word!r}}}" in message


PRICES = [f"{row * 1.37:.2f}" for row in ROWS]


def dirty(values, *odd):
    return [*odd, *values[len(odd) :]]


@pytest.mark.parametrize(
    ("values", "word", "odd"),
    [
        (
            dirty(PRICES, "?"),
            "number",
            r"row 0, '\?' \(make such cells None: .*to_numeric\(X\['p'\]",
        ),
        (dirty(PRICES, *["n/a", "unknown", "", "-", "?", "x"]), "number", "row 0, 'n/a'"),
        (
            dirty([f"{row} EUR" for row in ROWS], "free"),
            "number",
            "row 0, 'free' .*such cells None\\)",
        ),
        (dirty([f"2024-03-{row % 28 + 1:02d}" for row in ROWS], "soon"), "date", "row 0, 'soon'"),
        (["13/02/2024", "02/14/2024"] * 30, "date", ""),
        ([str(row) for row in ROWS] * 2, "number", ""),
    ],
)
def test_single_cells_that_are_something_else_silence_nothing(values, word, odd):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ColumnKindWarning)
        BlockUnion().fit(pd.DataFrame({"p": values, "n": np.arange(len(values)) / 3}))
    (message,) = [str(one.message) for one in caught if one.category is ColumnKindWarning]
    assert re.search(f"column 'p' looks like {word}s written as text .*{odd}", message)
    assert f"columns={{'p': {word!r}}}" in message


def test_a_column_without_a_value_is_named():
    for frame in (
        pd.DataFrame({"e": [None] * N, "cost": ROWS / 3}),
        pd.DataFrame({"e": np.full(N, np.nan), "cost": ROWS / 3}),
        pd.DataFrame({"e": [None] * N, "paid": ROWS > 5}),
    ):
        with pytest.warns(ColumnKindWarning, match="column .e. has no value in 60.*nothing"):
            BlockUnion().fit(frame)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ColumnKindWarning)
            BlockUnion(columns={"e": "drop"}).fit(frame)
    with pytest.warns(ColumnKindWarning, match="column 1 has no value"):
        BlockUnion().fit(np.column_stack([ROWS / 3, np.full(N, np.nan)]))


ORDINARY = {
    "age": RNG.integers(18, 90, N),
    "count": RNG.poisson(3, N),
    "year": RNG.integers(1950, 2025, N),
    "digits": RNG.integers(0, 10, N),
    "consecutive": ROWS,
    "salary": RNG.integers(20, 90, N) * 1000,
    "mileage": RNG.integers(10_000, 99_999, N),
    "pressure": RNG.integers(980, 1040, N),
    "days": RNG.choice([20240101, 20240102, 20240131], N),
    "negative": RNG.integers(-5, 5, N),
    "width": RNG.normal(size=N),
    "paid": RNG.random(N) > 0.5,
    "colour": ["red", "blue", "green"] * 20,
    "grade": ["1", "2", "3"] * 20,
    "mixed grade": ["1", "2", "3", "n/a"] * 15,
    "zip code": ["01067", "04103", "10115"] * 20,
    "street": [f"{row} High Street" for row in ROWS],
    "size": ["S", "M", "L"] * 20,
    "paper": ["A4", "A5", "B5"] * 20,
    "version": ["1.2.3", "1.2.4"] * 30,
    "word": ["alpha", "beta"] * 30,
    "month": ["May", "June"] * 30,
    "review": [f"so {row} times good" for row in ROWS],
    "category": pd.Categorical(["1.5", "2.5"] * 30),
    "videos": RNG.integers(1, 5, N),
    "when": pd.date_range("2024-01-01", periods=N),
}


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_columns(name):
    assert warned(**{name: ORDINARY[name]}) == []


@pytest.mark.parametrize(("values", "name", "word"), DOUBTFUL[:1] + DOUBTFUL[7:8] + DOUBTFUL[12:13])
def test_a_word_settles_it(values, name, word):
    frame = pd.DataFrame({name: values, "cost": ROWS / 3})
    with warnings.catch_warnings():
        warnings.simplefilter("error", ColumnKindWarning)
        assert BlockUnion(columns={name: word}).fit(frame).kinds_[name] == word
        BlockUnion().fit(frame[["cost"]])


def test_a_fit_warns_once_and_a_prediction_never():
    frame = pd.DataFrame({"price": ["1.5", "2.5"] * 30, "cost": ROWS / 3})
    model = FusionClassifier({"categories": SparseLinear()}, max_epochs=1, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(frame, ROWS % 2).predict(frame)
    assert [one.category for one in caught].count(ColumnKindWarning) == 1
