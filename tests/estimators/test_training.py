"""How training runs: reproducible, stopping in time, continued, seen by callbacks."""

import random

import numpy as np
import pytest
import torch
from sklearn.utils import check_random_state
from skorch.callbacks import Callback, GradientNormClipping, LRScheduler
from torch.optim.lr_scheduler import StepLR

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion.encoders import MLP, Policy
from skfusion.exceptions import NonFiniteLossError, ParameterError


class Recorder(Callback):
    """Keeps what it sees: the numbers of the rows of each batch, and the weights of each epoch."""

    def __init__(self, note=None):
        self.note = note

    def on_train_begin(self, net, **kwargs):
        self.train_, self.valid_, self.weights_ = [], [], []

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        numbers = batch[0].inputs["numbers"][:, 0].int().tolist()
        (self.train_ if training else self.valid_).append((len(net.history), numbers))

    def on_epoch_end(self, net, **kwargs):
        state = net.module_.state_dict()
        self.weights_.append({key: value.clone() for key, value in state.items()})


def recorded(model):
    return dict(model.net_.callbacks_)["Recorder"]


def numbers_of(batches, epoch):
    return [number for at, numbers in batches if at == epoch for number in numbers]


@pytest.fixture(scope="module")
def noise():
    """Rows with their number, and labels of which nothing but the share can be learned."""
    rng = np.random.default_rng(0)
    numbers = np.arange(200.0)
    X = Blocks({"facts": rng.normal(size=(200, 5)), "numbers": numbers[:, None]})
    return X, (numbers >= 150).astype(int)


def on_noise(kind=FusionClassifier, **params):
    encoders = {"facts": MLP(widths=(32,)), "numbers": MLP(widths=(2,))}
    settings = {"encoders": encoders, "max_epochs": 3, "random_state": 0, "batch_size": 32}
    settings["members"] = 1
    return kind(**(settings | params))


@pytest.fixture(scope="module")
def two_blocks():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 120)
    left, right = y[:, None] + rng.normal(size=(2, 120, 3)) * [[[0.5]], [[2.0]]]
    return Blocks({"left": left, "right": right}), y


def weights_of(model, member=0):
    state = model.nets_[member].module_.state_dict()
    return {key: value.numpy().copy() for key, value in state.items()}


def global_states():
    """Return the random states of python, numpy (its global one) and torch."""
    of_numpy = check_random_state(None).get_state()[1]
    return random.getstate(), of_numpy.tolist(), torch.get_rng_state().tolist()


def size_of_weights(model):
    return sum(np.square(value).sum() for value in weights_of(model).values())


def assert_same_weights(one, other):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_array_equal(np.asarray(one[key]), np.asarray(other[key]), err_msg=key)


# Random state


@pytest.mark.parametrize("members", [1, 2])
def test_one_seed_gives_one_result_to_the_last_bit(X, y, make, members):
    settings = {"members": members, "early_stopping": True, "batch_size": 16, "facts__dropout": 0.5}
    one, other = (make().set_params(**settings).fit(X, y) for _ in range(2))
    for member in range(members):
        assert_same_weights(weights_of(one, member), weights_of(other, member))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    again = make().set_params(**settings, random_state=1).fit(X, y)
    assert (again.predict_proba(X) != one.predict_proba(X)).any()


@pytest.mark.parametrize("members", [1, 2])
def test_a_fit_repeated_on_one_estimator_gives_the_same(X, y, make, members):
    model = make(members=members).fit(X, y)
    before = model.predict_proba(X)
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), before)


@pytest.mark.parametrize("members", [1, 2])
def test_a_random_state_instance_is_drawn_from(X, y, make, members):
    def fitted(state):
        return make(members=members, random_state=state).fit(X, y).predict_proba(X)

    state = np.random.RandomState(3)
    one, other = fitted(state), fitted(state)
    assert (one != other).any()
    again = fitted(np.random.RandomState(3))
    np.testing.assert_array_equal(one, again)


@pytest.mark.parametrize("members", [1, 2])
def test_global_random_states_have_no_influence(X, y, make, members):
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        check_random_state(None).seed(seed)
        model = make(members=members, early_stopping=True).fit(X, y)
        results.append(model.predict_proba(X))
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("call", ["fit", "partial_fit", "predict", "predict_proba", "transform"])
@pytest.mark.parametrize("members", [1, 2])
def test_global_random_states_are_left_as_they_were(X, y, make, call, members):
    model = make(members=members, early_stopping=True).set_params(facts__dropout=0.5).fit(X, y)
    before = global_states()
    getattr(model, call)(X, *([y] if "fit" in call else []))
    assert global_states() == before


