"""How single encoders are trained."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skfusion import Blocks, FusionClassifier
from skfusion.encoders import MLP, Policy
from skfusion.exceptions import ParameterError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 120, 4)).astype(np.float32)
    return Blocks({"left": left, "right": right}), (left[:, 0] + right[:, 0] > 0).astype(int)


def fit(data, max_epochs=3, **policy):
    encoders = {"left": Policy(MLP(8), **policy), "right": MLP(8)}
    return FusionClassifier(encoders, members=1, max_epochs=max_epochs, random_state=0).fit(*data)


def weights(model, i):
    return [parameter.detach().clone() for parameter in model.net_.module_.encoders[i].parameters()]


def equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_frozen_encoder_keeps_its_weights_and_the_other_learns(data):
    short, long = fit(data, 1, frozen=True), fit(data, 4, frozen=True)
    assert equal(weights(short, 0), weights(long, 0))
    assert not equal(weights(short, 1), weights(long, 1))


def test_a_frozen_encoder_predicts_with_its_own_outputs(data):
    X, _ = data
    model = fit(data, frozen=True)
    module = model.net_.module_
    by_hand = module.encoders[0](torch.from_numpy(X["left"])).detach().numpy()
    np.testing.assert_allclose(model.transform(X)[:, :8], by_hand, rtol=1e-6)


def test_weights_are_still_until_the_epoch_that_is_named(data):
    one, two, three = (fit(data, n, unfreeze_at=3) for n in (1, 2, 3))
    assert equal(weights(one, 0), weights(two, 0))
    assert not equal(weights(two, 0), weights(three, 0))


def test_lr_scale_is_a_factor_on_the_rate(data):
    still, plain, scaled = (
        fit(data, lr_scale=0.0, weight_decay=0.0),
        fit(data),
        fit(data, lr_scale=0.5),
    )
    start = weights(fit(data, 1, frozen=True), 0)
    assert equal(weights(still, 0), start)
    assert equal(
        weights(plain, 0),
        weights(
            FusionClassifier(
                {"left": MLP(8), "right": MLP(8)}, max_epochs=3, random_state=0, members=1
            ).fit(*data),
            0,
        ),
    )
    moved = [
        sum((a - b).abs().sum().item() for a, b in zip(weights(m, 0), start, strict=True))
        for m in (scaled, plain)
    ]
    assert 0 < moved[0] < moved[1]


def test_weight_decay_of_one_encoder_shrinks_its_weights_only(data):
    strong, none = fit(data, 20, weight_decay=20.0), fit(data, 20, weight_decay=0.0)
    norm = [torch.cat([p.ravel() for p in weights(m, 0)]).norm().item() for m in (strong, none)]
    assert norm[0] < 0.8 * norm[1]


@pytest.mark.parametrize("fusion", ["concat", "token_transformer"])
def test_an_encoder_trained_alone_first_starts_from_there(data, fusion):
    encoders = {"left": Policy(MLP(8), pretrain_epochs=30, lr_scale=0.0, weight_decay=0.0)}
    model = FusionClassifier(encoders, fusion=fusion, max_epochs=1, random_state=0, members=1).fit(
        *data
    )
    X, y = data
    encode = model.net_.module_.encoders[0]
    features = encode(torch.from_numpy(X["left"])).detach().numpy()
    start = fit(data, 1, frozen=True).transform(X)[:, :8]
    told = [abs(np.corrcoef(f.T, y)[-1, :-1]).mean() for f in (features, start)]
    assert told[0] > told[1] + 0.02


def test_both_parameters_of_policy_and_encoder_are_searched(data):
    model = FusionClassifier({"left": Policy(MLP(4))}, max_epochs=1, random_state=0)
    grid = {"left__lr_scale": [0.1, 1.0], "left__widths": [(4,), (8,)]}
    search = GridSearchCV(model, grid, cv=2, error_score="raise").fit(*data)
    assert len(search.cv_results_["params"]) == 4
    assert clone(model).set_params(left__widths=(3,), left__lr_scale=0.2).encoders[
        "left"
    ].encoder.widths == (3,)


def test_contradicting_policies_are_refused(data):
    with pytest.raises(ParameterError, match="block 'left': frozen=True .* contradicts"):
        fit(data, frozen=True, unfreeze_at=2)
    with pytest.raises(ParameterError, match="lr_scale must be a number >= 0"):
        fit(data, lr_scale=-1)


def test_moving_statistics_of_a_frozen_encoder_stay():
    from skfusion.encoders import CNN

    images = np.random.default_rng(0).integers(0, 255, (40, 8, 8, 1), dtype=np.uint8)
    model = FusionClassifier(
        {"X": Policy(CNN((4,), norm="batch", width=8), unfreeze_at=9)}, max_epochs=3
    )
    model.fit(images, np.arange(40) % 2)
    (norm,) = (m for m in model.net_.module_.modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert torch.equal(norm.running_mean, torch.zeros(4))
