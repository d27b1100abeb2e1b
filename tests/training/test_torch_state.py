"""A fit owns its randomness and settings: beside other fits, under the caller's, after errors."""

import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, Initializer

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion._training import outputs
from skfusion.encoders import CNN, MLP, RNN, Encoder, Policy
from skfusion.exceptions import NonFiniteLossError

N_AT_ONCE = 8


@contextmanager
def default_dtype(dtype):
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        assert torch.get_default_dtype() is dtype
        torch.set_default_dtype(torch.float32)


SETTINGS = {
    "no_grad": torch.no_grad,
    "inference": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "device": lambda: torch.device("meta"),
    "dtype": lambda: default_dtype(torch.float64),
}


class Waits(Callback):
    """Waits at a hook until all other fits are there, and draws then."""

    def __init__(self, barrier, hook):
        self.barrier, self.hook = barrier, hook

    def _wait(self, hook):
        if hook == self.hook:
            self.barrier.wait(60)

    def on_train_begin(self, net, **kwargs):
        self._wait("on_train_begin")

    def on_epoch_end(self, net, **kwargs):
        self._wait("on_epoch_end")

    def on_grad_computed(self, net, **kwargs):
        if len(net.history) == 2:
            self._wait("on_grad_computed")


class Fetched(Encoder):
    def build(self, spec, pooled=True):
        torch.rand(3)
        raise ConnectionError("no weights")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    steps = rng.normal(size=(48, 5, 2)).astype("f")
    photo = rng.integers(0, 255, (48, 6, 6, 1), dtype=np.uint8)
    facts = rng.normal(size=(48, 3)).astype("f")
    return Blocks({"facts": facts, "photo": photo, "steps": steps}), (facts[:, 0] > 0).astype(int)


def model(seed=0, **params):
    encoders = {
        "facts": Policy(MLP(8, dropout=0.4), pretrain_epochs=1),
        "photo": CNN((2,), norm="batch", width=4),
        "steps": RNN(4),
    }
    params = {"max_epochs": 2, "batch_size": 8, "block_dropout": 0.3, **params}
    return FusionClassifier(encoders, random_state=seed, **params)


def bits(rows, seed=0, **params):
    return model(seed, **params).fit(*rows).predict_proba(rows[0])


def torch_settings():
    state = torch.get_rng_state().numpy().tobytes()
    return state, torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled()


def at_once(calls):
    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def check_at_once(rows):
    """Fits and predictions at once are the serial ones, and torch's state is as it was."""
    alone = [bits(rows, seed) for seed in range(N_AT_ONCE)]
    fitted = model().fit(*rows)
    torch.manual_seed(5)
    before = torch_settings()
    fits = [lambda seed=seed: bits(rows, seed) for seed in range(N_AT_ONCE)]
    predictions = [lambda: fitted.predict_proba(rows[0])] * N_AT_ONCE
    found = at_once([call for pair in zip(fits, predictions, strict=True) for call in pair])
    assert torch_settings() == before
    for seed in range(N_AT_ONCE):
        np.testing.assert_array_equal(found[2 * seed], alone[seed])
        np.testing.assert_array_equal(found[2 * seed + 1], alone[0])


def test_fits_and_predictions_at_once(rows):
    check_at_once(rows)


@pytest.mark.nightly
def test_fits_and_predictions_at_once_many_times(rows):
    for _ in range(20):
        check_at_once(rows)


@pytest.mark.parametrize("hook", ["on_train_begin", "on_epoch_end", "on_grad_computed"])
def test_callbacks_may_wait_for_another_fit(rows, hook):
    barrier = threading.Barrier(2)
    alone = [bits(rows, seed) for seed in range(2)]
    fits = [
        lambda seed=seed: bits(rows, seed, callbacks=[Waits(barrier, hook)], batch_size=48)
        for seed in range(2)
    ]
    alone = [bits(rows, seed, batch_size=48) for seed in range(2)]
    np.testing.assert_array_equal(at_once(fits), alone)


