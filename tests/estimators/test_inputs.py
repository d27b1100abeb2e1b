"""What may be passed as X, and what is read of it."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.preprocessing import StandardScaler

from skfusion import Blocks, BlockUnion, FusionClassifier, FusionRegressor, Ragged
from skfusion.encoders import MLP


def quick(kind=FusionClassifier, **params):
    return kind(**({"max_epochs": 2, "random_state": 0} | params))


def probabilities(X_fit, X_predict, y, **params):
    return quick(**params).fit(X_fit, y).predict_proba(X_predict)


# Plain matrices


@pytest.mark.parametrize(
    "convert",
    [
        lambda table: table.tolist(),
        lambda table: table.astype(object),
        lambda table: np.asfortranarray(table),
        lambda table: table[::-1][::-1],
        lambda table: pd.DataFrame(table, columns=["a", "b", "c"]),
        lambda table: pd.DataFrame(table, columns=["a", "b", "c"]).convert_dtypes(),
        lambda table: pl.DataFrame(table, schema=["a", "b", "c"]),
    ],
    ids=["lists", "objects", "columns first", "reversed", "pandas", "pandas' own", "polars"],
)
def test_a_matrix_of_numbers_in_any_container_is_one_block(table, y, convert):
    expected = probabilities(table, table, y)
    model = quick().fit(convert(table), y)
    assert list(model.specs_) == ["X"]
    assert model.union_ is None
    np.testing.assert_array_equal(model.predict_proba(convert(table)), expected)


@pytest.mark.parametrize(
    ("container", "form"),
    [(np.asarray, "vector"), (sparse.csr_matrix, "csr"), (sparse.csr_array, "csr")],
)
def test_a_matrix_may_be_dense_then_and_sparse_now(table, y, container, form):
    model = quick().fit(container(table), y)
    assert model.specs_["X"].form == form
    expected = model.predict_proba(container(table))
    for other in (np.asarray, sparse.csr_matrix, sparse.csc_array, sparse.coo_array):
        np.testing.assert_allclose(model.predict_proba(other(table)), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_net_follows_the_dtype_of_its_data(table, y, dtype):
    model = quick().fit(table.astype(dtype), y)
    assert {str(p.dtype) for p in model.net_.module_.parameters()} == {f"torch.{dtype.__name__}"}
    assert model.transform(table.astype(dtype)).dtype == dtype


def test_names_of_columns_are_kept(table, y):
    frame = pd.DataFrame(table, columns=["a", "b", "c"])
    model = quick().fit(frame, y)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]
    assert model.n_features_in_ == 3
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"a": "z"}))


# Deeper arrays


@pytest.mark.parametrize(
    ("shape", "dtype", "form"),
    [
        ((6, 2), np.float32, "sequence"),
        ((6, 6, 3), np.uint8, "image"),
        ((6, 6, 1), np.float64, "image"),
        ((3, 4, 4, 1), np.uint8, "video"),
    ],
)
def test_an_array_of_more_axes_is_one_block(y, shape, dtype, form):
    X = np.random.default_rng(0).integers(0, 200, (len(y), *shape)).astype(dtype)
    model = quick(encoders={"X": MLP(widths=(4,))}).fit(X, y)
    assert model.specs_["X"].form == form
    by_name = quick(encoders={"X": MLP(widths=(4,))}).fit({"X": X}, y)
    np.testing.assert_array_equal(model.predict_proba(X), by_name.predict_proba({"X": X}))


@pytest.mark.parametrize("shape", [(6, 2), (8, 8, 3), (2, 8, 8, 1)])
def test_each_form_has_an_encoder_of_its_own(y, shape):
    X = np.random.default_rng(0).normal(size=(len(y), *shape)).astype(np.float32)
    assert quick(max_epochs=1).fit(X, y).predict(X).shape == y.shape


def test_rows_of_different_length(y):
    words = Ragged.from_rows([[label + 1] * (1 + i % 4) for i, label in enumerate(y)], n_tokens=4)
    model = quick(max_epochs=20, lr=0.03).fit(words, y)
    assert model.specs_["X"].form == "tokens"
    assert model.score(words, y) == 1


def test_bytes_are_scaled_to_one(y):
    X = np.random.default_rng(0).integers(0, 256, (len(y), 4, 4, 1)).astype(np.uint8)
    encoders = {"X": MLP(widths=(4,))}
    as_bytes = probabilities(X, X, y, encoders=encoders)
    as_floats = (X / 255).astype(np.float32)
    np.testing.assert_allclose(
        as_bytes, probabilities(as_floats, as_floats, y, encoders=encoders), rtol=1e-4
    )


# Dicts and Blocks


def test_a_dict_is_the_same_as_blocks(X, y, make):
    arrays = {name: X[name] for name in X.names}
    as_dict = make().fit(arrays, y)
    as_blocks = make().fit(X, y)
    np.testing.assert_array_equal(as_dict.predict_proba(X), as_blocks.predict_proba(arrays))


def test_blocks_may_come_in_another_order(X, y, make):
    model = make().fit(X, y)
    other = X.select(["words", "photo", "facts", "text"])
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(X))


def test_a_selection_of_rows_is_the_same_as_its_copy(X, y, make):
    rows = np.random.default_rng(0).permutation(len(y))[:30]
    copied = Blocks({name: X[rows][name] for name in X.names})
    np.testing.assert_array_equal(
        make().fit(X[rows], y[rows]).predict_proba(X[rows]),
        make().fit(copied, y[rows]).predict_proba(copied),
    )


def test_a_batch_is_its_rows_one_by_one(X, y, make):
    model = make().fit(X, y)
    one_by_one = [model.predict_proba(X[[row]])[0] for row in range(10)]
    np.testing.assert_allclose(model.predict_proba(X[:10]), one_by_one, atol=1e-6)


def test_memory_maps_give_what_arrays_give(X, y, make, tmp_path):
    mapped = {}
    for name in ("facts", "photo"):
        mapped[name] = np.memmap(tmp_path / name, X[name].dtype, "w+", shape=X[name].shape)
        mapped[name][:] = X[name]
        mapped[name].flush()
        mapped[name] = np.memmap(tmp_path / name, X[name].dtype, "r", shape=X[name].shape)
    encoders = {name: make().encoders[name] for name in mapped}
    from_disk = make(encoders=encoders).fit(mapped, y).predict_proba(mapped)
    chosen = X.select(mapped)
    from_memory = make(encoders=encoders).fit(chosen, y).predict_proba(chosen)
    np.testing.assert_array_equal(from_disk, from_memory)


def test_input_is_left_as_it_was(X, y, make):
    arrays = {name: X[name].copy() for name in ("facts", "photo")}
    arrays["text"] = X["text"].copy()
    encoders = {name: make().encoders[name] for name in arrays}
    make(encoders=encoders, max_epochs=1).fit(arrays, y).predict(arrays)
    np.testing.assert_array_equal(arrays["facts"], X["facts"])
    np.testing.assert_array_equal(arrays["photo"], X["photo"])
    assert abs(arrays["text"] - X["text"]).nnz == 0


# Tables


@pytest.fixture(scope="module")
def frame(y):
    n_rows = len(y)
    return pd.DataFrame(
        {
            "review": np.where(y == 1, "very good and cheap", "bad quality and slow"),
            "colour": pd.Categorical(np.tile(["red", "blue", "green", "red"], n_rows // 4)),
            "price": np.random.default_rng(0).normal(size=n_rows),
            "sold": pd.date_range("2024-01-01", periods=n_rows, freq="D"),
            "new": np.arange(n_rows) % 3 == 0,
        }
    ).assign(review=lambda frame: frame["review"] + " no " + frame.index.astype(str))


def test_a_mixed_frame_gets_a_union_in_front(frame, y):
    model = quick(max_epochs=30, lr=0.03).fit(frame, y)
    assert set(model.specs_) == {"review", "categories", "numbers", "dates", "booleans"}
    assert model.specs_["review"].form == "csr"
    assert model.feature_names_in_.tolist() == list(frame.columns)
    assert model.n_features_in_ == 5
    assert model.score(frame, y) == 1


def test_the_union_in_front_is_the_default_union(frame, y):
    by_hand = BlockUnion().fit(frame)
    model = quick().fit(frame, y)
    blocks = by_hand.transform(frame)
    np.testing.assert_allclose(
        model.predict_proba(frame), quick().fit(blocks, y).predict_proba(blocks), rtol=1e-5
    )


def test_polars_and_pandas_give_the_same(frame, y):
    plain = frame.astype({"colour": object})
    expected = probabilities(plain, plain, y)
    converted = pl.DataFrame({name: plain[name].tolist() for name in plain})
    np.testing.assert_allclose(probabilities(converted, converted, y), expected, atol=1e-6)


def test_a_dict_with_text_in_it_gets_a_union_too(frame, y):
    X = {"review": frame["review"].tolist(), "photo": np.zeros((len(y), 8, 8, 3), np.uint8)}
    model = quick().fit(X, y)
    assert {name: spec.form for name, spec in model.specs_.items()} == {
        "review": "csr",
        "photo": "image",
    }
    assert model.predict(X).shape == y.shape


def test_encoders_are_named_after_the_blocks_of_the_table(frame, y):
    model = quick(encoders={"numbers": MLP(widths=(3,)), "dates": MLP(widths=(2,))}).fit(frame, y)
    assert model.transform(frame).shape[1] == 3 + 2 + 3 * 64


def test_gaps_in_a_table_are_no_error(frame, y):
    holes = frame.astype({"colour": object}).copy()
    holes.loc[3, "review"] = None
    holes.loc[4, "price"] = np.nan
    holes.loc[5, ["colour", "sold"]] = None
    model = quick().fit(holes, y)
    blocks = model.union_.transform(holes)
    assert np.flatnonzero(blocks.missing("review")).tolist() == [3]
    assert np.isfinite(model.predict_proba(holes)).all()


def test_an_unseen_category_goes_on(frame, y):
    model = quick().fit(frame, y)
    changed = frame.assign(colour="violet")
    assert np.isfinite(model.predict_proba(changed)).all()
    assert model.union_.transform(changed)["categories"].nnz == 0


def test_a_union_of_ones_own(frame, y):
    union = BlockUnion([("price", StandardScaler(), ["price"]), ("new", "passthrough", ["new"])])
    X = union.fit_transform(frame)
    assert quick(FusionRegressor).fit(X, frame["price"]).predict(X).shape == y.shape


# Missing rows


ABSENT = np.isin(np.arange(40), [3, 4, 11, 12, 39])


def with_text(X, filling):
    matrix = X["text"].toarray()
    matrix[ABSENT] = filling
    return sparse.csr_array(matrix)


def with_vectors(X, filling):
    return np.where(ABSENT[:, None], filling, X["facts"]).astype(np.float32)


def with_steps(X, filling):
    rows = [np.full((2, 3), value) for value in X["facts"][:, 0]]
    for row in np.flatnonzero(ABSENT):
        rows[row] = np.full((0 if filling == 0 else 3, 3), filling)
    return Ragged.from_rows([row.astype(np.float32) for row in rows])


def with_photos(X, filling):
    photos = X["photo"] / 255
    photos[ABSENT] = filling
    return photos


KINDS = {
    "csr": with_text,
    "vectors": with_vectors,
    "ragged": with_steps,
    "images": with_photos,
}


def lacking(X, kind, filling):
    """Blocks of which the second is missing in some rows, with ``filling`` in its place."""
    return Blocks(
        {"whole": X["facts"][:, :1], "gappy": KINDS[kind](X, filling)}, missing={"gappy": ABSENT}
    )


@pytest.mark.parametrize("filling", [7.5, -1e30, np.nan, np.inf])
@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_a_missing_row_is_never_read(X, y, kind, filling):
    empty, filled = lacking(X, kind, 0), lacking(X, kind, filling)
    encoders = {"gappy": MLP(widths=(3,))} if kind in ("vectors", "images") else None
    model = quick(encoders=encoders).fit(empty, y)
    other = quick(encoders=encoders).fit(filled, y)
    expected = model.predict_proba(empty)
    np.testing.assert_array_equal(other.predict_proba(empty), expected)
    np.testing.assert_array_equal(model.predict_proba(filled), expected)
    np.testing.assert_array_equal(other.transform(filled), model.transform(empty))


def test_a_missing_block_has_a_learned_stand_in_at_predict_too(X, y):
    blocks = lacking(X, "vectors", 0)
    encoders = {"whole": MLP(widths=(2,)), "gappy": MLP(widths=(3,))}
    model = quick(encoders=encoders, max_epochs=5).fit(blocks, y)
    embedding = model.net_.module_.missing_embeddings[1].detach().numpy()
    fused = model.transform(blocks)
    assert (embedding != 0).all()
    np.testing.assert_array_equal(fused[ABSENT, 2:], np.tile(embedding, (5, 1)))
    assert (fused[~ABSENT, 2:] != embedding).any(axis=1).all()


def test_that_a_block_is_missing_can_itself_be_learned(X):
    """The class is whether the block is there: only the stand-in can tell."""
    lacks = np.arange(40) % 2 == 0
    rows = Blocks(
        {"whole": X["facts"][:, :1] * 0, "gappy": X["facts"] * 0 + 1}, missing={"gappy": lacks}
    )
    model = quick(max_epochs=40, lr=0.05).fit(rows, lacks)
    assert model.score(rows, lacks) == 1


def test_a_block_may_be_missing_at_predict_that_never_was_at_fit(X, y):
    whole = Blocks({"whole": X["facts"][:, :1], "gappy": X["facts"]})
    model = quick().fit(whole, y)
    found = model.predict_proba(lacking(X, "vectors", np.nan))
    np.testing.assert_allclose(
        found[~ABSENT], model.predict_proba(whole)[~ABSENT], rtol=1e-5, atol=1e-6
    )
    assert np.isfinite(found).all()


def test_missing_rows_can_be_held_out_and_weighted(X, y):
    rows = lacking(X, "ragged", np.nan)
    model = quick(early_stopping=True, class_weight="balanced", batch_size=8)
    model.fit(rows, y, sample_weight=np.linspace(0, 1, 40))
    assert np.isfinite(model.history_[["train_loss", "valid_loss"]].to_numpy()).all()


def test_columns_of_a_mixed_frame_are_found_by_name_and_others_passed_over(y):
    frame = pd.DataFrame(
        {"note": [f"{'good' if label else 'bad'} {i}" for i, label in enumerate(y)]}
    )
    frame = frame.assign(price=np.arange(len(y)) / len(y), stars=[1.0, 2.0] * (len(y) // 2))
    model = quick().fit(frame, y)
    expected = model.predict_proba(frame)
    more = frame.assign(id=range(len(y)), other="text")
    odd = pd.concat([more, pd.DataFrame({"z": [1j] * len(y)}), more[["id"]]], axis=1)
    others = (frame[["stars", "note", "price"]], more, more[sorted(more)], pl.DataFrame(more), odd)
    for other in others:
        np.testing.assert_array_equal(model.predict_proba(other), expected)
    model.partial_fit(more[sorted(more)], y)
    with pytest.raises(ValueError, match="(?s)unseen at fit time:.*- cost.*now missing:.*- price"):
        model.predict(frame.rename(columns={"price": "cost"}))


def test_a_numeric_frame_without_the_order_of_its_columns_is_an_error(table, y):
    frame = pd.DataFrame(table, columns=["a", "b", "c"])
    model = quick().fit(frame, y)
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        model.predict(frame[["b", "a", "c"]])
