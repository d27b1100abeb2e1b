import numpy as np
import pytest

from skfusion import FusionClassifier
from skfusion.blocks import Blocks
from skfusion.encoders import MLP


def two_blocks(n, seed=0):
    """Rows whose label is told by the block "signal", and by nothing in the block "noise"."""
    rng = np.random.default_rng(seed)
    X = Blocks({"signal": rng.normal(size=(n, 2)), "noise": rng.normal(size=(n, 3))})
    return X, np.where(X["signal"].sum(axis=1) > 0.4, "yes", "no")


def small_classifier(**params):
    defaults = {"max_epochs": 15, "lr": 0.02, "batch_size": 32, "random_state": 0}
    return FusionClassifier({"signal": MLP((8,)), "noise": MLP((8,))}, **{**defaults, **params})


@pytest.fixture(scope="session")
def rows():
    return two_blocks(160)


@pytest.fixture(scope="session")
def held_out():
    return two_blocks(120, seed=1)


@pytest.fixture(scope="session")
def fitted(rows):
    return small_classifier(block_dropout=0.2).fit(*rows)
