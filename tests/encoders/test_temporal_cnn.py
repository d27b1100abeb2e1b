import numpy as np
import pytest

from skfusion.blocks import Ragged
from skfusion.encoders import TemporalCNN
from skfusion.exceptions import ParameterError


def convolve(x, weight, bias, dilation=1, stride=1, causal=False):
    """(time, n_in) -> (ceil(time / stride), n_out), one product at a time, zeros around."""
    n_out, _, size = weight.shape
    reach = (size - 1) * dilation
    left = reach if causal else reach // 2
    y = np.tile(bias, (-(-len(x) // stride), 1))
    for t in range(len(y)):
        for tap in range(size):
            source = t * stride - left + tap * dilation
            if 0 <= source < len(x):
                y[t] += weight[:, :, tap] @ x[source]
    return y.reshape(-1, n_out)


def by_hand(x, state, dilations, causal=False, residual=True):
    for i, dilation in enumerate(dilations):
        weight = state[f"stages.{i}.convolution.conv.weight"]
        y = convolve(x, weight, state[f"stages.{i}.convolution.conv.bias"], dilation, 1, causal)
        if residual:
            shortcut = state.get(f"stages.{i}.shortcut.weight")
            y = y + (x if shortcut is None else x @ shortcut[:, :, 0].T)
        x = np.maximum(y, 0)
    return x


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("kernel_size", [3, 4])
def test_stages_are_dilated_convolutions_with_shortcuts(causal, kernel_size, rng, build, run):
    x = rng.normal(size=(2, 9, 4))
    encoder = TemporalCNN((5, 5, 3), kernel_size, causal=causal)
    module, state = build(encoder, x, pooled=False)
    tokens, mask = run(module, x)
    assert mask is None
    expected = [by_hand(row, state, (1, 2, 4), causal) for row in x]
    np.testing.assert_allclose(tokens, expected, atol=1e-10)


def test_ragged_rows_are_encoded_as_if_alone(rng, build, run):
    rows = [rng.normal(size=(length, 4)) for length in (3, 8, 0)]
    block = Ragged.from_rows(rows)
    module, state = build(TemporalCNN((5, 5), residual=False), block)
    found = run(module, *block.pad())
    expected = [by_hand(row, state, (1, 2), residual=False).mean(axis=0) for row in rows[:2]]
    np.testing.assert_allclose(found, [*expected, np.zeros(5)], atol=1e-10)


def test_the_filter_bank_of_waveforms_strides_over_the_samples(rng, build, run):
    rows = [rng.normal(size=length) for length in (50, 41)]
    block = Ragged.from_rows(rows)
    module, state = build(TemporalCNN((4,), 1, window=7, hop=5, residual=False), block, False)
    tokens, mask = run(module, *block.pad())
    assert mask.sum(axis=1).tolist() == [10, 9]
    bank = (state["stages.0.convolution.conv.weight"], state["stages.0.convolution.conv.bias"])
    for row, found, kept in zip(rows, tokens, mask, strict=True):
        steps = np.maximum(convolve(row[:, None], *bank, stride=5), 0)
        weight, bias = (state[f"stages.1.convolution.conv.{part}"] for part in ("weight", "bias"))
        expected = np.maximum(steps @ weight[:, :, 0].T + bias, 0)
        np.testing.assert_allclose(found[kept], expected, atol=1e-10)


def test_causal_steps_do_not_see_what_follows(rng, build, run):
    x = rng.normal(size=(1, 9, 4))
    module, _ = build(TemporalCNN((5, 5), causal=True), x, pooled=False)
    changed = x.copy()
    changed[:, 6:] += 1
    before, after = run(module, x)[0], run(module, changed)[0]
    np.testing.assert_array_equal(before[:, :6], after[:, :6])
    assert np.abs(before[:, 6] - after[:, 6]).max() > 0.01


def test_layer_normalisation_is_that_of_each_step(rng, build, run):
    x = rng.normal(size=(2, 5, 4))
    module, state = build(TemporalCNN((6,), norm="layer", residual=False), x, pooled=False)
    name = "stages.0.convolution.conv."
    y = np.stack([convolve(row, state[name + "weight"], state[name + "bias"]) for row in x])
    y = (y - y.mean(axis=2, keepdims=True)) / np.sqrt(y.var(axis=2, keepdims=True) + 1e-5)
    np.testing.assert_allclose(run(module, x)[0], np.maximum(y, 0), atol=1e-8)


def test_parameters(rng, build, n_parameters):
    x = rng.normal(size=(2, 9, 4))
    module, _ = build(TemporalCNN((5, 5, 3), kernel_size=3), x)
    first, second, third = 4 * 5 * 3 + 5 + 4 * 5, 5 * 5 * 3 + 5, 5 * 3 * 3 + 3 + 5 * 3
    assert n_parameters(module) == first + second + third


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (TemporalCNN(channels=()), "channels must name at least one"),
        (TemporalCNN(kernel_size=0), "kernel_size must be an int >= 1"),
        (TemporalCNN(norm="batch"), "norm must be one of 'layer', None"),
        (TemporalCNN(pooling="avg"), "pooling must be one of"),
    ],
)
def test_what_cannot_be_is_refused(encoder, message, build, rng):
    with pytest.raises(ParameterError, match=message):
        build(encoder, rng.normal(size=(2, 9, 4)))