# Batches


def test_every_epoch_takes_every_row_once_in_a_new_order(noise):
    model = on_noise(early_stopping=False, callbacks=[Recorder()]).fit(*noise)
    seen = recorded(model)
    orders = [numbers_of(seen.train_, epoch) for epoch in (1, 2, 3)]
    assert all(sorted(order) == list(range(200)) for order in orders)
    assert orders[0] != orders[1] != orders[2] != list(range(200))
    assert [len(numbers) for _, numbers in seen.train_] == [*[32] * 6, 8] * 3
    assert seen.valid_ == []


@pytest.mark.parametrize(("n_rows", "size"), [(100, 64), (9000, 128), (70_000, 512)])
def test_batches_grow_with_the_rows(n_rows, size):
    X = np.zeros((n_rows, 1), dtype=np.float32)
    y = np.arange(n_rows) % 2
    model = FusionClassifier({"X": MLP(widths=1)}, max_epochs=1, random_state=0, members=1).fit(
        X, y
    )
    assert model.net_.batch_size == size


# Early stopping


def test_the_held_out_part_is_stratified_shuffled_and_never_trained_on(noise):
    X, y = noise
    model = on_noise(early_stopping=True, callbacks=[Recorder()]).fit(X, y)
    seen = recorded(model)
    held_out = numbers_of(seen.valid_, 1)
    assert len(held_out) == 20
    assert y[held_out].sum() == 5  # a quarter, as in y
    assert max(held_out) - min(held_out) > 100
    for epoch in (1, 2, 3):
        assert numbers_of(seen.valid_, epoch) == held_out
        trained = numbers_of(seen.train_, epoch)
        assert sorted(trained + held_out) == list(range(200))


def test_the_held_out_part_of_a_regressor_is_shuffled(noise):
    X, _ = noise
    model = on_noise(
        FusionRegressor, early_stopping=True, validation_fraction=0.25, callbacks=[Recorder()]
    ).fit(X, X["numbers"][:, 0])
    held_out = numbers_of(recorded(model).valid_, 1)
    assert len(held_out) == 50
    assert min(held_out) < 50
    assert max(held_out) >= 150


def test_early_stopping_keeps_the_best_weights(noise):
    model = on_noise(
        early_stopping=True, n_iter_no_change=3, lr=0.01, max_epochs=50, callbacks=[Recorder()]
    ).fit(*noise)
    losses = model.history_["valid_loss"].to_numpy()
    best = int(losses.argmin())
    assert len(losses) == best + 1 + 3 < 50
    weights = recorded(model).weights_
    assert_same_weights(weights_of(model), weights[best])
    assert any((weights[best][key] != weights[-1][key]).any() for key in weights[-1])


@pytest.mark.parametrize(
    ("n_rows", "members", "early_stopping", "holds_out"),
    [
        (499, 1, "auto", False),
        (500, 1, "auto", True),
        (99, "auto", "auto", False),
        (100, "auto", "auto", True),
        (99, 2, "auto", False),
        (100, 2, "auto", True),
        (40, "auto", True, True),
        (900, "auto", False, False),
    ],
)
def test_when_rows_are_held_out(n_rows, members, early_stopping, holds_out):
    X = np.random.default_rng(0).normal(size=(n_rows, 2))
    model = FusionClassifier(members=members, early_stopping=early_stopping, max_epochs=1)
    model.fit(X, X[:, 0] > 0)
    assert ("valid_loss" in model.history_) == holds_out


