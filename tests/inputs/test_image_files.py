"""Only regular files of raster formats are opened, and no size is believed before it is checked."""

import io
import os
import socket
import struct
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.pipeline import make_pipeline

import skfusion
from skfusion import FusionClassifier
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs import BlockUnion, FrameLoader, ImageLoader

# What Pillow has to say of damaged files besides.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

GOOD = np.zeros((8, 8, 3), np.uint8)
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 50 50\n%%EndComments\nshowpage\n"


def png(*chunks):
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in chunks:
        body = kind + data
        parts.append(struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body)))
    return b"".join(parts)


def header(width, height, depth=8, colour=2):
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)


def encoded(pixels, kind="PNG", **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def pipe(path):
    os.mkfifo(path)


def serve(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path)[-100:])
    listener.close()


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("loader", [ImageLoader, FrameLoader])
@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (pipe, "it is a named pipe, and only regular files are read"),
        (serve, "it is a socket"),
        (lambda path: path.symlink_to("/dev/zero"), "it is a device"),
        (lambda path: path.symlink_to(path), "(symbolic links|Symlink loop|levels)"),
        (lambda path: path.symlink_to("nowhere"), "the file does not exist"),
    ],
    ids=["pipe", "socket", "device", "loop", "dangling"],
)
def test_what_is_no_regular_file_is_not_opened(tmp_path, monkeypatch, make, fact, loader, lazy):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "photo.png"
    if make is serve:
        path = type(path)("photo.png")  # names of sockets are short
    make(path)
    options = {"n_frames": 1} if loader is FrameLoader else {}
    good = GOOD[None] if loader is FrameLoader else GOOD
    with pytest.raises(BlockError, match=f"row 1, '.*photo.png': .*{fact}"):
        loader(size=(4, 4), lazy=lazy, **options).fit_transform([good, str(path)])


def test_a_folder_is_no_image_and_links_are_followed(tmp_path):
    (tmp_path / "photo.png").mkdir()
    with pytest.raises(BlockError, match="row 0, '.*photo.png': it is a folder"):
        ImageLoader().fit([tmp_path / "photo.png"])
    (tmp_path / "real.png").write_bytes(encoded(GOOD))
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    assert ImageLoader().fit_transform([tmp_path / "link.png"]).shape == (1, 8, 8, 3)


def test_no_name_of_a_file_is_no_crash():
    for name in ("", "nul\0byte.png", "x" * 5000):
        with pytest.raises(BlockError, match="row 0, "):
            ImageLoader().fit([name])


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("cell", ["photo.jpg", POSTSCRIPT], ids=["file", "bytes"])
def test_postscript_is_named_and_not_run(tmp_path, monkeypatch, cell, lazy):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(POSTSCRIPT)
    with pytest.raises(BlockError, match="row 1, .*it is EPS, which is a program and is not run"):
        ImageLoader(size=(4, 4), lazy=lazy).fit_transform([GOOD, cell])


