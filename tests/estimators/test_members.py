"""Several networks a fit, what they say of rows that they held out, and the linear member."""

import pickle

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.model_selection import GroupKFold, ShuffleSplit, TimeSeriesSplit
from skorch.callbacks import Callback
from torch import nn

from skfusion import Blocks, FusionClassifier, FusionRegressor
from skfusion._training import outputs
from skfusion.encoders import CNN, MLP, Pretrained
from skfusion.exceptions import ParameterError

N = 160
RNG = np.random.default_rng(0)
Y = np.arange(N) % 2
LEFT = (Y[:, None] + RNG.normal(size=(N, 3))).astype(np.float32)
RIGHT = csr_array((RNG.random((N, 6)) < 0.3).astype(np.float32))
X = Blocks({"left": LEFT, "right": RIGHT})
GROUPS = np.arange(N) // 8


SEEN = []  # of each member: the rows that it was trained on, and those that it held out


class HeldOut(Callback):
    """Tells which rows each member was given."""

    def on_train_begin(self, net, X, **kwargs):
        train, held_out = X
        SEEN.append((rows_of(train), None if held_out is None else rows_of(held_out)))


def rows_of(rows):
    return np.flatnonzero((LEFT[:, None] == rows.blocks["left"][None]).all(2).any(1))


def model(kind=FusionClassifier, **params):
    settings = {"max_epochs": 4, "random_state": 0, "encoders": {"left": MLP(4)}}
    return kind(**(settings | params))


def given_rows(y=Y, groups=None, **params):
    """Return which rows each member was trained on, and which it held out."""
    SEEN.clear()
    model(callbacks=[HeldOut()], **params).fit(X, y, groups=groups)
    return [*SEEN]


@pytest.fixture(scope="module")
def fitted():
    return model().fit(X, Y)


def test_every_row_is_held_out_once_and_trained_on_by_all_others():
    members = given_rows()
    assert len(members) == 4
    for train, held_out in members:
        np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(N))
        assert abs(Y[held_out].mean() - 0.5) < 0.02
    held_out = np.concatenate([rows for _, rows in members])
    np.testing.assert_array_equal(np.sort(held_out), np.arange(N))


@pytest.mark.parametrize(("n_rows", "n_members"), [(5, 1), (99, 1), (100, 4)])
def test_as_many_as_there_are_rows_for(n_rows, n_members):
    found = model().fit(X[:n_rows], Y[:n_rows])
    assert len(found.nets_) == n_members
    assert hasattr(found, "held_out_") == (n_members > 1)


def test_one_network_has_a_net_of_its_own_and_no_linear_member():
    one = model(members=1).fit(X, Y)
    assert one.net_ is one.nets_[0] and one.linear_share_ == 0 and one.temperature_ == 1
    assert "member" not in one.history_
    with pytest.raises(AttributeError, match="the fit has 4 members.*members=1"):
        _ = model().fit(X, Y).net_


def test_predictions_are_the_mean_of_the_members():
    found = model(linear=False).fit(X, Y)
    each = [outputs(net, X, lambda *_: None) for net in found.nets_]
    second = np.mean([found.target_.probabilities(one)[:, 1] for one in each], axis=0)
    odds = np.log(second / (1 - second)) / found.temperature_
    np.testing.assert_allclose(found.decision_function(X), odds, atol=1e-4)


def test_what_was_held_out_is_honest():
    """On labels that are noise, rows that were learned look easy and held-out rows do not."""
    noise = RNG.integers(0, 2, N)
    wide = RNG.normal(size=(N, 40)).astype(np.float32)
    found = FusionClassifier(members=3, linear=False, max_epochs=60, n_iter_no_change=60, lr=0.02)
    found.set_params(random_state=0).fit({"wide": wide}, noise)
    assert found.held_out_.shape == (N, 2)
    np.testing.assert_allclose(found.held_out_.sum(axis=1), 1)
    right = np.mean(found.held_out_.argmax(axis=1) == noise)
    assert found.held_out_score_ == pytest.approx(right) and right < 0.65
    assert found.score({"wide": wide}, noise) > right + 0.15


def test_rows_without_weight_are_held_out_by_none():
    weight = np.where(np.arange(N) % 5 == 0, 0.0, 1.0)
    found = model().fit(X, Y, weight)
    np.testing.assert_array_equal(np.isnan(found.held_out_[:, 0]), weight == 0)


def test_one_seed_gives_one_result_to_the_last_bit(fitted):
    again, other = model().fit(X, Y), model(random_state=1).fit(X, Y)
    np.testing.assert_array_equal(fitted.predict_proba(X), again.predict_proba(X))
    np.testing.assert_array_equal(fitted.held_out_, again.held_out_)
    assert (other.predict_proba(X) != again.predict_proba(X)).any()


