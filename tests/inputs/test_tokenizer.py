import pickle

import numpy as np
import pandas as pd
import pytest
import tokenizers
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from tokenizers import models, pre_tokenizers, processors

from skfusion.blocks import Blocks
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs import Tokenizer, word_table

TEXTS = ["the red fox saw the hen", "The hen saw a fox, a red fox", "", "over the hills"]


def rows(ragged):
    return [row.tolist() for row in ragged]


@pytest.fixture
def untrained():
    tokenizer = tokenizers.Tokenizer(models.WordLevel())
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


def test_ids_follow_frequency_then_alphabet():
    tokenizer = Tokenizer().fit(TEXTS)
    names = tokenizer.get_feature_names_out().tolist()
    assert names[2:] == ["the", "fox", "hen", "red", "saw", "hills", "over"]
    assert tokenizer.vocabulary_["the"] == 2
    assert tokenizer.counts_.tolist() == [0, 0, 4, 3, 2, 2, 2, 1, 1]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"min_df": 2},
        {"min_df": 0.5},
        {"lowercase": False},
        {"analyzer": "char_wb", "ngram_range": (2, 3)},
        {"stop_words": "english", "token_pattern": r"\w+"},
        {"analyzer": str.split},
        {"ngram_range": (1, 2), "strip_accents": "unicode"},
    ],
)
def test_words_and_counts_are_those_of_count_vectorizer(options):
    vectorizer = CountVectorizer(**options)
    counts = vectorizer.fit_transform(TEXTS).toarray()
    tokenizer = Tokenizer(**options)
    ids = tokenizer.fit_transform(TEXTS)
    assert set(tokenizer.vocabulary_) == set(vectorizer.vocabulary_)
    for word, column in vectorizer.vocabulary_.items():
        found = [row.count(tokenizer.vocabulary_[word]) for row in rows(ids)]
        assert found == counts[:, column].tolist()


def test_fit_transform_equals_fit_then_transform():
    for options in ({}, {"min_df": 2}, {"max_tokens": 3}, {"max_length": 2}):
        tokenizer = Tokenizer(**options)
        assert rows(tokenizer.fit_transform(TEXTS)) == rows(tokenizer.fit(TEXTS).transform(TEXTS))


def test_empty_text_is_an_empty_row_and_unknown_words_are_ones():
    ids = Tokenizer().fit(TEXTS).transform(["", "zebra giraffe", "the zebra"])
    assert rows(ids) == [[], [1, 1], [2, 1]]
    assert ids.dtype == np.int64


def test_limits_of_vocabulary_and_length():
    ids = Tokenizer(max_tokens=2, max_length=3).fit_transform(TEXTS)
    assert ids.n_tokens == 4
    assert ids.lengths.max() == 3
    assert Blocks({"words": ids}).specs()["words"].n_tokens == 4


def test_texts_that_are_all_empty_still_make_a_block():
    ids = Tokenizer().fit_transform(["", ""])
    assert rows(ids) == [[], []]
    assert ids.n_tokens == 2


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(TEXTS),
        pd.Series(TEXTS, dtype="string"),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object)[:, None],
        pd.DataFrame({"text": TEXTS}, index=[3, 5, 7, 9]),
    ],
    ids=["series", "string", "array", "column", "frame"],
)
def test_takes_one_column_of_any_kind(column):
    assert rows(Tokenizer().fit_transform(column)) == rows(Tokenizer().fit_transform(TEXTS))


def test_fixed_vocabulary_keeps_its_ids_on_any_texts():
    first = Tokenizer().fit(TEXTS)
    fixed = Tokenizer(vocabulary=first.vocabulary_).fit(["hen hen hen"])
    assert rows(fixed.transform(TEXTS)) == rows(first.transform(TEXTS))
    assert Tokenizer(vocabulary=["hen", "fox"]).fit(TEXTS).vocabulary_ == {"hen": 2, "fox": 3}


def test_clone_and_pickle():
    tokenizer = clone(Tokenizer(min_df=2)).fit(TEXTS)
    again = pickle.loads(pickle.dumps(tokenizer))
    assert rows(again.transform(TEXTS)) == rows(tokenizer.transform(TEXTS))


def test_subwords_are_trained_at_fit_without_touching_the_argument(untrained):
    tokenizer = Tokenizer(tokenizer=untrained)
    ids = tokenizer.fit_transform(TEXTS)
    assert untrained.get_vocab_size() == 0
    assert ids.lengths.tolist() == [6, 9, 0, 3]
    assert ids.n_tokens == tokenizer.n_tokens_ == len(tokenizer.vocabulary_)
    assert rows(tokenizer.transform(["zebra"])) == [[1]]
    assert tokenizer.get_feature_names_out()[:2].tolist() == ["<padding>", "<unknown>"]