def test_no_program_is_ever_started():
    """Even where Ghostscript is there: the hook sees whatever a program would be started by."""
    code = f"""
        import io, sys
        from PIL import Image
        from skfusion.inputs import FrameLoader, ImageLoader
        started = []
        def hook(event, arguments):
            if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"):
                started.append((event, arguments))
        sys.addaudithook(hook)
        postscript = {POSTSCRIPT!r}
        opened = Image.open(io.BytesIO(postscript))
        binary = b"\\xc5\\xd0\\xd3\\xc6" + (32).to_bytes(4, "little") + bytes(24) + postscript
        metafile = b"\\xd7\\xcd\\xc6\\x9a\\0\\0" + bytes(16) + b"\\x01\\0\\t\\0" + bytes(30)
        refused = 0
        for cell in (postscript, binary, metafile, b"%PDF-1.4", b"<svg/>", opened):
            for loader in (ImageLoader(size=(4, 4)), FrameLoader(1, size=(4, 4))):
                try:
                    loader.fit_transform([cell])
                except ValueError:
                    refused += 1
        print(refused, started)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(skfusion.__file__).parents[1])},
    )
    assert done.stdout.strip() == "12 []", done.stderr


def test_an_image_that_the_user_opened_from_another_format_is_not_drawn():
    opened = Image.open(io.BytesIO(POSTSCRIPT))
    with pytest.raises(BlockError, match=r"row 0, EpsImageFile: .*EPS file.*image.copy\(\)"):
        ImageLoader().fit([opened])


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("content", "fact"),
    [
        (png(header(40_000, 40_000), (b"IDAT", b""), (b"IEND", b"")), "exceeds limit|too large"),
        (png(header(2**31 - 1, 2**31 - 1), (b"IDAT", b""), (b"IEND", b"")), "limit|too large"),
        (png(header(9000, 9000), (b"IDAT", b"x"), (b"IEND", b"")), "truncated|broken|too large"),
        (png(header(0, 8), (b"IDAT", b""), (b"IEND", b"")), "no pixels|no image|damaged"),
        (png(header(8, 8, 3, 9), (b"IDAT", b""), (b"IEND", b"")), ""),
        (png(header(8, 8), (b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(10**8)))), ""),
        (b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0), ""),
        (b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 2**30, 2**30, 1, 24, 0) + bytes(20), ""),
        (b"P6 100000 100000 255\n", "exceeds limit|too large"),
        (b"P5 99999999999 1 255\n", ""),
        (b"II*\0\xff\xff\xff\x7f", ""),
        (b"II*\0\x08\0\0\0\x01\0\0\1\4\0\1\0\0\0\xff\xff\xff\xff", ""),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", ""),
        (b"RIFF\xff\xff\xff\xffWEBPVP8L", ""),
        (b"qoif" + struct.pack(">II", 2**31, 2**31) + b"\3\0", ""),
        (b"\0\0\0\x0cjP  \r\n\x87\n" + b"\xff" * 40, ""),
        (b"", ""),
        (b"\x89PNG\r\n\x1a\n", ""),
    ],
)
def test_headers_that_lie_are_named_by_row_and_take_no_memory(content, fact, lazy):
    loader = ImageLoader(size=(4, 4), lazy=lazy)
    with pytest.raises(BlockError, match=f"row 1( .label 'b'.)?, .*bytes: .*({fact})"):
        loader.fit_transform(pd.Series([encoded(GOOD), content], index=["a", "b"]))[:]
    found = ImageLoader(size=(4, 4), on_error="missing").fit_transform([GOOD, content])
    assert found.missing.tolist() == [False, True]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "JPEG2000"])
def test_a_file_that_was_cut_off_or_changed_is_named_or_read(kind):
    rng = np.random.default_rng(0)
    whole = encoded(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8), kind)
    loader = ImageLoader(size=(8, 8)).fit([GOOD])
    for _ in range(15):
        damaged = bytearray(whole[: rng.integers(1, len(whole))])
        for place in rng.integers(0, len(damaged), 3):
            damaged[place] = rng.integers(256)
        try:
            assert loader.transform([bytes(damaged)]).shape == (1, 8, 8, 3)
        except BlockError as error:
            assert str(error).startswith("ImageLoader: row 0, ")


def test_arrays_without_memory_of_their_own_are_found_by_size():
    endless = np.broadcast_to(np.uint8(7), (300_000, 300_000, 3))
    with pytest.raises(BlockError, match="row 0, array of shape .* too large: 300,000 x 300,000"):
        ImageLoader().fit([endless])
    clip = np.broadcast_to(np.uint8(7), (10**6, 100, 100, 3))
    with pytest.raises(BlockError, match="row 0, .*30,000,000,000 bytes of memory.*give size="):
        FrameLoader().fit_transform([clip])
    assert FrameLoader(4, size=(5, 5)).fit_transform([clip]).shape == (1, 4, 5, 5, 3)


def test_more_rows_than_memory_has_room_for():
    with pytest.raises(BlockError, match="rows of shape .* do not fit into memory.*lazy=True"):
        loader = ImageLoader(size=(10**6, 10**6), max_pixels=10**12).fit([GOOD])
        loader.transform([GOOD] * 1000)


@pytest.mark.parametrize("lazy", [False, True])
def test_a_small_file_of_a_long_clip(tmp_path, lazy):
    frames = [Image.new("L", (1200, 1200)) for _ in range(60)]
    for level, frame in enumerate(frames):
        frame.putpixel((0, 0), level)
    path = tmp_path / "clip.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    options = {"max_bytes": 2**26, "lazy": lazy, "mode": "L"}
    with pytest.raises(BlockError, match=r"row 0, .*clip.gif': it takes 86,400,000 bytes .*60 fr"):
        FrameLoader(60, **options).fit_transform([path])
    small = FrameLoader(60, size=(4, 4), **options).fit_transform([path])
    assert small[:].shape == (1, 60, 4, 4, 1)
    assert FrameLoader(3, **options).fit_transform([path])[:].shape == (1, 3, 1200, 1200, 1)


def test_an_animation_that_claims_two_thousand_million_frames():
    still = encoded(GOOD)
    end = still.index(b"IDAT") - 4
    body = b"acTL" + struct.pack(">II", 2**31 - 1, 0)
    claim = struct.pack(">I", 8) + body + struct.pack(">I", zlib.crc32(body))
    lying = still[:end] + claim + still[end:]
    for loader in (FrameLoader(), FrameLoader(4)):
        with pytest.raises(BlockError, match="row 0, .* bytes: "):
            loader.fit_transform([lying])


def test_frames_of_an_animation_may_not_outgrow_the_limit():
    large, small = Image.new("L", (300, 300)), Image.new("L", (10, 10))
    buffer = io.BytesIO()
    small.save(buffer, "TIFF", save_all=True, append_images=[large])
    with pytest.raises(BlockError, match="it is too large: 300 x 300 pixels"):
        FrameLoader(2, size=(4, 4), max_pixels=1000).fit_transform([buffer.getvalue()])


def test_a_cell_of_another_type_is_named():
    with pytest.raises(BlockTypeError, match=r"row 1 \(label 'b'\): a cell holds a path.*Got int"):
        ImageLoader(size=(4, 4)).fit_transform(pd.Series([GOOD, 3], index=["a", "b"]))
    for cell in (pd.NA, None, float("nan"), pd.NaT):
        with pytest.raises(BlockError, match="row 1, .*the cell is empty"):
            ImageLoader(size=(4, 4)).fit_transform([GOOD, cell])
    for cell in (1j, object(), {"a": 1}, [1, 2], pd.Series([1])):
        with pytest.raises(BlockTypeError, match="row 1: a cell holds a path"):
            ImageLoader(size=(4, 4)).fit_transform([GOOD, cell])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"background": "whitish"}, "background must be a colour.*Got 'whitish'"),
        ({"background": (1, 2)}, r"background must be a colour.*Got \(1, 2\)"),
        ({"background": (1, 2, 300)}, r"background must be a colour.*Got \(1, 2, 300\)"),
        ({"background": np.array([1, 2, 3])}, "background must be a colour"),
        ({"background": None}, "background must be a colour.*Got None"),
        ({"size": (10**6, 10**6)}, "size must have at most max_pixels=89,478,485 pixels"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ParameterError, match=message):
        ImageLoader(**options).fit([GOOD])
    with pytest.raises(ParameterError, match=message):
        FrameLoader(**options).fit([GOOD[None]])
    with pytest.raises(ParameterError, match="max_bytes must be an int >= 1. Got 0"):
        FrameLoader(max_bytes=0).fit([GOOD[None]])


def test_a_lazy_row_that_cannot_be_decoded_names_block_and_row(tmp_path):
    paths = [str(tmp_path / f"{row}.jpg") for row in range(8)]
    rng = np.random.default_rng(0)
    for path in paths:
        content = encoded(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8), "JPEG")
        Path(path).write_bytes(content if path != paths[5] else content[:-400])
    union = BlockUnion([("photo", ImageLoader(size=(8, 8), lazy=True), "path")])
    model = make_pipeline(union, FusionClassifier(max_epochs=1, missing="allow"))
    with pytest.raises(BlockError, match="block 'photo': row 5, '.*5.jpg': .*truncated"):
        model.fit(pd.DataFrame({"path": paths}), [0, 1] * 4)
    some = pd.DataFrame({"path": [*paths[:2], None, None, *paths[4:]]}, index=list("abcdefgh"))
    with pytest.raises(BlockError, match=r"block 'photo': row 3 \(label 'f'\), '.*5.jpg'"):
        model.fit(some, [0, 1] * 4)
