"""What is recorded of each epoch, and what is shown meanwhile."""

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from skorch.callbacks import Callback, LRScheduler
from torch.optim.lr_scheduler import StepLR

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion.encoders import MLP, Policy
from skfusion.targets import Values

N = 120


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], N // 2)
    signal = (2.0 * y - 1)[:, None] + rng.normal(size=(N, 3))
    return Blocks({"clear": signal, "noise": rng.normal(size=(N, 2))}), y


def on(rows, kind=FusionClassifier, **params):
    settings = {"members": 1, "max_epochs": 3, "random_state": 0, "batch_size": 32}
    settings |= {"early_stopping": True}
    return kind(**(settings | params)).fit(*rows)


def test_columns_come_in_a_fixed_order(rows):
    first = ["epoch", "train_loss", "valid_loss", "valid_score", "lr", "seconds"]
    assert on(rows).history_.columns.tolist() == first
    assert on(rows, block_loss_weight=1.0).history_.columns.tolist() == [
        *first,
        "loss_clear",
        "loss_noise",
    ]
    alone = on(rows, early_stopping=False).history_.columns.tolist()
    assert alone == ["epoch", "train_loss", "lr", "seconds"]


def test_the_learning_rate_is_that_of_the_epoch(rows):
    assert on(rows, lr=0.02).history_["lr"].tolist() == [0.02] * 3
    halves = LRScheduler(policy=StepLR, step_size=1, gamma=0.5)
    history = on(rows, lr=0.02, callbacks=[halves]).history_
    np.testing.assert_allclose(history["lr"], [0.02, 0.01, 0.005])
    scaled = {"clear": Policy(MLP(), lr_scale=10)}
    assert on(rows, lr=0.02, encoders=scaled).history_["lr"].tolist() == [0.02] * 3


class HeldOut(Callback):
    """Keeps the rows held out, and what the net says of them at the end of the last epoch."""

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        if not training:
            self.kept_ = batch

    def on_epoch_end(self, net, **kwargs):
        net.module_.eval()
        with torch.no_grad():
            self.outputs_ = net.module_(self.kept_[0])


@pytest.mark.parametrize("kind", [FusionClassifier, FusionRegressor])
def test_the_score_is_that_of_the_rows_held_out(rows, kind):
    X, y = rows
    labels = y if kind is FusionClassifier else X["clear"].sum(1) + y
    keeps = HeldOut()
    model = on((X, labels), kind, callbacks=[keeps], batch_size=200, n_iter_no_change=99)
    seen = dict(model.net_.callbacks_)["HeldOut"]
    outputs, codes = seen.outputs_.numpy(), seen.kept_[1].numpy()
    if kind is FusionClassifier:
        expected = np.mean((outputs[:, 0] > 0) == codes)
    else:
        expected = 1 - ((outputs - codes) ** 2).sum() / ((codes - codes.mean()) ** 2).sum()
    assert model.history_["valid_score"].iloc[-1] == pytest.approx(expected)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_score_of_labels_is_a_share_of_the_rows(rows, n_classes):
    X, _ = rows
    model = on((X, np.arange(N) % n_classes), validation_fraction=0.1)
    hits = model.history_["valid_score"] * 12
    np.testing.assert_allclose(hits, hits.round())


def test_the_score_of_several_labels_counts_rows_that_are_right_throughout(rows):
    X, y = rows
    labels = np.stack([y, 1 - y], axis=1)
    score = on((X, labels), max_epochs=30, lr=0.01).history_["valid_score"].iloc[-1]
    assert score > 0.5


def test_a_score_needs_two_rows_in_regression(rows):
    X, y = rows
    history = on((X[:8], y[:8] + 0.0), FusionRegressor, validation_fraction=0.1).history_
    assert "valid_loss" in history and "valid_score" not in history


def test_the_score_of_values_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(30, 3))
    y[:, 1] = 2.0  # which has no spread
    target, outputs = Values().learn(y), rng.normal(size=(30, 3))
    for guess in (outputs, np.where([False, True, False], 0.0, outputs)):
        expected = r2_score(y, target.decode(guess))
        assert target.score(guess, target.encode(y)) == pytest.approx(expected)


def test_losses_of_single_blocks_are_means_over_the_rows_that_have_them(rows):
    """With a learning rate of 0 they are those of the heads of the blocks on all rows."""
    X, y = rows
    absent = np.arange(N) % 3 == 0
    X = Blocks({name: X[name] for name in X.names}, missing={"noise": absent})
    model = on((X, y), lr=1e-30, block_loss_weight=1.0, early_stopping=False, batch_size=50)
    heads, module = model.net_.module_.block_heads.heads, model.net_.module_
    for i, (name, there) in enumerate({"clear": absent | True, "noise": ~absent}.items()):
        block = torch.from_numpy(X[name][there])
        with torch.no_grad():
            outputs = heads[i](module.encoders[i](block))[:, 0]
        codes = torch.from_numpy(y[there]).to(outputs.dtype)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(outputs, codes)
        np.testing.assert_allclose(model.history_[f"loss_{name}"], loss.item(), rtol=1e-6)


def test_the_block_with_the_signal_is_learned(rows):
    history = on(rows, block_loss_weight=1.0, max_epochs=30, n_iter_no_change=99).history_
    assert history["loss_clear"].iloc[-1] < history["loss_noise"].iloc[-1] - 0.05


def test_a_block_may_be_called_like_a_record_of_skorch(rows):
    X, y = rows
    X = Blocks({"second_best": X["clear"], "batches": X["noise"]})
    history = on((X, y), block_loss_weight=1.0).history_
    assert {"loss_second_best", "loss_batches"} < set(history.columns)


def test_balance_without_weight_records_them_too(rows):
    assert "loss_clear" in on(rows, gradient_modulation=0.5).history_


# The bar


def test_the_bar_tells_epoch_losses_score_and_time_left(rows, capsys):
    on(rows, verbose=1)
    shown = capsys.readouterr().err
    assert "3/3 [00:00<" in shown and "epoch" in shown
    for name in ("train_loss=", "valid_loss=", "valid_score="):
        assert name in shown


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_the_bar_is_quiet_where_fits_run_beside_each_other(rows, capfd, backend):
    from joblib import parallel_config

    X, y = rows
    model = FusionClassifier(max_epochs=1, random_state=0, verbose=1)
    with parallel_config(backend=backend):
        cross_val_score(model, X, y, cv=2, n_jobs=2, error_score="raise")
    assert "epoch" not in capfd.readouterr().err
    GridSearchCV(model, {"lr": [1e-3]}, cv=2, n_jobs=1, refit=False).fit(X, y)
    assert "epoch" in capfd.readouterr().err
