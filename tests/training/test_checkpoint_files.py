"""Where checkpoints are written, by whom, and what is left when that goes wrong."""

import errno
import io
import os
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

from skfusion import FusionClassifier
from skfusion._training import _sealed
from skfusion.exceptions import CheckpointError, ParameterError

# Places


def refuses(path, match, kind=CheckpointError):
    """The path is refused before X is even read, which here cannot be."""
    with pytest.raises(kind, match=match):
        FusionClassifier(checkpoint=path).fit(object(), [0, 1])


def test_a_file_where_a_folder_is_expected(tmp_path):
    (tmp_path / "run").write_bytes(b"")
    refuses(tmp_path / "run", "run' cannot be kept: it is a file, not a folder. Name a folder")
    refuses(tmp_path / "run" / "a.pt", "the folder '.*run' is a file")
    refuses(tmp_path / "run" / "a", "the folder '.*run' is a file")


def test_a_folder_called_like_a_file(tmp_path):
    (tmp_path / "run.pt").mkdir()
    refuses(str(tmp_path / "run.pt"), "run.pt' cannot be kept: it is a folder, not a file")


def test_devices_and_pipes(tmp_path):
    os.mkfifo(tmp_path / "run.pt")
    os.mkfifo(tmp_path / "run")
    (tmp_path / "null.pt").symlink_to("/dev/null")
    refuses(tmp_path / "run.pt", "it is a FIFO, not a file")
    refuses(tmp_path / "run", "it is a FIFO, not a folder")
    refuses("/dev/null", "it is a device, not a folder")
    refuses(tmp_path / "null.pt", "it is a device, not a file")


def test_folders_that_are_not_there(tmp_path):
    refuses(tmp_path / "no" / "run.pt", "the folder '.*no' does not exist")
    refuses(tmp_path / "no" / "such", "the folder '.*no' does not exist")
    (tmp_path / "link").symlink_to("nowhere")
    refuses(tmp_path / "link", "it is a link to 'nowhere', which does not exist")


def test_folders_that_cannot_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda folder, how: False)  # root may write anywhere
    refuses(tmp_path, "the folder '.*' cannot be written to")
    refuses(tmp_path / "run.pt", "the folder '.*' cannot be written to")


@pytest.mark.parametrize("name", ["n" * 300 + ".pt", "n" * 240 + ".pt", "a\0b", "a\0b.pt"])
def test_names_that_no_file_can_have(tmp_path, name):
    refuses(tmp_path / name, "cannot be kept: ")


@pytest.mark.parametrize("checkpoint", [1, True, b"bytes"])
def test_paths_that_are_none(checkpoint):
    refuses(checkpoint, "checkpoint must be None or a path", ParameterError)


def test_a_pipe_in_the_place_of_a_file_in_a_folder(killing, data, break_off, tmp_path):
    broken = break_off(killing.model("plain", tmp_path), data, 3)
    (file,) = tmp_path.iterdir()
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(CheckpointError, match="cannot be read: it is a FIFO, not a file"):
        clone(broken).fit(*data)


def test_a_link_stays_one(killing, data, break_off, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "run.pt").write_bytes(b"")
    (tmp_path / "run.pt").symlink_to(tmp_path / "disk" / "run.pt")
    with pytest.raises(CheckpointError, match="cut off"):
        killing.model("plain", tmp_path / "run.pt").fit(*data)
    (tmp_path / "disk" / "run.pt").unlink()
    (tmp_path / "run.pt").unlink()
    broken = break_off(killing.model("plain", tmp_path / "disk" / "run.pt"), data, 3)
    (tmp_path / "run.pt").symlink_to(tmp_path / "disk" / "run.pt")
    break_off(clone(broken).set_params(checkpoint=tmp_path / "run.pt"), data, 5)
    assert (tmp_path / "run.pt").is_symlink()
    assert killing.files(tmp_path / "disk") == ["run.pt"]


def test_a_name_with_the_signs_of_a_pattern(killing, data, break_off, tmp_path):
    path = tmp_path / "run[1]*.pt"
    (tmp_path / "run1.9.part").write_bytes(b"of run1.pt")
    (tmp_path / "run[1]*.9.part").write_bytes(b"left behind")
    break_off(killing.model("plain", path), data, 3)
    assert killing.files(tmp_path) == ["run1.9.part", path.name]


# Disks that are full


class Full(io.FileIO):
    """A file on a disk on which ``left`` more bytes find room."""

    left = 0

    def write(self, content):
        Full.left -= memoryview(content).nbytes
        if Full.left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().write(content)

    @staticmethod
    def open(path, mode):
        return io.BufferedWriter(Full(path, mode)) if "x" in mode else open(path, mode)


@pytest.mark.parametrize("left", [0, 10, 60, 1000, 9000])
def test_a_full_disk(killing, data, break_off, tmp_path, monkeypatch, left):
    undisturbed = killing.model("plain", None).fit(*data)
    broken = break_off(killing.model("plain", tmp_path), data, 3)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(Full, "left", left)
        patched.setattr(Path, "open", Full.open)
        with pytest.raises(
            CheckpointError, match="epoch 3: No space left on device. The last one is whole. Make"
        ) as raised:
            clone(broken).fit(*data)
    assert isinstance(raised.value.__cause__, OSError)
    assert killing.files(tmp_path) == [file.name]
    assert file.read_bytes() == content
    killing.assert_same_fit(clone(broken).fit(*data), undisturbed)


