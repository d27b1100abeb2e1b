"""A net whose steps another library takes: Hugging Face accelerate, on the CPU."""

from functools import partial

import accelerate
import numpy as np
import pytest
import torch
from skorch.hf import AccelerateMixin

from skfusion import Blocks, FusionClassifier
from skfusion._training import Net, Rows, Run, copy_of, fit_net, make_net, outputs, seeded
from skfusion.encoders import MLP, Policy


class Accelerated(AccelerateMixin, Net):
    """Hands the gradients to accelerate, which may scale them or send them to other processes."""

    n_backward_ = 0

    def __init__(self, *args, callbacks__print_log, **kwargs):  # the mixin insists on a log
        super().__init__(*args, callbacks__print_log__sink=lambda *args, **kwargs: None, **kwargs)

    def backward(self, loss):
        self.n_backward_ += 1
        self.accelerator.backward(loss)


@pytest.fixture
def model_and_rows():
    rng = np.random.default_rng(0)
    X = Blocks({"left": rng.normal(size=(60, 4)).astype("f"), "right": rng.normal(size=(60, 3))})
    y = X["left"][:, 0] > 0
    encoders = {"left": Policy(MLP(8, dropout=0.3), lr_scale=0.5, pretrain_epochs=1)}
    params = {"block_loss_weight": 0.2, "averaging": "ema", "schedule": "cosine", "accumulate": 2}
    model = FusionClassifier(encoders, max_epochs=2, batch_size=16, random_state=0, **params)
    return model.fit(X, y), Rows(X, model.target_.encode(y), None)


def trained(model, rows, device, net_class=Net):
    with seeded(1):
        net = make_net(model.net_.module, model.target_, model.net_.settings, device, net_class)
    fit_net(net, Run(rows, n_epochs=2, seed=2, held_out=rows[np.arange(20)]))
    return net


def accelerated(**params):
    return partial(Accelerated, accelerator=accelerate.Accelerator(cpu=True, **params))


@pytest.mark.parametrize("places", [False, True])
def test_accelerate_trains_to_the_same_weights(model_and_rows, places):
    model, rows = model_and_rows
    plain = trained(model, rows, "cpu").module_.state_dict()
    device = None if places else "cpu"
    net = trained(model, rows, device, accelerated(device_placement=places))
    assert net.n_backward_ == 8
    tolerance = {"rtol": 1e-5, "atol": 1e-7} if places else {"rtol": 0, "atol": 0}
    for name, weight in net.module_.state_dict().items():
        torch.testing.assert_close(weight, plain[name], **tolerance)


def test_it_predicts_and_goes_on(model_and_rows):
    model, rows = model_and_rows
    plain = trained(model, rows, "cpu")
    net = trained(model, rows, "cpu", accelerated(device_placement=False))
    found = [outputs(each, rows.blocks, lambda *_: None) for each in (plain, net)]
    np.testing.assert_array_equal(*found)
    on = [copy_of(each) for each in (plain, net)]
    for each in on:
        fit_net(each, Run(rows, n_epochs=1, seed=3))
    assert on[1].n_backward_ == 12
    np.testing.assert_array_equal(*(outputs(each, rows.blocks, lambda *_: None) for each in on))
    np.testing.assert_array_equal(outputs(net, rows.blocks, lambda *_: None), found[0])
