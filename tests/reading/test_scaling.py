"""The same values in another dtype give the same predictions, and other ranges are refused."""

import numpy as np
import pytest

from skfusion import Blocks, FusionClassifier, Ragged
from skfusion.encoders import CNN, RNN, TimeDistributed
from skfusion.exceptions import BlockError
from skfusion.inspection import block_predictions

N = 12
RNG = np.random.default_rng(0)
Y = np.arange(N) % 2
PIXELS = RNG.integers(0, 256, (N, 5, 4, 3)).astype(np.uint8)
STEPS = RNG.integers(0, 256, (N, 5, 2)).astype(np.uint8)
FRAMES = RNG.integers(0, 256, (N, 2, 5, 4, 1)).astype(np.uint8)
LENGTHS = np.arange(N) % 3
BYTES = {
    "images": PIXELS,
    "sequences": STEPS,
    "clips": FRAMES,
    "sequences of different length": Ragged.from_rows(
        [steps[: 1 + n] for steps, n in zip(STEPS, LENGTHS, strict=True)]
    ),
    "clips of different length": Ragged.from_rows(
        [frames[: 1 + n] for frames, n in zip(FRAMES, LENGTHS, strict=True)]
    ),
}
PICTURES = [name for name in BYTES if "sequences" not in name]
WHOLE = ["int64", "int16", "uint16", "float32", "float64", "float16", ">f4", ">i4", "longdouble"]


def encoder(kind):
    image = CNN(channels=(2,), kernel_size=1, width=3)
    return image if kind == "images" else TimeDistributed(image) if "clips" in kind else RNN(3)


def fitted(kind, block):
    model = FusionClassifier({"snap": encoder(kind)}, max_epochs=1, random_state=0)
    return model.fit({"snap": block}, Y)


def probabilities(model, block):
    return model.predict_proba({"snap": block})


def changed(block, change):
    """Return ``block`` with ``change`` applied to its values."""
    if isinstance(block, Ragged):
        return Ragged(change(block.values), block.offsets)
    return change(block)


def fractions(values):
    return (values / 255).astype(np.float32)


@pytest.fixture(scope="module", params=list(BYTES))
def learned(request):
    """A kind of block, such a block of bytes, and a model that learned it."""
    block = BYTES[request.param]
    return request.param, block, fitted(request.param, block)


# Bytes learned


@pytest.mark.parametrize("dtype", WHOLE)
def test_bytes_are_the_same_in_any_dtype(learned, dtype):
    _, block, model = learned
    shown = changed(block, lambda values: values.astype(dtype))
    np.testing.assert_array_equal(probabilities(model, shown), probabilities(model, block))


def test_fractions_among_bytes_are_on_their_scale(learned):
    _, block, model = learned
    shown = changed(block, lambda values: values.clip(1, 254) + np.float32(0.001))
    whole = changed(block, lambda values: values.clip(1, 254))
    np.testing.assert_allclose(probabilities(model, shown), probabilities(model, whole), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        (fractions, "row 0 holds 0.* to "),
        (lambda values: values.astype(np.int16) - 300, "row 0 holds -"),
        (lambda values: values.astype(np.uint16) + 200, "row 0 holds .* to 4"),
        (lambda values: (values > 128).astype(np.float32), "0.0 and 1.0 only"),
        (lambda values: values > 128, "True and False"),
    ],
    ids=["fractions", "negative", "above 255", "floats of 0 and 1", "bool"],
)
def test_what_cannot_be_bytes_is_refused(learned, change, shown):
    _, block, model = learned
    with pytest.raises(BlockError, match=f"'snap' held uint8 values .*at fit, but.* {shown}"):
        probabilities(model, changed(block, change))


def test_the_advice_can_be_followed(learned):
    _, block, model = learned
    advised = changed(block, lambda v: (255 * fractions(v)).round().astype("uint8"))
    np.testing.assert_array_equal(probabilities(model, advised), probabilities(model, block))


def test_the_row_of_another_scale_is_named():
    model = fitted("images", PIXELS)
    shown = PIXELS.astype(np.float32)
    shown[7] /= 255
    with pytest.raises(BlockError, match="'snap'.* row 7 holds 0.* to "):
        probabilities(model, shown)


def test_what_stands_in_missing_rows_is_not_looked_at():
    model = fitted("images", PIXELS)
    shown, gone = PIXELS.astype(np.float64), np.arange(N) == 3
    shown[gone] = [[[np.nan, -1e9, np.inf]]]
    model.set_params(missing="allow")
    bytes_, floats = (
        model.predict_proba(Blocks({"snap": block}, {"snap": gone})) for block in (PIXELS, shown)
    )
    np.testing.assert_array_equal(bytes_, floats)


def test_nan_among_pixels_is_found():
    shown = PIXELS.astype(np.float32)
    shown[2, 1, 0, 2] = np.nan
    with pytest.raises(BlockError, match=r"'snap' contains NaN in row 2, position \(1, 0, 2\)"):
        probabilities(fitted("images", PIXELS), shown)


# Floats, integers and booleans learned


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int16", "uint16"])
def test_numbers_up_to_255_are_no_bytes(learned, dtype):
    kind, block, _ = learned
    numbers = changed(block, lambda values: values.astype(dtype))
    model = fitted(kind, numbers)
    expected = probabilities(model, numbers)
    for other in [block, *(changed(block, lambda v, to=to: v.astype(to)) for to in WHOLE)]:
        np.testing.assert_allclose(probabilities(model, other), expected, rtol=1e-5)
    with pytest.raises(BlockError, match="'snap'.*at fit, but row 0 holds 0.* to "):
        probabilities(model, changed(block, fractions))


