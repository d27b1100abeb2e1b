"""Fits that are interrupted or killed, for the tests of checkpoints and for their processes."""

import io
import os
import signal
import sys
import time

import numpy as np
import torch
from skorch.callbacks import Callback

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion._training._sealed import _Hashing, read_sealed, write_sealed
from skfusion.encoders import CNN, MLP, Policy
from skfusion.training import SWA, Plateau

N_ROWS = 60


class Breaks(Callback):
    """Ends the fit in the middle of the epoch, and in the way, that the environment names."""

    def on_grad_computed(self, net, **kwargs):
        epoch, way = os.environ.get("BREAKS", "0 never").split()
        if len(net.history) == int(epoch) and way == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if len(net.history) == int(epoch) and way == "raise":
            raise ConnectionError("broken off")


def content(path):
    """Return what a checkpoint holds."""
    return torch.load(io.BytesIO(read_sealed(path)), weights_only=True)


def write(path, content):
    """Write a whole checkpoint that holds ``content``."""
    write_sealed(path, lambda file: torch.save(content, file))


def files(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def assert_same_fit(one, other):
    """All weights, all losses and the state of the optimiser are equal to the last bit."""
    histories = [fit.history_.drop(columns="seconds") for fit in (one, other)]
    np.testing.assert_array_equal(*histories)
    for nets in zip(one.nets_, other.nets_, strict=True):
        _assert_same_nets(*nets)
    assert (one.linear_share_, one.temperature_) == (other.linear_share_, other.temperature_)


def _assert_same_nets(*nets):
    states = [net.module_.state_dict() for net in nets]
    assert states[0].keys() == states[1].keys()
    assert [key for key in states[0] if not torch.equal(states[0][key], states[1][key])] == []
    steps = [net.optimizer_.state_dict() for net in nets]
    assert steps[0]["param_groups"] == steps[1]["param_groups"]
    for number, state in steps[0]["state"].items():
        for key, value in state.items():
            assert torch.equal(
                torch.as_tensor(value), torch.as_tensor(steps[1]["state"][number][key])
            )


def rows():
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 255, (N_ROWS, 5, 5, 1), dtype=np.uint8)
    left, right = rng.normal(size=(2, N_ROWS, 3)).astype(np.float32)
    missing = {"right": np.arange(N_ROWS) % 7 == 0}
    X = Blocks({"left": left, "right": right, "photo": photo}, missing=missing)
    return X, (left[:, 0] + right[:, 0] > 0).astype(int)


def encoders(**policy):
    photo = CNN((2,), norm="batch", width=3)
    return {"left": Policy(MLP(4, dropout=0.3), **policy), "right": MLP(4), "photo": photo}


EVERYTHING = {
    "encoders": encoders(lr_scale=0.3, unfreeze_at=4),
    "fusion": "gated",
    "loss": "focal",
    "label_smoothing": 0.1,
    "schedule": "cosine",
    "averaging": "ema",
    "gradient_clipping": 0.5,
    "accumulate": 2,
    "block_dropout": 0.3,
    "mixup": 0.4,
    "block_loss_weight": 0.3,
    "gradient_modulation": 0.2,
    "early_stopping": True,
    "class_weight": "balanced",
}
CASES = {
    "plain": {"encoders": encoders()},
    "everything": EVERYTHING,
    "one_cycle": {"encoders": encoders(frozen=True), "schedule": "one_cycle", "optimizer": "adam"},
    "pretrained": {
        "encoders": encoders(pretrain_epochs=2),
        "schedule": Plateau(patience=1),
        "averaging": SWA(start=0.2),
        "optimizer": "sgd",
        "lr": 0.3,
    },
    "stops": {"encoders": encoders(), "early_stopping": True, "max_epochs": 200},
    "members": {"encoders": encoders(), "members": 2, "early_stopping": True},
    "unseeded": {"encoders": encoders(), "random_state": None, "early_stopping": True},
}


def model(case, folder, kind=FusionClassifier, **params):
    settings = {"members": 1, "max_epochs": 7, "batch_size": 16, "lr": 0.05, "random_state": 3}
    settings |= {"n_iter_no_change": 3, "callbacks": [Breaks()], "checkpoint": folder}
    return kind(**(settings | CASES[case] | params))


def regressor(folder, **params):
    return model("plain", folder, FusionRegressor, loss="huber", **params)


def fit_and_tell(case, folder, slow, connection):
    """Fit in a process of its own, and say when it begins and ends."""
    if slow:  # so that most moments are ones of writing
        _Hashing.write = _slowed(_Hashing.write, 0.0001)
        os.fsync = _slowed(os.fsync, 0.01)
        os.replace = _slowed(os.replace, 0.01)
    fitted, data = model(case, folder), rows()
    connection.send("begins")
    fitted.fit(*data)
    connection.send("ends")


def _slowed(function, seconds):
    def slow(*args):
        time.sleep(seconds)
        result = function(*args)
        time.sleep(seconds)
        return result

    return slow


if "FIT_ON_IMPORT" in os.environ:  # in the process that others are forked from, which are fast then
    model(os.environ["FIT_ON_IMPORT"], None).fit(*rows())

if __name__ == "__main__":
    torch.set_num_threads(1)  # as in the tests: other threads add up in another order
    import killing  # by its name, as in the tests, since checkpoints tell classes by their names

    killing.model(sys.argv[1], sys.argv[2]).fit(*killing.rows())
