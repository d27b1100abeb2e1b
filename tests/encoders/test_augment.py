"""Rows are changed while training, and only then."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from skfusion import FusionClassifier
from skfusion.blocks import Blocks, Ragged, spec_of
from skfusion.encoders import CNN, MLP, RNN, Augment, Encoder, Policy, SparseLinear, TokenEmbedding
from skfusion.encoders._augmentations import (
    Rows,
    crop,
    cutout_pictures,
    cutout_steps,
    flip,
    noise,
    shift_pictures,
    shift_steps,
    time_warp,
    word_dropout,
)
from skfusion.exceptions import BlockError, ParameterError

N = 40


class Seen(Encoder):
    """Hands on what it is shown."""

    def build(self, spec, pooled=True):
        return torch.nn.Flatten()


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def pictures(*shape):
    """Every pixel has a number of its own."""
    return torch.arange(int(np.prod(shape)), dtype=torch.float32).reshape(shape)


def test_nothing_changes_when_predicting():
    photos = np.random.default_rng(0).integers(0, 256, (N, 6, 6, 3)).astype(np.uint8)
    recipe = Augment(CNN((4,)), flip=True, shift=0.3, crop=0.3, noise=0.2, cutout=0.3)
    model = FusionClassifier({"photo": recipe}, max_epochs=1, random_state=0)
    model.fit({"photo": photos}, np.arange(N) % 2)
    first, second = (model.predict_proba({"photo": photos}) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    plain = model.net_.module_.encoders[0].encoder
    x = torch.from_numpy(photos)
    torch.testing.assert_close(model.net_.module_.encoders[0](x), plain(x))


def test_each_epoch_shows_other_rows_and_seeds_repeat_them():
    module = Augment(Seen(), noise=1.0).build(spec_of("x", np.zeros((N, 3), np.float32))).train()
    x = torch.zeros(N, 3)
    torch.manual_seed(1)
    first, second = module(x), module(x)
    torch.manual_seed(1)
    assert torch.equal(module(x), first)
    assert not torch.equal(first, second)


def test_flips_mirror_about_half_of_the_rows():
    x = pictures(N, 3, 4, 1)
    flipped = flip(Rows(x, None), "horizontal").x
    mirrored = [torch.equal(row, one.flip(1)) for row, one in zip(flipped, x, strict=True)]
    same = [torch.equal(row, one) for row, one in zip(flipped, x, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 5 < sum(mirrored) < N - 5
    upside_down = flip(Rows(x, None), "vertical").x
    assert all(
        torch.equal(row, one) or torch.equal(row, one.flip(0))
        for row, one in zip(upside_down, x, strict=True)
    )


def test_shifts_move_pixels_by_at_most_their_share_and_repeat_the_border():
    x = pictures(N, 10, 10, 1)
    moved = shift_pictures(Rows(x, None), 0.2).x
    offsets = set()
    for row, one in zip(moved, x, strict=True):
        down, right = divmod(int(one[5, 5] - row[5, 5]), 10)
        down, right = (down, right) if right < 5 else (down + 1, right - 10)
        i = np.clip(np.arange(10) - down, 0, 9)
        j = np.clip(np.arange(10) - right, 0, 9)
        assert torch.equal(row, one[i][:, j])
        offsets.add((down, right))
    assert max(abs(number) for pair in offsets for number in pair) == 2
    assert len(offsets) > 5


def test_all_frames_of_a_clip_are_changed_alike():
    frames = pictures(N, 1, 8, 8, 1).expand(N, 3, 8, 8, 1)
    rows = Rows(frames, None)
    changes = [flip(rows, "both"), shift_pictures(rows, 0.3), crop(rows, 0.4)]
    for changed in (*changes, cutout_pictures(rows, 0.4)):
        assert torch.equal(changed.x[:, 0], changed.x[:, 2])
        assert not torch.equal(changed.x, frames)


def test_crops_enlarge_a_window():
    x = pictures(N, 12, 12, 1)
    cropped = crop(Rows(x, None), 0.5).x
    assert cropped.shape == x.shape
    for row, one in zip(cropped, x, strict=True):
        assert set(row.flatten().tolist()) <= set(one.flatten().tolist())
        assert torch.equal(row[:, :, 0].sort(0).values, row[:, :, 0])  # order of pixels stays


def test_cutout_covers_a_square():
    covered = cutout_pictures(Rows(torch.ones(N, 10, 8, 3), None), 0.5).x
    assert (covered == 0).sum((1, 2, 3)).tolist() == [4 * 4 * 3] * N
    steps = cutout_steps(Rows(torch.ones(N, 10, 2), None), 0.3).x
    assert (steps == 0).sum((1, 2)).tolist() == [3 * 2] * N


def test_noise_brings_bytes_into_the_unit_interval():
    noisy = noise(Rows(torch.full((N, 4, 4, 1), 255, dtype=torch.uint8), None), 0.1).x
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    assert noisy.std() > 0.02


def test_steps_stay_within_the_row():
    lengths = torch.arange(N) % 7
    mask = torch.arange(8) < lengths[:, None]
    x = pictures(N, 8, 1).masked_fill(~mask[:, :, None], -1)
    for change in (shift_steps, time_warp):
        changed = change(Rows(x, mask), strength=0.5).x
        assert (changed[mask] >= 0).all()
    still = time_warp(Rows(x, mask), strength=0.0).x
    assert torch.equal(still[mask], x[mask])


def test_a_row_of_tokens_keeps_one_and_stays_in_order():
    words = Ragged.from_rows([np.arange(length) for length in range(12)], n_tokens=12)
    values, mask = (torch.from_numpy(part) for part in words.pad())
    x, kept = word_dropout(Rows(values, mask), strength=0.9)
    n_kept = kept.sum(1)
    assert n_kept[0] == 0
    assert (n_kept[1:] >= 1).all()
    assert n_kept.sum() < mask.sum() / 2
    for row, there, n in zip(x, kept, n_kept, strict=True):
        assert there[:n].all()  # no holes
        assert torch.equal(row[:n].sort().values, row[:n])


def test_words_of_csr_rows_are_left_out():
    words = csr_array(np.ones((N, 20), np.float32))
    model = FusionClassifier(
        {"text": Augment(SparseLinear(4), word_dropout=0.5)}, max_epochs=1, random_state=0
    )
    assert model.fit({"text": words}, np.arange(N) % 2).predict({"text": words}).shape == (N,)


def test_parameters_of_both_are_searchable():
    recipe = Augment(CNN(), flip=True).set_params(channels=(4,), shift=0.1)
    assert (recipe.encoder.channels, recipe.shift) == ((4,), 0.1)
    assert recipe.get_params()["kernel_size"] == CNN().kernel_size
    outer = Policy(recipe, lr_scale=0.1).set_params(noise=0.2)
    assert outer.encoder.noise == 0.2


@pytest.mark.parametrize(
    ("recipe", "block", "error", "message"),
    [
        (Augment(MLP(), flip=True), np.zeros((2, 3)), BlockError, "'b'.* there is no flip"),
        (Augment(RNN(), word_dropout=0.1), np.zeros((2, 3, 4)), BlockError, "no word_dropout"),
        (Augment(CNN(), time_warp=0.1), np.zeros((2, 8, 8, 3)), BlockError, "is for sequence"),
        (Augment(CNN(), flip="up"), np.zeros((2, 8, 8, 3)), ParameterError, "flip must be one of"),
        (Augment(CNN(), shift=2), np.zeros((2, 8, 8, 3)), ParameterError, "shift must be a number"),
        (Augment(CNN(), cutout=1), np.zeros((2, 8, 8, 3)), ParameterError, "less than 1"),
        (Augment(Policy(CNN())), np.zeros((2, 8, 8, 3)), ParameterError, "Policy goes around"),
        (Augment("cnn"), np.zeros((2, 8, 8, 3)), ParameterError, "encoder must be a recipe"),
    ],
)
def test_what_is_wrong_is_said_before_training(recipe, block, error, message):
    with pytest.raises(error, match=message):
        FusionClassifier({"b": recipe}).fit(Blocks({"b": block.astype(np.float32)}), [0, 1])


def test_a_frozen_network_behind_it_is_shown_other_rows_in_each_epoch():
    """Else its outputs would be computed once a fit, and the augmentation would be for nothing."""
    table = np.random.default_rng(0).normal(size=(5, 4))
    recipe = Augment(TokenEmbedding(vectors=table, frozen=True), word_dropout=0.5)
    module = recipe.build(spec_of("w", Ragged.from_rows([[1, 2]], n_tokens=5)))
    assert not getattr(module, "frozen", False)
