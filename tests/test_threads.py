"""Threads: processes of a search share the cores instead of each taking all of them."""

import os
import subprocess
import sys

CODE = """
import joblib
import numpy as np
import torch
from sklearn.model_selection import cross_validate

from skfusion import FusionClassifier


class Telling(FusionClassifier):
    def score(self, X, y):
        return torch.get_num_threads()


if __name__ == "__main__":
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.arange(40) % 2
    found = cross_validate(Telling(max_epochs=1), X, y, cv=2, n_jobs=2)["test_score"]
    print(int(found.sum()), joblib.cpu_count())
"""


def test_two_processes_have_no_more_threads_than_there_are_cores(tmp_path):
    script = tmp_path / "search.py"
    script.write_text(CODE)
    unlimited = {key: value for key, value in os.environ.items() if not key.endswith("_THREADS")}
    unlimited["PYTHONPATH"] = os.pathsep.join([os.getcwd(), unlimited.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True, env=unlimited
    )
    n_threads, n_cores = map(int, done.stdout.split())
    assert n_threads <= max(2, n_cores)
