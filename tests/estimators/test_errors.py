"""Bad input gets a clear error: where, what the rule is, what was found, how to repair it."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from torch import nn

from skfusion import Blocks, FusionClassifier, FusionRegressor, Ragged
from skfusion.encoders import CNN, MLP, RNN, Encoder
from skfusion.exceptions import (
    BlockError,
    BlockTypeError,
    NonFiniteLossError,
    ParameterError,
    TargetError,
)


@pytest.fixture(scope="module")
def frame(y):
    return pd.DataFrame(
        {"review": ["good value", "poor value"] * 20, "price": np.arange(40.0), "stars": y}
    )


@pytest.fixture(scope="module")
def of_table(frame, y):
    return FusionClassifier(max_epochs=1, random_state=0).fit(frame, y)


@pytest.fixture(scope="module")
def of_blocks(X, y, make):
    return make(max_epochs=1).fit(X, y)


def exchanged(X, name, block):
    """Return the blocks of X with another one in the place of ``name``."""
    return Blocks({other: X[other] for other in X.names} | {name: block})


def quick(**params):
    return FusionClassifier(**({"max_epochs": 1, "random_state": 0} | params))


# Blocks that cannot be learned from


def spoilt(X, name, value):
    """Return the block ``name`` of X with ``value`` once in row 7."""
    if name == "text":
        matrix = X[name].toarray()
        matrix[7, 2] = value
        return sparse.csr_array(matrix)
    if name == "facts":
        vectors = X[name].copy()
        vectors[7, 2] = value
        return vectors
    if name == "photo":
        photos = X[name] / 255
        photos[7, 2, 1, 0] = value
        return photos
    rows = [np.zeros((i % 3, 2)) for i in range(40)]
    rows[7] = np.array([[0.0, 0], [0, 0], [0, value]])
    return Ragged.from_rows(rows)


PLACES = {
    "text": "row 7, column 2",
    "facts": "row 7, column 2",
    "photo": r"row 7, position \(2, 1, 0\)",
    "visits": "row 7, step 2",
}


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "NaN"), (-np.inf, "infinity")])
@pytest.mark.parametrize("name", PLACES)
def test_a_value_that_is_not_finite_is_found(X, y, name, value, kind):
    block = spoilt(X, name, value)
    with pytest.raises(BlockError, match=f"block '{name}' contains {kind} in {PLACES[name]}"):
        quick().fit(Blocks({"other": X["facts"], name: block}), y)


def test_a_value_that_is_not_finite_is_found_at_predict(X, of_blocks):
    blocks = exchanged(X, "facts", spoilt(X, "facts", np.nan))
    with pytest.raises(BlockError, match="block 'facts' contains NaN in row 7.*SimpleImputer"):
        of_blocks.predict(blocks)


def test_a_value_that_is_not_finite_is_found_beside_missing_rows(X, y):
    missing = np.arange(40) < 7
    blocks = {name: spoilt(X, name, np.nan) for name in PLACES}
    for name, block in blocks.items():
        rows = Blocks({"other": X["facts"], name: block}, missing={name: missing})
        with pytest.raises(BlockError, match=f"block '{name}' contains NaN in {PLACES[name]}"):
            quick().fit(rows, y)


def test_large_values_are_not_taken_for_infinite_ones(y):
    X = np.full((40, 3), 1e37, dtype=np.float32)
    with np.errstate(over="ignore"):
        assert np.isinf(X.sum())
    assert quick(lr=1e-30, device="cpu").fit({"big": X * 1e-30}, y).predict({"big": X}).shape == (
        40,
    )


def test_blocks_of_different_length(X, y):
    with pytest.raises(BlockError, match="same number of rows: 'facts' has 40, 'photo' has 39"):
        quick().fit({"facts": X["facts"], "photo": X["photo"][:39]}, y)


def test_a_block_without_numbers(X, y):
    with pytest.raises(BlockTypeError, match="block 'note' has dtype <U3.*use BlockUnion"):
        quick().fit(Blocks({"facts": X["facts"], "note": np.array(["bad"] * 40)}), y)


def test_token_ids_outside_the_vocabulary(X, of_blocks):
    words = Ragged.from_rows([[1], [9]] * 20)
    with pytest.raises(BlockError, match=r"block 'words' has token ids up to 9.*had 5 ids"):
        of_blocks.predict(exchanged(X, "words", words))


@pytest.mark.parametrize("X", [np.empty((0, 3)), Blocks({"facts": np.empty((0, 3))})])
def test_no_rows(X):
    with pytest.raises(ValueError, match=r"0 samples?\b|0 sample\(s\)"):
        quick().fit(X, [])


def test_an_empty_frame(frame, of_table):
    with pytest.raises(BlockError, match=r"0 sample\(s\) \(shape=\(0, 3\)\)"):
        quick().fit(frame[:0], [])
    with pytest.raises(BlockError, match=r"0 sample\(s\) \(shape=\(0, 3\)\)"):
        of_table.predict(frame[:0])


@pytest.mark.parametrize("name", ["lr", "fusion", "head"])
def test_a_block_called_like_an_argument(X, y, name):
    with pytest.raises(BlockError, match=f"must not be called '{name}'.*Rename the block"):
        quick().fit({name: X["facts"]}, y)


def test_text_in_a_matrix_is_no_input(y):
    with pytest.raises(ValueError, match="could not convert string to float"):
        quick().fit([["good value"]] * 40, y)


# Other input than at fit


def test_blocks_that_are_new_or_gone(X, of_blocks):
    blocks = Blocks(
        {"text": X["text"], "facts": X["facts"], "photo": X["photo"], "word": X["facts"]}
    )
    with pytest.raises(BlockError, match=r"new are \['word'\]; gone are \['words'\]"):
        of_blocks.predict(blocks)


def test_a_matrix_where_blocks_were(X, of_blocks):
    with pytest.raises(BlockError, match=r"single matrix.*blocks \['text', 'facts', 'photo'"):
        of_blocks.predict(X["facts"])


def test_a_block_of_another_shape(X, of_blocks):
    with pytest.raises(BlockError, match=r"'facts'.*shape \(2,\).*at fit they had.*shape \(3,\)"):
        of_blocks.predict(exchanged(X, "facts", X["facts"][:, :2]))


def test_a_block_of_another_form(X, of_blocks):
    with pytest.raises(BlockError, match="block 'text' has rows of form 'vector'.*form 'csr'"):
        of_blocks.predict(exchanged(X, "text", X["text"].toarray()))


def test_a_missing_column(frame, of_table):
    for X in (frame.drop(columns="price"), {"review": ["good value"], "stars": [1]}):
        with pytest.raises(BlockError, match="column 'price', from which block 'numbers' is made"):
            of_table.predict(X)


def test_text_in_a_column_of_numbers(frame, of_table):
    with pytest.raises(ValueError, match="could not convert string to float: 'cheap'") as caught:
        of_table.predict(frame.assign(price="cheap"))
    assert "in block 'numbers' (columns 'price', 'stars')" in str(caught.value)


def test_other_columns_than_at_fit_when_going_on(frame, y, of_table):
    with pytest.raises(ValueError, match="unseen at fit time:\n- weight"):
        of_table.partial_fit(frame.rename(columns={"price": "weight"}), y)


def test_predict_before_fit(X):
    for call in ("predict", "predict_proba", "decision_function", "transform"):
        with pytest.raises(NotFittedError, match="FusionClassifier instance is not fitted yet"):
            getattr(quick(), call)(X)


# Targets


def test_one_class_only(X):
    with pytest.raises(TargetError, match=r"one class only, \['cat'\].*at least two classes"):
        quick().fit(X, ["cat"] * 40)


@pytest.mark.parametrize("as_blocks", [True, False])
def test_y_of_another_length(X, frame, as_blocks):
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[40, 39\]"):
        quick().fit(X if as_blocks else frame, [0, 1, 0] * 13)


def test_no_y(X):
    with pytest.raises(TargetError, match="FusionClassifier requires y to be passed"):
        quick().fit(X, None)


def test_values_where_classes_belong(X):
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        quick().fit(X, np.linspace(0, 1, 40))


def test_words_where_values_belong(X, y):
    with pytest.raises(ValueError, match="could not convert string to float"):
        FusionRegressor().fit(X, np.array(["low", "high"])[y])


def test_a_y_that_is_not_finite(X):
    with pytest.raises(ValueError, match="Input y contains NaN"):
        FusionRegressor().fit(X, np.where(np.arange(40) == 3, np.nan, 1.0))


def test_several_columns_of_several_classes(X, y):
    targets = np.column_stack([np.arange(40) % 3, y])
    with pytest.raises(TargetError, match=r"MultiOutputClassifier\(FusionClassifier\(\)\)"):
        quick().fit(X, targets)


def test_a_label_that_partial_fit_was_not_told_of(X, y, make):
    model = make().partial_fit(X, y)
    with pytest.raises(TargetError, match=r"row 1: label .*2.* none of the classes \[0, 1\]"):
        model.partial_fit(X, y * 2)


def test_balanced_classes_in_parts(X, y):
    with pytest.raises(ParameterError, match="needs all rows at once.*partial_fit"):
        quick(class_weight="balanced").partial_fit(X, y)


def test_class_weights_of_several_labels(X, y):
    with pytest.raises(TargetError, match="class_weight does not go with several labels a row"):
        quick(class_weight="balanced").fit(X, np.column_stack([y, 1 - y]))


def test_weights_that_leave_nothing(X, y):
    with pytest.raises(ValueError, match="zero in every row|at least one non-zero number"):
        quick().fit(X, y, sample_weight=np.zeros(40))
    with pytest.raises(ValueError, match="Negative values"):
        quick().fit(X, y, sample_weight=np.linspace(-1, 1, 40))


# Arguments


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"max_epochs": 0}, "max_epochs must be an int >= 1. Got 0"),
        ({"max_epochs": True}, "max_epochs must be an int >= 1. Got True"),
        ({"n_iter_no_change": 0}, "n_iter_no_change must be an int >= 1. Got 0"),
        ({"batch_size": "all"}, "batch_size must be an int >= 1. Got 'all'.*batch_size=\"auto\""),
        ({"lr": -1}, "lr must be a number >= 0. Got -1"),
        ({"lr": np.nan}, "lr must be a number >= 0. Got nan"),
        ({"weight_decay": "0"}, "weight_decay must be a number >= 0. Got '0'"),
        ({"optimizer": "adan"}, "optimizer must be one of.*Did you mean 'adam'"),
        ({"early_stopping": "always"}, "early_stopping must be one of True, False, 'auto'"),
        ({"validation_fraction": 1.0}, "validation_fraction must lie strictly between 0 and 1"),
        ({"device": "gpu"}, "device must be \"auto\" or a torch device.*Got 'gpu'"),
        ({"callbacks": 5}, "callbacks must be a list of skorch callbacks. Got 5"),
        ({"fusion": "concatt"}, "fusion must be a recipe.*Did you mean 'concat'"),
        ({"fusion": MLP()}, r"fusion must be a recipe.*Got MLP\(\)"),
        ({"head": "liner"}, "head must be a recipe.*Did you mean 'linear'"),
        ({"encoders": [("facts", MLP())]}, "encoders must be a dict.*Got list"),
        ({"encoders": {"facts": "mlpp"}}, "an encoder must be a recipe.*Did you mean 'mlp'"),
        ({"encoders": {"facts": MLP}}, "an encoder must be a recipe"),
        ({"encoders": {"facts": MLP(widths=0)}}, "each of widths must be an int >= 1. Got 0"),
        ({"encoders": {"facts": MLP(activation="rely")}}, "Did you mean 'relu'"),
    ],
)
@pytest.mark.parametrize("kind", [FusionClassifier, FusionRegressor])
def test_arguments(X, y, kind, params, match):
    with pytest.raises(ParameterError, match=match):
        kind(**params).fit(X.select(["facts"]), y)


@pytest.mark.parametrize(
    ("encoders", "match"),
    [
        ({"foto": CNN()}, "names a block 'foto' that does not exist.*Did you mean 'photo'"),
        ({"facts": CNN()}, "block 'facts' has the form 'vector', which CNN cannot take: it takes"),
        ({"words": MLP()}, "block 'words' has the form 'tokens', which MLP cannot take"),
        ({"photo": RNN()}, "block 'photo' has the form 'image', which RNN cannot take"),
        ({"photo": CNN(channels=(2, 2, 2))}, "block 'photo': images of 3 x 4 pixels are too small"),
    ],
)
def test_encoders_that_do_not_fit_the_blocks(X, y, encoders, match):
    with pytest.raises(BlockError, match=match):
        quick(encoders=encoders).fit(X, y)


def test_the_block_is_named_where_an_encoder_fails(X, y):
    with pytest.raises(ParameterError, match="widths") as caught:
        quick(encoders={"facts": MLP(widths=-1)}).fit(X, y)
    assert "while building the encoder of block 'facts'" in str(caught.value)


def test_early_stopping_on_one_row():
    with pytest.raises(TargetError, match="at least 2 rows.*Use early_stopping=False"):
        FusionRegressor(early_stopping=True).fit([[1.0]], [2.0])


# A loss that became NaN


DIVERGES = {"optimizer": "sgd", "lr": 1e200, "max_epochs": 5}


class Logarithm(Encoder):
    """Is not defined for rows below zero, as a function of a user's may be."""

    takes = ("vector",)

    def build(self, spec, pooled=True):
        return nn.Sequential(_Logarithm(), nn.Linear(spec.shape[0], 4))


