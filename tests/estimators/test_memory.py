"""FusionClassifier(memory=): frozen encoders run once on the same rows, whatever comes behind."""

from pickle import PicklingError

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from skfusion import Blocks, FusionClassifier
from skfusion.encoders import MLP, Pretrained

ROWS_SEEN = []


class Counting(nn.Module):
    """Knows how many rows it has seen, all copies of it together."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x):
        ROWS_SEEN.append(len(x))
        return torch.tanh(self.linear(x))


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    X = Blocks({"photo": rng.normal(size=(60, 3)), "facts": rng.normal(size=(60, 2))})
    return X, np.arange(60) % 2


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    encoders = {"photo": Pretrained(Counting()), "facts": MLP(4)}
    return FusionClassifier(encoders, max_epochs=2, memory=str(tmp_path), random_state=0)


def rows_seen(work):
    ROWS_SEEN.clear()
    work()
    return sum(n for n in ROWS_SEEN if n > 2)  # without the two rows that measure the width


def test_a_frozen_encoder_sees_the_rows_of_a_fit_once(model, rows):
    assert rows_seen(lambda: clone(model).fit(*rows)) == 60
    assert rows_seen(lambda: clone(model).set_params(lr=0.1, facts__widths=8).fit(*rows)) == 0
    assert rows_seen(lambda: clone(model).fit(rows[0][:30], rows[1][:30])) == 30


def test_it_gives_the_weights_that_a_fit_without_gives(model, rows):
    plain = clone(model).set_params(memory=None).fit(*rows)
    kept = [clone(model).fit(*rows) for _ in range(2)]
    for one in kept:
        np.testing.assert_array_equal(one.predict_proba(rows[0]), plain.predict_proba(rows[0]))


def test_other_weights_are_another_encoder(model, rows):
    model.fit(*rows)
    with torch.no_grad():
        model.encoders["photo"].module.linear.weight.add_(1)
    assert rows_seen(lambda: clone(model).fit(*rows)) == 60


def test_a_search_runs_it_once_per_fold(model, rows):
    search = GridSearchCV(model, {"lr": [0.1, 0.01, 0.001]}, cv=2, refit=False)
    fitting = 60  # both folds; each candidate predicts the test rows of both, 60 again
    assert rows_seen(lambda: search.fit(*rows)) == fitting + 3 * 60


def test_what_cannot_be_pickled_is_named(model, rows):
    model.encoders["photo"].module.register_forward_hook(lambda *args: None)
    with pytest.raises((PicklingError, AttributeError), match="block .photo. cannot be pickled"):
        model.fit(*rows)
