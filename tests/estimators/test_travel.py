"""A model that was saved where more libraries are installed than where it is opened."""

import os
import pickle
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from skorch.callbacks import Callback

from skfusion import BlockUnion, FusionClassifier, FusionRegressor

N = 60
Y = np.arange(N) % 2
LABELS = ["keep", "return"] * (N // 2)


@pytest.fixture(scope="module")
def frame():
    return pd.DataFrame(
        {
            "memo": [f"{'good' if y else 'bad'} thing number {row}" for row, y in enumerate(Y)],
            "cost": np.random.default_rng(0).normal(size=N),
            "depot": ["a", "b", "c"] * (N // 3),
            "kind": pd.Categorical(["x", "y"] * (N // 2)),
            "due": pd.date_range("2024-01-01", periods=N),
        }
    )


class Writes(Callback):
    """Records a text an epoch, and in the second epoch another one."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("mood", "fine")
        if len(net.history) == 2:
            net.history.record("late", "text")


def model(kind=FusionClassifier, **params):
    return kind(**{"members": 1, "max_epochs": 2, "random_state": 0, **params})


def union():
    return BlockUnion(
        [
            ("cost", StandardScaler(), ["cost"]),
            ("kinds", OneHotEncoder(handle_unknown="ignore"), ["depot", "kind"]),
            ("depot", OrdinalEncoder(), ["depot"]),
            ("memo", TfidfVectorizer(), "memo"),
        ]
    )


def arrow(data):
    return data.convert_dtypes(dtype_backend="pyarrow")


MODELS = {
    "numbers": lambda X: model().fit(X[["cost"]], Y),
    "labels in a list": lambda X: model().fit(X, LABELS),
    "labels in a series": lambda X: model().fit(X, pd.Series(LABELS)),
    "labels as strings": lambda X: model().fit(X, pd.Series(LABELS, dtype="string")),
    "labels as categories": lambda X: model().fit(X, pd.Series(LABELS, dtype="category")),
    "several labels": lambda X: model().fit(X, pd.DataFrame({"p": Y, "q": 1 - Y})),
    "values": lambda X: model(FusionRegressor).fit(X, X["cost"]),
    "held out": lambda X: model(early_stopping=True, block_loss_weight=0.1).fit(X, Y),
    "texts in the history": lambda X: model(callbacks=[Writes()]).fit(X, Y),
    "chunks": lambda X: model().partial_fit(X, Y),
    "a union": lambda X: make_pipeline(union(), model()).fit(X, LABELS),
}
if find_spec("pyarrow"):
    MODELS |= {
        "arrow columns": lambda X: model().fit(arrow(X), arrow(pd.Series(LABELS))),
        "a union of them": lambda X: make_pipeline(union(), model()).fit(arrow(X), Y),
    }


@pytest.mark.parametrize("kind", MODELS)
def test_no_saved_model_needs_pyarrow(frame, kind):
    assert b"pyarrow" not in pickle.dumps(MODELS[kind](frame))


def test_a_history_keeps_texts_and_columns_as_objects(frame):
    history = model(callbacks=[Writes()], early_stopping=True).fit(frame, Y).history_
    assert history.columns.dtype == history["mood"].dtype == history["late"].dtype == object
    assert history["mood"].tolist() == ["fine", "fine"]
    assert history["train_loss"].dtype == float
    assert history["epoch"].dtype == int
    assert history.index.tolist() == [0, 1]


def test_a_saved_model_predicts_where_pyarrow_is_not_installed(frame, tmp_path):
    fitted = model(early_stopping=True).fit(frame, pd.Series(LABELS))
    kept = {"model": fitted, "rows": frame.to_dict("list"), "due": frame["due"].to_numpy()}
    (tmp_path / "kept").write_bytes(pickle.dumps(kept))
    code = """
import pathlib, pickle, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "pyarrow":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import pandas
kept = pickle.loads(pathlib.Path(sys.argv[1]).read_bytes())
rows = pandas.DataFrame({**kept["rows"], "due": kept["due"]}).astype({"kind": "category"})
print(*kept["model"].predict(rows), len(kept["model"].history_))
"""
    shown = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "kept"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.split() == [*fitted.predict(frame), "2"]


def test_a_pickle_opens_on_the_device_that_is_named_now():
    X = np.random.default_rng(0).normal(size=(20, 3))
    model = FusionClassifier(max_epochs=1, random_state=0).fit(X, [0, 1] * 10)
    moved = pickle.loads(pickle.dumps(model.set_params(device="cpu:0")))
    assert moved.net_.device == "cpu:0"
    np.testing.assert_array_equal(moved.predict_proba(X), model.predict_proba(X))
