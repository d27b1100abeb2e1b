"""The networks of the textbooks: sizes counted by hand, and the small one layer by layer."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from skfusion.blocks import spec_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "reference_networks.py"
REFERENCES = runpy.run_path(str(EXAMPLE))["REFERENCES"]

# 3 * 3 * 3 weights and a bias per channel; 31 * 31 or 63 * 63 positions behind the pooling; four
# gates, each with weights for input and state and one bias.
SMALL = 896 + 4 * (31 * 31 * 32 * 64 + 64 * 64 + 64) + (64 * 10 + 10)
MIDDLE = 1792 + 4 * (31 * 31 * 64 * 128 + 128 * 128 + 128) + (128 * 64 + 64) + (64 * 5 + 5)
LARGE = 1792 + 4 * (63 * 63 * 64 * 128 + 128 * 128 + 128) + (128 * 64 + 64) + (64 * 5 + 5)


def test_the_sum_that_is_to_come_out():
    assert SMALL == 7_890_698


@pytest.mark.parametrize(
    ("reference", "by_hand", "second_bias"),
    [(REFERENCES[0], SMALL, 256), (REFERENCES[1], MIDDLE, 512), (REFERENCES[2], LARGE, 512)],
    ids=["small", "middle", "large"],
)
def test_parameters(reference, by_hand, second_bias):
    assert reference.n_parameters_by_hand() == by_hand
    assert reference.n_parameters_built() == by_hand + second_bias


@pytest.fixture(scope="module")
def clips():
    return np.random.default_rng(0).integers(0, 256, (2, 10, 64, 64, 3), dtype=np.uint8)


def test_the_small_network_is_its_layers_written_out(clips):
    """Convolution, ReLU, pooling, flatten (channels last, as in Keras), LSTM, in plain torch."""
    module = REFERENCES[0].encoder().build(spec_of("clip", clips)).eval()
    weights = module.state_dict()
    frames = torch.from_numpy(clips).flatten(0, 1).permute(0, 3, 1, 2) / 255
    convolution = (f"steps.frames.stages.0.0.conv.{part}" for part in ("weight", "bias"))
    maps = F.conv2d(frames, *(weights[name].contiguous() for name in convolution))
    maps = F.max_pool2d(F.relu(maps), 2)
    assert maps.shape == (20, 32, 31, 31)
    lstm = torch.nn.LSTM(31 * 31 * 32, 64, batch_first=True)
    lstm.load_state_dict({name: weights[f"over.layers.0.0.{name}"] for name in lstm.state_dict()})
    with torch.no_grad():
        steps = maps.permute(0, 2, 3, 1).flatten(1).unflatten(0, (2, 10))
        expected = lstm(steps)[0][:, -1]
        torch.testing.assert_close(module(torch.from_numpy(clips)), expected, atol=1e-5, rtol=0)


def test_every_parameter_of_the_small_network_is_trained(clips):
    module = REFERENCES[0].encoder().build(spec_of("clip", clips))
    module(torch.from_numpy(clips)).square().sum().backward()
    assert all(parameter.grad.abs().max() > 1e-8 for parameter in module.parameters())


def test_the_example_prints_the_table(capsys):
    main = runpy.run_path(str(EXAMPLE))["main"]
    main.__globals__["REFERENCES"] = REFERENCES[:1]
    main()
    assert "7,890,698    7,890,954       256" in capsys.readouterr().out
