"""A fit that goes on follows each argument as it is now, or refuses it by name."""

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skorch.callbacks import Callback

from skfusion import Blocks, BlockUnion, FusionClassifier, FusionRegressor, Ragged
from skfusion.encoders import MLP, Policy, Pretrained
from skfusion.exceptions import ParameterError
from skfusion.fusion import Gated
from skfusion.heads import LinearHead, MLPHead
from skfusion.losses import Huber, Quantile

N = 60
KINDS = [FusionClassifier, FusionRegressor]


class Counts(Callback):
    def __init__(self, seen):
        self.seen = seen

    def on_epoch_end(self, net, **kwargs):
        self.seen.append(len(net.history))


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    words = Ragged.from_rows([[1 + i % 3] * (1 + i % 5) for i in range(N)], n_tokens=5)
    facts = rng.normal(size=(N, 3)).astype(np.float32)
    return Blocks({"facts": facts, "words": words}), (facts[:, 0] > 0).astype(int)


def begun(rows, kind=FusionClassifier, **params):
    settings = {"max_epochs": 2, "random_state": 0, "warm_start": True, "batch_size": 16}
    settings |= {"members": 1, "early_stopping": False, "lr": 0.01}
    return kind({"facts": MLP(4)}, **(settings | params)).fit(*rows)


def weights(model, member):
    state = model.nets_[member].module_.state_dict()
    return {name: value.clone() for name, value in state.items() if "block_heads" not in name}


def equal(one, other, member=0):
    one, other = weights(one, member), weights(other, member)
    return all(torch.equal(one[name], other[name]) for name in one)


# What changes the steps: in fit by warm start, and most of it in partial_fit too

