"""skorch's callbacks as they come, and a user's own."""

import json
from threading import Lock
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
import torch
from skorch.callbacks import (
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    Initializer,
    LRScheduler,
    MlflowLogger,
    ParamMapper,
    PrintLog,
    SacredLogger,
    TensorBoard,
    TrainEndCheckpoint,
    WandbLogger,
)
from skorch.utils import freeze_parameter, unfreeze_parameter
from torch.optim.lr_scheduler import CosineAnnealingLR, OneCycleLR, ReduceLROnPlateau

from skfusion import Blocks, FusionClassifier
from skfusion.encoders import MLP

N = 120
RATES = [0.01, 0.01, 0.001]  # a plateau is seen in the second epoch


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], N // 2)
    left = (2.0 * y - 1)[:, None] + rng.normal(size=(N, 3))
    return Blocks({"left": left, "right": rng.normal(size=(N, 2))}), y


def on(rows, *callbacks, **params):
    settings = {"members": 1, "max_epochs": 3, "random_state": 0, "batch_size": 32}
    settings |= {"early_stopping": True}
    encoders = {"left": MLP(widths=(4,)), "right": MLP(widths=(4,))}
    return FusionClassifier(encoders, **(settings | params), callbacks=list(callbacks)).fit(*rows)


def weights(model):
    return {name: value.numpy() for name, value in model.net_.module_.state_dict().items()}


def assert_same(one, other, *prefixes):
    for name in one:
        if name.startswith(prefixes or ("",)):
            np.testing.assert_array_equal(one[name], other[name])


class JsonLines(Callback):
    """A logger as users write them: a line an epoch."""

    def __init__(self, path):
        self.path = path

    def on_epoch_end(self, net, **kwargs):
        record = {key: value for key, value in net.history[-1].items() if key != "batches"}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


def test_a_logger_sees_what_the_history_keeps(rows, tmp_path):
    path = tmp_path / "log.jsonl"
    history = on(rows, JsonLines(path), block_loss_weight=0.5).history_
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for name in history.columns.drop("seconds"):
        assert [line[name] for line in lines] == history[name].tolist()


def test_a_timer_and_a_printed_log(rows, capsys):
    model = on(rows, EpochTimer(), PrintLog())
    assert {"loss_left", "loss_right"}.isdisjoint(model.history_)
    printed = capsys.readouterr().out
    assert "valid_score" in printed and "train_loss" in printed and "lr" in printed


@pytest.mark.parametrize(
    ("schedule", "rates"),
    [
        (LRScheduler(CosineAnnealingLR, T_max=3), [0.01, 0.0075, 0.0025]),
        (LRScheduler(ReduceLROnPlateau, patience=0, threshold=9, threshold_mode="abs"), RATES),
    ],
    ids=["cosine", "plateau"],
)
def test_schedules_of_epochs(rows, schedule, rates):
    history = on(rows, schedule, lr=0.01).history_
    np.testing.assert_allclose(history["lr"], rates)


def test_a_schedule_of_batches(rows):
    """Of 108 rows a batch of 32 makes 4 steps, so that 3 epochs have 12."""
    schedule = LRScheduler(OneCycleLR, max_lr=0.1, total_steps=13, step_every="batch")
    rates = on(rows, schedule).history_["lr"]
    assert rates.iloc[0] == pytest.approx(0.1 / 25) and rates.iloc[1] > 0.09 > rates.iloc[2]


def test_gradients_are_clipped(rows):
    untouched = weights(on(rows, GradientNormClipping(0.0), weight_decay=0.0, max_epochs=1))
    still = weights(on(rows, lr=1e-30, weight_decay=0.0, max_epochs=1))
    for name in still:
        np.testing.assert_allclose(untouched[name], still[name], rtol=0, atol=1e-29)


def test_early_stopping_of_skorch(rows):
    stops = EarlyStopping(monitor="train_loss", patience=2, threshold=100.0)
    assert len(on(rows, stops, early_stopping=False, max_epochs=9).history_) == 3


def test_a_checkpoint_of_the_best_epoch(rows, tmp_path):
    best = Checkpoint(monitor="train_loss_best", dirname=str(tmp_path), load_best=True)
    model = on(rows, best, early_stopping=False, lr=0.01)
    assert (tmp_path / "params.pt").exists() and (tmp_path / "history.json").exists()
    kept = torch.load(tmp_path / "params.pt", weights_only=True)
    assert_same(weights(model), {name: value.numpy() for name, value in kept.items()})


