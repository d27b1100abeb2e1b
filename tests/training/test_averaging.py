"""Averages of the weights, against the formulas."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score
from skorch.callbacks import Callback

from skfusion import Blocks, FusionClassifier
from skfusion.encoders import CNN, MLP, Encoder, Policy
from skfusion.exceptions import ParameterError
from skfusion.training import EMA, SWA, Averaging

N_ROWS = 64


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, N_ROWS, 3)).astype(np.float32)
    return Blocks({"left": left, "right": right}), (left[:, 0] + right[:, 0] > 0).astype(int)


class Weights(Callback):
    """Keeps the weights after each step and at the end of each epoch."""

    def on_train_begin(self, net, **kwargs):
        self.steps_, self.epochs_ = [], []

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.steps_.append(weights(net))

    def on_epoch_end(self, net, **kwargs):
        self.epochs_.append(weights(net))


def weights(net):
    return {key: value.numpy().copy() for key, value in net.module_.state_dict().items()}


def model(**params):
    encoders = {"left": MLP(4), "right": MLP(4, dropout=0.3)}
    settings = {"members": 1, "max_epochs": 5, "batch_size": 16, "lr": 0.05, "random_state": 0}
    return FusionClassifier(**({"encoders": encoders} | settings | params))


def seen(fitted):
    return dict(fitted.net_.callbacks_)["Weights"]


def ema(steps, decay):
    average = dict(steps[0])
    for t, step in enumerate(steps[1:], start=1):
        kept = min(decay, (1 + t) / (10 + t))
        average = {key: kept * average[key] + (1 - kept) * step[key] for key in average}
    return average


def assert_close(one, other, **how):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_allclose(one[key], other[key], err_msg=key, **how)


@pytest.mark.parametrize("decay", [0.999, 0.5])
def test_ema_is_the_moving_average_of_the_steps_of_a_plain_fit(data, decay):
    steps = seen(model(callbacks=[Weights()]).fit(*data)).steps_
    averaged = model(averaging=EMA(decay)).fit(*data)
    assert len(steps) == 20
    assert_close(weights(averaged.net_), ema(steps, decay), rtol=1e-5, atol=1e-6)


def test_ema_of_decay_zero_is_the_last_step(data):
    plain, averaged = model().fit(*data), model(averaging=EMA(0.0)).fit(*data)
    np.testing.assert_array_equal(plain.predict_proba(data[0]), averaged.predict_proba(data[0]))


def test_swa_is_the_mean_of_the_last_epochs_of_a_plain_fit(data):
    epochs = seen(model(callbacks=[Weights()]).fit(*data)).epochs_
    averaged = model(averaging=SWA(start=0.4)).fit(*data)
    mean = {key: np.mean([epoch[key] for epoch in epochs[2:]], axis=0) for key in epochs[0]}
    assert_close(weights(averaged.net_), mean, rtol=1e-5, atol=1e-6)


def test_swa_that_has_not_begun_leaves_the_weights(data):
    plain, averaged = model(max_epochs=2), model(max_epochs=2, averaging=SWA(start=0.9))
    results = [fitted.fit(*data).predict_proba(data[0]) for fitted in (plain, averaged)]
    assert (results[0] == results[1]).all()
    stopped = model(averaging=SWA(0.99), max_epochs=500, early_stopping=True, n_iter_no_change=1)
    plain = clone(stopped).set_params(averaging=None)
    results = [fitted.fit(*data).predict_proba(data[0]) for fitted in (stopped, plain)]
    assert (results[0] == results[1]).all()


@pytest.mark.parametrize("averaging", ["ema", SWA(start=0.0)])
def test_callbacks_and_held_out_rows_see_the_average(averaging):
    """Rows of a class are alike, so that any share of them has the loss of them all."""
    y = np.tile([0, 1], 30)
    X = np.eye(2)[y]
    settings = {"early_stopping": True, "lr": 0.003, "callbacks": [Weights()]}
    fitted = model(encoders=None, averaging=averaging, **settings).fit(X, y)
    assert_close(weights(fitted.net_), seen(fitted).epochs_[-1], rtol=0)
    loss = log_loss(y, fitted.predict_proba(X))
    assert fitted.history_["valid_loss"].iloc[-1] == pytest.approx(loss, rel=1e-5)
    plain = model(encoders=None, **settings).fit(X, y)
    assert plain.history_["valid_loss"].iloc[-1] != pytest.approx(loss, rel=1e-3)
    assert plain.history_["train_loss"].tolist() == fitted.history_["train_loss"].tolist()


@pytest.mark.parametrize("averaging", ["ema", SWA(start=0.0)])
def test_early_stopping_restores_the_best_average(data, averaging):
    X, y = data
    noisy = np.where(np.random.default_rng(1).random(len(y)) < 0.1, 1 - y, y)
    settings = {"early_stopping": True, "n_iter_no_change": 3, "max_epochs": 60}
    fitted = model(averaging=averaging, callbacks=[Weights()], **settings).fit(X, noisy)
    losses = fitted.history_["valid_loss"].to_numpy()
    best = int(losses.argmin())
    assert len(losses) == best + 4 < 60
    assert_close(weights(fitted.net_), seen(fitted).epochs_[best], rtol=0)


# Moving statistics

IMAGES = np.random.default_rng(0).integers(0, 255, (40, 6, 6, 1), dtype=np.uint8)
LABELS = np.arange(40) % 2


def of_images(policy=None, **params):
    encoder = CNN((4,), norm="batch", width=8)
    encoder = Policy(encoder, **policy) if policy else encoder
    settings = {"max_epochs": 4, "batch_size": 40, "lr": 0.05, "random_state": 0}
    return FusionClassifier({"X": encoder}, **(settings | params)).fit(IMAGES, LABELS)


def norm_of(fitted):
    (norm,) = (m for m in fitted.net_.module_.modules() if isinstance(m, torch.nn.BatchNorm2d))
    return norm


def input_of(layer, fitted):
    """What the layer gets for all rows."""
    got = []
    handle = layer.register_forward_hook(lambda layer, inputs, output: got.append(inputs[0]))
    fitted.predict(IMAGES)
    handle.remove()
    return torch.cat(got)


def test_swa_computes_moving_statistics_anew():
    fitted = of_images(averaging=SWA(start=0.0))
    norm = norm_of(fitted)
    values = input_of(norm, fitted)
    torch.testing.assert_close(norm.running_mean, values.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(norm.running_var, values.var((0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert norm.momentum == norm_of(of_images()).momentum


def test_ema_averages_moving_statistics_and_copies_counters():
    steps = seen(of_images(callbacks=[Weights()])).steps_
    fitted = of_images(averaging="ema")
    found, expected = weights(fitted.net_), ema(steps, 0.999)
    counters = [key for key in found if key.endswith("num_batches_tracked")]
    assert [found.pop(key).item() for key in counters] == [4]
    assert_close(found, {key: expected[key] for key in found}, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("averaging", ["ema", SWA(start=0.0)])
@pytest.mark.parametrize("policy", [{"frozen": True}, {"unfreeze_at": 9}])
def test_moving_statistics_of_frozen_encoders_stay(averaging, policy):
    fitted = of_images(policy, averaging=averaging)
    assert torch.equal(norm_of(fitted).running_mean, torch.zeros(4))
    assert torch.equal(norm_of(fitted).running_var, torch.ones(4))


def test_indices_that_a_module_keeps_are_not_averaged():
    class Shuffled(torch.nn.Module):
        def __init__(self, width):
            super().__init__()
            self.linear = torch.nn.Linear(width, width)
            self.register_buffer("order", torch.arange(width).flip(0))

        def forward(self, x):
            return self.linear(x)[:, self.order]

    class Shuffling(Encoder):
        takes = ("vector",)

        def build(self, spec, pooled=True):
            return Shuffled(spec.shape[0])

    X = np.random.default_rng(0).normal(size=(40, 7)).astype(np.float32)
    fitted = model(encoders={"X": Shuffling()}, averaging="ema").fit(X, LABELS)
    assert fitted.net_.module_.encoders[0].order.tolist() == [6, 5, 4, 3, 2, 1, 0]


# Going on


def test_a_warm_start_goes_on_from_the_average(data):
    fitted = model(averaging="ema", warm_start=True, callbacks=[Weights()]).fit(*data)
    first = weights(fitted.net_)
    fitted.set_params(lr=1e-30, max_epochs=1).fit(*data)
    assert_close(weights(fitted.net_), first, rtol=1e-6)


def test_partial_fit_averages_nothing(data):
    X, y = data
    results = []
    for averaging in (None, EMA(0.99)):
        fitted = model(averaging=averaging).partial_fit(X, y).partial_fit(X, y)
        results.append(fitted.predict_proba(X))
    np.testing.assert_array_equal(*results)


def test_an_average_of_ones_own(data):
    class First(Averaging):
        def share(self, n_averaged):
            return 0.0

    steps = seen(model(callbacks=[Weights()]).fit(*data)).steps_
    fitted = model(averaging=First()).fit(*data)
    assert_close(weights(fitted.net_), steps[0], rtol=0)


@pytest.mark.parametrize("averaging", ["ema", SWA(start=0.5)])
def test_two_runs_and_two_processes_are_equal(data, averaging):
    X, y = data
    one, other = (model(averaging=averaging).fit(X, y).predict_proba(X) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_folds_in_two_processes_are_those_in_one(data):
    """One row for all that a fit can be told about its training."""
    fancy = model(
        averaging="ema",
        schedule="cosine",
        gradient_clipping=0.5,
        accumulate=2,
        loss="focal",
        label_smoothing=0.1,
        early_stopping=True,
        batch_size=8,
    )
    scores = [cross_val_score(fancy, *data, cv=2, n_jobs=n_jobs) for n_jobs in (1, 2)]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize(
    ("averaging", "match"),
    [
        ("swo", "averaging must be None.*one of 'ema', 'swa'.*Did you mean 'swa'"),
        (EMA(decay=1), "decay must be < 1"),
        (EMA(decay=-1), "decay must be a number between 0 and 1. Got -1"),
        (SWA(start=1.0), "start must be less than 1.*averaging=None"),
    ],
)
def test_errors(data, averaging, match):
    with pytest.raises(ParameterError, match=match):
        model(averaging=averaging).fit(*data)