CHANGES_STEPS = {
    "loss": {FusionClassifier: "focal", FusionRegressor: "huber"},
    "label_smoothing": {FusionClassifier: 0.5},
    "class_weight": {FusionClassifier: {0: 1, 1: 9}},
    "batch_size": 8,
    "accumulate": 2,
    "batch_by_length": True,
    "lr": 0.5,
    "schedule": "cosine",
    "optimizer": "sgd",
    "weight_decay": 0.9,
    "gradient_clipping": 1e-6,
    "averaging": "ema",
    "early_stopping": True,
    "block_dropout": 0.9,
    "mixup": 1.0,
    "random_state": 7,
    "precision": "bf16",
    "net_params": {"optimizer__betas": (0.1, 0.1)},
    "block_loss_weight": 0.9,
    "gradient_modulation": 0.9,
    "max_epochs": 3,
}
OF_WHOLE_FITS = {"schedule", "averaging", "early_stopping", "max_epochs"}
NEED_HEADS = {"block_loss_weight", "gradient_modulation"}
# What changes something else, each in a test below
OTHERS = {
    "validation_fraction",
    "validation_split",
    "scoring",
    "n_iter_no_change",
    "missing",
    "memory",
    "warm_start",
    "device",
}
OTHERS |= {"checkpoint", "verbose", "callbacks", "linear"}
REFUSED = {"encoders", "fusion", "head", "union", "columns", "members", "missing_targets"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_argument_is_in_one_of_the_tests(kind):
    arguments = {*inspect.signature(kind).parameters} - {"target"}
    assert arguments <= {*CHANGES_STEPS} | OTHERS | REFUSED


@pytest.mark.parametrize("argument", CHANGES_STEPS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("members", [1, 2])
def test_steps_follow_what_is_chosen_now(rows, members, kind, argument):
    value = CHANGES_STEPS[argument]
    value = value.get(kind) if argument in ("loss", "label_smoothing", "class_weight") else value
    if argument not in inspect.signature(kind).parameters:
        return
    more = {"members": members}
    more |= {"block_loss_weight": 0.01} if argument in NEED_HEADS else {}
    for call in ["fit"] if argument in OF_WHOLE_FITS else ["fit", "partial_fit"]:
        plain, changed = begun(rows, kind, **more), begun(rows, kind, **more)
        assert all(equal(plain, changed, member) for member in range(members))
        getattr(plain, call)(*rows)
        getattr(changed.set_params(**{argument: value}), call)(*rows)
        assert not any(equal(plain, changed, member) for member in range(members))
        assert len(changed.history_) > len(plain.history_[:-1]) > 1  # it did go on


def test_the_share_that_is_held_out_follows(rows):
    plain, changed = begun(rows, early_stopping=True), begun(rows, early_stopping=True)
    changed.set_params(validation_fraction=0.5).fit(*rows)
    assert not equal(plain.fit(*rows), changed)


def test_patience_follows(rows):
    model = begun(rows, early_stopping=True, lr=1.0)
    model.set_params(n_iter_no_change=1, max_epochs=60).fit(*rows)
    assert dict(model.net_.callbacks_)["early_stopping"].patience == 1


def test_the_rule_for_missing_blocks_follows(rows):
    X, y = rows
    nowhere = {name: np.arange(N) == 3 for name in X.names}
    without = Blocks({name: X[name] for name in X.names}, missing=nowhere)
    model = begun(rows).set_params(missing="allow").fit(without, y)
    assert model.predict(without).shape == (N,)


def test_the_folder_of_memory_follows(y, tmp_path):
    frame = pd.DataFrame({"text": [f"good word{i}" for i in range(40)], "cost": np.arange(40.0)})
    model = FusionClassifier(max_epochs=1, warm_start=True).fit(frame, y)
    model.set_params(memory=str(tmp_path)).fit(frame, y)
    assert model.net_.settings.memory.location == str(tmp_path)
    assert model.union_.memory == str(tmp_path)
    assert [*tmp_path.rglob("*.pkl")]


def test_without_warm_start_now_it_begins_anew(rows):
    assert len(begun(rows).set_params(warm_start=False).fit(*rows).history_) == 2


def test_the_device_may_be_named_now(rows):
    model = begun(rows, device="auto").set_params(device="cpu").fit(*rows)
    assert model.net_.device == "cpu" and len(model.history_) == 4


def test_a_checkpoint_may_be_kept_now(rows, tmp_path):
    begun(rows).set_params(checkpoint=tmp_path, max_epochs=3).fit(*rows)
    assert not [*tmp_path.glob("*.part")]


def test_a_bar_may_be_shown_now(rows, capsys):
    begun(rows).set_params(verbose=1).fit(*rows)
    assert "2/2" in capsys.readouterr().err


def test_callbacks_follow(rows):
    first, then = [], []
    model = begun(rows, callbacks=[Counts(first)])
    model.set_params(callbacks=[Counts(then)]).fit(*rows)
    model.set_params(callbacks=None).partial_fit(*rows)
    assert (first, then) == ([1, 2], [3, 4])
    assert not [one for _, one in model.net_.callbacks_ if isinstance(one, Counts)]


def test_callbacks_that_stay_keep_what_they_have_seen(rows):
    seen = []
    model = begun(rows, callbacks=[Counts(seen)])
    before = [one for _, one in model.net_.callbacks_ if isinstance(one, Counts)]
    model.fit(*rows)
    assert seen == [1, 2, 3, 4]
    assert [type(one) for one in before] == [Counts]


# Refused


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("call", ["fit", "partial_fit"])
@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"fusion": "gated"}, r"fusion was Concat\(\) and is Gated\(\) now"),
        ({"head": "mlp"}, r"head was LinearHead\(\) and is MLPHead\(\) now"),
        ({"head__dropout": 0.5}, r"head was .* and is LinearHead\(dropout=0.5\) now"),
        ({"facts__widths": 9}, r"block 'facts' was MLP\(widths=4\) and is MLP\(widths=9\) now"),
        (
            {"encoders": None},
            r"block 'facts' was MLP\(widths=4\) and is MLP\(standardize=True\) now",
        ),
        ({"facts": Policy(MLP(4), lr_scale=0.1)}, "encoders: that of block 'facts' was"),
    ],
)
def test_another_network_is_refused_by_name(rows, call, params, match, loaded):
    model = begun(rows)
    model = pickle.loads(pickle.dumps(model)) if loaded else model
    before, expected = dict(vars(model)), model.predict_proba(rows[0])
    model.set_params(**params)
    with pytest.raises(ParameterError, match=f"{match}.*warm_start=False.*set the argument back"):
        getattr(model, call)(*rows)
    assert model._fitted is before["_fitted"]
    np.testing.assert_array_equal(model.predict_proba(rows[0]), expected)


def test_it_is_refused_before_rows_are_read(rows):
    model = begun(rows).set_params(fusion="gated")
    with pytest.raises(ParameterError, match="fusion was"):
        model.fit(object(), [0, 1])


def test_another_network_is_made_by_a_fit_anew(rows):
    model = begun(rows).set_params(fusion="gated", warm_start=False).fit(*rows)
    assert isinstance(model.net_.module.fusion, Gated)


def test_what_says_the_same_in_other_words_is_no_change(rows):
    same = {"head": LinearHead(), "encoders": {"facts": MLP(widths=4), "words": "rnn"}}
    assert len(begun(rows).set_params(**same).fit(*rows).history_) == 4


class Words:
    """A tokenizer without words of its own on when it equals another."""

    def __call__(self, text):
        return text.split()


TEXTS = pd.DataFrame(
    {"memo": ["good one", "bad one"] * 10, "cost": [1.0, 2.0] * 10, "kind": [*"ab"] * 10}
)
SPELLED_ANEW = {  # what a union is made with, and what may stand in its place
    "an object of the user's": lambda: (
        "memo",
        TfidfVectorizer(tokenizer=Words(), token_pattern=None),
        "memo",
    ),
    "NaN": lambda: ("facts", SimpleImputer(missing_values=float("nan")), ["cost"]),
    "an Index": lambda: ("kind", OneHotEncoder(categories=[pd.Index(["a", "b"])]), ["kind"]),
    "a mask": lambda: ("facts", StandardScaler(), pd.Series([False, True, False])),
    "an array": lambda: ("facts", StandardScaler(), np.array(["cost"])),
}


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("step", SPELLED_ANEW.values(), ids=SPELLED_ANEW)
def test_a_union_that_is_made_anew_goes_on(step, loaded):
    y = np.arange(20) % 2
    model = FusionClassifier(union=BlockUnion([step()]), max_epochs=1, random_state=0)
    model.partial_fit(TEXTS, y)
    model = pickle.loads(pickle.dumps(model)) if loaded else model
    model.set_params(union=BlockUnion([step()])).partial_fit(TEXTS, y)
    assert len(model.history_) == 2


