"""Models of Hugging Face as encoders: small ones, made from a configuration."""

import pickle
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
import transformers
from sklearn.model_selection import GridSearchCV

from skfusion import Blocks, FusionClassifier
from skfusion.encoders import RNN, Augment, Backbone, Chain, Policy
from skfusion.exceptions import BlockError, MissingDependencyError, ParameterError
from skfusion.inputs import Tokenizer
from skfusion.testing import check_encoder

N = 24
Y = np.arange(N) % 2
WORDS = ["good", "bad", "and", "more", *map(str, range(N))]
TEXTS = [f"{'good' if one else 'bad'} and {row} more" for row, one in enumerate(Y)]
SPECIAL = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
N_LAYERS, WIDTH = 3, 8
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
        (["tokenizer*"], "folder has no tokenizer"),
        (["config.json"], r"a model \(config.json\) cannot be read"),
        (["model.safetensors"], r"weights .* cannot be read"),
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
        ({"layers": 4}, "has 3 layers"),
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
    with pytest.raises(ParameterError, match=message):
        model({"review": Backbone(**{"name": texts_model, **params})}).fit(reviews, Y)


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


def test_without_the_package(texts_model, reviews, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match=r"Backbone needs.*skfusion\[backbones\]"):
        model({"review": Backbone(texts_model)}).fit(reviews, Y)
    assert "Backbone" in repr(Backbone("a folder"))
