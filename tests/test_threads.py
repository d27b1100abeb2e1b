"""Processes of a search share cores and blocks instead of each taking all of them."""

import os
import subprocess
import sys

CODE = """
import joblib
import numpy as np
import torch
from sklearn.model_selection import cross_validate

from skfusion import Blocks, FusionClassifier


def is_mapped(array):
    while array is not None and not isinstance(array, np.memmap):
        array = getattr(array, "base", None)
    return array is not None


class Telling(FusionClassifier):
    def fit(self, X, y):
        self.is_mapped_ = is_mapped(X[:1]._blocks["signal"])
        return super().fit(X, y)

    def score(self, X, y):
        return {"threads": torch.get_num_threads(), "mapped": self.is_mapped_}


def told(model, X, y):
    return model.score(X, y)


if __name__ == "__main__":
    X, y = Blocks({"signal": np.zeros((10_000, 50))}), np.arange(10_000) % 2
    found = cross_validate(Telling(max_epochs=1), X, y, scoring=told, cv=2, n_jobs=2)
    print(int(found["test_threads"].sum()), joblib.cpu_count(), int(found["test_mapped"].sum()))
"""


def test_two_processes_share_the_cores_and_the_blocks(tmp_path):
    script = tmp_path / "search.py"
    script.write_text(CODE)
    unlimited = {key: value for key, value in os.environ.items() if not key.endswith("_THREADS")}
    unlimited["PYTHONPATH"] = os.pathsep.join([os.getcwd(), unlimited.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, env=unlimited
    )
    n_threads, n_cores, n_mapped = map(int, done.stdout.split())
    assert n_threads <= max(2, n_cores)
    assert n_mapped == 2
