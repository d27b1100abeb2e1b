from importlib.util import find_spec

import numpy as np
import pytest
from scipy import sparse

from skfusion import Blocks, FusionClassifier, Ragged
from skfusion.encoders import CNN, MLP, RNN, SparseLinear

N_ROWS = 40
# scikit-learn has callbacks of its own from version 1.9 on.
collect_ignore = [] if find_spec("sklearn.callback") else ["test_sklearn_callbacks.py"]


@pytest.fixture(scope="session")
def y():
    return np.tile([0, 1], N_ROWS // 2)


@pytest.fixture(scope="session")
def X(y):
    """Blocks of four forms, each with some signal of ``y``."""
    rng = np.random.default_rng(0)
    signal = y[:, None] + rng.normal(size=(N_ROWS, 3), scale=0.5)
    return Blocks(
        {
            "text": sparse.csr_array(np.where(signal > 0.5, signal, 0)),
            "facts": signal.astype(np.float32),
            "photo": (60 * signal.clip(0, 3)).astype(np.uint8)[:, :, None, None].repeat(4, axis=2),
            "words": Ragged.from_rows([[1 + label] * (2 + label) for label in y], n_tokens=5),
        }
    )


@pytest.fixture(scope="session")
def table(y):
    """Numbers of which the first column holds the signal."""
    rng = np.random.default_rng(1)
    return np.column_stack([y * 2.0 - 1, rng.normal(size=(N_ROWS, 2))])


@pytest.fixture(scope="session")
def make():
    """Return a function that makes a small estimator for the blocks of ``X``."""

    def make(kind=FusionClassifier, **params):
        encoders = {
            "text": SparseLinear(width=4),
            "facts": MLP(widths=(4,)),
            "photo": CNN(channels=(2,), width=4),
            "words": RNN(width=4, embedding_width=3),
        }
        return kind(
            **({"encoders": encoders, "max_epochs": 3, "random_state": 0, "device": "cpu"} | params)
        )

    return make
