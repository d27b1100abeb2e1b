import numpy as np
import pytest
from scipy.signal import correlate2d

from skfusion.encoders import CNN
from skfusion.exceptions import BlockError, ParameterError


def convolve(image, weight, bias, padding):
    """(height, width, n_in) by scipy -> (height, width, n_out)."""
    maps = []
    for kernel, shift in zip(weight, bias, strict=True):
        pairs = zip(image.transpose(2, 0, 1), kernel, strict=True)
        maps.append(sum(correlate2d(*pair, mode=padding) for pair in pairs) + shift)
    return np.stack(maps, axis=2)


def pool(image, how):
    height, width = image.shape[0] // 2, image.shape[1] // 2
    cells = image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, -1)
    return {"max": np.max, "average": np.mean}[how](cells, axis=(1, 3))


def stage(image, state, i, padding="same", pooling="max", residual=False):
    y = convolve(
        image, state[f"stages.{i}.0.conv.weight"], state[f"stages.{i}.0.conv.bias"], padding
    )
    if residual:
        shortcut = state.get(f"stages.{i}.0.shortcut.weight")
        y = y + (image if shortcut is None else image @ shortcut[:, :, 0, 0].T)
    y = np.maximum(y, 0)
    return pool(y, pooling) if pooling else y


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("pooling", ["max", "average", None])
def test_stages_are_convolution_activation_pooling(padding, pooling, rng, build, run):
    images = rng.normal(size=(2, 11, 10, 3))
    module, state = build(CNN((4, 5), padding=padding, pooling=pooling), images, pooled=False)
    tokens, mask = run(module, images)
    assert mask is None
    for image, found in zip(images, tokens, strict=True):
        for i in range(2):
            image = stage(image, state, i, padding, pooling)
        np.testing.assert_allclose(found, image.reshape(-1, 5), atol=1e-10)


def test_residual_stages_add_what_they_read(rng, build, run):
    images = rng.normal(size=(2, 8, 8, 3))
    module, state = build(CNN((4, 4), residual=True), images, pooled=False)
    for image, found in zip(images, run(module, images)[0], strict=True):
        for i in range(2):
            image = stage(image, state, i, residual=True)
        np.testing.assert_allclose(found, image.reshape(-1, 4), atol=1e-10)


@pytest.mark.parametrize(
    ("output", "flat"),
    [
        ("flatten", lambda maps: maps.reshape(len(maps), -1)),
        ("average", lambda maps: maps.mean(axis=(1, 2))),
        (
            "adaptive",
            lambda maps: maps.reshape(-1, 2, 2, 2, 2, 4).mean(axis=(2, 4)).reshape(-1, 16),
        ),
    ],
)
def test_the_feature_map_becomes_a_vector(output, flat, rng, build, run):
    images = rng.normal(size=(3, 8, 8, 3))
    encoder = CNN((4,), output=output, grid=2, width=None)
    module, state = build(encoder, images)
    expected = flat(np.stack([stage(image, state, 0) for image in images]))
    np.testing.assert_allclose(run(module, images), expected, atol=1e-10)


def test_bytes_are_scaled(rng, build, run):
    images = rng.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    module, _ = build(CNN((4,)), images)
    np.testing.assert_allclose(run(module, images), run(module, images / 255), atol=1e-12)


def test_parameters(rng, build, n_parameters):
    module, _ = build(CNN((4, 6), grid=2, width=7, norm="group"), rng.normal(size=(2, 8, 8, 3)))
    convolutions = (3 * 4 * 9 + 4) + (4 * 6 * 9 + 6)
    assert n_parameters(module) == convolutions + 2 * (4 + 6) + (6 * 2 * 2 * 7 + 7)


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        (CNN((4, 4, 4, 4)), BlockError, "8 x 8 pixels are too small for 4 stages"),
        (CNN(residual=True, padding="valid"), ParameterError, 'residual=True needs padding="same"'),
        (CNN(output="flat"), ParameterError, "output must be one of .* Did you mean 'flatten'"),
        (CNN(channels=0), ParameterError, "each of channels must be an int >= 1"),
    ],
)
def test_what_cannot_be_is_refused(encoder, error, message, build, rng):
    with pytest.raises(error, match=message):
        build(encoder, rng.normal(size=(2, 8, 8, 3)))