@pytest.mark.parametrize(
    "labels", [np.repeat([0, 1], [39, 1]), np.arange(40) // 2], ids=["single", "many"]
)
def test_classes_of_few_rows_do_not_stop_early_stopping(table, labels):
    model = FusionClassifier(early_stopping=True, max_epochs=1).fit(table, labels)
    assert model.classes_.tolist() == np.unique(labels).tolist()


# Going on


def test_warm_start_goes_on_from_the_weights(noise):
    model = on_noise(warm_start=True, early_stopping=False).fit(*noise)
    first = model.history_["train_loss"].tolist()
    model.fit(*noise)
    assert model.history_["epoch"].tolist() == [1, 2, 3, 4, 5, 6]
    assert model.history_["train_loss"].tolist()[:3] == first
    assert model.history_["train_loss"][3] < first[0]


def test_without_warm_start_a_fit_starts_anew(noise):
    model = on_noise(early_stopping=False).fit(*noise)
    assert len(model.fit(*noise).history_) == 3


def test_partial_fit_is_an_epoch_a_call(noise):
    X, y = noise
    model = on_noise()
    assert model.partial_fit(X, y) is model
    for _ in range(4):
        model.partial_fit(X, y)
    assert model.history_["epoch"].tolist() == [1, 2, 3, 4, 5]
    losses = model.history_["train_loss"]
    assert losses[4] < losses[0]


def test_partial_fit_knows_classes_that_are_yet_to_come(noise):
    X, y = noise
    model = on_noise().partial_fit(X[:20], y[:20], classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.partial_fit(X, y + 1).predict_proba(X).shape == (200, 3)


def test_partial_fit_goes_on_after_a_fit(noise):
    model = on_noise(early_stopping=False).fit(*noise)
    losses = model.history_["train_loss"].tolist()
    model.partial_fit(*noise)
    assert model.history_["train_loss"].tolist()[:3] == losses
    assert model.history_["train_loss"][3] < losses[0]


@pytest.mark.parametrize("kind", [FusionClassifier, FusionRegressor])
def test_partial_fit_goes_on_after_a_fit_that_held_rows_out(noise, kind):
    X, y = noise
    model = on_noise(kind, early_stopping=True).fit(X, y)
    model.partial_fit(X[100:], y[100:])
    assert model.history_["valid_loss"].notna().tolist() == [True, True, True, False]


@pytest.mark.parametrize(("first", "then"), [(True, False), (False, True)])
def test_warm_start_may_hold_out_rows_now_and_not_then(noise, first, then):
    model = on_noise(warm_start=True, early_stopping=first).fit(*noise)
    model.set_params(early_stopping=then).fit(*noise)
    assert model.history_["valid_loss"].notna().tolist() == [first] * 3 + [then] * 3


def test_warm_start_follows_changed_settings(noise):
    model = on_noise(warm_start=True, early_stopping=False).fit(*noise)
    before = weights_of(model)
    model.set_params(lr=1e-30, max_epochs=1).fit(*noise)
    assert_same_weights(weights_of(model), before)


@pytest.mark.parametrize("balance", [{"block_dropout": 0.5}, {"gradient_modulation": 1.0}])
def test_a_warm_start_follows_a_changed_balance(two_blocks, balance):
    X, y = two_blocks

    def weights_after(**changes):
        first = {"block_loss_weight": 0.1, "max_epochs": 2, "early_stopping": False}
        model = FusionClassifier(random_state=0, warm_start=True, **first).fit(X, y)
        return weights_of(model.set_params(**changes).fit(X, y))

    as_before, changed = weights_after(), weights_after(**balance)
    assert any((changed[name] != as_before[name]).any() for name in as_before)


def test_a_balance_that_is_switched_off_is_off(two_blocks):
    model = FusionClassifier(max_epochs=1, block_loss_weight=0.5, warm_start=True, members=1)
    model.fit(*two_blocks).set_params(block_loss_weight=0.0).fit(*two_blocks)
    assert model.history_["loss_left"].notna().tolist() == [True, False]


def test_a_network_that_goes_on_gets_no_heads_for_its_blocks(two_blocks):
    model = FusionClassifier(max_epochs=1, lr=0.01, warm_start=True, members=1).fit(*two_blocks)
    model.set_params(block_loss_weight=0.5, lr=0.5)
    with pytest.raises(ParameterError, match=r"Set one of them in the first fit.*warm_start=False"):
        model.fit(*two_blocks)
    assert model.net_.lr == 0.01


def test_partial_fit_of_values_keeps_the_first_units(noise):
    X, y = noise
    model = on_noise(FusionRegressor).partial_fit(X, 100.0 + y)
    model.partial_fit(X[:50], y[:50] + 102.0)
    assert abs(model.predict(X).mean() - 100) < 3


def test_weights_in_partial_fit_are_those_in_fit(noise):
    X, y = noise
    weight = np.linspace(0.1, 2, len(y))
    by_fit = on_noise(max_epochs=1, early_stopping=False).fit(X, y, sample_weight=weight)
    by_part = on_noise().partial_fit(X, y, sample_weight=weight)
    assert_same_weights(weights_of(by_fit), weights_of(by_part))


# Settings of the net


@pytest.mark.parametrize(
    ("optimizer", "kind"),
    [
        ("adamw", torch.optim.AdamW),
        ("adam", torch.optim.Adam),
        ("sgd", torch.optim.SGD),
        (torch.optim.RMSprop, torch.optim.RMSprop),
    ],
)
def test_optimizers_by_name_and_by_class(noise, optimizer, kind):
    model = on_noise(optimizer=optimizer, lr=0.002, weight_decay=0.25).fit(*noise)
    fitted = model.net_.optimizer_
    assert type(fitted) is kind
    assert fitted.param_groups[0]["lr"] == 0.002
    assert fitted.param_groups[0]["weight_decay"] == 0.25
    losses = model.history_["train_loss"]
    assert losses.iloc[-1] < losses.iloc[0]


def test_weight_decay_shrinks_the_weights(noise):
    free, decayed = (on_noise(weight_decay=decay).fit(*noise) for decay in (0.0, 100.0))
    assert size_of_weights(decayed) < 0.5 * size_of_weights(free)


def test_net_params_reach_skorch(noise):
    model = on_noise(net_params={"optimizer__betas": (0.5, 0.75)}).fit(*noise)
    assert model.net_.optimizer_.param_groups[0]["betas"] == (0.5, 0.75)


@pytest.mark.parametrize("device", ["auto", "cpu", torch.device("cpu")])
def test_device(noise, device):
    model = on_noise(device=device).fit(*noise)
    assert model.predict(noise[0]).shape == (200,)


# Callbacks


def test_callbacks_are_called_on_copies(noise):
    callback = Recorder(note="mine")
    model = on_noise(callbacks=[("mine", callback)], early_stopping=False).fit(*noise)
    assert not hasattr(callback, "train_")
    called = dict(model.net_.callbacks_)["mine"]
    assert called.note == "mine"
    assert len(called.weights_) == 3


def test_gradient_clipping_sees_every_step(noise):
    """With all gradients clipped to nothing the weights stay where they began."""
    model = on_noise(
        callbacks=[GradientNormClipping(0.0), Recorder()], weight_decay=0, early_stopping=False
    ).fit(*noise)
    weights = recorded(model).weights_
    assert_same_weights(weights[0], weights[-1])


def test_a_schedule_of_the_learning_rate(noise):
    schedule = LRScheduler(policy=StepLR, step_size=1, gamma=0.0)
    model = on_noise(callbacks=[schedule, Recorder()], early_stopping=False).fit(*noise)
    assert model.history_["event_lr"].tolist() == [model.lr, 0, 0]
    weights = recorded(model).weights_
    assert_same_weights(weights[0], weights[-1])


# What is shown


def test_history_has_a_row_an_epoch(noise):
    history = on_noise(early_stopping=True).fit(*noise).history_
    assert set(history.columns) == {
        "epoch",
        "train_loss",
        "valid_loss",
        "valid_score",
        "lr",
        "seconds",
    }
    assert history["epoch"].tolist() == [1, 2, 3]
    assert (history["seconds"] >= 0).all()


def test_the_loss_in_the_history_is_the_mean_over_rows(noise):
    """With next to no learning rate it is the loss of the fitted model on the rows."""
    X, y = noise
    model = on_noise(lr=1e-30, early_stopping=False).fit(X, y)
    probability = model.predict_proba(X)[np.arange(200), y]
    np.testing.assert_allclose(model.history_["train_loss"], -np.log(probability).mean(), rtol=1e-5)


def test_a_bar_is_shown_only_if_asked_for(noise, capsys):
    on_noise(early_stopping=True, max_epochs=2).fit(*noise)
    quiet = capsys.readouterr()
    assert (quiet.out, quiet.err) == ("", "")
    on_noise(early_stopping=True, max_epochs=2, verbose=1).fit(*noise)
    shown = capsys.readouterr().err
    assert "2/2" in shown
    assert "train_loss=" in shown
    assert "valid_loss=" in shown


def test_weights_that_the_last_step_spoils_are_an_error():
    X, y = np.eye(8) * 1e6, np.arange(8) % 2
    model = FusionClassifier({"X": MLP()}, max_epochs=1, optimizer="sgd", lr=1e308)
    with pytest.raises(NonFiniteLossError, match="the weights .* became NaN or infinite"):
        model.fit(X, y)
    assert not hasattr(model, "net_")


def test_weights_that_grew_out_of_bounds_are_an_error_when_predicting():
    X, y = np.eye(8), np.arange(8) % 2
    model = FusionClassifier(max_epochs=1, optimizer="sgd", lr=1e308).fit(X, y)
    with pytest.raises(NonFiniteLossError, match="output is not finite in row 0.*lower lr"):
        model.predict_proba(X)


def test_a_new_rate_keeps_the_proportions_of_policies():
    X, y = Blocks({"a": np.eye(8), "b": np.eye(8)}), np.arange(8) % 2
    model = FusionClassifier({"a": Policy(MLP(4), lr_scale=0.1)}, max_epochs=1, warm_start=True)
    model.fit(X, y).set_params(lr=0.5).fit(X, y)
    rates = [group["lr"] for group in model.net_.optimizer_.param_groups]
    np.testing.assert_allclose(rates, [0.5, 0.05])
