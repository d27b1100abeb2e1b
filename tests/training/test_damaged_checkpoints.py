"""Files that are no checkpoint, or no longer: all of them are told, and none is gone on from."""

import copy
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone

from skfusion import FusionClassifier
from skfusion.exceptions import CheckpointError


@pytest.fixture
def broken(killing, data, break_off, tmp_path):
    """A fit that was broken off in its fourth epoch, with a file."""
    return break_off(killing.model("everything", tmp_path / "run.pt"), data, 4)


def refuses(model, data, match):
    """The fit is refused with an error that names the file, and stays one that never was."""
    with pytest.raises(CheckpointError, match=rf"(?s)run.pt' cannot be read: .*{match}.*Delete it"):
        model.fit(*data)
    assert not hasattr(model, "net_")


def test_bits_that_flipped(broken, data):
    file, rng = broken.checkpoint, np.random.default_rng(0)
    whole = file.read_bytes()
    places = [*range(len(whole) - 52, len(whole), 4), *rng.integers(len(whole), size=70)]
    for place in places:
        content = bytearray(whole)
        content[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(content)
        refuses(clone(broken), data, "")


def test_sectors_that_were_zeroed(broken, data):
    file, size = broken.checkpoint, 512
    whole = file.read_bytes()
    for start in np.linspace(0, len(whole) - size, 20).astype(int):
        content = bytearray(whole)
        content[start : start + size] = bytes(size)
        if content != whole:
            file.write_bytes(content)
            refuses(clone(broken), data, "damaged|cut off")


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.3, 0.99])
def test_a_file_that_was_cut_off(broken, data, share):
    content = broken.checkpoint.read_bytes()
    broken.checkpoint.write_bytes(content[: int(share * len(content))])
    refuses(clone(broken), data, "it was cut off")


def test_a_file_with_more_at_its_end(broken, data):
    with broken.checkpoint.open("ab") as file:
        file.write(bytes(3))
    refuses(clone(broken), data, "something was added to it")


@pytest.mark.parametrize(
    ("version", "match"), [(1, "format 1, which no longer is read"), (3, "a newer version")]
)
def test_a_file_of_another_format(broken, data, version, match):
    content = broken.checkpoint.read_bytes()
    broken.checkpoint.write_bytes(content[:-12] + struct.pack("<I", version) + content[-8:])
    refuses(clone(broken), data, match)


def test_files_of_torch_with_the_end_of_another_file(broken, data, tmp_path):
    content = broken.checkpoint.read_bytes()
    torch.save({"a": 1}, tmp_path / "other")
    other = (tmp_path / "other").read_bytes()
    broken.checkpoint.write_bytes(other + content[-52:])
    refuses(clone(broken), data, "bytes are there and .* were written")


def test_torch_reads_what_is_kept(killing, broken):
    """Of whole files, by its own means; what it then writes is no checkpoint any longer."""
    kept = torch.load(broken.checkpoint, weights_only=True)
    assert kept["fingerprint"] == killing.content(broken.checkpoint)["fingerprint"]
    assert kept["state"].keys() >= {"weights", "optimizer", "history"}


def test_the_file_of_another_fit_in_its_place(killing, data, break_off, tmp_path):
    broken = break_off(killing.model("plain", tmp_path), data, 3)
    (file,) = tmp_path.iterdir()
    broken.set_params(lr=0.01).fit(*data)
    (other,) = set(tmp_path.iterdir()) - {file}
    other.replace(file)
    with pytest.raises(CheckpointError, match="another fit. It differs in lr: 0.01 then, 0.05"):
        clone(broken).set_params(lr=0.05).fit(*data)


def test_a_file_of_torch(killing, data, tmp_path):
    torch.save({"format": 1}, tmp_path / "run.pt")
    refuses(killing.model("plain", tmp_path / "run.pt"), data, "no checkpoint of format 2")


def test_a_file_that_would_run_a_program_is_refused(killing, data, tmp_path):
    killing.write(tmp_path / "run.pt", _Runs(tmp_path / "ran"))
    refuses(killing.model("plain", tmp_path / "run.pt"), data, "UnpicklingError")
    assert killing.files(tmp_path) == ["run.pt"]


class _Runs:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


# Whole files with the wrong content

GONE = object()


def changed(content, where, value):
    """Return ``content`` with another value at a place of it, or none."""
    content = copy.deepcopy(content)
    *way, last = where
    inner = content
    for key in way:
        inner = inner[key]
    if value is GONE:
        del inner[last]
    else:
        inner[last] = value(inner[last]) if callable(value) else value
    return content