class Recorder(Callback):
    """Keeps the second column of the rows that are held out."""

    seen: ClassVar[list] = []

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        if not training:
            self.seen.extend(batch[0].inputs["X"][:, 1].tolist())


class _Logarithm(nn.Module):
    def forward(self, x):
        return x.log()


@pytest.fixture(scope="module")
def positive(table):
    return np.abs(table) + 1


@pytest.fixture(scope="module")
def negative(positive):
    """Rows of which one has no logarithm."""
    return np.where(np.arange(40)[:, None] == 5, -1, positive)


def state_of(model):
    """Return all that a user can see of a fitted estimator."""
    state = model.net_.module_.state_dict()
    weights = {key: value.numpy().copy() for key, value in state.items()}
    return {**vars(model), "history": model.history_.to_dict("list"), "weights": weights}


def assert_as_before(model, before):
    now = state_of(model)
    assert now.keys() == before.keys()
    assert now["history"] == before["history"]
    assert len(model.net_.history) == len(model.history_)
    for key, value in before["weights"].items():
        np.testing.assert_array_equal(now["weights"][key], value)


@pytest.mark.parametrize("kind", [FusionClassifier, FusionRegressor])
def test_a_loss_that_became_nan_names_the_epoch_and_the_remedy(table, y, kind):
    model = kind(random_state=0, **DIVERGES)
    with pytest.raises(NonFiniteLossError, match=r"training loss became .* in epoch \d.*Lower lr"):
        model.fit(table * 1e6, y)
    assert [name for name in vars(model) if name.endswith("_")] == []
    with pytest.raises(NotFittedError, match="not fitted yet"):
        model.predict(table)


