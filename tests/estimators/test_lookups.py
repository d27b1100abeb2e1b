"""Fits on lookups: what rows written out give, with each distinct thing encoded once."""

import pickle

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from skfusion import FusionClassifier, FusionRegressor
from skfusion._batch import make_batch
from skfusion._tokens import as_vector
from skfusion.blocks import Blocks, Lookup, Ragged
from skfusion.encoders import CNN, MLP, RNN, Chain, Encoder, Pretrained, SameAs, TemporalCNN, Tokens
from skfusion.exceptions import BlockError
from skfusion.fusion import TokenTransformer
from skfusion.inspection import block_importance
from skfusion.inspection._masking import without_blocks

N, N_THINGS = 60, 7
RNG = np.random.default_rng(0)
KEYS = RNG.integers(0, N_THINGS, N)
FACTS = RNG.normal(size=(N, 2)).astype(np.float32)
VECTORS = RNG.normal(size=(N_THINGS, 3)).astype(np.float32)
IMAGES = RNG.integers(0, 256, (N_THINGS, 8, 8, 3), dtype=np.uint8)
Y = FACTS[:, 0] + VECTORS[KEYS, 0]
HISTORIES = [RNG.choice(N_THINGS, 1 + row % 4, replace=False) for row in range(N)]
STARS = [RNG.integers(1, 6, len(keys)).astype(float) for keys in HISTORIES]
TEXTS = Ragged.from_rows([RNG.integers(0, 9, 1 + i % 3) for i in range(N_THINGS)], n_tokens=9)
TABLES = {
    "vectors": VECTORS,
    "csr": csr_array(VECTORS * (VECTORS > 0)),
    "images": IMAGES,
    "texts": TEXTS,
    "sequences": RNG.normal(size=(N_THINGS, 4, 2)).astype(np.float32),
}


def regressor(**arguments):
    arguments = {"members": 1, "random_state": 0, "max_epochs": 3, "batch_size": 16, **arguments}
    return FusionRegressor(**arguments)


class Images:
    """A lazy block that counts the images it was asked for."""

    shape, ndim, dtype = (N_THINGS, 8, 8, 3), 4, np.dtype(np.uint8)

    def __init__(self):
        self.asked = []

    def __len__(self):
        return N_THINGS

    def __getitem__(self, rows):
        self.asked.append(np.arange(N_THINGS)[rows])
        return IMAGES[rows]


class Means(nn.Module):
    """Means of an image's channels; counts the images, but not the zeros that it is tried on."""

    n_seen = 0

    def forward(self, images):
        Means.n_seen += int(images.flatten(1).any(1).sum())
        return images.float().mean((1, 2)) / 255


class Embedded(nn.Module):
    """Ids as fixed vectors, one a token."""

    def forward(self, ids, mask):
        return Tokens(torch.stack([ids.float(), ids.float() ** 2], 2) / 9, mask)


class Linear(Encoder):
    """A linear map."""

    takes = ("vector",)

    def __init__(self, width=4):
        self.width = width

    def build(self, spec, pooled=True):
        return nn.Linear(spec.shape[0], self.width)


@pytest.mark.parametrize("fusion", ["concat", "gated", "token_transformer"])
@pytest.mark.parametrize("table", TABLES)
def test_a_lookup_learns_what_rows_written_out_learn(table, fusion):
    things = TABLES[table]
    rows = {"thing": things[KEYS], "facts": FACTS}
    lookup = {"thing": Lookup(KEYS, things), "facts": FACTS}
    # Dropout would be drawn for things here, and for rows there.
    plain = {"texts": RNN(8, cell="gru"), "images": CNN(), "sequences": TemporalCNN()}
    encoders = {"thing": plain[table]} if table in plain else None
    if fusion == "token_transformer":
        fusion = TokenTransformer(dropout=0)
    written = regressor(encoders=encoders, fusion=fusion, validation_fraction=0.2).fit(rows, Y)
    looked_up = clone(written).fit(lookup, Y)
    expected = written.predict(rows)
    np.testing.assert_allclose(looked_up.predict(lookup), expected, atol=5e-6)
    # What is fitted on one predicts from the other.
    np.testing.assert_allclose(written.predict(lookup), expected, atol=1e-6)
    np.testing.assert_allclose(looked_up.predict(rows), looked_up.predict(lookup), atol=1e-6)