@pytest.mark.parametrize("model", [models.BPE, models.WordPiece, models.Unigram])
def test_every_model_of_subwords_trains(model):
    untrained = tokenizers.Tokenizer(model())
    untrained.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = Tokenizer(tokenizer=untrained)
    ids = tokenizer.fit_transform(TEXTS)
    assert ids.lengths[2] == 0
    assert ids.lengths[0] >= 6
    assert ids.values.max() < tokenizer.n_tokens_
    assert tokenizer.transform(["\N{SNOWMAN}"])[0].tolist() == [1]


def test_max_tokens_limits_trained_subwords():
    untrained = tokenizers.Tokenizer(models.BPE())
    untrained.pre_tokenizer = pre_tokenizers.Whitespace()
    assert Tokenizer(tokenizer=untrained, max_tokens=25).fit(TEXTS).n_tokens_ == 25
    assert Tokenizer(tokenizer=untrained).fit(TEXTS).n_tokens_ > 25


def test_given_subwords_keep_ids_special_tokens_and_no_padding():
    words = {"[CLS]": 7, "[SEP]": 8, "red": 3, "fox": 4, "[UNK]": 5}
    given = tokenizers.Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    given.pre_tokenizer = pre_tokenizers.Whitespace()
    given.post_processor = processors.BertProcessing(("[SEP]", 8), ("[CLS]", 7))
    given.enable_padding(length=10)
    ids = Tokenizer(tokenizer=given, max_length=4).fit_transform(["red fox", "red red red hen"])
    assert rows(ids) == [[7, 3, 4, 8], [7, 3, 3, 8]]
    assert ids.n_tokens == 9
    assert given.padding["length"] == 10


def test_subwords_clone_and_pickle(untrained):
    tokenizer = clone(Tokenizer(tokenizer=untrained)).fit(TEXTS)
    again = pickle.loads(pickle.dumps(tokenizer))
    assert rows(again.transform(TEXTS)) == rows(tokenizer.transform(TEXTS))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_tokens": 0}, "max_tokens must be an int >= 1. Got 0"),
        ({"max_length": 1.5}, "max_length must be an int >= 1"),
        ({"min_df": 1.5}, "min_df must be a number between 0 and 1"),
        ({"min_df": 9}, "min_df=9 leaves none of 7 words"),
        ({"vocabulary": {"fox": 0, "hen": 1}}, "0 is padding, 1 unknown"),
        ({"tokenizer": str.split}, "tokenizer must be a tokenizers.Tokenizer"),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ParameterError, match=message):
        Tokenizer(**options).fit(TEXTS)


def test_wrong_cells_are_named_by_row_and_label():
    with pytest.raises(BlockTypeError, match=r"row 1 \(label 'b'\) is None, no text"):
        Tokenizer().fit(pd.Series(["one", None], index=["a", "b"], dtype=object))
    with pytest.raises(BlockTypeError, match="Wrap a single cell in a list"):
        Tokenizer().fit("one text")
    with pytest.raises(BlockError, match="takes one column. Got 2"):
        Tokenizer().fit(pd.DataFrame({"a": ["x"], "b": ["y"]}))
    with pytest.raises(BlockError, match="at least one text"):
        Tokenizer().fit([])


class KeyedVectors:
    """The part of gensim's class that is used: words in, vectors out."""

    def __init__(self, vectors):
        self.vectors = vectors

    def __contains__(self, word):
        return word in self.vectors

    def __getitem__(self, word):
        return np.array(self.vectors[word])


@pytest.mark.parametrize("kind", [dict, KeyedVectors])
def test_word_table_puts_vectors_at_their_ids(kind):
    vectors = {"fox": [1.0, 0.0], "hen": [0.0, 3.0], "absent": [9.0, 9.0]}
    tokenizer = Tokenizer().fit(TEXTS)
    table = word_table(kind(vectors), tokenizer)
    array = np.asarray(table)
    assert array.shape == (9, 2)
    assert array.dtype == np.float32
    assert array[0].tolist() == [0, 0]
    assert array[tokenizer.vocabulary_["hen"]].tolist() == [0, 3]
    for word_id in (1, tokenizer.vocabulary_["the"]):
        assert array[word_id].tolist() == [0.5, 1.5]
    assert table.unknown_words == ("the", "red", "saw", "hills", "over")
    assert table.unknown_share == 5 / 7
    assert table.unknown_share_of_text == pytest.approx(10 / 15)


def test_word_table_of_a_plain_vocabulary_has_no_share_of_text():
    assert word_table({"fox": [1.0]}, {"fox": 2}).unknown_share_of_text is None


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ({"zorro": [1.0]}, "none of the 7 words of the vocabulary has a vector"),
        ({"fox": [1.0], "hen": [1.0, 2.0]}, r"the vector of 'hen' has shape \(2,\)"),
        ({"fox": [np.nan]}, "the vector of 'fox' has NaN"),
    ],
)
def test_word_table_names_the_wrong_word(vectors, message):
    with pytest.raises(BlockError, match=message):
        word_table(vectors, Tokenizer().fit(TEXTS))