@pytest.mark.parametrize(
    "params",
    [
        {"union__n_jobs": 2},
        {"union__memory": "folder"},
        {"union__verbose": True},
        {"union__missing": "allow"},
        {"union": BlockUnion()},
        {"encoders": {"numbers": MLP([np.int64(8)], dropout=0)}},
        {"head": MLPHead(widths=[8])},
    ],
    ids=str,
)
def test_how_it_is_made_and_spelled_may_change(params, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    y = np.arange(20) % 2
    encoders = {"numbers": MLP((8,), dropout=0.0)}
    model = FusionClassifier(encoders, head=MLPHead(widths=(8,)), max_epochs=1, random_state=0)
    model.partial_fit(TEXTS, y).set_params(**params).partial_fit(TEXTS, y)
    assert len(model.history_) == 2


@pytest.mark.parametrize(
    "union",
    [
        BlockUnion([("memo", TfidfVectorizer(tokenizer=str.split, token_pattern=None), "memo")]),
        BlockUnion([("memo", TfidfVectorizer(sublinear_tf=True), "memo")]),
        BlockUnion(columns={"kind": "text"}),
        BlockUnion(dtype="float64"),
    ],
    ids=str,
)
def test_another_union_is_refused(union):
    y = np.arange(20) % 2
    first = BlockUnion([("memo", TfidfVectorizer(), "memo")])
    model = FusionClassifier(union=first, max_epochs=1, random_state=0).partial_fit(TEXTS, y)
    with pytest.raises(ParameterError, match="(?s)union or columns were .* Fit anew"):
        model.set_params(union=union).partial_fit(TEXTS, y)


def test_a_head_of_no_use_may_change(rows):
    model = begun(rows, fusion="late").set_params(head=MLPHead()).fit(*rows)
    assert len(model.history_) == 4


def test_a_loss_on_another_scale_is_refused(rows):
    X, y = rows
    model = begun((X, y + 1.0), FusionRegressor).set_params(loss="poisson")
    with pytest.raises(ParameterError, match="loss was Squared.*is Poisson.*warm_start=False"):
        model.fit(X, y + 1.0)


def test_a_loss_of_the_same_scale_keeps_the_units(rows):
    X, y = rows
    model = begun((X, 100.0 + y), FusionRegressor)
    for loss in (Huber(), Quantile(level=0.5), lambda outputs, codes: (outputs - codes).abs()):
        model.set_params(loss=loss).fit(X, 100.0 + y)
        assert abs(model.predict(X).mean() - 100) < 5


def test_what_a_user_changes_on_a_recipe_changes_no_fitted_network(rows):
    encoder = MLP(widths=4)
    model = FusionClassifier({"facts": encoder}, max_epochs=1, random_state=0).fit(*rows)
    expected = model.predict_proba(rows[0])
    encoder.set_params(widths=(9, 9))
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(rows[0]), expected)
    with pytest.raises(ParameterError, match=r"was MLP\(widths=4\) and is MLP\(widths=\(9, 9\)\)"):
        model.partial_fit(*rows)


def test_a_loaded_network_with_a_module_of_the_users_goes_on(rows):
    X, y = rows
    encoders = {"facts": Pretrained(torch.nn.Linear(3, 2), frozen=False)}
    model = FusionClassifier(encoders, max_epochs=1, random_state=0).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model)).partial_fit(X, y)
    assert len(loaded.history_) == 2


def test_the_optimisers_state_is_kept_unless_it_is_another_one(rows):
    model = begun(rows)
    steps = {int(state["step"]) for state in model.net_.optimizer_.state.values()}
    model.set_params(lr=0.5, weight_decay=0.1).partial_fit(*rows)
    later = {int(state["step"]) for state in model.net_.optimizer_.state.values()}
    assert max(later) == max(steps) + 4
    model.set_params(optimizer="adam").partial_fit(*rows)
    assert max(int(state["step"]) for state in model.net_.optimizer_.state.values()) == 4


def test_a_policy_keeps_its_own_weight_decay(rows):
    encoders = {"facts": Policy(MLP(4), weight_decay=0.3)}
    model = FusionClassifier(encoders, max_epochs=1, warm_start=True).fit(*rows)
    model.set_params(weight_decay=0.7).fit(*rows)
    assert [group["weight_decay"] for group in model.net_.optimizer_.param_groups] == [0.7, 0.3]
