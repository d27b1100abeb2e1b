"""Trainings that learn nothing say so, and plateaus at the start do not end them."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from skorch.callbacks import Callback

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion._training._early_stopping import StopEarly
from skfusion._training._prior import PriorLoss
from skfusion.encoders import MLP, Policy, Transformer
from skfusion.exceptions import ChanceLevelWarning
from skfusion.losses import Huber

N = 300
RNG = np.random.default_rng(0)
NOTHING = np.zeros((N, 2))
SIGNAL = RNG.normal(size=(N, 2))
COUNTS = RNG.poisson(3, N)
NORMAL = RNG.normal(loc=5, size=N)
SKEWED = RNG.exponential(size=(N, 2))
RARE = np.arange(N) % 10 == 0
THREE = np.array(["a", "b", "a", "c"])[np.arange(N) % 4]
SEVERAL = np.stack([RARE, ~RARE, SIGNAL[:, 0] > 0], axis=1).astype(int)


def fit(X, y, weight=None, **params):
    classes = np.asarray(y).dtype.kind not in "f"
    kind = params.pop("kind", FusionClassifier if classes else FusionRegressor)
    settings = {"members": 1, "max_epochs": 60, "lr": 0.05, "random_state": 0}
    settings |= {"early_stopping": True}
    return kind(**(settings | params)).fit(X, y, weight)


def warned(call):
    """Return the model, and what was warned of it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = call()
    found = [str(one.message) for one in caught if one.category is ChanceLevelWarning]
    assert len(found) <= 1
    return model, "".join(found)


KINDS = {
    "two classes": {"y": RARE},
    "more classes": {"y": THREE},
    "several labels": {"y": SEVERAL},
    "values": {"y": NORMAL},
    "several outputs": {"y": SKEWED},
    "focal": {"y": RARE, "loss": "focal"},
    "smoothed": {"y": RARE, "label_smoothing": 0.2},
    "smoothed classes": {"y": THREE, "label_smoothing": 0.2},
    "balanced": {"y": RARE, "class_weight": "balanced"},
    "weighted": {"y": NORMAL, "weight": RNG.uniform(0.1, 3, N)},
    "huber": {"y": NORMAL, "loss": Huber(0.1)},
    "absolute": {"y": SKEWED, "loss": "absolute"},
    "quantile": {"y": SKEWED, "loss": "quantile"},
    "poisson": {"y": COUNTS.astype(float), "loss": "poisson"},
    "a function": {"y": NORMAL, "loss": lambda outputs, codes: (outputs - codes) ** 4},
    "below zero": {"y": NORMAL, "loss": lambda outputs, codes: (outputs - codes) ** 2 - 5},
    "float64": {"y": RARE, "encoders": {"X": MLP(4)}},
}


@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_where_x_says_nothing(kind, early_stopping):
    params = {**KINDS[kind], "early_stopping": early_stopping}
    model, message = warned(lambda: fit(NOTHING, batch_size=32, **params))
    assert "no better than the prior" in message
    assert (len(model.history_) < 60) == early_stopping
    assert ("was stopped early" in message) == early_stopping
    assert ("n_iter_no_change=5" in message) == early_stopping
    assert ("rows held out" if early_stopping else "training rows") in message
    assert "max_epochs=60" in message and "lr (it is 0.05)" in message


@pytest.mark.parametrize("kind", KINDS)
def test_where_x_says_much_nothing_is_warned_of(kind):
    params = {**KINDS[kind]}
    y = params.pop("y")
    values = np.unique(y, return_inverse=True)[1].reshape(y.shape) if y.dtype.kind == "U" else y
    X = np.column_stack([values, values]).astype(float)
    _, message = warned(lambda: fit((X - X.mean(0)) / X.std(0), y, **params))
    assert message == ""


def test_pure_noise():
    """Also where chance, on the few rows held out, is sometimes better than the prior."""
    found = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(N, 5)), rng.integers(2, size=N)
        model, message = warned(lambda X=X, y=y, seed=seed: fit(X, y, random_state=seed))
        found.append("no better than the prior" in message)
        assert len(model.history_) < 60
    assert sum(found) >= 4


def test_the_prior_is_told_in_the_terms_of_the_user():
    messages = [warned(lambda y=y: fit(NOTHING, y))[1] for y in (THREE, RARE, NORMAL, SKEWED)]
    assert "prior: 'a' for every row" in messages[0]
    assert "prior: False for every row" in messages[1]
    assert "prior: 4.867 for every row" in messages[2]
    assert "prior: [" in messages[3]
    assert "their scores are 0.900 and 0.900" in messages[1]
    assert "the loss of the prior is 0.3251, that of the network 0.32" in messages[1]


def test_a_constant_y_has_no_prior_to_beat():
    _, message = warned(lambda: fit(SIGNAL, np.ones(N) * 3))
    assert message == ""


def test_a_class_that_has_all_the_weight_leaves_nothing_to_beat():
    weights = {False: 1000, True: 0.0001}
    fits = [
        lambda e=e: fit(NOTHING, RARE, class_weight=weights, early_stopping=e)
        for e in (False, True)
    ]
    assert [warned(one)[1] for one in fits] == ["", ""]


@pytest.mark.parametrize("params", [{"max_epochs": 9}, {"max_epochs": 49, "batch_size": N}])
def test_with_few_epochs_or_steps_nothing_is_warned_of(params):
    params = {"batch_size": 8, "early_stopping": False, **params}
    assert warned(lambda: fit(NOTHING, RARE, **params))[1] == ""


