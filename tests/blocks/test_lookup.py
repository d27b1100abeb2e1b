"""The lookup block: what it holds, what it refuses, how it travels."""

import pickle

import joblib
import numpy as np
import pytest
from scipy.sparse import csr_array

from skfusion.blocks import Blocks, Lookup, MaskedBlock, Ragged, spec_of
from skfusion.exceptions import BlockError, BlockTypeError
from skfusion.inputs import ImageLoader

TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)


def history(*rows):
    return Ragged.from_rows(rows, dtype=np.int64)


def test_selected_rows_share_the_table():
    lookup = Lookup([3, 1, 3, 0], TABLE)
    for rows in (slice(1, 3), np.array([2, 0]), [True, False, False, True]):
        some = lookup[rows]
        assert some.table is lookup.table
        assert some.keys.tolist() == np.array([3, 1, 3, 0])[rows].tolist()
    assert lookup.shape == (4, 3) and lookup.ndim == 2 and lookup.dtype == np.float32


def test_selected_histories_keep_their_weights():
    lookup = Lookup(history([0, 1], [2], [3, 0]), TABLE, Ragged.from_rows([[1, 2], [3], [4, 5]]))
    some = lookup[[2, 0]]
    assert [row.tolist() for row in some.keys] == [[3, 0], [0, 1]]
    assert [row.tolist() for row in some.weights] == [[4, 5], [1, 2]]


@pytest.mark.parametrize(
    "table",
    [
        TABLE,
        csr_array(TABLE),
        Ragged.from_rows([[1, 2], [0], [], [2]]),
        np.zeros((4, 8, 8, 3), "u1"),
    ],
)
def test_the_spec_is_that_of_the_things(table):
    assert spec_of("a", Lookup([0, 1, 1, 2, 3, 3], table)) == Blocks({"a": table}).specs()["a"]


def test_rows_without_a_thing_are_missing():
    blocks = Blocks({"one": Lookup([0, -1, 2], TABLE), "many": Lookup(history([], [1], []), TABLE)})
    assert blocks.missing("one").tolist() == [False, True, False]
    assert blocks.missing("many").tolist() == [True, False, True]
    assert "of 4 things, 1 missing" in repr(blocks)
    marked = Blocks({"one": Lookup([0, -1, 2], TABLE)}, missing={"one": [True, False, False]})
    assert marked.missing("one").tolist() == [True, True, False]


def test_things_that_are_missing_or_weigh_nothing_are_in_no_row():
    table = MaskedBlock(TABLE, np.array([False, True, False, False]))
    assert Lookup([1, 0, -1], table).keys.tolist() == [-1, 0, -1]
    weights = Ragged.from_rows([[1.0, 2.0, 0.0], [3.0], [0.0]])
    lookup = Lookup(history([0, 1, 2], [1], [3]), table, weights)
    assert [row.tolist() for row in lookup.keys] == [[0], [], []]
    assert lookup.missing.tolist() == [False, True, True]


def test_shares_sum_to_one_whatever_the_unit():
    keys = history([0, 2], [1], [], [1, 2, 3])
    weights = Ragged.from_rows([[1e308, 1e308], [5e-324], [], [1.0, 2.0, 1.0]])
    shares = Lookup(keys, TABLE, weights).shares()
    np.testing.assert_allclose(shares, [0.5, 0.5, 1, 0.25, 0.5, 0.25])


@pytest.mark.parametrize(
    ("keys", "weights", "message"),
    [
        ([0, 4], None, r"row 1 has the key 4, but the table has 4 things.*0 to 3; -1 stands"),
        ([-2, 0], None, r"row 0 has the key -2"),
        (history([0], [1, 9]), None, r"row 1 has the key 9.*leave out"),
        (history([0], [], [2, -1]), None, r"row 2 has the key -1"),
        (history([0], [1, 2]), [[1.0], [1.0]], r"row 1 has 1 weights and 2 keys"),
        (history([0], [1, 2]), [[1.0]], r"weights of 1 rows and keys of 2"),
        (history([0], [1, 2]), [[1.0], [1.0, -0.5]], r"row 1 has the weight -0.5 for the key 2"),
        (history([0], [1, 2]), [[np.nan], [1, 1]], r"row 0 has the weight nan for the key 0"),
        (history([0], [1, 2]), [[1], [np.inf, 1]], r"row 1 has the weight inf for the key 1"),
    ],
)
def test_what_does_not_fit_is_named(keys, weights, message):
    weights = None if weights is None else Ragged.from_rows(weights)
    with pytest.raises(BlockError, match=message):
        Lookup(keys, TABLE, weights)