def test_in_doubles_only_the_order_of_sums_differs():
    table, facts = VECTORS.astype(float), FACTS.astype(float)
    rows, lookup = {"a": table[KEYS], "b": facts}, {"a": Lookup(KEYS, table), "b": facts}
    expected = regressor(max_epochs=10).fit(rows, Y).predict(rows)
    found = regressor(max_epochs=10).fit(lookup, Y).predict(lookup)
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("weights", [None, Ragged.from_rows(STARS)], ids=["alike", "weighted"])
def test_a_history_is_the_weighted_mean_of_its_things(weights):
    """A linear encoder of a mean is the mean of what it makes of the things."""
    table = VECTORS
    stars = [np.ones(len(keys)) for keys in HISTORIES] if weights is None else STARS
    pairs = zip(HISTORIES, stars, strict=True)
    means = np.stack([np.average(table[keys], axis=0, weights=given) for keys, given in pairs])
    encoders = {"seen": Linear(4)}
    X = {"seen": Lookup(Ragged.from_rows(HISTORIES), table, weights), "facts": FACTS}
    rows = {"seen": means.astype(np.float32), "facts": FACTS}
    expected = regressor(encoders=encoders).fit(rows, Y).predict(rows)
    np.testing.assert_allclose(
        regressor(encoders=encoders).fit(X, Y).predict(X), expected, atol=1e-6
    )


def test_things_of_a_history_are_tokens():
    """Tokens weigh as their things do: their mean is what a fusion of vectors gets."""
    seen = Lookup(Ragged.from_rows(HISTORIES), VECTORS, Ragged.from_rows(STARS))
    X = Blocks({"seen": seen, "facts": FACTS})
    pooled = regressor(encoders={"seen": Linear(4)}).fit(X, Y)
    module = pooled.net_.module_.eval()
    batch = make_batch(pooled._snapshot().read(X, "error"), torch.float32, torch.device("cpu"))
    vectors = module.encode(batch)["seen"]
    module.pooled = False
    tokens = module.encode(batch)["seen"]
    assert tokens.mask.sum(1).tolist() == [len(keys) for keys in HISTORIES]
    torch.testing.assert_close(as_vector(tokens), vectors)


def test_a_history_trains_with_a_fusion_of_tokens():
    X = {"seen": Lookup(Ragged.from_rows(HISTORIES), IMAGES), "facts": FACTS}
    model = regressor(fusion="token_transformer", encoders={"seen": CNN(4)}).fit(X, Y)
    assert np.isfinite(model.predict(X)).all()


