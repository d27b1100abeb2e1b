"""torch's optimisers by their usual names."""

import numpy as np
import pytest
import torch

from skfusion import FusionRegressor
from skfusion._training._check import OPTIMIZERS

X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
Y = X @ [1.0, -2.0, 0.5]

RATES = {"adadelta": 10.0, "asgd": 0.1, "sgd": 0.03}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_of_them_learns(name):
    model = FusionRegressor(
        optimizer=name,
        lr=RATES.get(name, 0.01),
        max_epochs=40,
        early_stopping=False,
        random_state=0,
    )
    assert model.fit(X, Y).score(X, Y) > 0.8
    assert type(model.net_.optimizer_) is OPTIMIZERS[name]


def test_their_names_are_those_of_torch():
    assert {name: kind.__name__.lower() for name, kind in OPTIMIZERS.items()} == {
        name: name for name in OPTIMIZERS
    }


def test_settings_of_an_optimiser_go_through_net_params():
    model = FusionRegressor(
        optimizer="rmsprop",
        net_params={"optimizer__momentum": 0.5},
        max_epochs=1,
        random_state=0,
        members=1,
    )
    assert model.fit(X, Y).net_.optimizer_.param_groups[0]["momentum"] == 0.5


def test_a_class_of_torch_is_taken_too():
    model = FusionRegressor(optimizer=torch.optim.NAdam, max_epochs=1, random_state=0).fit(X, Y)
    by_name = FusionRegressor(optimizer="nadam", max_epochs=1, random_state=0).fit(X, Y)
    np.testing.assert_array_equal(model.predict(X), by_name.predict(X))
