"""Texts out: the generator as an estimator."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skfusion import Blocks, FusionClassifier, FusionGenerator, FusionRegressor, Ragged
from skfusion.decoding import Decoding
from skfusion.encoders import CNN, MLP, RNN, SparseLinear
from skfusion.exceptions import NonFiniteLossError, ParameterError, TargetError
from skfusion.fusion import TokenConcat
from skfusion.heads import GRUDecoder, LinearHead, TransformerDecoder
from skfusion.targets import Labels, Texts
from tests.test_contracts import FUSIONS

SIZES, COLOURS = ("tiny", "small", "big", "huge"), ("red", "green", "blue")
N = 120
RNG = np.random.default_rng(0)
SIZE, COLOUR = RNG.integers(0, 4, N), RNG.integers(0, 3, N)
Y = np.array(
    [f"a {SIZES[s]} {COLOURS[c]} ball" for s, c in zip(SIZE, COLOUR, strict=True)], dtype=object
)
FACTS = (SIZE[:, None] + RNG.normal(scale=0.05, size=(N, 1))).astype(np.float32)
WORDS = Ragged.from_rows([[c, 3, 3][: 1 + i % 3] for i, c in enumerate(COLOUR)], n_tokens=4)
X = Blocks({"facts": FACTS, "words": WORDS})
HEADS = {"gru": GRUDecoder(32), "transformer": TransformerDecoder(32)}


def model(head="gru", **params):
    settings = {
        "encoders": {"facts": MLP(16), "words": RNN(16, embedding_width=16)},
        "fusion": TokenConcat(32),
        "head": clone(HEADS[head]) if isinstance(head, str) and head in HEADS else head,
        "target": Texts("words"),
        "max_epochs": 60,
        "early_stopping": False,
        "random_state": 0,
    }
    return FusionGenerator(**(settings | params))


@pytest.fixture(scope="module", params=HEADS)
def fitted(request):
    return model(request.param).fit(X, Y)


# It learns


def test_it_writes_what_it_has_seen(fitted):
    assert (fitted.predict(X) == Y).mean() > 0.95
    assert fitted.score(X, Y) > 0.95


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("tokens", ["subwords", "words", "characters"])
def test_fifty_texts_are_learned_by_heart(head, tokens):
    texts = [f"Nº {i}: ¿{chr(0x3042 + i)} {i * 7 % 50}?" for i in range(50)]
    rows = {"one": np.eye(50, dtype=np.float32)}
    settings = {"encoders": {"one": MLP(64)}, "target": Texts(tokens, 400, min_count=1)}
    found = model(head, max_epochs=300, **settings).set_params(head__dropout=0.0)
    assert found.fit(rows, texts).predict(rows).tolist() == texts


@pytest.mark.parametrize("fusion", FUSIONS, ids=repr)
@pytest.mark.parametrize("head", HEADS)
def test_every_fusion_feeds_both_decoders(head, fusion):
    blocks = Blocks({"text": FACTS[:40], "photo": np.hstack([FACTS, -FACTS])[:40]})
    encoders = {"text": MLP(4), "photo": MLP(4)}
    given = {"encoders": encoders, "fusion": fusion, "max_epochs": 2}
    if fusion.decides:
        with pytest.raises(ParameterError, match="decides"):
            model(head, **given).fit(blocks, Y[:40])
        return
    if fusion.encoder_for(blocks.specs()["text"]) is not None:
        given["encoders"] = None
    found = model(head, **given).fit(blocks, Y[:40])
    assert found.predict(blocks[:3]).shape == (3,)
    assert found.net_.module_.head_takes_tokens == ("tokens" in fusion.gives)


def test_images_are_looked_at_cell_by_cell():
    photos = np.zeros((N, 8, 8, 3), dtype=np.uint8)
    photos[np.arange(N), 2 * SIZE, :, COLOUR] = 255
    found = model(encoders={"photo": CNN((8,))}, max_epochs=80).fit({"photo": photos}, Y)
    assert (found.predict({"photo": photos}) == Y).mean() > 0.9


def test_texts_of_several_languages_by_one_model():
    language = np.arange(N) % 2
    spanish = {"tiny": "diminuta", "small": "pequeña", "big": "grande", "huge": "enorme"}
    y = [
        f"una bola {spanish[SIZES[s]]}" if in_spanish else f"a {SIZES[s]} ball"
        for s, in_spanish in zip(SIZE, language, strict=True)
    ]
    frame = pd.DataFrame({"size": FACTS[:, 0], "language": np.where(language, "es", "en")})
    found = FusionGenerator(target=Texts("words"), max_epochs=40, random_state=0).fit(frame, y)
    assert (found.predict(frame) == y).mean() > 0.95
    other = found.predict(frame.assign(language="es"))
    assert all(text.startswith("una bola") for text in other)


def test_a_column_of_text_is_read_word_by_word():
    spanish = {"tiny": "diminuta", "small": "pequeña", "big": "grande", "huge": "enorme"}
    source = [f"Una bola, {spanish[SIZES[s]]} y {c}." for s, c in zip(SIZE, COLOUR, strict=True)]
    frame = pd.DataFrame({"es": source})
    settings = {"columns": {"es": "text"}, "max_epochs": 40, "random_state": 0}
    found = FusionGenerator(target=Texts("words"), **settings).fit(frame, Y)
    assert found.specs_["es"].form == "tokens"
    assert (found.predict(frame) == Y).mean() > 0.95
    changed = found.set_params(union__text__lowercase=True, max_epochs=1).fit(frame, Y)
    assert changed.specs_["es"].form == "tokens"


# It is an estimator


def test_it_is_neither_classifier_nor_regressor():
    assert not is_classifier(model()) and not is_regressor(model())
    assert repr(clone(model())) == repr(model())


def test_it_goes_through_scikit_learn():
    quick = model(max_epochs=25)
    found = cross_val_predict(quick, X, Y, cv=3)
    assert found.dtype == object and (found == Y).mean() > 0.5
    scores = cross_val_score(quick, X, Y, cv=3)
    assert scores.min() > 0.5
    pipe = make_pipeline(StandardScaler(), model(encoders=None, max_epochs=2))
    quick.set_params(encoders=None)
    assert pipe.fit(FACTS, Y).predict(FACTS).shape == (N,)
    importance = permutation_importance(quick.fit(FACTS, Y), FACTS, Y, n_repeats=2, random_state=0)
    assert importance.importances_mean[0] > 0.1


def test_a_search_over_beams_trains_once(tmp_path):
    quick = model(max_epochs=4, checkpoint=tmp_path)
    grid = {"decoding__num_beams": [1, 2, 4], "decoding__length_penalty": [0.0, 1.0]}
    search = GridSearchCV(quick, grid, cv=2).fit(X, Y)
    assert len(search.cv_results_["params"]) == 6
    assert len([*tmp_path.iterdir()]) == 3  # two folds and all rows


def test_a_search_over_everything():
    grid = {"target__tokens": ["words", "characters"], "head__width": [8], "facts__widths": [4]}
    search = GridSearchCV(model(max_epochs=2), grid, cv=2).fit(X, Y)
    assert search.best_estimator_.head.width == 8


def test_one_seed_writes_the_same(fitted):
    again = clone(fitted).fit(X, Y)
    np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
    np.testing.assert_array_equal(again.predict_n(X, 2)[1], fitted.predict_n(X, 2)[1])


def test_a_pickle_writes_the_same(fitted):
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))


def test_a_fit_goes_on():
    begun = model(max_epochs=5, warm_start=True).fit(X, Y)
    first = begun.score(X, Y)
    for _ in range(30):
        begun.partial_fit(X, Y)
    assert begun.score(X, Y) > first
    assert begun.fit(X, Y).history_["epoch"].tolist() == [*range(1, 41)]


def test_held_out_rows_stop_it():
    found = model(early_stopping=True, max_epochs=200).fit(X, RNG.permutation(Y))
    history = found.history_
    assert len(history) < 200 and history["valid_loss"].argmin() < len(history) - 5


def test_members_write_together():
    found = model(members=2, max_epochs=30).fit(X, Y)
    assert len(found.nets_) == 2 and found.score(X, Y) > 0.8
    assert found.transform(X).shape == (N, 64)


def test_missing_blocks():
    masked = Blocks({"facts": FACTS, "words": WORDS}, {"words": np.arange(N) % 3 == 0})
    found = model(missing="allow").fit(masked, Y)
    there = np.arange(N) % 3 > 0
    assert (found.predict(masked)[there] == Y[there]).mean() > 0.9
    assert found.predict(masked[:1])[0].split()[1] == SIZES[SIZE[0]]


def test_weights_count_like_repetitions():
    weight = np.where(COLOUR == 0, 50.0, 1e-3)
    found = model(max_epochs=25, encoders=None).fit({"one": FACTS * 0 + 1}, Y, weight)
    assert "red" in found.predict({"one": [[1.0]]})[0]


# What is written


def test_the_best_texts_come_with_their_probabilities(fitted):
    texts, logs = fitted.predict_n(X[:10], 3)
    assert texts.shape == logs.shape == (10, 3)
    assert (np.diff(logs, axis=1)[:, 0] <= 1e-6).mean() > 0.8  # compared by token, not by sum
    np.testing.assert_array_equal(texts[:, 0], fitted.predict(X[:10]))


def test_decoding_is_changed_after_a_fit(fitted):
    greedy = copy.deepcopy(fitted).set_params(decoding=Decoding(num_beams=1))
    assert (greedy.predict(X) == Y).mean() > 0.95
    drawn = greedy.set_params(decoding=Decoding(do_sample=True, temperature=5.0))
    assert len(set(drawn.predict_n(X[:1], 20)[0][0])) > 5


def test_draws_follow_from_the_row_and_not_from_its_place(fitted):
    drawn = copy.deepcopy(fitted).set_params(decoding=Decoding(do_sample=True, temperature=3.0))
    texts = drawn.predict(X)
    np.testing.assert_array_equal(drawn.predict(X[40:60]), texts[40:60])
    np.testing.assert_array_equal(drawn.predict(X[::-1]), texts[::-1])
    alike = X.take(np.zeros(30, int))
    assert len(set(drawn.predict(alike))) == 1
    unlike = Blocks(
        {
            "facts": FACTS[:1] + np.arange(30, dtype=np.float32)[:, None] * 1e-6,
            "words": WORDS[[0] * 30],
        }
    )
    assert len(set(drawn.predict(unlike))) > 5


def test_only_allowed_texts(fitted):
    allowed = ["a red ball", "a big ball"]
    texts, _ = fitted.predict_n(X, 2, allowed=allowed)
    assert all(set(row) == set(allowed) for row in texts)


def test_a_prefix_for_each_row(fitted):
    prefix = np.where(np.arange(N) % 2, "a huge", "")
    texts = fitted.predict(X, prefix=prefix)
    assert all(text.startswith("a huge") for text in texts[1::2])
    np.testing.assert_array_equal(texts[::2], fitted.predict(X)[::2])


def test_the_form_of_characters_is_that_of_the_fit():
    decomposed = "el nin\u0303o"
    found = model(target=Texts("characters", min_count=1), max_epochs=60)
    rows = {"facts": FACTS[:20] * 0, "words": WORDS[:20]}
    assert found.fit(rows, [decomposed] * 20).predict(rows).tolist() == [decomposed] * 20


def test_empty_texts_are_learned():
    y = np.where(SIZE > 1, Y, "")
    found = model(encoders={"facts": MLP(16)}).fit({"facts": FACTS}, y)
    assert (found.predict({"facts": FACTS}) == "")[SIZE <= 1].mean() > 0.95


def test_half_precision():
    found = model(precision="bf16", max_epochs=40).fit(X, Y)
    assert (found.predict(X) == Y).mean() > 0.9
    alone = [found.predict(X[[row]])[0] for row in range(5)]
    assert alone == found.predict(X[:5]).tolist()


# Several texts a row


def test_each_of_several_texts_is_learned():
    y = [[text, text.replace("ball", "sphere")] if i % 2 else [text] for i, text in enumerate(Y)]
    found = model().fit(X, y)
    texts, _ = found.predict_n(X, 2)
    both = [set(pair) == set(row) for pair, row in zip(texts[1::2], y[1::2], strict=True)]
    assert np.mean(both) > 0.9
    assert found.score(X, y) > 0.95
    assert cross_val_score(model(max_epochs=25), X, np.array(y, dtype=object), cv=2).min() > 0.5


def test_texts_of_one_row_are_held_out_together():
    seen = []

    class Recorder(Callback):
        def on_train_begin(self, net, X, **kwargs):
            seen.append([rows.blocks["one"][:, 0] for rows in X])

    y = [[text, text.upper()] for text in Y]
    rows = {"one": np.arange(N, dtype=np.float32)[:, None]}
    settings = {"encoders": None, "early_stopping": True, "max_epochs": 1}
    model(callbacks=[Recorder()], **settings).fit(rows, y)
    train, held_out = seen[0]
    assert len(train) + len(held_out) == 2 * N and not set(train) & set(held_out)


# Bad input


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", None, "b"], "y, row 1: a text is expected. Got None"),
        (["a", "b", 3], "y, row 2: a text is expected. Got 3 of type int"),
        ([1.0, 2.0, 3.0], "y, row 0: a text is expected"),
        ([["a", "b"], [], ["c"]], "y, row 1: no text is given"),
        ([["a", "b"], "a", ["c", 4.0]], "y, row 2, text 1: a text is expected. Got 4.0"),
    ],
)
def test_what_is_no_text(y, message):
    with pytest.raises(TargetError, match=message):
        model(encoders=None).fit({"facts": FACTS[:3]}, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"head": "linear"}, "differ in length from row to row"),
        ({"head": LinearHead()}, "differ in length from row to row"),
        ({"decoding": Decoding(num_beams=0)}, "num_beams must be an int >= 1"),
        ({"decoding": Decoding(num_beams=4, temperature=0.7)}, "temperature=0.7 only counts"),
        ({"decoding": "beam"}, "decoding must be a recipe such as Decoding"),
        ({"target": Labels()}, r"Labels\(\) is for FusionClassifier"),
        ({"target": Texts("letters")}, "tokens must be one of 'subwords', 'words', 'characters'"),
        ({"target": Texts("subwords", 100)}, "n_tokens must be an int >= 260"),
        ({"head": GRUDecoder(width=10)}, "width must be a multiple of n_heads"),
        ({"mixup": 0.5}, "mixup"),
    ],
)
def test_what_is_refused_before_training(params, message):
    with pytest.raises((ParameterError, TypeError), match=message):
        model(**params).fit(X, Y)


@pytest.mark.parametrize("kind", [FusionClassifier, FusionRegressor])
def test_a_decoder_is_for_texts(kind):
    with pytest.raises(ParameterError, match="this head writes texts.*FusionGenerator"):
        kind(head="gru").fit(FACTS, SIZE)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"allowed": []}, "allowed has no text"),
        ({"allowed": ["a purple ball"]}, "allowed, text 0: 'a purple ball' has a word"),
        ({"allowed": ["a red ball"] * 2 + [3]}, "allowed, row 2: a text is expected. Got 3"),
        ({"allowed": ["a" + " red" * 40]}, "tokens and an end, more than max_new_tokens="),
        ({"allowed": 5}, "allowed must be texts, such as a list. Got 5"),
        ({"prefix": 3}, "prefix must be an array of texts, one for each row. Got 3"),
        ({"prefix": "a"}, r"prefix must be an array .* Use \[prefix\] \* len\(X\)"),
        ({"prefix": ["a"]}, f"a text for each of the {N} rows of X. Got 1"),
        ({"prefix": ["a big " * 9] * N}, "prefix, row 0: .* has .* tokens, more than max_new_tok"),
        ({"prefix": ["an"] * N}, "prefix, row 0: 'an' has a word"),
        ({"prefix": ["a big"] * N, "allowed": ["a red ball"]}, "row 0: no text in allowed begins"),
    ],
)
def test_what_permits_nothing(fitted, asked, message):
    with pytest.raises((ParameterError, TargetError), match=message):
        fitted.predict(X, **asked)


def test_a_vocabulary_that_keeps_nothing_is_refused():
    with pytest.raises(TargetError, match="none of the words of y is kept by min_count=999"):
        model(target=Texts("words", min_count=999)).fit(X, Y)
    with pytest.raises(TargetError, match=r'Texts\("characters", min_count=1\)'):
        model(target=Texts("characters"), encoders=None).fit({"one": FACTS[:1]}, ["abc"])
    rare = [f"{text} no{i}" for i, text in enumerate(Y)]
    with pytest.warns(UserWarning, match="% of the words of y are not kept by min_count=2"):
        model(max_epochs=1, target=Texts("words")).fit(
            X, [f"{one} a{i} b{i}" for i, one in enumerate(rare)]
        )


def test_texts_that_are_cut_off_are_said_once():
    with pytest.warns(UserWarning, match="max_new_tokens=2 cuts texts off.*has 4 tokens") as caught:
        found = model(decoding=Decoding(max_new_tokens=2), max_epochs=20).fit(X, Y)
    assert len([one for one in caught if "max_new_tokens" in str(one.message)]) == 1
    assert all(len(text.split()) <= 2 for text in found.predict(X))


def test_sparse_text_stays_sparse():
    sparse = TfidfVectorizer().fit_transform(Y)
    found = model(encoders={"text": SparseLinear(32)}, max_epochs=40).fit({"text": sparse}, Y)
    assert (found.predict({"text": sparse}) == Y).mean() > 0.9


def test_numbers_too_large_for_the_network_are_named_by_row(fitted):
    facts = FACTS.copy()
    facts[7] = 3e38
    with pytest.raises(NonFiniteLossError, match="what the network makes of row 7 is not finite"):
        fitted.predict(Blocks({"facts": facts, "words": WORDS}))


def test_the_state_of_torch_is_left_alone(fitted):
    before = torch.get_rng_state()
    fitted.predict(X)
    assert torch.equal(torch.get_rng_state(), before)