def test_a_checkpoint_at_the_end(rows, tmp_path):
    model = on(rows, TrainEndCheckpoint(dirname=str(tmp_path)), early_stopping=False)
    kept = torch.load(tmp_path / "train_end_params.pt", weights_only=True)
    assert_same(weights(model), {name: value.numpy() for name, value in kept.items()})


def test_parameters_are_frozen_and_initialised_by_name(rows):
    zeros = Initializer("encoders.0.*", fn=torch.nn.init.zeros_)
    frozen = weights(on(rows, zeros, Freezer("encoders.0.*"), lr=0.1))
    assert all(not value.any() for name, value in frozen.items() if name.startswith("encoders.0"))
    assert any(value.any() for name, value in frozen.items() if name.startswith("encoders.1"))


def test_parameters_are_thawed_later(rows):
    def only_in_the_first(net):
        return freeze_parameter if len(net.history) == 1 else unfreeze_parameter

    first = on(rows, ParamMapper("encoders.1.*", schedule=only_in_the_first), max_epochs=1)
    start = on(rows, lr=1e-30, weight_decay=0.0, max_epochs=1)
    assert_same(weights(first), weights(start), "encoders.1")
    later = weights(on(rows, ParamMapper("encoders.1.*", schedule=only_in_the_first)))
    assert (later["encoders.1.0.weight"] != weights(start)["encoders.1.0.weight"]).any()


def test_callbacks_by_name_and_their_order(rows):
    class Named(Callback):
        seen: ClassVar[list[str]] = []

        def __init__(self, name):
            self.name = name

        def on_epoch_end(self, net, **kwargs):
            Named.seen.append(self.name)

    on(rows, ("one", Named("first")), ("two", Named("second")), max_epochs=2)
    assert Named.seen == ["first", "second"] * 2


def test_logging_changes_no_result(rows, tmp_path):
    plain = on(rows, block_loss_weight=0.5)
    logged = on(rows, JsonLines(tmp_path / "log"), EpochTimer(), block_loss_weight=0.5, verbose=1)
    assert_same(weights(plain), weights(logged))


# Loggers, with what they write to replaced


class Connection:
    """Stands for a writer or a run: it cannot be copied, and keeps what it is told."""

    def __init__(self, directory):
        self.lock, self.told, self.dir, self.info = Lock(), [], directory, SimpleNamespace(run_id=1)

    def watch(self, module):
        self.told.append(("watch", type(module).__name__))

    def log(self, values):
        self.told += values.items()

    def add_scalar(self, tag, scalar_value, global_step):
        self.told.append((tag, scalar_value))

    def log_metric(self, run_id, key, value, step=None):
        self.told.append((key, value))

    def log_artifact(self, run_id, path):
        self.told.append(("artifact", path.name))

    def log_scalar(self, name, value, step=None):
        self.told.append((name, value))

    def close(self):
        self.told.append(("close", None))


@pytest.mark.parametrize(
    "logger",
    [
        lambda to: TensorBoard(to),
        lambda to: WandbLogger(to),
        lambda to: MlflowLogger(to, to, terminate_after_train=False),
        lambda to: SacredLogger(to, log_on_batch_end=True),
    ],
    ids=["tensorboard", "wandb", "mlflow", "sacred"],
)
def test_loggers_tell_every_epoch(rows, tmp_path, logger):
    connection = Connection(str(tmp_path))
    history = on(rows, ("logger", logger(connection)), block_loss_weight=0.5).history_
    for name in ("train_loss", "valid_loss", "valid_score", "loss_left"):
        key = f"Loss/{name}" if isinstance(logger(connection), TensorBoard) else name
        told = [value for tag, value in connection.told if tag in (key, f"{name}_epoch", name)]
        assert told[-3:] == history[name].tolist()


def test_what_a_callback_has_seen_is_its_copys_own(rows):
    class Counts(Callback):
        def __init__(self):
            self.seen = []

        def on_epoch_end(self, net, **kwargs):
            self.seen.append(len(net.history))

    counts = Counts()
    for _ in range(2):
        model = on(rows, counts)
        assert dict(model.net_.callbacks_)["Counts"].seen == [1, 2, 3]
    assert counts.seen == []