NAN = float("nan")
WEIGHTS = ("state", "weights", "head.weight")
OPTIMIZER = ("state", "optimizer")
STOPS = ("state", "callbacks", "early_stopping")
WRONG = [
    (("fingerprint",), GONE, "fingerprint, seed and state"),
    (("seed",), GONE, "fingerprint, seed and state"),
    (("state",), GONE, "fingerprint, seed and state"),
    (("fingerprint",), ["lr"], "fingerprint is none"),
    (("fingerprint", "lr"), 0.05, "fingerprint is none"),
    (("seed",), "3", "seed is '3'"),
    (("seed",), NAN, "seed is nan"),
    (("seed",), -1, "seed is -1"),
    (("seed",), True, "seed is True"),
    (("state",), None, "its state must have callbacks, history"),
    (("state", "random"), GONE, "its state must have callbacks, history"),
    (("state", "more"), 1, "its state must have callbacks, history"),
    (("state", "weights"), [], "its weights cannot be list"),
    (WEIGHTS, GONE, "its weights must have"),
    (WEIGHTS, None, "'head.weight' of its weights cannot be NoneType"),
    (WEIGHTS, lambda old: old[:, 1:], "of its weights must have shape"),
    (WEIGHTS, lambda old: old.double(), "of torch.float32, and has .* of torch.float64"),
    (WEIGHTS, lambda old: old * NAN, "'head.weight' are not finite"),
    (OPTIMIZER, {}, "its optimizer must have param_groups, state"),
    (OPTIMIZER, 5, "its optimizer cannot be int"),
    ((*OPTIMIZER, "param_groups"), [], "the groups of its optimizer must be 2 values"),
    ((*OPTIMIZER, "param_groups", 0, "lr"), GONE, "the groups of its optimizer must have"),
    ((*OPTIMIZER, "param_groups", 0, "lr"), "fast", "is 'fast', which is no number"),
    ((*OPTIMIZER, "param_groups", 0, "lr"), NAN, "is nan, which is no number"),
    ((*OPTIMIZER, "state", 0, "exp_avg"), GONE, "must have exp_avg, exp_avg_sq, step"),
    ((*OPTIMIZER, "state", 0, "exp_avg"), torch.zeros(1), "'exp_avg' of .* must have shape"),
    ((*OPTIMIZER, "state", 0, "step"), torch.tensor(NAN), "nan, which is no count"),
    ((*OPTIMIZER, "state", 0, "step"), "7", "'7', which is no count"),
    ((*OPTIMIZER, "state", 999), {}, "one of other weights"),
    (("state", "callbacks"), [], "its callbacks cannot be list"),
    (STOPS, GONE, "its callbacks must have"),
    ((*STOPS, "misses_"), GONE, "its callback 'early_stopping' must have"),
    ((*STOPS, "misses_"), NAN, "'misses_' of .* is nan, which is no count"),
    ((*STOPS, "misses_"), -2, "is -2, which is no count"),
    ((*STOPS, "misses_"), "1", "is '1', which is no count"),
    ((*STOPS, "misses_"), None, "is None, which is no count"),
    ((*STOPS, "least_"), NAN, "is nan, which is no number"),
    ((*STOPS, "best_weights_"), {"a": 1}, "'best_weights_' .* must have"),
    (("state", "callbacks", "schedule", "scheduler_"), {}, "'scheduler_' of .* must have"),
    (("state", "callbacks", "averaging", "average_"), 1, "'average_' of .* cannot be int"),
    (("state", "callbacks", "averaging", "last_"), {}, "'last_' of .* must have"),
    (("state", "history"), "[{", "JSONDecodeError"),
    (("state", "history"), "{}", "its history is no list of epochs"),
    (("state", "history"), None, "its history is no list of epochs"),
    (("state", "history"), "[{}]", "its history has no epoch 1"),
    (("state", "history"), lambda old: old.replace('"train_loss"', '"loss"'), "None as train_loss"),
    (
        ("state", "history"),
        lambda old: old.replace('"valid_loss": 0', '"valid_loss": NaN, "a": 0'),
        "nan as valid_loss",
    ),
    (("state", "random"), None, "its random states are no tensors"),
    (("state", "random"), torch.zeros(3), "its random state must have shape"),
    (("state", "random"), torch.zeros(5056, dtype=torch.uint8), "RuntimeError"),
    (("state", "random_cuda"), [1], "its random states are no tensors"),
]


@pytest.mark.parametrize(("where", "value", "match"), WRONG)
def test_wrong_content(killing, broken, data, where, value, match):
    content = killing.content(broken.checkpoint)
    killing.write(broken.checkpoint, changed(content, where, value))
    refuses(clone(broken), data, match)


@pytest.mark.parametrize("content", [None, 3, [1, 2], "text", {"format": 99}, torch.zeros(2)])
def test_content_of_another_type(killing, data, tmp_path, content):
    killing.write(tmp_path / "run.pt", content)
    refuses(killing.model("plain", tmp_path / "run.pt"), data, "fingerprint, seed and state")


def test_a_warm_start_from_a_wrong_file_stays_as_it_was(killing, data, break_off, tmp_path):
    model = killing.model("everything", tmp_path / "run.pt", warm_start=True).fit(*data)
    before = model.predict_proba(data[0])
    n_epochs = len(model.history_)
    break_off(model, data, n_epochs + 3)
    content = killing.content(tmp_path / "run.pt")
    for where, value in [((*STOPS, "misses_"), NAN), (WEIGHTS, GONE), ((*OPTIMIZER,), {})]:
        killing.write(tmp_path / "run.pt", changed(content, where, value))
        with pytest.raises(CheckpointError, match="cannot be read"):
            model.fit(*data)
        assert len(model.history_) == len(model.net_.history) == n_epochs
        np.testing.assert_array_equal(model.predict_proba(data[0]), before)
    shorter = changed(content, ("state", "history"), "[]")
    killing.write(tmp_path / "run.pt", shorter)
    with pytest.raises(CheckpointError, match=f"it has 0 of {n_epochs} epochs before"):
        model.fit(*data)


def test_unchanged_content_is_gone_on_from(killing, broken, data):
    killing.write(broken.checkpoint, killing.content(broken.checkpoint))
    undisturbed = killing.model("everything", None).fit(*data)
    killing.assert_same_fit(clone(broken).fit(*data), undisturbed)


def test_the_default_fit_tells_too(tmp_path):
    (tmp_path / "run.pt").write_bytes(b"nothing")
    refuses(FusionClassifier(checkpoint=tmp_path / "run.pt"), (np.eye(2), [0, 1]), "format 2")