def test_one_network_is_the_same_each_time_and_another_than_several(fitted):
    one, again = model(members=1).fit(X, Y), model(members=1).fit(X, Y)
    np.testing.assert_array_equal(one.predict_proba(X), again.predict_proba(X))
    assert (one.predict_proba(X) != fitted.predict_proba(X)).any()


def test_a_pickle_predicts_the_same(fitted):
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    np.testing.assert_array_equal(loaded.held_out_, fitted.held_out_)
    assert loaded.history_.equals(fitted.history_)


def test_fused_vectors_of_all_members_stand_side_by_side(fitted):
    assert fitted.transform(X).shape == (N, 4 * (4 + 64))
    assert len(fitted.get_feature_names_out()) == 4 * (4 + 64)


# Which rows are held out


@pytest.mark.parametrize("members", [1, 2, 4])
def test_groups_are_held_out_whole(members):
    seen = given_rows(members=members, early_stopping=True, groups=GROUPS)
    assert len(seen) == members
    for train, held_out in seen:
        assert len(held_out) and not set(GROUPS[train]) & set(GROUPS[held_out])


def test_groups_of_one_class_each_are_borne():
    groups = np.where(Y == 0, np.arange(N) // 40, 10 + np.arange(N) // 40)
    assert np.isfinite(model().fit(X, Y, groups=groups).predict_proba(X)).all()


def test_the_splits_of_a_splitter_are_those_of_the_members():
    members = given_rows(validation_split=TimeSeriesSplit(5))
    assert [len(train) for train, _ in members] == [N - 4 * 26, N - 3 * 26, N - 2 * 26, N - 26]
    assert len(given_rows(validation_split=ShuffleSplit(2))) == 2
    with pytest.raises(ParameterError, match="members=4 .* has 3 splits. Use members=3"):
        model(members=4, validation_split=GroupKFold(3)).fit(X, Y, groups=GROUPS)


def test_a_share_that_is_named_is_drawn_anew_for_each():
    held_out = [tuple(rows) for _, rows in given_rows(validation_fraction=0.1)]
    assert {len(rows) for rows in held_out} == {16} and len(set(held_out)) == 4


def test_all_are_trained_on_all_rows_where_none_is_held_out():
    members = given_rows(members=3, early_stopping=False)
    assert [len(train) for train, _ in members] == [N] * 3
    assert [held_out for _, held_out in members] == [None] * 3


def test_more_members_than_rows_or_groups():
    with pytest.raises(ParameterError, match="members=9 .* there are 5 rows"):
        model(members=9, early_stopping=True).fit(X[:5], Y[:5])
    with pytest.raises(ParameterError, match="members=9 .* there are 2 groups"):
        model(members=9).fit(X, Y, groups=np.arange(N) // 80)


@pytest.mark.parametrize("members", [0, 1.5, "many", None, True])
def test_members_that_are_no_number(members):
    with pytest.raises(ParameterError, match="members must be an int.*auto"):
        model(members=members).fit(X, Y)


def test_a_class_with_a_single_row():
    y = np.where(np.arange(N) == 7, 2, Y)
    found = model().fit(X, y)
    assert found.predict_proba(X).shape == (N, 3)
    assert np.isfinite(found.held_out_).all()


# A fit that goes on


def test_another_number_of_members_is_another_network():
    begun = model(members=2, warm_start=True).fit(X, Y)
    for call in (begun.fit, begun.partial_fit):
        with pytest.raises(ParameterError, match="members were 2 and are 3 now"):
            begun.set_params(members=3)
            call(X, Y)
    first = begun.predict_proba(X)
    begun.set_params(members="auto").fit(X, Y)
    assert len(begun.nets_) == 2 and (begun.predict_proba(X) != first).any()
    assert begun.history_.groupby("member")["epoch"].max().tolist() == [8, 8]


def test_a_part_is_learned_by_all():
    begun = model(members=2).partial_fit(X, Y)
    before = [weights_of(net) for net in begun.nets_]
    begun.partial_fit(X, Y)
    for net, weights in zip(begun.nets_, before, strict=True):
        assert any((weights_of(net)[name] != value).any() for name, value in weights.items())
    assert not hasattr(begun, "held_out_")


def weights_of(net):
    return {name: value.numpy().copy() for name, value in net.module_.state_dict().items()}


# The linear member


def test_its_share_is_at_least_a_tenth_of_either(fitted):
    assert fitted.linear_share_ == 0 or 0.1 <= fitted.linear_share_ <= 0.9
    assert 0.75 <= fitted.temperature_ <= 4 / 3 + 1e-9


def test_it_takes_over_where_networks_learn_nothing():
    found = model(max_epochs=1, lr=1e-9, linear=True).fit(X, Y)
    assert found.linear_share_ == 0.9
    assert found.score(X, Y) > 0.7
    assert found.summary().loc["linear", "parameters"].item() == 3 + 6 + 1


def test_it_is_left_out_where_it_does_harm():
    """The class is the product of two signs, of which a linear model knows nothing."""
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], (400, 2)).astype(np.float32)
    found = FusionClassifier(max_epochs=40, lr=0.02, random_state=0).fit(
        {"signs": signs}, signs.prod(1) > 0
    )
    assert found.linear_share_ == 0 and found.held_out_score_ > 0.99


