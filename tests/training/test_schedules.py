"""The learning rate over a fit."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback
from torch.optim.lr_scheduler import ExponentialLR

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion.encoders import MLP, Policy
from skfusion.exceptions import ParameterError
from skfusion.training import Cosine, OneCycle, Plateau, Schedule

N_ROWS, LR = 64, 0.01


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, N_ROWS, 3)).astype(np.float32)
    return Blocks({"left": left, "right": right}), (left[:, 0] + right[:, 0] > 0).astype(int)


class Rates(Callback):
    """Notes the rate of each group, and the momentum, in each step."""

    def on_train_begin(self, net, **kwargs):
        self.rates_, self.momenta_ = [], []

    def on_grad_computed(self, net, **kwargs):
        groups = net.optimizer_.param_groups
        self.rates_.append([group["lr"] for group in groups])
        self.momenta_.append([group.get("betas", (None,))[0] for group in groups])


def model(**params):
    encoders = {"left": Policy(MLP(4), lr_scale=0.1), "right": MLP(4)}
    settings = {"members": 1, "max_epochs": 5, "batch_size": 16, "lr": LR, "random_state": 0}
    return FusionClassifier(encoders, **(settings | {"callbacks": [Rates()]} | params))


def noted(fitted, what="rates_"):
    return np.array(getattr(dict(fitted.net_.callbacks_)["Rates"], what))


def settings_of(fitted):
    groups = fitted.net_.optimizer_.param_groups
    return [{key: value for key, value in group.items() if key != "params"} for group in groups]


def cosine(n_steps, n_rising, floor):
    """The formula, step by step."""
    rising = (np.arange(n_rising) + 1) / (n_rising + 1)
    done = np.arange(n_steps - n_rising) / (n_steps - n_rising)
    return np.concatenate([rising, floor + (1 - floor) * (1 + np.cos(np.pi * done)) / 2])


@pytest.mark.parametrize(("warmup", "floor"), [(0.0, 0.0), (0.2, 0.0), (0.2, 0.1)])
def test_cosine_rises_and_falls_step_by_step(data, warmup, floor):
    rates = noted(model(schedule=Cosine(warmup, floor)).fit(*data))
    np.testing.assert_allclose(rates[:, 0], LR * cosine(20, round(warmup * 20), floor))


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", Plateau(patience=1)])
def test_encoders_keep_their_proportion(data, schedule):
    rates = noted(model(schedule=schedule).fit(*data))
    assert len(rates) == 20
    np.testing.assert_allclose(rates[:, 1], 0.1 * rates[:, 0])


def test_one_cycle_rises_to_the_rate_and_falls_to_nothing(data):
    fitted = model(schedule=OneCycle(warmup=0.25, start=0.1)).fit(*data)
    rates, momenta = noted(fitted)[:, 0], noted(fitted, "momenta_")[:, 0]
    assert rates[0] == pytest.approx(0.1 * LR)
    assert rates[4] == pytest.approx(LR)
    assert rates.argmax() == 4
    assert (np.diff(rates[:5]) > 0).all()
    assert (np.diff(rates[4:]) < 0).all()
    assert rates[-1] < 1e-3 * LR
    assert momenta.argmin() == 4


@pytest.mark.parametrize("optimizer", ["sgd", torch.optim.RMSprop, torch.optim.Adagrad])
def test_one_cycle_goes_with_optimizers_with_and_without_momentum(data, optimizer):
    fitted = model(schedule="one_cycle", optimizer=optimizer).fit(*data)
    assert noted(fitted)[:, 0].max() == pytest.approx(LR, rel=0.1)


@pytest.mark.parametrize("max_epochs", [1, 2, 3])
@pytest.mark.parametrize("schedule", [OneCycle(0.1), OneCycle(0.5), "cosine", "plateau"])
def test_schedules_of_very_few_steps(data, schedule, max_epochs):
    fitted = model(schedule=schedule, max_epochs=max_epochs, batch_size=N_ROWS).fit(*data)
    rates = noted(fitted)[:, 0]
    assert len(rates) == max_epochs
    assert (rates >= 0).all()
    assert (rates <= LR * (1 + 1e-9)).all()


@pytest.mark.parametrize(("early_stopping", "loss"), [(False, "train_loss"), (True, "valid_loss")])
def test_plateau_lowers_the_rate_after_epochs_without_gain(early_stopping, loss):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(N_ROWS, 3)).astype(np.float32), rng.integers(0, 2, N_ROWS)
    fitted = FusionClassifier(
        {"X": MLP(64)},
        schedule=Plateau(factor=0.5, patience=2),
        callbacks=[Rates()],
        early_stopping=early_stopping,
        n_iter_no_change=30,
        max_epochs=30,
        batch_size=N_ROWS,
        optimizer="sgd",
        lr=3.0,
        random_state=0,
        members=1,
    ).fit(X, y)
    rates, losses = noted(fitted)[:, 0], fitted.history_[loss].to_numpy()
    np.testing.assert_allclose(rates, plateau(losses, 3.0, factor=0.5, patience=2))
    assert rates[-1] < 3.0


def plateau(losses, rate, factor, patience):
    """The rate in each epoch: lowered after so many epochs in a row that were not the best."""
    best, waited, rates = np.inf, 0, []
    for loss in losses:
        rates.append(rate)
        best, waited = (loss, 0) if loss < best * (1 - 1e-4) else (best, waited + 1)
        if waited == patience:
            rate, waited = rate * factor, 0
    return rates


def test_afterwards_the_optimiser_is_as_it_was(data):
    plain = settings_of(model().fit(*data))
    for schedule in ("cosine", "one_cycle", "plateau"):
        assert settings_of(model(schedule=schedule).fit(*data)) == plain


def test_a_warm_start_runs_through_the_schedule_again(data):
    fitted = model(schedule="cosine", warm_start=True).fit(*data)
    first = noted(fitted)
    fitted.set_params(lr=2 * LR).fit(*data)
    np.testing.assert_allclose(noted(fitted), 2 * first)


def test_a_warm_start_follows_what_was_chosen_since(data):
    chosen = {
        "schedule": "cosine",
        "averaging": "ema",
        "gradient_clipping": 0.1,
        "accumulate": 2,
        "n_iter_no_change": 2,
        "early_stopping": True,
    }
    late = model(warm_start=True).fit(*data).set_params(**chosen).fit(*data)
    assert len(np.unique(noted(late)[:, 0])) > 5
    plain = late.set_params(**dict.fromkeys(list(chosen)[:3]), accumulate=1, early_stopping=False)
    plain.fit(*data)
    assert (noted(plain)[:, 0] == LR).all()
    assert len(noted(plain)) == 20


def test_callbacks_of_the_user_stay_whatever_their_names(data):
    fitted = model(callbacks=[("schedule", Rates()), ("save", Rates())], warm_start=True)
    fitted.fit(*data).fit(*data)
    kept = dict(fitted.net_.callbacks_)
    assert len(kept["schedule"].rates_) == len(kept["save"].rates_) == 20


def test_partial_fit_takes_the_rate_itself(data):
    fitted = model(schedule="cosine").fit(*data).partial_fit(*data)
    assert (noted(fitted)[:, 0] == LR).all()
    fitted = model(schedule="cosine").partial_fit(*data)
    assert (noted(fitted)[:, 0] == LR).all()


def test_a_fit_that_stops_early_has_run_through_a_part_of_the_schedule(data):
    X, y = data
    noise = np.random.default_rng(0).permutation(y)
    params = {"early_stopping": True, "n_iter_no_change": 2, "max_epochs": 100, "lr": 0.05}
    fitted = model(schedule=Cosine(warmup=0.0), **params).fit(X, noise)
    n_epochs = len(fitted.history_)
    n_train = N_ROWS - 6
    n_steps = int(np.ceil(n_train / 16))
    assert n_epochs < 100
    expected = 0.05 * cosine(100 * n_steps, 0, 0.0)[: n_epochs * n_steps]
    np.testing.assert_allclose(noted(fitted)[:, 0], expected)


def test_two_runs_with_one_seed_are_equal(data):
    X, _ = data
    for schedule in ("cosine", "one_cycle", "plateau"):
        one, other = (model(schedule=schedule).fit(*data).predict_proba(X) for _ in range(2))
        np.testing.assert_array_equal(one, other)


def test_a_schedule_of_ones_own(data):
    class Halving(Schedule):
        def build(self, optimizer, n_steps):
            return ExponentialLR(optimizer, gamma=0.5 ** (1 / n_steps))

    rates = noted(model(schedule=Halving()).fit(*data))[:, 0]
    np.testing.assert_allclose(rates, LR * 0.5 ** (np.arange(20) / 20))


def test_encoders_trained_alone_first_have_no_schedule(data):
    encoders = {"left": Policy(MLP(4), pretrain_epochs=2), "right": MLP(4)}
    plain = {"encoders": encoders, "max_epochs": 1, "batch_size": N_ROWS, "random_state": 0}
    fits = [FusionClassifier(schedule=s, **plain).fit(*data) for s in (None, Cosine(0.0))]
    one, other = (fit.history_["train_loss"][0] for fit in fits)
    assert one == other


def test_a_grid_search_reaches_schedules(data):
    grid = {"schedule": [Cosine(), None], "lr": [0.01]}
    search = GridSearchCV(model(callbacks=None), grid, cv=2, error_score="raise").fit(*data)
    assert len(search.cv_results_["params"]) == 2
    inner = clone(model(schedule=Cosine())).set_params(schedule__warmup=0.5)
    assert inner.schedule.warmup == 0.5


@pytest.mark.parametrize(
    ("schedule", "match"),
    [
        ("cosin", "schedule must be None.*one of 'cosine'.*Got 'cosin'. Did you mean 'cosine'"),
        (Cosine(warmup=1), "warmup must be less than 1"),
        (Cosine(warmup=-1), "warmup must be a number between 0 and 1. Got -1"),
        (Cosine(floor=2), "floor must be a number between 0 and 1"),
        (OneCycle(start=0), "start must be > 0"),
        (Plateau(factor=1), "factor must be < 1.*schedule=None"),
        (Plateau(patience=0), "patience must be an int >= 1"),
        (torch.optim.lr_scheduler.StepLR, r"a recipe such as Cosine\(\)"),
    ],
)
def test_errors(data, schedule, match):
    with pytest.raises(ParameterError, match=match):
        FusionRegressor(schedule=schedule).fit(*data)
