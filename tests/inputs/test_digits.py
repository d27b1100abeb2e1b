"""Whole numbers that float32 cannot hold are warned of, once, at fit."""

import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from skfusion import Blocks, BlockUnion, FusionClassifier
from skfusion.exceptions import BlockError

IDS = np.arange(20, dtype=np.int64) * 2_000_003 + 2**40
Y = np.arange(20) % 2
COLUMNS = {
    "int64": IDS,
    "uint64": IDS.astype(np.uint64),
    "float64": IDS.astype(np.float64),
    "Int64": pd.Series(IDS, dtype="Int64"),
    "Int64 with NA": pd.Series([*IDS[:-1], None], dtype="Int64"),
    "objects": pd.Series([int(one) for one in IDS], dtype=object),
    "objects with None": pd.Series([*map(int, IDS[:-1]), None], dtype=object),
    "decimals": pd.Series([Decimal(int(one)) for one in IDS], dtype=object),
    "negative": -IDS,
    "int32": (IDS - 2**40).astype(np.int32) * 3 + 1,
}


@pytest.mark.parametrize("union", [BlockUnion(), BlockUnion([("facts", "passthrough", ["id"])])])
@pytest.mark.parametrize("kind", COLUMNS)
def test_ids_are_warned_of(union, kind):
    frame = pd.DataFrame({"id": COLUMNS[kind]})
    with pytest.warns(
        UserWarning, match=r"block '.*': whole numbers \(column 'id', .*float32"
    ) as all_:
        union.fit(frame)
    assert len([one for one in all_ if "float32" in str(one.message)]) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        union.transform(frame)


def test_the_first_chunk_is_warned_of():
    frame = pd.DataFrame({"id": IDS})
    union = BlockUnion([("facts", "passthrough", ["id"])])
    with pytest.warns(UserWarning, match="block 'facts': whole numbers .column 'id'"):
        union.partial_fit(frame[:10])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        union.partial_fit(frame[10:])


@pytest.mark.parametrize(
    "X",
    [
        {"id": IDS, "cost": np.arange(20.0)},
        {"id": IDS[:, None], "cost": np.arange(20.0)},
        np.column_stack([IDS, IDS]),
    ],
    ids=["1-D", "2-D", "array"],
)
def test_arrays_are_warned_of(X):
    with pytest.warns(UserWarning, match="block 'numbers|block 'id.*lose their last digits"):
        BlockUnion().fit(X)


def test_unix_seconds_through_the_estimator():
    seconds = pd.date_range("2020", periods=20, freq="50D").astype("M8[s]").astype(np.int64)
    frame = pd.DataFrame({"memo": ["a b c", "d e f"] * 10, "at": seconds})
    with pytest.warns(UserWarning, match="column 'at', .*unit='s'"):
        FusionClassifier(max_epochs=1).fit(frame, Y)


def test_blocks_of_large_integers():
    with pytest.warns(UserWarning, match="block 'id': whole numbers"):
        FusionClassifier(max_epochs=1).fit(Blocks({"id": IDS}), Y)


def test_what_a_transformer_of_ones_own_returns():
    union = BlockUnion([("facts", FunctionTransformer(lambda X: X.to_numpy() + 2**30), ["n"])])
    with pytest.warns(UserWarning, match="block 'facts': whole numbers .column 'n', 10737418"):
        union.fit(pd.DataFrame({"n": np.arange(20)}))


@pytest.mark.parametrize(
    ("X", "union"),
    [
        (np.arange(20.0)[:, None] * 8e5, BlockUnion()),
        (np.arange(20)[:, None] + 2**40, BlockUnion()),
        (np.arange(20.0)[:, None] * 1e9 + 0.5, BlockUnion()),
        (IDS[:, None], BlockUnion(dtype="float64")),
        (IDS[:, None], BlockUnion([("ids", OneHotEncoder(), [0])])),
        (IDS[:, None], BlockUnion([("ids", OrdinalEncoder(), [0])])),
        (np.array([[2.0**40], *[[np.nan]] * 19]), BlockUnion()),
        (np.full((20, 1), 2.0**30), BlockUnion([("same", "passthrough", [0])])),
    ],
    ids=["near", "scaled", "no ids", "float64", "one-hot", "codes", "one value", "exact"],
)
def test_where_no_digit_is_lost_nothing_is_said(X, union):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        union.fit(X)


def test_the_repairs_work():
    frame = pd.DataFrame({"id": IDS, "at": IDS // 1000})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BlockUnion().fit(
            frame.assign(id=frame["id"].astype(str), at=pd.to_datetime(frame["at"], unit="s"))
        )
        union = BlockUnion(dtype="float64", columns={"id": "number", "at": "number"})
        make_pipeline(union, FusionClassifier(max_epochs=1)).fit(frame, Y)


def test_scaled_by_hand():
    with pytest.warns(UserWarning, match="block 'facts': whole numbers .column 'id'"):
        BlockUnion([("facts", StandardScaler(), ["id"])]).fit(pd.DataFrame({"id": IDS}))


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("steps", [None, [("facts", "passthrough", ["cost", "size"])]])
def test_a_number_too_large_for_float32_is_named(steps, missing):
    frame = pd.DataFrame({"cost": [1.0, 2.0, 4.0], "size": [1.0, 3.0, 2.0]}, index=[7, 8, 9])
    union = BlockUnion(steps).fit(frame)
    frame.loc[9, "size"] = 1e300
    if missing:
        frame.loc[7] = np.nan
    with pytest.raises(BlockError, match=r"block '\w+', row 2 .label 9. of column 'size': .*1e9"):
        union.transform(frame)
    kept = BlockUnion(steps, dtype="float64").fit(frame[1:]).transform(frame[1:])
    assert np.isfinite(kept.hstack()).all()