def test_fractions_learned_and_bytes_shown(learned):
    kind, block, _ = learned
    model = fitted(kind, changed(block, fractions))
    expected = probabilities(model, changed(block, fractions))
    if kind in PICTURES:
        np.testing.assert_allclose(probabilities(model, block), expected, rtol=1e-6)
    else:
        with pytest.raises(BlockError, match="'snap'.*at fit, but X holds bytes"):
            probabilities(model, block)
    for dtype in (np.int64, np.float32):
        with pytest.raises(BlockError, match="'snap'.*at fit, but row 0 holds .* to "):
            probabilities(model, changed(block, lambda values, to=dtype: values.astype(to)))


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint16])
def test_sixteen_bits_among_pictures_of_eight_are_refused(learned, dtype):
    kind, block, _ = learned
    if kind in PICTURES:
        model = fitted(kind, changed(block, lambda values: values.astype(dtype)))
        with pytest.raises(BlockError, match="'snap'.*at fit, but row 0 holds .* to .*e[+]04"):
            probabilities(model, changed(block, lambda values: values.astype(np.uint16) * 257))


def test_standardised_values_learned_and_bytes_shown(learned):
    kind, block, _ = learned
    model = fitted(kind, changed(block, lambda v: (v.astype(np.float32) - 128) / 64))
    for dtype in (np.uint8, np.int64, np.float32):
        with pytest.raises(BlockError, match="'snap' held float32 values from -.* but row 0"):
            probabilities(model, changed(block, lambda values, to=dtype: values.astype(to)))


def test_booleans_are_0_and_1_in_any_dtype(learned):
    kind, block, _ = learned
    flags = changed(block, lambda values: values > 128)
    model = fitted(kind, flags)
    expected = probabilities(model, flags)
    for dtype in ("uint8", "int64", "float32"):
        shown = changed(flags, lambda values, to=dtype: values.astype(to))
        np.testing.assert_array_equal(probabilities(model, shown), expected)
    with pytest.raises(BlockError, match="'snap' held bool values from 0 to 1 at fit, but row 0"):
        probabilities(model, block)


def test_measurements_may_lie_far_off_those_of_the_fit():
    steps = RNG.normal(size=(N, 5, 2)).astype(np.float32)
    model = fitted("sequences", steps)
    assert np.isfinite(probabilities(model, steps * 1000)).all()


# Blocks that are not scaled


@pytest.mark.parametrize("dtype", ["uint8", "int8", "bool", "float16", ">f8", "longdouble"])
def test_a_block_of_vectors_is_the_same_in_any_dtype(dtype):
    values = RNG.integers(0, 2, (N, 4))
    model = FusionClassifier(max_epochs=1, random_state=0).fit({"a": values.astype(dtype)}, Y)
    expected = model.predict_proba({"a": values.astype(dtype)})
    for other in ("uint8", "int64", "float32", "float64", "bool", ">i2", object):
        found = model.predict_proba({"a": values.astype(other)})
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_ids_and_waves_are_told_apart_by_the_fit():
    rows = [RNG.integers(0, 9, 3 + row % 4) for row in range(N)]
    ids, waves = Ragged.from_rows(rows, n_tokens=9), Ragged.from_rows(rows, dtype=np.float32)
    for learned, shown in ((ids, waves), (waves, ids), (ids, ids.astype(np.uint8))):
        model = FusionClassifier(max_epochs=1, random_state=0).fit({"a": learned}, Y)
        np.testing.assert_array_equal(
            model.predict_proba({"a": shown}), model.predict_proba({"a": learned})
        )
    model = FusionClassifier(max_epochs=1).fit({"a": ids}, Y)
    with pytest.raises(BlockError, match="'a' has rows of form 'waveform'.*at fit.*'tokens'"):
        model.predict({"a": Ragged(waves.values + np.float32(0.5), waves.offsets)})


# Lazy blocks


class Lazy:
    """An array that is read by row, and counts how much of it was."""

    def __init__(self, array):
        self.array, self.asked = array, []
        self.shape, self.ndim, self.dtype = array.shape, array.ndim, array.dtype

    def __len__(self):
        return len(self.array)

    def __getitem__(self, rows):
        self.asked.append(len(self.array[rows]))
        return self.array[rows]

    def prefetch(self, rows):
        self.asked.append(-len(rows))


def test_lazy_blocks_are_read_on_the_scale_of_the_fit_batch_by_batch():
    model = fitted("images", PIXELS)
    expected = probabilities(model, PIXELS)
    lazy = Lazy(PIXELS.astype(np.float64))
    np.testing.assert_array_equal(probabilities(model, lazy), expected)
    np.testing.assert_array_equal(
        model.predict_proba(Blocks({"snap": lazy})[[5, 2]]), expected[[5, 2]]
    )
    with pytest.raises(BlockError, match="'snap'.* row 0 holds 0"):
        probabilities(model, Lazy(fractions(PIXELS)))
    of_lazy = fitted("images", Lazy(PIXELS))
    np.testing.assert_array_equal(probabilities(of_lazy, PIXELS.astype(np.int64)), expected)


def test_a_memory_map_of_floats(tmp_path):
    np.save(tmp_path / "photos.npy", PIXELS.astype(np.float32))
    mapped = np.load(tmp_path / "photos.npy", mmap_mode="r")
    model = fitted("images", PIXELS)
    np.testing.assert_array_equal(probabilities(model, mapped), probabilities(model, PIXELS))


def test_inspection_reads_once():
    model = fitted("images", PIXELS)
    shown = {"snap": PIXELS.clip(1, 254) + np.float32(0.25)}
    table = block_predictions(model, shown)
    assert len(table) == N
