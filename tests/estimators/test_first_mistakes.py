"""Mistakes of a first day: each is told in a sentence that says what to write instead."""

import numpy as np
import pandas as pd
import pytest

from skfusion import Blocks, BlockUnion, FusionClassifier, FusionRegressor
from skfusion.encoders import MLP
from skfusion.exceptions import ChanceLevelWarning, ParameterError, TargetError

N = 24
Y = np.arange(N) % 2
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame({"a": RNG.normal(size=N), "b": RNG.normal(size=N), "late": Y})
X = TABLE[["a", "b"]]


def model(kind=FusionClassifier, **params):
    return kind(**{"max_epochs": 1, "random_state": 0, **params})


@pytest.fixture(scope="module")
def fitted():
    return model().fit(X, Y)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.fit(TABLE, "late"), TargetError, r"text 'late'.*X.drop\(columns='late'\)"),
        (lambda m: m.predict(X.iloc[0]), ValueError, r"single row.*X.iloc\[\[0\]\]"),
        (
            lambda m: m.score(X, Y.astype(str)),
            TargetError,
            "'0' in row 0, .* such as 0, of another",
        ),
        (lambda m: m.fit(X.mask(X > 1), Y), ValueError, r"(?s)NaN.*row \d+.*union=BlockUnion\(\)"),
        (
            lambda m: model(encoders={"X": None}).fit(X, Y),
            ParameterError,
            "that of 'X': .*Got None. Leave 'X' out",
        ),
        (
            lambda m: m.fit(X, Y, validation_data=(X, Y + 1)),
            TargetError,
            "validation_data: y, row 1: label 2 .* of the fit. Leave the row out",
        ),
        (lambda m: model().partial_fit(X, 0 * Y), TargetError, "one class only.*in classes="),
        (
            lambda m: model(FusionRegressor, scoring="accuracy", early_stopping=True).fit(
                X, TABLE["a"]
            ),
            ValueError,
            "scoring=.*accuracy.*Use a score for such a y",
        ),
        (lambda m: Blocks({"a": np.eye(3)})[99], IndexError, "Got 99"),
    ],
)
def test_what_to_write_instead(fitted, call, error, message):
    with pytest.raises(error, match=message):
        call(fitted)


def test_labels_of_another_type_in_a_search_are_no_score_of_zero(fitted):
    texts = model().fit(X, np.where(Y, "1", "0"))
    with pytest.raises(TargetError, match="0 in row 0, .* such as '[01]', of another type"):
        texts.score(X, Y)
    assert fitted.score(X, Y.astype(float)) == fitted.score(X, Y == 1) == fitted.score(X, Y)


@pytest.mark.parametrize(
    "rows",
    [
        X * [1e4, 1],
        (X * [1e4, 1]).to_numpy(),
        {"facts": X.to_numpy() + 2000, "more": X.to_numpy()},
        Blocks({"facts": X.to_numpy() * 1e4}, {"facts": Y == 0}),
    ],
    ids=["frame", "array", "dict", "blocks"],
)
@pytest.mark.filterwarnings(f"ignore::{ChanceLevelWarning.__module__}.ChanceLevelWarning")
def test_numbers_far_from_one_are_warned_of(rows):
    """Of encoders that take them as they are; the usual one of few columns standardises them."""
    name = "facts" if isinstance(rows, dict | Blocks) else "X"
    allowing = {"missing": "allow"} if isinstance(rows, Blocks) else {}
    allowing["encoders"] = {name: MLP(8)}
    with pytest.warns(UserWarning, match=r"block '\w+': column \d has numbers.*BlockUnion\(\)"):
        model(**allowing).fit(rows, Y)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("rows", "params"),
    [
        (X, {}),
        (X * 50, {}),
        (X * 1e4, {"union": BlockUnion()}),
        (Blocks({"pixels": np.full((N, 9), 255, np.uint8)}), {}),
        (Blocks({"a": X.to_numpy() * 1e4, "b": X.to_numpy()}, {"a": Y >= 0}), {}),
    ],
    ids=["standard", "fifty", "scaled by a union", "bytes", "nowhere"],
)
def test_others_are_not(rows, params):
    model(**params).fit(rows, Y)
