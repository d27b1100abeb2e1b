"""Images of every form become what a person sees, or are refused by row."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs import FrameLoader, ImageLoader

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (12, 16, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (12, 16), dtype=np.uint8)


def load(cell, **options):
    return ImageLoader(**options).fit_transform([cell])[0]


def saved(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "cell",
    [
        np.moveaxis(PHOTO, -1, 0),
        torch.from_numpy(PHOTO).permute(2, 0, 1),
        torch.from_numpy(PHOTO),
        PHOTO.astype(np.uint16) * 257,
        (PHOTO.astype(np.uint16) * 257).astype(">u2"),
        np.ma.array(PHOTO),
        bytearray(saved(Image.fromarray(PHOTO))),
        memoryview(saved(Image.fromarray(PHOTO))),
        PHOTO[:, ::-1][:, ::-1],
    ],
    ids=["first", "tensor", "last", "16 bits", "big-endian", "masked", "bytearray", "view", "turn"],
)
def test_the_same_picture_in_another_form(cell):
    np.testing.assert_array_equal(load(cell), PHOTO)
    np.testing.assert_array_equal(FrameLoader().fit_transform([[cell]])[0][0], PHOTO)


def test_grey_among_colour_and_grey_of_every_layout():
    cells = [PHOTO, GREY, GREY[..., None], GREY[None], torch.from_numpy(GREY)[None]]
    images = ImageLoader().fit_transform(cells)
    for image in images[1:]:
        np.testing.assert_array_equal(image, np.stack([GREY] * 3, axis=-1))


def test_a_tensor_has_its_channels_first_where_both_axes_could_be():
    tensor = torch.arange(3 * 5 * 4, dtype=torch.uint8).reshape(3, 5, 4)
    np.testing.assert_array_equal(load(tensor), tensor.permute(1, 2, 0).numpy())
    assert load(tensor.numpy(), mode="RGBA").shape == (3, 5, 4)


def test_clips_of_tensors():
    clip = torch.from_numpy(np.stack([PHOTO, PHOTO[::-1].copy()])).permute(0, 3, 1, 2)
    found = FrameLoader(2).fit_transform([clip])
    np.testing.assert_array_equal(found[0, 0], PHOTO)
    np.testing.assert_array_equal(found[0, 1], PHOTO[::-1])


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    ("background", "level"), [("white", 255), ("black", 0), ((9, 9, 9), 9), ("#111", 17)]
)
def test_what_is_transparent_shows_the_background(mode, background, level):
    clear = np.zeros((6, 5, 4), np.uint8)
    clear[:3] = (200, 200, 200, 255)
    palette = Image.new("P", (5, 6), 1)
    palette.putpalette([200, 200, 200, 10, 20, 30])
    palette.paste(0, (0, 0, 5, 3))
    grey = Image.fromarray(np.repeat(np.uint8([[200], [3]]), [3, 3], axis=0).repeat(5, axis=1))
    rgb = Image.fromarray(clear[..., :3].copy())
    cells = [
        clear,
        clear[..., 2:],
        np.moveaxis(clear, -1, 0),
        saved(Image.fromarray(clear)),
        saved(Image.fromarray(clear), "WEBP", lossless=True),
        saved(Image.fromarray(clear), "TIFF"),
        saved(Image.fromarray(clear).convert("LA")),
        saved(palette, transparency=1),
        saved(palette, transparency=bytes([255, 0])),
        saved(palette, "GIF", transparency=1),
        saved(grey, transparency=3),
        saved(rgb, transparency=(0, 0, 0)),
    ]
    images = ImageLoader(mode=mode, background=background).fit_transform(cells)
    assert (images[:, :3] == 200).all() and (images[:, 3:] == level).all()
    clips = FrameLoader(1, mode=mode, background=background).fit_transform([[c] for c in cells])
    np.testing.assert_array_equal(clips[:, 0], images)


def test_half_transparent_pixels_are_mixed_and_rgba_is_kept():
    half = np.full((2, 2, 4), (0, 100, 200, 128), np.uint8)
    np.testing.assert_allclose(load(half)[0, 0], [127, 177, 227], atol=1)
    np.testing.assert_array_equal(load(half, mode="RGBA"), half)


def test_opaque_images_with_an_alpha_channel_keep_their_pixels():
    opaque = np.dstack([PHOTO, np.full((12, 16), 255, np.uint8)])
    np.testing.assert_array_equal(load(opaque), PHOTO)


def test_sixteen_bits_with_a_transparent_level():
    deep = np.full((4, 4), 40_000, np.uint16)
    deep[2:] = 7
    cell = saved(Image.fromarray(deep), transparency=7)
    found = load(cell, mode="L")[..., 0]
    assert (found[:2] == 40_000 // 257).all()
    assert (found[2:] == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_modes_of_files(kind):
    photo = Image.fromarray(PHOTO)
    bits = Image.fromarray(GREY).point(lambda level: 255 * (level > 127)).convert("1")
    expected = np.where(np.asarray(bits), 255, 0)
    np.testing.assert_array_equal(load(saved(bits, kind), mode="L")[..., 0], expected)
    few = photo.quantize(8)
    np.testing.assert_array_equal(load(saved(few, kind)), np.asarray(few.convert("RGB")))


def test_inks_of_print_look_as_on_paper():
    for kind in ("JPEG", "TIFF"):
        ink = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
        red = load(saved(ink, kind))
        assert red[..., 0].min() > 240 and red[..., 1:].max() < 15
    assert load(Image.new("CMYK", (8, 8), (0, 0, 0, 255))).max() == 0


def test_an_animation_where_a_still_is_asked_gives_its_first_frame():
    frames = [Image.new("L", (4, 4), level) for level in (10, 200, 90)]
    for kind in ("GIF", "PNG", "TIFF"):
        cell = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        assert (load(cell, mode="L") == 10).all()


@pytest.mark.parametrize(
    ("cell", "error", "message"),
    [
        (PHOTO / 255, BlockTypeError, "float64.*255"),
        (np.where(GREY > 9, np.nan, 1.0), BlockTypeError, "uint8, uint16 or bool"),
        (PHOTO.astype(np.int64), BlockTypeError, "dtype int64"),
        (torch.rand(3, 8, 8, requires_grad=True), BlockTypeError, "dtype torch.float32"),
        (torch.rand(3, 8, 8).bfloat16(), BlockTypeError, "dtype torch.bfloat16"),
        (PHOTO.astype(object), BlockTypeError, "dtype object"),
        (PHOTO.astype(str), BlockTypeError, "dtype <U"),
        (np.zeros((9, 9, 7), np.uint8), BlockTypeError, r"shape \(9, 9, 7\)"),
        (np.zeros(9, np.uint8), BlockTypeError, r"shape \(9,\)"),
        (np.array(9, np.uint8), BlockTypeError, r"shape \(\)"),
        (np.zeros((0, 0, 3), np.uint8), BlockError, r"it has no pixels \(0 x 0\)"),
        (np.zeros((0, 9), np.uint8), BlockError, r"it has no pixels \(0 x 9\)"),
        (Image.new("L", (0, 0)), BlockError, "it has no pixels"),
        (np.ma.array(GREY, mask=GREY > 9), BlockError, "masked pixels"),
        (Image.fromarray(GREY.astype(np.float32)), BlockError, "its pixels are floats"),
        (Image.fromarray(GREY.astype(np.int32)), BlockError, "32-bit integers"),
        (saved(Image.fromarray(GREY.astype(np.int32)), "TIFF"), BlockError, "32-bit integers"),
    ],
)
@pytest.mark.parametrize("lazy", [False, True])
def test_what_cannot_be_told_is_refused_by_row(cell, error, message, lazy):
    with pytest.raises(error, match=f"row 1[,:] .*{message}"):
        ImageLoader(size=(4, 4), lazy=lazy).fit_transform([PHOTO, cell])[:]


def test_clips_of_odd_shapes(tmp_path):
    with pytest.raises(BlockError, match=r"row 0, .*is one image, no clip .*array\[None\]"):
        FrameLoader().fit([PHOTO])
    paths = np.array(["a.png", "b.png"], dtype=object)
    with pytest.raises(BlockError, match="row 0, .*does not exist"):
        FrameLoader().fit([paths])
    (tmp_path / "photo.png").write_bytes(saved(Image.fromarray(PHOTO)))
    mixed = [str(tmp_path / "photo.png"), PHOTO, Image.fromarray(PHOTO), torch.from_numpy(PHOTO)]
    clip = FrameLoader().fit_transform([mixed])[0]
    assert (clip == PHOTO).all()


def test_a_folder_orders_frames_by_number_and_passes_over_other_files(tmp_path):
    for number in (10, 9, 2, 1, 100):
        name = tmp_path / f"frame{number}.png"
        name.write_bytes(saved(Image.new("L", (4, 4), number)))
    for name in ("notes.txt", "frame3.eps", "Thumbs.db", ".frame4.png"):
        (tmp_path / name).write_bytes(b"%!PS-Adobe")
    clip = FrameLoader(mode="L").fit_transform([tmp_path])[0]
    assert clip[:, 0, 0, 0].tolist() == [1, 2, 9, 10, 100]
    (tmp_path / "frame5.png").mkdir()
    with pytest.raises(BlockError, match="row 0, .*: it is a folder"):
        FrameLoader(mode="L").fit([tmp_path]).transform([tmp_path])


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "JPEG", "BMP"])
def test_an_animation_of_one_frame(kind):
    cell = saved(Image.new("L", (4, 4), 90), kind)
    assert FrameLoader(mode="L").fit_transform([cell])[0].shape == (1, 4, 4, 1)
    assert FrameLoader(3, mode="L").fit_transform([cell]).shape == (1, 3, 4, 4, 1)


def test_a_tensor_of_images_has_one_image_a_row():
    photos = torch.from_numpy(np.stack([PHOTO, PHOTO[::-1].copy()]))
    for X in (photos, photos.permute(0, 3, 1, 2), photos.numpy().transpose(0, 3, 1, 2)):
        np.testing.assert_array_equal(ImageLoader().fit_transform(X), photos)