def test_a_fitted_estimator_is_as_it_was_before_a_fit_that_failed(table, y):
    model = quick().fit(table, y)
    before, expected = state_of(model), model.predict_proba(table)
    model.set_params(**DIVERGES)
    with pytest.raises(NonFiniteLossError, match="loss became"):
        model.fit(table[:, :2] * 1e6, y)
    model.set_params(**{name: getattr(quick(), name) for name in DIVERGES})
    assert_as_before(model, before)
    np.testing.assert_array_equal(model.predict_proba(table), expected)


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
@pytest.mark.parametrize("kind", [FusionClassifier, FusionRegressor])
def test_an_estimator_that_goes_on_is_as_it_was_before(positive, negative, y, kind, call):
    settings = {"batch_size": 4, "warm_start": True, "random_state": 0}
    model = kind({"X": Logarithm()}, max_epochs=2, **settings).fit(positive, y)
    before, expected = state_of(model), model.predict(positive)
    with pytest.raises(NonFiniteLossError, match="training loss became nan in epoch 3"):
        getattr(model, call)(negative, y)
    assert_as_before(model, before)
    np.testing.assert_array_equal(model.predict(positive), expected)
    getattr(model, call)(positive, y)
    assert model.history_["epoch"].tolist() == [1, 2, 3, 4] if call == "fit" else [1, 2, 3]