def test_a_callback_that_ends_a_training_is_not_early_stopping():
    class Ends(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.stop()

    model, message = warned(lambda: fit(NOTHING, RARE, callbacks=[Ends()]))
    assert len(model.history_) == 1
    assert message == ""


def test_losses_may_write_to_the_outputs():
    def loss(outputs, codes):
        outputs.clamp_(-30, 30)
        outputs.view(-1).add_(0)
        return (outputs - codes) ** 2

    def plain(outputs, codes):
        return (outputs - codes) ** 2

    fits = [fit(SIGNAL, SIGNAL[:, 0], loss=each, max_epochs=3) for each in (loss, plain)]
    np.testing.assert_allclose(*(one.history_["valid_loss"] for one in fits), rtol=1e-5)


def test_neither_chunks_nor_pretraining_are_warned_of():
    def chunks():
        model = FusionClassifier(batch_size=2, random_state=0)
        for _ in range(12):
            model.partial_fit(NOTHING, RARE)

    assert warned(chunks)[1] == ""
    encoders = {"a": Policy(MLP(4), pretrain_epochs=12), "b": MLP(4)}
    X = Blocks({"a": NOTHING, "b": np.column_stack([RARE, ~RARE]).astype(float)})
    assert warned(lambda: fit(X, RARE, encoders=encoders, batch_size=16))[1] == ""


def test_a_warm_start_that_learned_before_is_not_warned_of():
    model, _ = warned(lambda: fit(SIGNAL, SIGNAL[:, 0] > 0, warm_start=True))
    _, message = warned(lambda: model.fit(SIGNAL, SIGNAL[:, 0] > 0))
    assert message == ""


def test_a_warning_as_an_error_leaves_the_estimator_as_it_was():
    model = FusionClassifier(max_epochs=30, early_stopping=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ChanceLevelWarning, match="no better than the prior"):
            model.fit(NOTHING, RARE)
    assert not hasattr(model, "net_")


# Patience


def n_epochs(losses, patience=2, prior=1.0):
    """Return after how many of such losses early stopping ends a training."""
    stops = StopEarly(patience)
    module = SimpleNamespace(state_dict=dict)
    run = SimpleNamespace(stops=True, score=None)
    net = SimpleNamespace(history=History(), module_=module, stopped=False, run_=run)
    net.stop = lambda: setattr(net, "stopped", True)
    stops.on_train_begin(net, (None, None))
    stops.prior_, stops.beaten_ = PriorLoss(prior, prior * 0.99), False
    for number, loss in enumerate(losses, start=1):
        net.history.append({"epoch": number, "valid_loss": loss})
        stops.on_epoch_end(net)
        if net.stopped:
            return number
    return None


class History(list):
    """A history that is asked as skorch's is."""

    def __getitem__(self, key):
        epoch, name = key if isinstance(key, tuple) else (key, None)
        found = super().__getitem__(epoch)
        return found if name is None else found[name]


PLATEAU = [1.0] * 9


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([0.5] * 9, 3),  # beaten at once: patience as ever
        ([1.5, 0.9, 0.8, 0.9, 0.9, 0.9], 5),
        ([*PLATEAU, 0.9, 0.8, 0.7, 0.7, 0.7], 14),  # a plateau, then patience
        ([*PLATEAU, 0.98, 0.98, 0.98], 12),  # counted anew once the prior is beaten
        ([1.0] * 30, 11),  # five times the patience
        ([1.5 - 0.001 * i for i in range(99)], None),  # which each hundredth renews
        ([1.0, *([0.9999, 0.9998] * 20)], 11),  # and less does not
        ([2.0] + [1.0 + 0.1 * i for i in range(30)], 12),
    ],
)
def test_patience_counts_once_the_prior_was_beaten(losses, expected):
    assert n_epochs(losses) == expected


def test_a_plateau_at_the_start_does_not_end_a_fit():
    """Which of two events comes first is nothing that one step of a sequence tells."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=600)
    X = rng.normal(scale=0.5, size=(600, 12, 6))
    early, late = rng.integers(0, 5, 600), rng.integers(7, 12, 600)
    rows = np.arange(600)
    X[rows, np.where(y, early, late), 0] += 1.5
    X[rows, np.where(y, late, early), 1] += 1.5
    X = Blocks({"clip": X.astype(np.float32)})
    model, message = warned(
        lambda: FusionClassifier({"clip": Transformer(width=16)}, random_state=0).fit(X, y)
    )
    assert message == ""
    assert model.score(X, y) > 0.9
    losses = model.history_["valid_loss"]
    assert losses[:8].idxmin() == 2  # so that a patience of 5 alone would have ended it


@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_training_that_diverged_says_so(early_stopping):
    settings = {"lr": 1000.0, "max_epochs": 5, "early_stopping": early_stopping}
    y = SIGNAL[:, 0] - SIGNAL[:, 1]
    model, found = warned(lambda: fit(SIGNAL, y, **settings))
    assert model.score(SIGNAL, y) < -100
    assert "The training diverged: after" in found
    assert "Lower lr (it is 1000)" in found
    _, found = warned(lambda: fit(SIGNAL, y, **settings | {"lr": 0.01}))
    assert not found
