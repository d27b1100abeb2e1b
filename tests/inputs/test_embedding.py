import gc
import pickle
import threading

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs import SentenceEmbedding
from skfusion.inputs._text.vector_cache import VectorCache, encoder_key


class Letters:
    """Counts of letters; a salt makes each test's encoder another one."""

    def __init__(self, salt):
        self.salt = salt
        self.calls = []

    def encode(self, texts):
        self.calls.append(list(texts))
        return np.array([[text.count(letter) for letter in "abcd"] for text in texts], np.float32)

    @property
    def n_encoded(self):
        return sum(map(len, self.calls))


class Locked(Letters):
    """Like a client with an open connection: can be neither copied nor pickled."""

    def __init__(self, salt):
        super().__init__(salt)
        self.lock = threading.Lock()


@pytest.fixture
def encoder(request):
    return Letters(request.node.name)


def test_vectors_are_those_of_the_encoder_in_the_order_of_rows(encoder):
    texts = ["abba", "dad", "abba", "", "cab"]
    vectors = SentenceEmbedding(encoder, batch_size=2).fit_transform(pd.Series(texts))
    np.testing.assert_array_equal(vectors, Letters("").encode(texts))
    assert vectors.dtype == np.float32


def test_unique_texts_are_encoded_once_in_batches(encoder):
    embedding = SentenceEmbedding(encoder, batch_size=2).fit(["a"])
    encoder.calls.clear()
    embedding.transform(["a", "b", "a", "c", "b", "d", "dd"])
    assert [len(call) for call in encoder.calls] == [2, 2, 1]
    embedding.transform(["b", "new", "a"])
    assert encoder.calls[-1] == ["new"]


def test_grid_search_pays_once_for_each_text(encoder):
    texts = ["a" * i + "b" * (20 - i) for i in range(20)]
    model = make_pipeline(SentenceEmbedding(encoder), LogisticRegression())
    search = GridSearchCV(model, {"logisticregression__C": [0.1, 1.0]}, cv=3)
    search.fit(texts, [0] * 10 + [1] * 10)
    n_fits = 3 * 2 + 1  # each fit encodes one text more to learn the width
    assert encoder.n_encoded == len(texts) + n_fits
    assert search.best_estimator_[0].encoder is encoder


def test_clones_share_the_encoder_even_one_that_cannot_be_copied(request):
    encoder = Locked(request.node.name)
    first = SentenceEmbedding(encoder, batch_size=7).set_output(transform="pandas").fit(["a"])
    second = clone(first)
    assert second.encoder is encoder
    assert second.batch_size == 7
    assert not hasattr(second, "n_outputs_")
    first.transform(["a", "b"])
    encoder.calls.clear()
    assert second.fit(["a"]).transform(["a", "b"]).shape == (2, 4)
    assert encoder.calls == [["a"]]
    assert isinstance(second.transform(["a"]), pd.DataFrame)


def test_copies_made_by_pickle_find_the_vectors(encoder):
    embedding = SentenceEmbedding(encoder).fit(["a"])
    frozen = pickle.dumps(SentenceEmbedding(Letters(encoder.salt)).fit(["a"]))
    embedding.transform(["b", "c"])
    first, second = pickle.loads(frozen), pickle.loads(frozen)
    first.transform(["b", "c"])
    n_encoded = second.encoder.n_encoded
    second.transform(["b", "c"])
    assert second.encoder.n_encoded == n_encoded


class Lazy(Letters):
    """Loads with the first text what cannot be pickled, as clients and native libraries do."""

    def encode(self, texts):
        self.lock = threading.Lock()
        return super().encode(texts)


def test_copies_that_cannot_be_pickled_once_used_find_the_vectors(request):
    unused = pickle.dumps(SentenceEmbedding(Lazy(request.node.name)))
    first, second = pickle.loads(unused), pickle.loads(unused)  # as tasks of ``n_jobs`` get them
    first.fit(["a"]).transform(["a", "b"])
    second.fit(["a"]).transform(["a", "b"])
    assert first.encoder.n_encoded == 3
    assert second.encoder.calls == [["a"]]


def test_encoders_of_other_content_do_not_share_vectors(encoder):
    class Longer(Letters):
        def encode(self, texts):
            return 2 * super().encode(texts)

    longer = Longer(encoder.salt)
    plain = SentenceEmbedding(encoder).fit_transform(["abc"])
    np.testing.assert_array_equal(SentenceEmbedding(longer).fit_transform(["abc"]), 2 * plain)


def test_cache_can_be_switched_off(encoder):
    embedding = SentenceEmbedding(encoder, cache=False).fit(["a"])
    encoder.calls.clear()
    embedding.transform(["a", "a"])
    embedding.transform(["a"])
    assert encoder.calls == [["a"], ["a"]]


def test_cache_drops_the_least_recently_used():
    cache = VectorCache(n_bytes=24)
    cache.store("e", ["a", "b", "c"], np.eye(3, 2, dtype=np.float32))
    cache.find("e", ["a"])
    cache.store("e", ["d"], np.ones((1, 2), np.float32))
    assert sorted(cache.find("e", ["a", "b", "c", "d"])) == ["a", "c", "d"]
    assert cache.find("other", ["a"]) == {}


def test_key_of_an_encoder_does_not_outlive_it():
    first = Locked("x")
    key = encoder_key(first)
    assert encoder_key(first) == key
    del first
    gc.collect()
    assert encoder_key(Locked("x")) != key


def test_no_rows_give_no_vectors(encoder):
    assert SentenceEmbedding(encoder).fit(["a"]).transform([]).shape == (0, 4)


def test_names_of_outputs(encoder):
    names = SentenceEmbedding(encoder).fit(["a"]).get_feature_names_out().tolist()
    assert names == [f"sentenceembedding{i}" for i in range(4)]


class Broken(Letters):
    def __init__(self, vectors):
        super().__init__("broken")
        self.vectors = vectors

    def encode(self, texts):
        return self.vectors(texts)


def test_what_encoders_do_wrong_is_named():
    with pytest.raises(ParameterError, match=r"encoder must be an object with encode"):
        SentenceEmbedding(len).fit(["a"])
    with pytest.raises(ParameterError, match=r"encoder must be an object with encode"):
        SentenceEmbedding(Letters).fit(["a"])
    with pytest.raises(BlockError, match=r"encode of 1 texts must return .* \(3,\)"):
        SentenceEmbedding(Broken(lambda texts: np.ones(3))).fit(["a"])
    nan = Broken(lambda texts: np.array([[np.nan if text == "b" else 1.0] for text in texts]))
    with pytest.raises(BlockError, match=r"row 1 \(label 9\), 'b': the encoder returned NaN"):
        SentenceEmbedding(nan).fit_transform(pd.Series(["a", "b"], index=[7, 9]))


def test_wrong_cells_are_named(encoder):
    with pytest.raises(BlockTypeError, match="row 1 is 3, no text"):
        SentenceEmbedding(encoder).fit(["a", 3])
    with pytest.raises(BlockError, match="at least one text"):
        SentenceEmbedding(encoder).fit([])
    with pytest.raises(ParameterError, match="batch_size must be an int >= 1"):
        SentenceEmbedding(encoder, batch_size=0).fit(["a"])