def test_a_limit_of_the_system(killing, data, tmp_path):
    """By setrlimit, so that the error comes from the system itself."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    model = killing.model("plain", tmp_path / "run.pt")
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (9000, limits[1]))
        with pytest.raises(CheckpointError, match="epoch 1: File too large. There is none yet"):
            model.fit(*data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert killing.files(tmp_path) == []
    assert not hasattr(model, "net_")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError])
def test_an_error_while_writing(killing, data, break_off, tmp_path, monkeypatch, error):
    broken = break_off(killing.model("plain", tmp_path), data, 3)
    (file,) = tmp_path.iterdir()
    content = file.read_bytes()

    def fail(number):
        raise error("while writing")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail)
        with pytest.raises(error, match="while writing"):
            clone(broken).fit(*data)
    assert killing.files(tmp_path) == [file.name]
    assert file.read_bytes() == content


@pytest.mark.parametrize("name", ["", "run.pt"])
def test_after_ctrl_c_the_fit_goes_on_to_the_same_bits(killing, data, tmp_path, name):
    class Interrupts(Callback):
        done = False

        def on_grad_computed(self, net, **kwargs):
            if len(net.history) == 4 and not Interrupts.done:
                Interrupts.done = True
                raise KeyboardInterrupt("Ctrl-C")

    model = killing.model("everything", tmp_path / name, callbacks=[Interrupts()])
    with pytest.raises(KeyboardInterrupt, match="Ctrl-C"):
        model.fit(*data)
    assert not hasattr(model, "net_")
    assert len(killing.files(tmp_path)) == 1
    undisturbed = killing.model("everything", None, callbacks=[]).fit(*data)
    killing.assert_same_fit(model.fit(*data), undisturbed)
    assert killing.files(tmp_path) == []


def test_interruptions_within_the_writer_of_torch_come_out_as_they_are(tmp_path):
    class Interrupting:
        def write(self, content):
            raise KeyboardInterrupt("Ctrl-C")

    def save(file):
        file._file = Interrupting()
        torch.save({"weights": torch.zeros(1000)}, file)

    with pytest.raises(KeyboardInterrupt, match="Ctrl-C"):
        _sealed.write_sealed(tmp_path / "run.pt", save)
    assert list(tmp_path.iterdir()) == []


# Fits beside each other


def test_what_a_killed_process_left_is_swept_by_the_next_fit(killing, data, break_off, tmp_path):
    broken = break_off(killing.model("plain", tmp_path), data, 3)
    (file,) = tmp_path.iterdir()
    for name in (f"{file.stem}.0.part", f"{file.stem}.abc.part", "another.0.part"):
        (tmp_path / name).write_bytes(b"half")
    clone(broken).fit(*data)
    assert killing.files(tmp_path) == [file.name, "another.0.part"]


def test_what_another_process_writes_is_left_alone(killing, data, break_off, tmp_path):
    broken = break_off(killing.model("plain", tmp_path), data, 3)
    (file,) = tmp_path.iterdir()
    code = """
import sys, pathlib
from skfusion._training._sealed import _part_of
with _part_of(pathlib.Path(sys.argv[1])) as (part, file):
    print(part.name, flush=True)
    input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as other:
        part = other.stdout.readline().strip()
        clone(broken).fit(*data)
        assert killing.files(tmp_path) == sorted([file.name, part])
        other.kill()
    clone(broken).fit(*data)
    assert killing.files(tmp_path) == [file.name]


def test_a_writer_whose_part_was_swept_before_its_lock_takes_another(tmp_path, monkeypatch):
    path, lock = tmp_path / "run.pt", _sealed._lock
    swept = []

    def sweeps_first(file, wait=True):
        if wait and len(swept) < 3:
            swept.append(file.name)
            Path(file.name).unlink()
        lock(file, wait)

    monkeypatch.setattr(_sealed, "_lock", sweeps_first)
    _sealed.write_sealed(path, lambda file: file.write(b"content"))
    assert len(set(swept)) == 3
    assert _sealed.read_sealed(path) == b"content"
    assert list(tmp_path.iterdir()) == [path]


class Yields(Callback):
    """Lets other threads run at each step."""

    def on_grad_computed(self, net, **kwargs):
        os.sched_yield()


@pytest.mark.parametrize("name", ["", "run.pt"])
def test_threads_that_share_a_place(killing, data, tmp_path, name):
    """The same fit in several threads, with one folder or one file."""
    place = tmp_path / name
    undisturbed = killing.model("plain", None).fit(*data)
    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            models = [killing.model("plain", place, callbacks=[Yields()]) for _ in range(4)]
            fits = list(pool.map(lambda model: model.fit(*data), models))
        for fit in fits:
            killing.assert_same_fit(fit, undisturbed)
        assert [name for name in killing.files(tmp_path) if name.endswith(".part")] == []
        for file in tmp_path.iterdir():
            file.unlink()