def test_a_loss_or_blocks_that_it_cannot_have():
    with pytest.raises(ParameterError, match="linear=True goes with a loss of cross-entropy"):
        model(linear=True, loss="focal").fit(X, Y)
    images = {"photo": RNG.integers(0, 255, (N, 4, 4, 1), dtype=np.uint8)}
    settings = {"max_epochs": 1, "random_state": 0, "encoders": {"photo": CNN(2, width=2)}}
    with pytest.raises(ParameterError, match=r"of the blocks \('photo',\) none is csr"):
        FusionClassifier(linear=True, **settings).fit(images, Y)
    assert FusionClassifier(**settings).fit(images, Y).linear_share_ == 0
    with pytest.raises(ParameterError, match="linear=True needs held-out rows"):
        model(linear=True, early_stopping=False).fit(X, Y)


@pytest.mark.parametrize("block", [np.ones((N, 2), np.float32), csr_array((N, 3), dtype="f")])
def test_it_bears_constant_and_empty_blocks(block):
    found = model(linear=True).fit({"left": LEFT, "same": block}, Y)
    assert np.isfinite(found.predict_proba({"left": LEFT, "same": block})).all()


def test_missing_blocks():
    masked = Blocks({"left": LEFT, "right": RIGHT}, {"left": np.arange(N) % 3 == 0})
    found = model(linear=True).fit(masked, Y)
    assert np.isfinite(found.predict_proba(masked)).all()
    assert np.isfinite(found.predict_proba(X)).all()


@pytest.mark.parametrize("shape", [(N,), (N, 2), (N, 2, 3)])
def test_values(shape):
    y = 100 + 7 * (LEFT.sum(1).reshape(N, *[1] * (len(shape) - 1)) * np.ones(shape))
    found = model(FusionRegressor, linear=True, max_epochs=1).fit(X, y)
    assert found.predict(X).shape == found.held_out_.shape == shape
    assert found.held_out_score_ > 0.9 and found.linear_share_ == 0.9


def test_several_labels_a_row():
    y = np.stack([Y, LEFT[:, 0] > 0, np.zeros(N)], axis=1).astype(int)
    found = model(linear=True).fit(X, y)
    assert found.predict(X).shape == found.held_out_.shape == y.shape
    assert found.predict_proba(X)[:, 2].max() < 0.1


# Frozen encoders


def test_a_frozen_encoder_runs_once_for_all_members():
    class Seen(nn.Module):
        n_rows = 0

        def __init__(self):
            super().__init__()
            self.map = nn.Linear(3, 2)

        def forward(self, x):
            Seen.n_rows += len(x) if x.any() else 0
            return self.map(x)

    encoders = {"left": Pretrained(Seen())}
    found = FusionClassifier(encoders, max_epochs=3, random_state=0).fit({"left": LEFT}, Y)
    assert len(found.nets_) == 4 and Seen.n_rows == N
    found.predict({"left": LEFT})
    assert Seen.n_rows == 2 * N
    first, *others = (net.module_.encoders[0] for net in found.nets_)
    assert all(other is first for other in others)


# Checkpoints


@pytest.mark.parametrize("file", ["", "run.pt"])
@pytest.mark.parametrize("random_state", [0, None])
def test_a_fit_that_was_broken_off_goes_on_with_the_member_at_hand(tmp_path, file, random_state):
    settings = {"members": 3, "random_state": random_state, "checkpoint": tmp_path / file}
    SEEN.clear()
    with pytest.raises(ConnectionError, match="broken off"):
        model(callbacks=[BreaksOff()], **settings).fit(X, Y)
    n_files = len([*tmp_path.iterdir()])
    on = model(callbacks=[BreaksOff()], **settings).fit(X, Y)
    assert n_files == 2 and len(SEEN) == 3 * 4 + 1
    if random_state is not None:
        whole = model(members=3).fit(X, Y)
        np.testing.assert_array_equal(on.predict_proba(X), whole.predict_proba(X))
        np.testing.assert_array_equal(on.held_out_, whole.held_out_)


class BreaksOff(Callback):
    """Breaks off in the third epoch of the second member, once."""

    def on_epoch_begin(self, net, **kwargs):
        SEEN.append(len(net.history))
        if len(SEEN) == 4 + 3:
            raise ConnectionError("broken off")