def test_what_follows_a_failed_step_is_what_would_have_been(positive, negative, y):
    """Not only the weights, the optimiser's state too is that of before."""
    settings = {"encoders": {"X": Logarithm()}, "batch_size": 4}
    one, other = (quick(**settings).fit(positive, y) for _ in range(2))
    with pytest.raises(NonFiniteLossError, match="training loss became nan in epoch 2"):
        one.partial_fit(negative, y)
    one.partial_fit(positive, y)
    other.partial_fit(positive, y)
    np.testing.assert_array_equal(one.predict_proba(positive), other.predict_proba(positive))


def test_a_loss_of_held_out_rows_that_became_nan(positive, y):
    """Only rows that are held out have no logarithm: nothing is learned from them."""
    settings = {"encoders": {"X": Logarithm()}, "members": 1, "early_stopping": True}
    quick(callbacks=[Recorder()], **settings).fit(positive, y)
    spoilt = np.where(np.isin(positive[:, 1], Recorder.seen)[:, None], -positive, positive)
    with pytest.raises(NonFiniteLossError, match="validation loss became nan in epoch 1"):
        quick(**settings).fit(spoilt, y)


@pytest.mark.parametrize(
    ("rows", "labels", "match"),
    [
        (np.full((40, 3), np.nan), np.arange(40) % 2, "NaN"),
        (np.zeros((40, 2)), np.arange(40) % 2, "2 features"),
        (np.zeros((40, 3)), np.arange(40) % 3, "none of the classes"),
        (np.zeros((40, 3)), [1], "inconsistent"),
    ],
)
def test_bad_rows_in_partial_fit_change_nothing(table, y, rows, labels, match):
    model = quick().fit(table, y)
    before = state_of(model)
    with pytest.raises(ValueError, match=match):
        model.partial_fit(rows, labels)
    assert_as_before(model, before)


class FailsLater(Encoder):
    """Passes where it is measured, and fails on real rows."""

    takes: ClassVar = ("vector",)

    def build(self, spec, pooled=True):
        return _FailsLater(spec.shape[0], 4)


class _FailsLater(nn.Linear):
    def forward(self, x):
        if x.abs().max() > 0 and self.training and torch.is_grad_enabled():
            raise KeyError("lost")
        return super().forward(x)


def test_the_block_is_named_where_an_encoder_fails_in_training(X, y):
    with pytest.raises(KeyError, match="in the encoder of block 'facts': 'lost'"):
        quick(encoders={"facts": FailsLater()}).fit(X.select(["facts"]), y)
