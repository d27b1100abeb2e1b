"""Gradients on their way to a step: clipped, and added up over batches."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion.encoders import CNN, MLP
from skfusion.exceptions import ParameterError

N_ROWS = 50


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, N_ROWS, 3))
    return Blocks({"left": left, "right": right}), (left[:, 0] + right[:, 0] > 0).astype(int)


class Norms(Callback):
    def on_train_begin(self, net, **kwargs):
        self.norms_ = []

    def on_grad_computed(self, net, named_parameters, **kwargs):
        gradients = [w.grad.ravel() for _, w in named_parameters if w.grad is not None]
        self.norms_.append(torch.cat(gradients).norm().item())


def model(kind=FusionClassifier, **params):
    encoders = {"left": MLP(4), "right": MLP(4)}
    settings = {"encoders": encoders, "max_epochs": 3, "random_state": 0, "lr": 0.05}
    return kind(**(settings | params))


def norms(**params):
    fitted = model(callbacks=[Norms()], **params)
    return lambda data: np.array(dict(fitted.fit(*data).net_.callbacks_)["Norms"].norms_)


def weights(fitted):
    return torch.cat([weight.detach().ravel() for weight in fitted.net_.module_.parameters()])


# Clipping


def test_gradients_are_clipped_to_the_norm(data):
    free, clipped = norms(batch_size=10)(data), norms(batch_size=10, gradient_clipping=0.2)(data)
    assert free.max() > 0.3
    assert clipped.max() <= 0.2 * (1 + 1e-6)
    assert clipped[0] == pytest.approx(min(free[0], 0.2), rel=1e-4)


def test_clipping_above_all_norms_changes_nothing(data):
    one, other = model().fit(*data), model(gradient_clipping=1e6).fit(*data)
    torch.testing.assert_close(weights(one), weights(other), rtol=1e-12, atol=0)


@pytest.mark.parametrize("norm", [0, -1, "1"])
def test_norms_that_are_none(data, norm):
    with pytest.raises(ParameterError, match="gradient_clipping must be a number"):
        model(gradient_clipping=norm).fit(*data)


# Groups of batches


class Ordered(torch.optim.SGD):
    """Plain steps, so that equal gradients give equal weights."""


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", [FusionClassifier, FusionRegressor])
def test_batches_in_groups_are_one_larger_batch(data, kind, weighted):
    """50 rows: steps of 16, 16, 16 and 2 rows, the last of them a group that is not full."""
    X, y = data
    sample_weight = np.linspace(0.1, 3, N_ROWS) if weighted else None
    fits = [
        model(kind, optimizer=Ordered, lr=0.5, weight_decay=0.0, **sizes).fit(X, y, sample_weight)
        for sizes in ({"batch_size": 16}, {"batch_size": 8, "accumulate": 2})
    ]
    torch.testing.assert_close(*map(weights, fits), rtol=1e-10, atol=1e-12)
    assert (weights(fits[0]) - weights(model(kind, batch_size=8).fit(X, y))).abs().max() > 1e-3


@pytest.mark.parametrize("accumulate", [3, 100])
def test_the_last_group_of_an_epoch_may_have_batches_of_any_size(data, accumulate):
    """Batches of 8, 8, ..., 2 rows; 7 in all, which groups of 3 divide into 24, 24 and 2 rows."""
    settings = {"optimizer": Ordered, "lr": 0.5, "weight_decay": 0.0}
    large = model(batch_size=min(8 * accumulate, N_ROWS), **settings).fit(*data)
    groups = model(batch_size=8, accumulate=accumulate, **settings).fit(*data)
    torch.testing.assert_close(weights(large), weights(groups), rtol=1e-10, atol=1e-12)


def test_losses_of_blocks_alone_and_modulation_go_with_groups(data):
    settings = {"optimizer": Ordered, "lr": 0.5, "weight_decay": 0.0, "block_loss_weight": 0.5}
    large = model(batch_size=20, **settings).fit(*data)
    groups = model(batch_size=10, accumulate=2, **settings).fit(*data)
    torch.testing.assert_close(weights(large), weights(groups), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(
        norms(batch_size=10, accumulate=2, gradient_modulation=0.5, max_epochs=1)(data)[0],
        norms(batch_size=20, gradient_modulation=0.5, max_epochs=1)(data)[0],
        rtol=1e-8,
    )


def test_a_step_a_group(data):
    assert len(norms(batch_size=8)(data)) == 3 * 7
    assert len(norms(batch_size=8, accumulate=3)(data)) == 3 * 3


def test_the_history_counts_every_row(data):
    one, other = (model(lr=1e-30, batch_size=8, accumulate=n).fit(*data) for n in (1, 4))
    np.testing.assert_allclose(one.history_["train_loss"], other.history_["train_loss"])


def test_groups_may_have_callbacks_that_listen_to_batches(data):
    class Listens(Callback):
        def on_batch_end(self, net, **kwargs):
            pass

    fits = [model(batch_size=8, accumulate=3, callbacks=c).fit(*data) for c in (None, [Listens()])]
    assert torch.equal(*map(weights, fits))


def test_epochs_of_one_batch_and_nets_with_moving_statistics():
    images = np.random.default_rng(0).integers(0, 255, (20, 6, 6, 1), dtype=np.uint8)
    encoders = {"X": CNN((2,), norm="batch", width=4)}
    for batch_size in (5, 100):
        fitted = model(encoders=encoders, batch_size=batch_size, accumulate=4)
        assert np.isfinite(fitted.fit(images, np.arange(20) % 2).predict_proba(images)).all()


def test_partial_fit_takes_groups_too(data):
    parts = [model(batch_size=8, accumulate=n).partial_fit(*data) for n in (1, 4)]
    assert (weights(parts[0]) != weights(parts[1])).any()


@pytest.mark.parametrize("accumulate", [0, 1.5, True])
def test_numbers_that_are_none(data, accumulate):
    with pytest.raises(ParameterError, match="accumulate must be an int >= 1"):
        model(accumulate=accumulate).fit(*data)


# Momentum


@pytest.mark.parametrize("seed", range(4))
def test_weights_whose_first_gradient_comes_late_have_momentum_too(data, seed):
    """What stands in for a block that two rows lack is first used in some step or other."""
    X, y = data
    lacking = Blocks({"left": X["left"], "right": X["right"]}, {"right": np.arange(N_ROWS) < 2})
    fitted = model(optimizer="sgd", batch_size=8, random_state=seed).fit(lacking, y)
    assert np.isfinite(fitted.predict_proba(lacking)).all()
    moved = fitted.net_.module_.missing_embeddings[1]
    assert (moved != 0).any()