def test_callbacks_of_fits_that_fail_may_wait_for_each_other(rows):
    barrier = threading.Barrier(2)

    class Fails(Callback):
        def on_epoch_begin(self, net, **kwargs):
            raise ConnectionError("gone")

        def on_train_end(self, net, **kwargs):
            barrier.wait(60)

    def fit():
        with pytest.raises(ConnectionError, match="gone") as caught:
            bits(rows, callbacks=[Fails()])
        return getattr(caught.value, "__notes__", [])

    assert at_once([fit, fit]) == [[], []]


def test_callbacks_draw_from_the_state_of_their_fit(rows):
    def fit(seed):
        init = Initializer("head.*", fn=torch.nn.init.normal_)
        return bits(rows, seed, callbacks=[init])

    alone = [fit(seed) for seed in range(4)]
    np.testing.assert_array_equal(at_once([lambda s=s: fit(s) for s in range(4)]), alone)


def test_a_fit_within_a_fit(rows):
    """In the same thread, and in two others that a callback waits for."""
    alone = [bits(rows, seed) for seed in range(3)]

    class Fits(Callback):
        def on_epoch_end(self, net, **kwargs):
            np.testing.assert_array_equal(bits(rows, 1), alone[1])
            found = at_once([lambda seed=seed: bits(rows, seed) for seed in (1, 2)])
            np.testing.assert_array_equal(found, alone[1:])

    np.testing.assert_array_equal(bits(rows, 0, callbacks=[Fits()]), alone[0])


def test_predictions_need_no_turn(rows):
    fitted = model().fit(*rows)
    alone, found = fitted.predict_proba(rows[0]), []

    class Meanwhile(Callback):
        def on_epoch_begin(self, net, **kwargs):
            found.extend(at_once([lambda: fitted.predict_proba(rows[0])]))

    model(callbacks=[Meanwhile()]).fit(*rows)
    np.testing.assert_array_equal(found, [alone, alone])


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_of_the_caller_change_no_bit(rows, name):
    plain = model().fit(*rows)
    frozen = pickle.dumps(plain)
    before = torch_settings()
    with SETTINGS[name]():
        inside = torch_settings()
        fitted = model().fit(*rows).partial_fit(*rows)
        kept = pickle.loads(frozen)
        found = [each.predict_proba(rows[0]) for each in (fitted, kept, plain)]
        vectors = plain.transform(rows[0])
        assert torch_settings() == inside
    assert torch_settings() == before
    alone = plain.predict_proba(rows[0])
    np.testing.assert_array_equal(vectors, plain.transform(rows[0]))
    np.testing.assert_array_equal(plain.partial_fit(*rows).predict_proba(rows[0]), found[0])
    np.testing.assert_array_equal(found[1:], [alone, alone])


def test_settings_of_one_thread_while_another_fits(rows):
    """A prediction under another default dtype ends after the fit beside it."""
    alone = bits(rows)
    with default_dtype(torch.float64):
        found = at_once([lambda: bits(rows)] * 4)
    np.testing.assert_array_equal(found, [alone] * 4)


def test_torch_is_as_before_after_a_fit_that_fails(rows):
    torch.manual_seed(5)
    before = torch_settings()
    fit = FusionRegressor(lr=1e30, max_epochs=5).fit
    with pytest.raises(NonFiniteLossError, match="lr"):
        fit(rows[0], rows[1] * 1.0)
    assert torch_settings() == before
    with pytest.raises(ConnectionError, match="weights"):
        FusionClassifier({"facts": Fetched()}).fit(*rows)
    assert torch_settings() == before


def test_a_callback_predicts_in_the_middle_of_an_epoch(rows):
    """Dropout stays on afterwards."""

    class Listens(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            pass

    class Predicts(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            outputs(net, rows[0], lambda *_: None)
            assert {part.training for part in net.module_.modules()} == {training}

    plain, predicting = (bits(rows, callbacks=[one()]) for one in (Listens, Predicts))
    np.testing.assert_array_equal(plain, predicting)


def test_a_fitted_module_that_was_put_into_training_predicts_as_before(rows):
    fitted = model().fit(*rows)
    alone = fitted.predict_proba(rows[0])
    fitted.net_.module_.train()
    found = at_once([lambda: fitted.predict_proba(rows[0])] * N_AT_ONCE)
    np.testing.assert_array_equal(found, [alone] * N_AT_ONCE)
