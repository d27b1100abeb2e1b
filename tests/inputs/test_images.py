import io
import os
import pickle
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import clone

from skfusion.blocks import Blocks, MaskedBlock
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs import BlockUnion, ImageLoader
from skfusion.inputs._images import lazy_cells

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (6, 12, 10, 3), dtype=np.uint8)


def encoded(pixels, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def paths(tmp_path):
    names = [tmp_path / f"{i}.png" for i in range(len(PIXELS))]
    for name, pixels in zip(names, PIXELS, strict=True):
        name.write_bytes(encoded(pixels))
    return [str(name) for name in names]


@pytest.fixture
def broken(tmp_path, paths):
    """One file of each kind of trouble, among good ones."""
    whole = encoded(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    (tmp_path / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "large.png").write_bytes(encoded(np.zeros((200, 200), np.uint8)))
    names = ["truncated.png", "text.png", "large.png", "absent.png"]
    return [paths[0], *(str(tmp_path / name) for name in names), paths[1]]


def test_paths_bytes_images_and_arrays_give_the_same_pixels(paths, tmp_path):
    for cells in (
        paths,
        pd.Series(paths),
        pd.DataFrame({"path": paths}),
        [tmp_path / path for path in paths],
        [encoded(pixels) for pixels in PIXELS],
        [Image.fromarray(pixels) for pixels in PIXELS],
        list(PIXELS),
        PIXELS,
    ):
        images = ImageLoader().fit_transform(cells)
        assert images.dtype == np.uint8
        np.testing.assert_array_equal(images, PIXELS)


def test_resized_by_pillow():
    images = ImageLoader(size=(5, 7)).fit_transform(PIXELS)
    for image, pixels in zip(images, PIXELS, strict=True):
        expected = Image.fromarray(pixels).resize((7, 5), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(image, np.asarray(expected))


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3), ("RGBA", 4)])
def test_modes(mode, channels, paths):
    for cells in (paths, PIXELS[..., 0], PIXELS[..., :1], PIXELS[..., 0] > 100):
        images = ImageLoader(mode=mode).fit_transform(cells)
        assert images.shape == (6, 12, 10, channels)
    grey = ImageLoader(mode="L").fit_transform(PIXELS[..., 0])
    np.testing.assert_array_equal(grey[..., 0], PIXELS[..., 0])


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    deep = np.linspace(0, 65_535, 120).astype(np.uint16).reshape(12, 10)
    path = tmp_path / "deep.png"
    Image.fromarray(deep).save(path)
    images = ImageLoader(mode="L").fit_transform([str(path), deep])
    np.testing.assert_array_equal(images[0, ..., 0], deep // 257)
    np.testing.assert_array_equal(images[1], images[0])


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_respected(orientation, lazy):
    upright = np.zeros((24, 16), np.uint8)
    upright[:8, :8] = 255  # white corner at top left
    stored = Image.fromarray(upright)
    # What a camera stores so that `orientation` brings it upright again.
    to_stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    if orientation > 1:
        stored = stored.transpose(to_stored[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    stored.save(buffer, "PNG", exif=exif)
    images = ImageLoader(mode="L", lazy=lazy).fit_transform([buffer.getvalue()])
    np.testing.assert_array_equal(images[:][0, ..., 0], upright)


def test_large_jpeg_is_decoded_small_and_nearly_the_same():
    smooth = np.linspace(0, 255, 512 * 768).reshape(512, 768).astype(np.uint8)
    jpeg = encoded(smooth, "JPEG", quality=95)
    small = ImageLoader(size=(16, 24), mode="L").fit_transform([jpeg])[0, ..., 0]
    expected = np.asarray(Image.fromarray(smooth).resize((24, 16), Image.Resampling.BILINEAR))
    assert np.abs(small.astype(int) - expected).max() <= 3


def test_lazy_rows_equal_eager_rows(paths):
    eager = ImageLoader(size=(8, 8)).fit_transform(paths)
    lazy = ImageLoader(size=(8, 8), lazy=True, n_threads=2).fit_transform(paths)
    assert (lazy.shape, lazy.ndim, lazy.dtype, len(lazy)) == (eager.shape, 4, np.uint8, 6)
    for rows in (slice(1, 4), np.array([5, 0, 0]), np.array([], dtype=int), slice(None)):
        np.testing.assert_array_equal(lazy[rows], eager[rows])
    lazy.prefetch(np.array([2, 3]))
    np.testing.assert_array_equal(lazy[np.array([2, 3])], eager[[2, 3]])
    for kept in (pickle.loads(pickle.dumps(lazy)), Blocks({"photo": lazy})[[4, 2]]["photo"]):
        assert kept[:1].shape == (1, 8, 8, 3)


@pytest.mark.parametrize("rows", [[5, 0, 3, 3], [3, 0], [0, 2], [1], []])
def test_any_rows_can_be_asked_for_whatever_was_begun(paths, rows):
    lazy = ImageLoader(lazy=True).fit_transform(paths)
    for begun in ([4, 1], [5, 0, 3, 3], [2]):
        lazy.prefetch(np.array(begun))
    np.testing.assert_array_equal(lazy[np.array(rows, dtype=int)], PIXELS[rows])


def test_what_was_begun_is_not_decoded_again(paths):
    lazy = ImageLoader(lazy=True, n_threads=1).fit_transform(paths)
    lazy.prefetch(np.array([4, 1, 2]))
    lazy[np.array([0])]  # the one thread has done what it was told before
    for path in paths:
        os.remove(path)
    np.testing.assert_array_equal(lazy[np.array([1, 4])], PIXELS[[1, 4]])
    with pytest.raises(BlockError, match="row 2, .*the file does not exist"):
        lazy[np.array([2])]


def test_lazy_block_hashes_alike_before_and_after_reading(paths):
    lazy = ImageLoader(lazy=True).fit_transform(paths)
    before = joblib.hash(lazy)
    lazy[np.array([0, 1])]
    lazy.prefetch(np.array([2]))
    assert joblib.hash(lazy) == before


def test_lazy_rows_from_many_threads(paths):
    lazy = ImageLoader(lazy=True).fit_transform(paths)
    wrong = []

    def work(row):
        for _ in range(20):
            wrong.extend([row] * (not np.array_equal(lazy[np.array([row])][0], PIXELS[row])))

    threads = [threading.Thread(target=work, args=(row,)) for row in range(len(PIXELS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_threads_that_ask_at_the_same_time_share_one_pool(paths, monkeypatch):
    pools, barrier = [], threading.Barrier(2)

    class SlowPool(ThreadPoolExecutor):
        def __init__(self, n_workers):
            time.sleep(0.1)  # long enough for the other thread to come by
            super().__init__(n_workers)
            pools.append(self)

    block = ImageLoader(lazy=True).fit_transform(paths)
    monkeypatch.setattr(lazy_cells, "ThreadPoolExecutor", SlowPool)

    def work():
        barrier.wait()
        assert block[[0]].shape[0] == 1

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pools) == 1


def test_lazy_memory_does_not_grow_with_the_number_of_images(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(encoded(np.zeros((64, 64, 3), np.uint8)))

    def peak(n):
        tracemalloc.start()
        lazy = ImageLoader(lazy=True, n_threads=1).fit_transform([str(path)] * n)
        for start in range(0, n, 16):
            lazy[start : start + 16]
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    peak(16)
    assert peak(320) < peak(32) + 320 * 64 * 64 * 3 / 5


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (1, "row 1, '.*truncated.png': .*([Tt]runcated|broken|cannot|CRC)"),
        (2, "row 1, '.*text.png': it is no image that Pillow can read. Repair it"),
        (3, r"row 1, '.*large.png': it is too large: 200 x 200 pixels, and max_pixels is 10,000"),
        (4, "row 1, '.*absent.png': the file does not exist.*on_error"),
    ],
)
def test_unreadable_files_are_named(broken, bad, message, lazy):
    loader = ImageLoader(size=(8, 8), max_pixels=10_000, lazy=lazy)
    with pytest.raises(BlockError, match=message):
        loader.fit_transform([broken[0], broken[bad]])


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("size", [(8, 8), None])
def test_unreadable_files_become_missing_rows(broken, lazy, size):
    loader = ImageLoader(size=size, on_error="missing", max_pixels=10_000, lazy=lazy)
    found = loader.fit_transform([*broken, None])
    assert isinstance(found, MaskedBlock)
    assert found.missing.tolist() == [False, True, True, True, True, False, True]
    alone = ImageLoader(size=size).fit_transform([broken[0], broken[5]])
    np.testing.assert_array_equal(found.block[np.array([0, 5])], alone)


@pytest.mark.parametrize("lazy", [False, True])
def test_union_marks_unreadable_and_empty_cells(broken, lazy):
    loader = ImageLoader(size=(8, 8), on_error="missing", max_pixels=10_000, lazy=lazy)
    blocks = BlockUnion([("photo", loader, "path")]).fit_transform(
        pd.DataFrame({"path": [None, *broken]})
    )
    assert blocks.missing("photo").tolist() == [True, False, True, True, True, True, False]
    np.testing.assert_array_equal(
        blocks[[6]]["photo"], ImageLoader(size=(8, 8)).fit_transform([broken[5]])
    )


def test_file_that_breaks_after_its_header_was_read(tmp_path):
    path = tmp_path / "photo.jpg"
    whole = encoded(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8), "JPEG")
    path.write_bytes(whole[: len(whole) // 2])
    lazy = ImageLoader(lazy=True).fit_transform([str(path)])
    with pytest.raises(BlockError, match=r"row 0, '.*photo.jpg': .*truncated.*Its header was in"):
        lazy[:]


@pytest.mark.parametrize("lazy", [False, True])
def test_mixed_sizes_name_two_rows(paths, lazy):
    small = encoded(np.zeros((4, 4, 3), np.uint8))
    message = r"row 2, \d+ bytes, has shape \(4, 4, 3\), but row 0, .* has \(12, 10, 3\).*size="
    with pytest.raises(BlockError, match=message):
        ImageLoader(lazy=lazy).fit_transform([paths[0], paths[1], small])
    loader = ImageLoader(lazy=lazy).fit(paths)
    with pytest.raises(BlockError, match="but the rows seen at fit have"):
        loader.transform([small])


def test_wrong_cells_are_errors_even_where_files_may_be_missing():
    loader = ImageLoader(on_error="missing")
    with pytest.raises(BlockTypeError, match=r"row 0: a cell holds a path, bytes.*Got int"):
        loader.fit([3])
    with pytest.raises(BlockTypeError, match=r"row 0: an array in a cell.*\(255 \* array\)"):
        loader.fit(PIXELS / 255)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 64}, r"size must be \(height, width\) or None. Got 64"),
        ({"size": (64, 0)}, "each of size must be an int >= 1. Got 0"),
        ({"mode": "rgb"}, "mode must be one of .* Got 'rgb'"),
        ({"on_error": "ignore"}, "on_error must be one of 'raise', 'missing'"),
        ({"max_pixels": 0}, "max_pixels must be an int >= 1"),
        ({"n_threads": 0}, "n_threads must be an int >= 1.*one per core"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ParameterError, match=message):
        ImageLoader(**options).fit(PIXELS)


def test_nothing_to_learn_from():
    with pytest.raises(BlockError, match="at least one row"):
        ImageLoader().fit([])
    with pytest.raises(BlockError, match="could read none of 2 rows; row 0, 'a.png'"):
        ImageLoader(on_error="missing").fit(["a.png", "b.png"])


def test_clone_keeps_parameters(paths):
    loader = clone(ImageLoader(size=(8, 8), mode="L", lazy=True)).fit(paths)
    assert loader.row_shape_ == (8, 8, 1)
    assert loader.transform([]).shape == (0, 8, 8, 1)