def test_each_distinct_image_of_a_batch_is_read_once():
    images = Images()
    X = {"poster": Lookup(KEYS, images), "facts": FACTS}
    regressor(max_epochs=2).fit(X, Y)
    batches = [np.sort(rows) for rows in images.asked]
    assert len(batches) == 2 * -(-N // 16)
    assert all(len(np.unique(rows)) == len(rows) for rows in batches)
    assert {*np.concatenate(batches)} == {*KEYS}


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_lookups_of_one_lazy_table_read_it_together(dropout):
    class Prefetching(Images):
        def __init__(self):
            super().__init__()
            self.foreseen = []

        def prefetch(self, rows):
            self.foreseen.append(rows)

    images = Prefetching()
    X = {"poster": Lookup(KEYS, images), "seen": Lookup(Ragged.from_rows(HISTORIES), images)}
    model = regressor(
        encoders={"poster": CNN(2), "seen": SameAs("poster")}, block_dropout=dropout, max_epochs=2
    ).fit({**X, "facts": FACTS}, Y)
    n_batches = 2 * -(-N // 16)
    assert len(images.asked) == len(images.foreseen) == n_batches
    for asked, foreseen in zip(images.asked, images.foreseen, strict=True):
        assert asked.tolist() == foreseen.tolist() == np.unique(asked).tolist()
    in_memory = {name: lookup.with_table(IMAGES) for name, lookup in X.items()}
    expected = clone(model).fit({**in_memory, "facts": FACTS}, Y).predict({**X, "facts": FACTS})
    np.testing.assert_array_equal(model.predict({**X, "facts": FACTS}), expected)


def test_a_prediction_reads_each_image_about_once():
    model = regressor(max_epochs=1).fit({"poster": Lookup(KEYS, IMAGES), "facts": FACTS}, Y)
    images, n = Images(), 5000
    keys, facts = RNG.integers(0, N_THINGS, n), RNG.normal(size=(n, 2)).astype(np.float32)
    predicted = model.predict({"poster": Lookup(keys, images), "facts": facts})
    n_steps = -(-n // model.net_.module.rows_per_step)
    assert n_steps > 2
    assert len(np.concatenate(images.asked)) < N_THINGS + n_steps
    some = slice(0, n, 500)
    written = model.predict({"poster": IMAGES[keys[some]], "facts": facts[some]})
    np.testing.assert_allclose(predicted[some], written, atol=1e-6)


def test_long_histories_are_predicted_in_smaller_steps():
    sizes = []

    class Many:
        shape, ndim, dtype = (5000, 8, 8, 3), 4, np.dtype(np.uint8)

        def __len__(self):
            return 5000

        def __getitem__(self, rows):
            sizes.append(len(rows))
            return IMAGES[rows % N_THINGS]

    seen = Ragged.from_rows([RNG.integers(0, 5000, 30) for _ in range(200)])
    model = regressor(max_epochs=1).fit({"seen": Lookup(Ragged.from_rows(HISTORIES), IMAGES)}, Y)
    predicted = model.predict({"seen": Lookup(seen, Many())})
    assert len(predicted) == 200 and max(sizes) <= model.net_.module.rows_per_step
    few = Lookup(Ragged(seen.values % N_THINGS, seen.offsets), IMAGES)
    np.testing.assert_allclose(predicted, model.predict({"seen": few}), atol=1e-5)


@pytest.mark.parametrize("memory", [False, True])
def test_a_frozen_encoder_sees_each_thing_once_a_fit(memory, tmp_path):
    X = {
        "poster": Lookup(KEYS, IMAGES),
        "seen": Lookup(Ragged.from_rows(HISTORIES), IMAGES),
        "facts": FACTS,
    }
    encoders = {"poster": Chain(Pretrained(Means()), MLP(4)), "seen": SameAs("poster")}
    model = regressor(
        encoders=encoders,
        max_epochs=4,
        validation_fraction=0.25,
        memory=tmp_path if memory else None,
    )
    Means.n_seen = 0
    model.fit(X, Y)
    assert Means.n_seen == N_THINGS
    if memory:  # rows of other folds use the same table
        clone(model).fit(Blocks(X)[: N // 2], Y[: N // 2])
        assert Means.n_seen == N_THINGS
    rows = {**X, "poster": IMAGES[KEYS]}
    expected = clone(model).set_params(memory=None).fit(rows, Y).predict(rows)
    np.testing.assert_allclose(model.predict(X), expected, atol=1e-6)


def test_a_frozen_encoder_sees_no_thing_that_no_row_has():
    keys = np.where(KEYS == 2, -1, KEYS)
    Means.n_seen = 0
    X = {"poster": Lookup(keys, IMAGES), "facts": FACTS}
    regressor(encoders={"poster": Pretrained(Means())}, missing="allow").fit(X, Y)
    assert Means.n_seen == N_THINGS - 1


def test_frozen_tokens_of_a_lookup():
    X = {"text": Lookup(KEYS, TEXTS), "facts": FACTS}
    rows = {"text": TEXTS[KEYS], "facts": FACTS}
    encoders = {"text": Chain(Pretrained(Embedded()), RNN(4))}
    expected = regressor(encoders=encoders).fit(rows, Y).predict(rows)
    np.testing.assert_allclose(
        regressor(encoders=encoders).fit(X, Y).predict(X), expected, atol=1e-6
    )


def test_rows_without_a_thing_are_missing():
    keys = KEYS.copy()
    keys[::5] = -1
    mask = {"thing": keys < 0}
    X = {"thing": Lookup(keys, VECTORS), "facts": FACTS}
    rows = Blocks({"thing": VECTORS[keys], "facts": FACTS}, mask)
    model = regressor(missing="allow", block_dropout=0.3)
    expected = clone(model).fit(rows, Y).predict(rows)
    np.testing.assert_allclose(model.fit(X, Y).predict(X), expected, atol=1e-6)
    nothing = {"thing": Lookup(np.full(3, -1), VECTORS), "facts": FACTS[:3]}
    without = model.predict({"facts": FACTS[:3]})
    np.testing.assert_allclose(model.predict(nothing), without, atol=1e-6)
    empty = Lookup(Ragged.from_rows([[], [], []], dtype=int), VECTORS)
    np.testing.assert_allclose(model.predict({**nothing, "thing": empty}), without, atol=1e-6)


def test_two_lookups_share_an_encoder():
    X = {"poster": Lookup(KEYS, VECTORS), "seen": Lookup(Ragged.from_rows(HISTORIES), VECTORS)}
    model = regressor(encoders={"poster": MLP(4), "seen": SameAs("poster")}).fit(X, Y)
    poster, seen = model.net_.module_.encoders
    assert poster is seen
    # Histories of one thing are that thing.
    ones = {name: Lookup(Ragged.from_rows(KEYS[:, None]), VECTORS) for name in X}
    same = {name: Lookup(KEYS, VECTORS) for name in X}
    np.testing.assert_allclose(model.predict(ones), model.predict(same), atol=1e-6)


def test_scikit_learn_splits_clones_searches_and_pickles():
    X = Blocks({"poster": Lookup(KEYS, IMAGES), "facts": FACTS})
    rows = Blocks({"poster": IMAGES[KEYS], "facts": FACTS})
    labels = np.median(Y) < Y
    model = FusionClassifier(
        encoders={"poster": CNN(4)}, random_state=0, max_epochs=2, batch_size=16
    )
    scores = cross_validate(model, X, labels, cv=3, scoring="neg_log_loss", error_score="raise")
    expected = cross_validate(model, rows, labels, cv=3, scoring="neg_log_loss")
    np.testing.assert_allclose(scores["test_score"], expected["test_score"], atol=1e-4)
    pipeline = make_pipeline(FunctionTransformer(), model)
    grid = {"fusionclassifier__poster__channels": [2, 4]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, labels)
    back = pickle.loads(pickle.dumps(search.best_estimator_))
    np.testing.assert_array_equal(back.predict_proba(X), search.predict_proba(X))


def test_processes_get_the_table_too():
    X = Blocks({"poster": Lookup(KEYS, VECTORS), "facts": FACTS})
    model = regressor(max_epochs=1)
    alone = cross_validate(model, X, Y, cv=2, error_score="raise")["test_score"]
    beside = cross_validate(model, X, Y, cv=2, error_score="raise", n_jobs=2)["test_score"]
    np.testing.assert_allclose(alone, beside)


def test_a_fit_goes_on_with_a_lookup():
    X = {"poster": Lookup(KEYS, VECTORS), "facts": FACTS}
    model = regressor(warm_start=True).fit({"poster": VECTORS[KEYS], "facts": FACTS}, Y)
    assert np.isfinite(model.fit(X, Y).partial_fit(X, Y).predict(X)).all()


def test_a_checkpoint_knows_another_table(tmp_path):
    X = {"poster": Lookup(KEYS, VECTORS), "facts": FACTS}
    model = regressor(checkpoint=tmp_path)
    first = model.fit(X, Y).predict(X)
    np.testing.assert_array_equal(clone(model).fit(X, Y).predict(X), first)
    assert len(list(tmp_path.iterdir())) == 1
    clone(model).fit({**X, "poster": Lookup(KEYS, VECTORS + 1)}, Y)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_is_wrong_in_a_table_is_named_by_thing():
    table = VECTORS.copy()
    table[4, 1] = np.nan
    X = {"thing": Lookup(KEYS, table), "facts": FACTS}
    message = r"table of the lookup 'thing'.*NaN in row 4, column 1"
    with pytest.raises(BlockError, match=message):
        regressor().fit(X, Y)
    model = regressor().fit({**X, "thing": Lookup(KEYS, VECTORS)}, Y)
    with pytest.raises(BlockError, match=message):
        model.predict(X)
    others = KEYS != 4  # what no row has is not asked
    assert np.isfinite(model.predict(Blocks(X)[others])).all()
    regressor(max_epochs=1).fit(Blocks(X)[others], Y[others])


def test_images_of_a_table_are_on_the_scale_of_the_fit():
    X = {"poster": Lookup(KEYS, IMAGES), "facts": FACTS}
    model = regressor().fit(X, Y)
    floats = {**X, "poster": Lookup(KEYS, IMAGES.astype(float))}
    np.testing.assert_array_equal(model.predict(floats), model.predict(X))
    with pytest.raises(BlockError, match=r"table of the lookup 'poster'.*row \d holds"):
        model.predict({**X, "poster": Lookup(KEYS, IMAGES / 255)})


def test_ids_of_a_table_may_come_as_floats():
    X = {"text": Lookup(KEYS, TEXTS), "facts": FACTS}
    model = regressor().fit(X, Y)
    floats = {**X, "text": Lookup(KEYS, TEXTS.astype(np.float64))}
    np.testing.assert_array_equal(model.predict(floats), model.predict(X))


def test_inspection_takes_lookups():
    X = Blocks({"poster": Lookup(KEYS, VECTORS), "facts": FACTS})
    model = regressor(missing="allow").fit(X, Y)
    importance = block_importance(model, X, Y, n_repeats=2, random_state=0)
    assert importance.names == ["poster", "facts"]
    assert (importance.importances_mean > 0).all()
    np.testing.assert_array_equal(
        model.predict(without_blocks(X, ["poster"])), model.predict({"facts": FACTS})
    )


EAGER = {"compile": True, "compile__backend": "eager"}  # traced as ever, without a C compiler


@pytest.mark.parametrize("settings", [{"precision": "bf16"}, {"net_params": EAGER}])
@pytest.mark.parametrize("fusion", ["concat", "token_transformer"])
def test_histories_in_half_precision_and_compiled(fusion, settings):
    X = {
        "poster": Lookup(KEYS, IMAGES),
        "seen": Lookup(Ragged.from_rows(HISTORIES), IMAGES, Ragged.from_rows(STARS)),
        "facts": FACTS,
    }
    model = regressor(encoders={"poster": CNN(4), "seen": SameAs("poster")}, fusion=fusion)
    expected = model.fit(X, Y).predict(X)
    found = clone(model).set_params(**settings).fit(X, Y).predict(X)
    assert np.abs(found - expected).max() < 0.2
