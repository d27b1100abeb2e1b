"""A warning points at the line of the user, whatever stands between."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from skfusion import Blocks, BlockUnion, FusionClassifier
from skfusion.encoders import CNN

N = 24
Y = np.arange(N) % 2
CODED = pd.DataFrame({"zip": np.arange(N) % 5 + 10115, "kind": [*"ab"] * (N // 2)})
CHANNELS_FIRST = Blocks({"photo": np.zeros((N, 3, 32, 32), np.float32)})

CALLS = {
    "a union": lambda: BlockUnion().fit(CODED),
    "an estimator": lambda: model().fit(CODED, Y),
    "a pipeline": lambda: make_pipeline(BlockUnion(), model()).fit(CODED, Y),
    "cross-validation": lambda: cross_val_score(model(), CODED, Y, cv=2),
    "a shape": lambda: model({"photo": CNN(4)}).fit(CHANNELS_FIRST, Y),
    "several labels": lambda: model().fit(np.eye(N), np.eye(2)[Y]),
    "names": lambda: model().fit(np.eye(N), Y).predict(pd.DataFrame(np.eye(N)).add_prefix("x")),
}


def model(encoders=None):
    return FusionClassifier(encoders, max_epochs=1, random_state=0)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_it_points_here(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert caught
    assert {warning.filename for warning in caught} == {__file__}
