import io
import pickle

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone

from skfusion.blocks import Blocks
from skfusion.exceptions import BlockError, ParameterError
from skfusion.inputs import FrameLoader

# Frame t of a clip is plain grey of value 10 t.
CLIP = np.full((12, 6, 8), 10, np.uint8) * np.arange(12, dtype=np.uint8)[:, None, None]


def animation(clip, kind):
    frames = [Image.fromarray(frame) for frame in clip]
    buffer = io.BytesIO()
    options = {"lossless": True} if kind == "WEBP" else {}
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:], **options)
    return buffer.getvalue()


@pytest.fixture
def folder(tmp_path):
    for i, frame in enumerate(CLIP):
        Image.fromarray(frame).save(tmp_path / f"frame{i}.png")
    (tmp_path / "notes.txt").write_text("no frame")
    (tmp_path / ".hidden.png").write_text("no frame")
    return str(tmp_path)


def levels(video):
    """The value of each frame, divided by 10."""
    return np.rint(video.reshape(len(video), -1).mean(axis=1) / 10).astype(int).tolist()


def test_every_kind_of_clip_gives_the_same_video(folder):
    cells = [folder, CLIP, list(CLIP), [f"{folder}/frame{i}.png" for i in range(12)]]
    cells += [animation(CLIP, "GIF"), animation(CLIP, "WEBP"), animation(CLIP, "PNG")]
    videos = FrameLoader(n_frames=12, mode="L").fit_transform(cells)
    assert videos.shape == (7, 12, 6, 8, 1)
    assert videos.dtype == np.uint8
    for video in videos:
        assert levels(video) == list(range(12))


@pytest.mark.parametrize(
    ("n_frames", "chosen"),
    [(4, [1, 4, 7, 10]), (1, [6]), (3, [2, 6, 10]), (24, sorted([*range(12), *range(12)]))],
)
def test_frames_are_sampled_evenly_from_every_kind(folder, n_frames, chosen):
    cells = [folder, CLIP, animation(CLIP, "GIF")]
    for video in FrameLoader(n_frames=n_frames, mode="L").fit_transform(cells):
        assert levels(video) == chosen


def test_without_n_frames_clips_keep_their_length(folder):
    videos = FrameLoader(size=(3, 4), mode="L").fit_transform([CLIP[:5], folder, CLIP[:1]])
    assert videos.lengths.tolist() == [5, 12, 1]
    assert Blocks({"clip": videos}).specs()["clip"].form == "video"
    assert videos.shape == (3, None, 3, 4, 1)
    assert levels(videos[1]) == list(range(12))


def test_lazy_clips_equal_eager_clips(folder):
    cells = [folder, CLIP[:7], animation(CLIP, "GIF")]
    eager = FrameLoader(n_frames=5, size=(4, 4)).fit_transform(cells)
    lazy = clone(FrameLoader(n_frames=5, size=(4, 4), lazy=True)).fit_transform(cells)
    assert lazy.shape == eager.shape == (3, 5, 4, 4, 3)
    rows = np.array([2, 0])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(lazy))[rows], eager[rows])


@pytest.mark.parametrize("lazy", [False, True])
def test_clip_without_frames_is_named_or_missing(tmp_path, folder, lazy):
    empty = tmp_path / "empty"
    empty.mkdir()
    cells = [folder, str(empty), CLIP[:0], []]
    with pytest.raises(BlockError, match=r"row 1, '.*empty': the clip has no frames.*2 further"):
        FrameLoader(n_frames=2, mode="L", lazy=lazy).fit_transform(cells)
    found = FrameLoader(n_frames=2, mode="L", lazy=lazy, on_error="missing").fit_transform(cells)
    assert found.missing.tolist() == [False, True, True, True]


def test_ragged_missing_clips_are_empty_rows(folder):
    found = FrameLoader(mode="L", on_error="missing").fit_transform([folder, "absent", CLIP])
    assert found.missing.tolist() == [False, True, False]
    assert found.block.lengths.tolist() == [12, 0, 12]


def test_sizes_that_differ_need_size():
    mixed = [CLIP[0], CLIP[1][:4]]
    with pytest.raises(BlockError, match=r"frame 1 has shape \(4, 8, 1\), but frame 0 has \(6"):
        FrameLoader(mode="L").fit_transform([mixed])
    assert FrameLoader(size=(4, 4), mode="L").fit_transform([mixed]).lengths.tolist() == [2]
    with pytest.raises(BlockError, match="row 1, array of shape .* give size="):
        FrameLoader(mode="L").fit_transform([CLIP, CLIP[:, :4]])


def test_wrong_arguments():
    with pytest.raises(ParameterError, match="lazy=True needs n_frames"):
        FrameLoader(lazy=True).fit([CLIP])
    with pytest.raises(ParameterError, match="n_frames must be an int >= 1. Got 0"):
        FrameLoader(n_frames=0).fit([CLIP])
    with pytest.raises(BlockError, match=r"row 0, array of shape \(6, 8\): .*is a clip"):
        FrameLoader().fit([CLIP[0]])
