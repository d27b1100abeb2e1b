"""The rows of a fold are read as all rows are, or a warning names the column."""

import warnings

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from skfusion.exceptions import ColumnKindWarning
from skfusion.inputs import BlockUnion
from skfusion.inputs._union.plan import plan_of
from skfusion.inputs._union.read import read_table


def plan(frame, **arguments):
    """Kinds by column, names of the blocks, and what was warned."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        union = BlockUnion(**arguments)
        found = plan_of(union, read_table(union, frame, reset=True), {})
        found.warn()
    said = [str(one.message) for one in caught if one.category is ColumnKindWarning]
    kinds = {key: kind.name for key, kind in found.kinds.items()}
    return kinds, {key: name for name, _, keys in found.steps for key in np.atleast_1d(keys)}, said


def flipped(whole, part):
    """Columns that are of another kind, or in another block, than in all rows."""
    kinds, blocks, _ = whole
    return {key for key in kinds if (kinds[key], blocks[key]) != (part[0][key], part[1][key])}


def random_strings(rng, n_rows):
    n_values = int(rng.integers(1, 2 * n_rows))
    n_words = rng.choice([1, 2, 3, 4, 8])
    values = [
        " ".join(f"w{word}" for word in rng.integers(0, 500, 1 + rng.poisson(n_words - 1)))
        for _ in range(n_values)
    ]
    shares = rng.dirichlet(np.full(n_values, rng.choice([0.1, 1, 100])))
    cells = pd.Series(rng.choice(np.array(values, dtype=object), n_rows, p=shares), dtype=object)
    return cells.where(rng.random(n_rows) > rng.choice([0, 0, 0.5, 0.97]), None)


def random_frame(rng):
    n_rows = int(rng.integers(10, 300))
    frame = pd.DataFrame({f"s{i}": random_strings(rng, n_rows) for i in range(3)})
    numbers = rng.normal(size=n_rows)
    return frame.assign(
        cost=numbers,
        seldom=np.where(rng.random(n_rows) < rng.choice([0.02, 0.5]), numbers, np.nan),
        paid=numbers > 0,
        numbers=[f"so it is {row} times" for row in range(n_rows)],
    )


def test_kinds_and_names_of_blocks_in_the_folds_of_200_random_frames():
    rng, n_warned, n_flipped = np.random.default_rng(0), 0, 0
    for _ in range(200):
        frame = random_frame(rng)
        whole = plan(frame)
        folds = KFold(4, shuffle=True, random_state=0).split(frame)
        found = set().union(*(flipped(whole, plan(frame.iloc[rows])) for rows, _ in folds))
        for key in found:
            assert any(f"column {key!r} " in text for text in whole[2]), key
        n_warned, n_flipped = n_warned + len(whole[2]), n_flipped + len(found)
    assert 50 < n_flipped < n_warned < 6 * n_flipped  # of what is warned of, much does flip


def test_a_column_of_few_values_may_be_empty_in_a_fold():
    frame = pd.DataFrame({"n": np.arange(40) / 7, "c": [None] * 36 + ["a", "b", "a", "b"]})
    (said,) = plan(frame)[2]
    assert "column 'c' has so few values that other rows" in said and "may have none" in said
    assert plan(frame.iloc[:36])[1]["c"] == "numbers"
    for word in ("drop", "category"):
        assert not plan(frame, columns={"c": word})[2]
    assert not plan(frame.assign(c=["a", None] * 20))[2]


def test_names_of_blocks_follow_from_the_columns():
    texts = [f"so it is {row} times" for row in range(30)]
    frame = pd.DataFrame({"a b": texts, "a-b": texts, "numbers": texts, "n": np.arange(30) / 7})
    expected = {"a b": "a_b", "a-b": "a_b_2", "numbers": "numbers_2", "n": "numbers"}
    assert plan(frame)[1] == expected
    other = plan(frame.assign(**{"a b": ["x", "y"] * 15, "n": ["x", "y"] * 15}))[1]
    assert other == {**expected, "a b": "categories", "n": "categories"}