@pytest.mark.parametrize(
    ("keys", "weights", "message"),
    [
        ([0.0, 1.0], None, "1-D array of ints"),
        (["a", "b"], None, "LookupTable"),
        ([[0], [1]], None, "1-D array of ints"),
        ([True, False], None, "1-D array of ints"),
        ([0, 1], Ragged.from_rows([[1.0], [1.0]]), "of one thing a row"),
        (history([0], [1]), [[1.0], [1.0]], "must be a Ragged of numbers"),
    ],
)
def test_keys_and_weights_of_other_types_are_refused(keys, weights, message):
    with pytest.raises(BlockTypeError, match=message):
        Lookup(keys, TABLE, weights)


def test_a_table_has_things_of_its_own():
    with pytest.raises(BlockError, match="table is empty"):
        Lookup([], np.zeros((0, 3)))
    with pytest.raises(BlockTypeError, match="is a Lookup itself"):
        Lookup([0], Lookup([0], TABLE))


def test_a_pickle_has_the_table_once():
    table = np.random.default_rng(0).normal(size=(100, 100))
    blocks = Blocks({"one": Lookup([3] * 50, table), "other": Lookup([5] * 50, table)})
    packed = pickle.dumps(blocks[10:20])
    assert len(packed) < 1.5 * table.nbytes
    back = pickle.loads(packed)
    assert back["one"].table is back["other"].table
    np.testing.assert_array_equal(back["one"].things(back["one"].keys), table[[3] * 10])


@pytest.mark.parametrize("table", [TABLE, csr_array(TABLE)], ids=["array", "csr"])
def test_hash_depends_on_content_alone(table, tmp_path):
    def hash_of(keys, weights=None, of=table):
        return joblib.hash(Blocks({"a": Lookup(keys, of, weights)}))

    assert hash_of([0, 1]) == joblib.hash(Blocks({"a": Lookup([3, 0, 1], table)})[1:])
    assert hash_of([0, 1]) != hash_of([1, 1])
    assert hash_of([0, 1]) != hash_of([0, 1], of=table + table)
    ones = Ragged.from_rows([[1.0], [1.0, 2.0]])
    keys = history([0], [1, 2])
    assert hash_of(keys, ones) != hash_of(keys)
    if table is TABLE:
        np.save(tmp_path / "table.npy", TABLE)
        assert hash_of([0, 1]) == hash_of([0, 1], of=np.load(tmp_path / "table.npy", mmap_mode="r"))


def test_histories_hash_alike_however_they_were_cut():
    lookup = Lookup(history([1, 2], [0], [3]), TABLE)
    assert joblib.hash(Blocks({"a": lookup})[1:]) == joblib.hash(
        Blocks({"a": Lookup(history([0], [3]), TABLE)})
    )


def test_a_lazy_table_travels_unread_and_prefetches_what_is_asked_for():
    images = ImageLoader(lazy=True).fit_transform(
        [np.full((4, 4, 3), i, np.uint8) for i in range(5)]
    )
    asked = []
    images.prefetch = lambda rows: asked.append(rows.tolist())
    blocks = Blocks({"poster": Lookup([4, 1, -1, 4, 0], images)})
    blocks[[0, 2, 3, 1]].prefetch()
    assert asked == [[1, 4]]
    del images.prefetch
    back = pickle.loads(pickle.dumps(blocks[:2]))["poster"]
    assert back.things(back.keys)[:, 0, 0, 0].tolist() == [4, 1]


def test_blocks_with_a_lookup_are_no_matrix():
    blocks = Blocks({"a": Lookup([0, 1], TABLE), "b": np.ones((2, 3))})
    assert blocks.shape == (2, 2)
    for convert in (np.asarray, Blocks.hstack):
        with pytest.raises(BlockTypeError, match="'a'.*is a Lookup"):
            convert(blocks)


def test_rows_spread_among_missing_ones():
    present = np.array([True, False, True])
    assert Lookup([3, 1], TABLE).spread(present).keys.tolist() == [3, -1, 1]
    many = Lookup(history([3, 2], [1]), TABLE, Ragged.from_rows([[1, 2], [3]])).spread(present)
    assert [row.tolist() for row in many.keys] == [[3, 2], [], [1]]
    assert [row.tolist() for row in many.weights] == [[1, 2], [], [3]]
