"""The union inside an estimator: seen, told, searched."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import RobustScaler

from skfusion import Blocks, BlockUnion, FusionClassifier, FusionRegressor
from skfusion.exceptions import BlockError, ParameterError

N = 24
Y = np.arange(N) % 2


def table(**columns):
    return pd.DataFrame(
        {
            "memo": [
                f"{'good' if one else 'bad'} number {row} is here" for row, one in enumerate(Y)
            ],
            "cost": np.linspace(0, 1, N),
            "stars": np.arange(N) % 5,
            **columns,
        }
    )


def model(**params):
    return FusionClassifier(**{"max_epochs": 1, "random_state": 0, **params})


def test_one_grid_reaches_union_columns_and_network():
    grid = {
        "union__text__ngram_range": [(1, 1), (1, 2)],
        "union__columns": [None, {"stars": "category"}],
        "fusion": ["concat", "sum"],
    }
    search = GridSearchCV(model(), grid, cv=2, error_score="raise").fit(table(), Y)
    assert len(search.cv_results_["params"]) == 8
    fitted = clone(model()).set_params(union__columns={"stars": "category"}).fit(table(), Y)
    assert fitted.union_.kinds_["stars"] == "category"


@pytest.mark.parametrize("kind", [FusionClassifier, FusionRegressor])
def test_a_union_of_ones_own(kind):
    union = BlockUnion([("facts", RobustScaler(), ["cost"])], remainder="auto")
    fitted = kind(union=union, max_epochs=1, random_state=0).fit(table(), Y)
    assert list(fitted.specs_) == ["facts", "numbers", "memo"]
    assert fitted.union_ is not union and not hasattr(union, "transformers_")
    assert len(fitted.predict(table()[:1])) == 1


def test_the_default_union_given_is_that_of_none():
    plain, given = model().fit(table(), Y), model(union=BlockUnion()).fit(table(), Y)
    np.testing.assert_array_equal(plain.predict_proba(table()), given.predict_proba(table()))


def test_columns_go_before_those_of_the_union():
    union = BlockUnion(columns={"stars": "category", "cost": "drop"})
    fitted = model(union=union, columns={"stars": "number"}).fit(table(), Y)
    assert fitted.union_.kinds_ == {"memo": "text", "cost": "drop", "stars": "number"}
    assert union.columns == {"stars": "category", "cost": "drop"}


def test_columns_of_a_frame_and_a_matrix_of_numbers():
    frame = table()[["cost", "stars"]]
    fitted = model(columns={"stars": "category"}).fit(frame, Y)
    assert list(fitted.specs_) == ["numbers", "categories"]
    assert fitted.feature_names_in_.tolist() == ["cost", "stars"]
    matrix = frame.to_numpy()
    fitted = model(columns={1: "category"}).fit(matrix, Y)
    assert fitted.n_features_in_ == 2 and len(fitted.predict(matrix[:3])) == 3


def test_blocks_are_taken_as_they_are():
    blocks = BlockUnion().fit_transform(table())
    fitted = model(union=BlockUnion(text=TfidfVectorizer(max_features=2))).fit(blocks, Y)
    assert fitted.union_ is None and isinstance(blocks, Blocks)


def test_encoders_are_checked_against_the_blocks_of_the_union():
    union = BlockUnion([("facts", RobustScaler(), ["cost"])], remainder="auto")
    with pytest.raises(BlockError, match=r"'numbrs'"):
        model(union=union, encoders={"numbrs": "mlp"}).fit(table(), Y)
    assert model(union=union, encoders={"facts": "mlp"}).fit(table(), Y).specs_["facts"].shape == (
        1,
    )


def test_missing_and_memory_reach_the_union(tmp_path):
    fitted = model(union=BlockUnion(), missing="allow", memory=str(tmp_path)).fit(table(), Y)
    assert len(fitted.predict(table()[["cost", "stars"]])) == N
    assert any(tmp_path.rglob("*.pkl"))


def test_what_was_chosen_is_seen():
    union = model(columns={"stars": "category"}).fit(table(), Y).union_
    chosen = union.chosen().set_index("column")
    assert chosen.loc["memo"].tolist() == [
        "text",
        "24 different values, 5 words on average",
        "TfidfVectorizer",
        "memo",
        "csr",
    ]
    assert chosen.loc["stars", ["kind", "why", "form"]].tolist() == [
        "category",
        "columns={'stars': 'category'}",
        "csr",
    ]
    assert all(word in str(union) for word in [*chosen["why"], *chosen["block"]])
    assert "24 different values" in union._repr_html_()
    assert str(BlockUnion()) == "BlockUnion()"


def test_every_column_is_in_the_table():
    frame = table(none=[None] * N, code=np.arange(N) % 3)
    union = BlockUnion([("facts", RobustScaler(), ["cost"])], remainder="auto")
    union.set_params(columns={"code": "drop"}).fit(frame)
    chosen = union.chosen().set_index("column")
    assert sorted(chosen.index) == sorted(frame)
    assert chosen.loc["cost", "why"] == "named in transformers"
    assert chosen.loc["code", ["kind", "block"]].tolist() == ["drop", ""]


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"union": BlockUnion}, "Got the class: write BlockUnion"),
        ({"union": "auto"}, "union must be None or a BlockUnion. Got 'auto'"),
        ({"columns": {"stars": "categry"}}, "Did you mean 'category'"),
        ({"columns": "drop"}, "columns must be None or a dict"),
    ],
)
def test_arguments_are_checked_before_a_row_is_read(params, match):
    with pytest.raises(ParameterError, match=match):
        model(**params).fit(object(), Y)


def test_a_warm_start_keeps_its_union():
    going = model(warm_start=True, columns={"stars": "category"}).fit(table(), Y)
    assert len(going.fit(table(), Y).history_) == 2
    with pytest.raises(ParameterError, match="union or columns were"):
        going.set_params(columns={"stars": "number"}).fit(table(), Y)


def test_names_that_reach_nothing_tell_of_the_union():
    with pytest.raises(ParameterError, match=r"union__text__ngram_range.*remainder='auto'"):
        model().set_params(memo__ngram_range=(1, 2))
