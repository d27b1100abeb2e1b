import threading

import numpy as np
import pytest
from PIL import Image
from torch import nn

from skfusion import Blocks, FusionClassifier
from skfusion.encoders import CNN, RNN, Chain, Pretrained
from skfusion.exceptions import BlockError
from skfusion.inputs import BlockUnion, ImageLoader

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 3), dtype=np.uint8)
Y = [0, 1] * 12


class Recorded:
    """A lazy block that keeps what it is asked for, in order."""

    shape, ndim, dtype = PIXELS.shape, 4, PIXELS.dtype

    def __init__(self):
        self.events = []

    def __len__(self):
        return len(PIXELS)

    def __getitem__(self, rows):
        self.events.append(("read", np.arange(len(self))[rows].tolist()))
        return PIXELS[rows]

    def prefetch(self, rows):
        self.events.append(("begin", rows.tolist()))


class Doubled(nn.Module):
    def forward(self, x):
        return x * 2


@pytest.fixture
def photos(tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(len(PIXELS))]
    for path, pixels in zip(paths, PIXELS, strict=True):
        Image.fromarray(pixels).save(path)
    return paths


def network(**settings):
    return FusionClassifier(
        {"photo": CNN((2,))}, batch_size=5, max_epochs=2, random_state=0, **settings
    )


def test_the_next_batch_is_begun_before_one_is_read():
    block = Recorded()
    network().fit(Blocks({"photo": block}), Y)
    begun = [rows for kind, rows in block.events if kind == "begin"]
    read = [rows for kind, rows in block.events if kind == "read"]
    assert begun == read
    assert len(read) == 2 * 5
    for i, rows in enumerate(read):
        before = block.events[: block.events.index(("read", rows))]
        n_begun = sum(kind == "begin" for kind, _ in before)
        assert n_begun <= i + 2  # memory: no more than this batch and the next
        assert n_begun == i + 2 or i % 5 == 4  # the last of an epoch has no next


def test_it_is_begun_in_predict_and_for_a_frozen_encoder_too(monkeypatch):
    monkeypatch.setattr("skfusion._module._NUMBERS_PER_STEP", 1)  # 16 rows a step
    block = Recorded()
    model = FusionClassifier({"photo": Chain(Pretrained(Doubled), RNN(2))}, max_epochs=2)
    model.fit(Blocks({"photo": block}), Y)
    assert [kind for kind, _ in block.events] == ["begin", "begin", "read", "read"]
    block.events.clear()
    model.predict(Blocks({"photo": block}))
    assert [kind for kind, _ in block.events] == ["begin", "begin", "read", "read"]


@pytest.mark.parametrize("block_dropout", [0.0, 0.5])
def test_lazy_blocks_train_as_eager_ones_do(photos, block_dropout):
    lazy = ImageLoader(lazy=True).fit_transform(photos)
    facts = np.random.default_rng(1).normal(size=(24, 2))
    missing = {"photo": np.arange(24) % 7 == 3}
    model = network(missing="allow", block_dropout=block_dropout)
    eager, lazy = (
        Blocks({"photo": block, "facts": facts}, missing=missing) for block in (PIXELS, lazy)
    )
    expected = model.fit(eager[4:], Y[4:]).predict_proba(eager)
    np.testing.assert_array_equal(model.fit(lazy[4:], Y[4:]).predict_proba(lazy), expected)


def test_rows_that_lack_the_block_are_not_begun():
    block = Recorded()
    X = Blocks({"photo": block}, missing={"photo": np.arange(24) % 2 == 0})
    network(missing="allow").fit(X, Y)
    asked = {row for _, rows in block.events for row in rows}
    assert asked == set(range(1, 24, 2))


def test_chosen_rows_beside_other_blocks_are_begun():
    block = Recorded()
    X = Blocks({"photo": block})[[7, 2, 9]].assign({"facts": np.zeros((3, 1))})
    X[[2, 0]].prefetch()
    assert block.events == [("begin", [9, 7])]


def test_rows_around_empty_cells_are_begun(photos):
    cells = np.array([None, *photos[1:]], dtype=object)
    union = BlockUnion([("photo", ImageLoader(lazy=True, n_threads=1), "path")])
    X = union.fit_transform({"path": cells})
    chosen = X[[0, 5, 3]]
    chosen.prefetch()
    X[[1]]["photo"]  # the one thread has done what it was told before
    for path in photos:
        path.unlink()
    np.testing.assert_array_equal(chosen["photo"][1:], PIXELS[[5, 3]])


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_file_that_vanished_is_named_and_no_thread_is_left(photos, n_threads):
    lazy = ImageLoader(lazy=True, n_threads=n_threads).fit_transform(photos)
    photos[9].unlink()
    before = threading.active_count()
    with pytest.raises(BlockError, match=r"row 9, '.*9.png': the file does not exist"):
        network().fit(Blocks({"photo": lazy}), Y)
    assert threading.active_count() <= before + n_threads  # those of the block itself
    np.testing.assert_array_equal(lazy[np.array([3])], PIXELS[[3]])
