import numpy as np
import pytest
import torch
from sklearn.base import clone

from skfusion import FusionClassifier
from skfusion.blocks import Ragged
from skfusion.encoders import RNN, Chain, TokenEmbedding
from skfusion.exceptions import BlockError, ParameterError
from skfusion.inputs import Tokenizer, word_table

ROWS = [[1, 2, 2], [], [4, 0, 3, 1, 1]]
WORDS = Ragged.from_rows(ROWS, n_tokens=5)


def by_hand(how, vectors, score):
    if not len(vectors):
        return np.zeros(vectors.shape[1])
    if how == "attention":
        weights = np.exp(vectors @ score)
        return (weights / weights.sum()) @ vectors
    return {"sum": np.sum, "mean": np.mean, "max": np.max}[how](vectors, axis=0)


@pytest.mark.parametrize("how", ["sum", "mean", "max", "attention"])
def test_pooled_vectors_are_those_of_the_tokens(how, build, run):
    module, state = build(TokenEmbedding(3, how), WORDS)
    table, score = state["table.weight"], state.get("pooling.score.weight", [None])[0]
    expected = [by_hand(how, table[np.array(row, dtype=int)], score) for row in ROWS]
    np.testing.assert_allclose(run(module, *WORDS.pad()), expected, atol=1e-12)


def test_tokens_without_pooling_are_rows_of_the_table(build, run):
    module, state = build(TokenEmbedding(3), WORDS, pooled=False)
    tokens, mask = run(module, *WORDS.pad())
    np.testing.assert_array_equal(tokens[mask], state["table.weight"][WORDS.values])


def test_parameters_are_the_table(build, n_parameters):
    assert n_parameters(build(TokenEmbedding(7), WORDS)[0]) == 5 * 7
    assert n_parameters(build(TokenEmbedding(7, "attention"), WORDS)[0]) == 5 * 7 + 7


def test_given_vectors_are_the_start(build):
    vectors = np.arange(15.0).reshape(5, 3)
    module, state = build(TokenEmbedding(vectors=vectors), WORDS)
    np.testing.assert_array_equal(state["table.weight"], vectors)
    assert module.table.weight.requires_grad


def test_vectors_of_words_come_by_a_word_table(run):
    texts = ["red fox", "fox hen", "red red"]
    tokenizer = Tokenizer().fit(texts)
    table = word_table({"red": [1.0, 0.0], "fox": [0.0, 1.0]}, tokenizer)
    words = tokenizer.transform(texts)
    encoder = TokenEmbedding(vectors=table, frozen=True)
    model = FusionClassifier({"words": encoder}, max_epochs=1, early_stopping=False)
    vectors = model.fit({"words": words}, [0, 1, 1]).transform({"words": words})
    np.testing.assert_allclose(vectors, [[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]], atol=1e-6)


@pytest.mark.parametrize("how", ["mean", "max"])
def test_frozen_vectors_stay_and_trained_ones_move(how):
    words = Ragged.from_rows([[1, 2], [3], [4, 4]] * 8, n_tokens=5)
    vectors, y = np.arange(15.0).reshape(5, 3) / 10, [0, 1, 1] * 8
    for frozen in (True, False):
        encoder = TokenEmbedding(pooling=how, vectors=vectors, frozen=frozen)
        model = FusionClassifier({"words": encoder}, max_epochs=2).fit({"words": words}, y)
        (module,) = model.net_.module_.encoders
        kept = np.allclose(module.table.weight.detach().numpy(), vectors)
        assert kept == frozen == module.frozen


def test_attention_over_frozen_vectors_is_trained(build):
    module, _ = build(TokenEmbedding(pooling="attention", vectors=np.eye(5), frozen=True), WORDS)
    assert not module.frozen
    assert module.pooling.score.weight.requires_grad


def test_two_builds_of_one_table_are_independent(build):
    encoder = TokenEmbedding(vectors=np.zeros((5, 3)))
    one, other = build(encoder, WORDS)[0], build(encoder, WORDS)[0]
    with torch.no_grad():
        one.table.weight.add_(1)
    assert other.table.weight.abs().max() == 0
    assert encoder.vectors.max() == 0


def test_vectors_survive_clone():
    encoder = clone(TokenEmbedding(vectors=np.eye(3)))
    np.testing.assert_array_equal(encoder.vectors, np.eye(3))


def test_a_start_table_for_a_recurrent_network(build, run):
    vectors = np.arange(15.0).reshape(5, 3)
    module, state = build(Chain(TokenEmbedding(vectors=vectors, frozen=True), RNN(4)), WORDS)
    np.testing.assert_array_equal(state["first.table.weight"], vectors)
    assert run(module, *WORDS.pad()).shape == (3, 4)


@pytest.mark.parametrize(
    ("encoder", "error", "message"),
    [
        (TokenEmbedding(vectors=np.eye(4)), BlockError, "vocabulary of 5 ids, .* only 4 rows"),
        (TokenEmbedding(vectors={"fox": [1.0]}), ParameterError, "word_table"),
        (TokenEmbedding(vectors=np.ones(5)), ParameterError, "n_tokens, width.* Got shape"),
        (TokenEmbedding(vectors=np.full((5, 2), np.nan)), ParameterError, "NaN or infinity"),
        (TokenEmbedding(frozen=True), ParameterError, "frozen=True needs `vectors`"),
        (TokenEmbedding(pooling="bag"), ParameterError, "pooling must be one of"),
        (TokenEmbedding(width=0), ParameterError, "width must be an int >= 1"),
    ],
)
def test_what_cannot_be_is_refused(encoder, error, message, build):
    with pytest.raises(error, match=message):
        build(encoder, WORDS)


def test_an_id_outside_the_vocabulary_of_the_fit_is_an_error():
    model = FusionClassifier({"words": TokenEmbedding(4)}, max_epochs=1)
    model.fit({"words": WORDS}, [0, 1, 1])
    with pytest.raises(BlockError, match="token ids up to 9, but the vocabulary at fit had 5"):
        model.predict({"words": Ragged.from_rows([[9]])})
