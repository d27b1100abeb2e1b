"""Blocks of shapes that cannot be meant, or that differ from those of the fit."""

import warnings

import numpy as np
import pandas as pd
import pytest

from skfusion import FusionClassifier
from skfusion.encoders import CNN, TimeDistributed
from skfusion.exceptions import BlockError

N = 8
Y = np.arange(N) % 2
RNG = np.random.default_rng(0)
IMAGE = CNN(channels=(2,), kernel_size=1, pooling=None, width=3)


def pixels(*shape):
    return RNG.integers(0, 256, (N, *shape)).astype(np.uint8)


def fitted(block, encoder=IMAGE):
    return FusionClassifier({"snap": encoder}, max_epochs=1).fit({"snap": block}, Y)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((3, 16, 12), 1),
        ((1, 8, 8), 1),
        ((4, 5, 9), 1),
        ((2, 3, 16, 12), 2),
        ((3, 6, 16, 12), 1),
    ],
)
def test_channels_that_come_first_are_warned_of(shape, axis):
    encoder = IMAGE if len(shape) == 3 else TimeDistributed(IMAGE)
    with pytest.warns(UserWarning, match=rf"'snap'.*channels last.*np.moveaxis\(X, {axis}, -1\)"):
        fitted(pixels(*shape), encoder)
    turned = np.moveaxis(pixels(*shape), axis, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(turned, encoder)


def test_channels_first_in_the_cells_of_a_column_are_turned_by_what_is_said():
    X = pd.DataFrame({"snap": list(pixels(3, 16, 12)), "n": np.arange(N) / 7})
    said = r"np.moveaxis\(cell, {}, -1\) for cell in X\]"
    with (
        pytest.warns(UserWarning, match=said.format(0)),
        pytest.raises(BlockError, match=said.format(-3)),
    ):
        FusionClassifier(max_epochs=1).fit(X, Y)
    X["snap"] = [np.moveaxis(cell, 0, -1) for cell in X["snap"]]
    encoders = {"snap": IMAGE}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(FusionClassifier(encoders, max_epochs=1).fit(X, Y).predict(X)) == N


@pytest.mark.parametrize("shape", [(16, 12, 3), (5, 5, 32), (3, 3, 7), (4, 4, 1), (2, 3, 16, 3)])
def test_channels_that_come_last_are_not_warned_of(shape):
    encoder = IMAGE if len(shape) == 3 else TimeDistributed(IMAGE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(pixels(*shape), encoder)


def test_images_too_small_for_their_encoder_may_have_channels_first():
    encoder = CNN(channels=(2, 4), kernel_size=3)
    with (
        pytest.warns(UserWarning, match="channels last"),
        pytest.raises(BlockError, match="'snap': images of 3 x 16.*np.moveaxis"),
    ):
        fitted(pixels(3, 16, 12), encoder)


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (pixels(3, 16, 12), r"\(3, 16, 12\).*\(16, 12, 3\).*np.moveaxis\(X, -3, -1\)"),
        (pixels(16, 12, 1), r"\(16, 12, 1\), but at fit.*\(16, 12, 3\)"),
        (pixels(16, 12), r"form 'sequence'.*\(16, 12\), but at fit.*'image'"),
        (pixels(16, 12, 4), r"\(16, 12, 4\), but at fit"),
        (pixels(12, 16, 3), r"\(12, 16, 3\), but at fit"),
        (pixels(576), r"form 'vector'.*\(576,\), but at fit.*'image'"),
        (pixels(1, 16, 12, 3), r"form 'video'.*but at fit.*'image'"),
    ],
)
def test_another_shape_than_at_fit_is_refused(shown, said):
    model = fitted(pixels(16, 12, 3))
    with pytest.raises(BlockError, match=f"(?s)'snap'.*{said}"):
        model.predict({"snap": shown})


def test_an_axis_that_is_gone_can_be_put_back():
    grey = pixels(16, 12, 1)
    model = fitted(grey)
    with pytest.raises(BlockError, match=r"'snap'.*X\[..., None\]"):
        model.predict({"snap": grey[..., 0]})
    model.predict({"snap": grey[..., 0][..., None]})


@pytest.mark.parametrize("shape", [(0,), (0, 0, 3), (5, 0), (0, 4, 4, 1)])
def test_a_block_that_holds_nothing_is_refused(shape):
    with pytest.raises(BlockError, match=r"'snap' has rows of shape \(.*which hold nothing"):
        FusionClassifier().fit({"snap": pixels(*shape), "a": pixels(2)}, Y)
