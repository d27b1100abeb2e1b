import numpy as np
import pytest
import torch
from sklearn.base import clone

from skfusion import Blocks, FusionClassifier
from skfusion.blocks import Ragged
from skfusion.encoders import MLP, RNN, Encoder, TokenEmbedding
from skfusion.exceptions import ParameterError

N, BATCH = 203, 8
SEEN = []  # of each call of the encoder: the first id of each row, and how long the rows are


class Watched(Encoder):
    """Remembers what a batch consists of."""

    takes = ("tokens",)

    def build(self, spec, pooled=True):
        return _Watched()


class _Watched(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def forward(self, ids, mask):
        if self.training:
            SEEN.append((ids[:, 0].tolist(), mask.sum(1).numpy()))
        return (ids * mask).sum(1, keepdim=True) * self.weight / 1e4


@pytest.fixture
def words():
    """Each row begins with an id of its own."""
    rng = np.random.default_rng(0)
    rows = [[i, *[N] * length] for i, length in enumerate(rng.integers(0, 60, N))]
    return Blocks({"words": Ragged.from_rows(rows, n_tokens=N + 1)})


def fit(X, encoder=None, n_epochs=3, **settings):
    SEEN.clear()
    model = FusionClassifier(
        {"words": Watched() if encoder is None else encoder},
        max_epochs=n_epochs,
        batch_size=BATCH,
        random_state=0,
        **{"members": 1, "batch_by_length": True, **settings},
    )
    return model.fit(X, np.arange(len(X)) % 2)


def epochs():
    n_batches = -(-N // BATCH)
    calls = [call for call in SEEN if len(call[0]) <= BATCH]
    return [calls[i : i + n_batches] for i in range(0, len(calls), n_batches)]


def test_every_row_is_drawn_once_an_epoch(words):
    fit(words)
    assert len(epochs()) == 3
    for epoch in epochs():
        assert sorted(row for rows, _ in epoch for row in rows) == list(range(N))
        assert sorted(len(rows) for rows, _ in epoch) == [N % BATCH, *[BATCH] * (N // BATCH)]


def test_rows_of_a_batch_are_of_similar_length_and_batches_in_no_order(words):
    padded = {}
    for by_length in (True, False):
        fit(words, batch_by_length=by_length)
        padded[by_length] = sum(n.max() * len(n) for epoch in epochs() for _, n in epoch)
    n_items = 3 * words.lengths().sum()
    assert padded[True] < 1.25 * n_items
    assert padded[False] > 1.6 * n_items
    fit(words)
    means = [n.mean() for _, n in epochs()[0]]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.6


def test_rows_meet_others_in_every_epoch(words):
    fit(words)
    first, second, third = ({frozenset(rows) for rows, _ in epoch} for epoch in epochs())
    assert not first & second
    assert not second & third


def test_two_fits_with_one_seed_are_equal_to_the_last_bit(words):
    models = [fit(words, encoder=RNN(4)) for _ in range(2)]
    np.testing.assert_array_equal(*(model.predict_proba(words) for model in models))
    assert not np.array_equal(
        models[0].predict_proba(words),
        fit(words, encoder=RNN(4), batch_by_length=False).predict_proba(words),
    )


def test_selected_rows_have_their_own_lengths(words):
    rows = np.arange(N)[::-3]
    np.testing.assert_array_equal(words[rows].lengths(), words[rows]["words"].lengths)
    assert Blocks({"facts": np.zeros((3, 2))}).lengths() is None


def test_lengths_of_several_blocks_add_up(words):
    both = words.assign({"more": Ragged.from_rows([[0]] * N, n_tokens=1), "x": np.zeros((N, 1))})
    np.testing.assert_array_equal(both.lengths(), words.lengths() + 1)


def test_going_on_follows_the_argument(words):
    model = fit(words, warm_start=True, batch_by_length=False, n_epochs=1)
    SEEN.clear()
    model.set_params(batch_by_length=True).fit(words, np.arange(N) % 2)
    (epoch,) = epochs()
    assert sum(n.max() * len(n) for _, n in epoch) < 1.25 * words.lengths().sum()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_by_length": True}, r"needs a block whose rows differ in length. Got 'facts' \(ve"),
        ({"batch_by_length": "yes"}, "batch_by_length must be"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    X = {"facts": np.zeros((4, 2))}
    with pytest.raises(ParameterError, match=message):
        clone(FusionClassifier({"facts": MLP(2)}, **settings)).fit(X, [0, 1, 0, 1])


def test_a_frozen_table_and_missing_rows(words):
    """What was encoded once has no length any more: batches are random then."""
    X = Blocks({"words": words["words"]}, missing={"words": np.arange(N) % 5 == 0})
    table = TokenEmbedding(vectors=np.eye(N + 1), frozen=True)
    probabilities = fit(X, encoder=table, missing="allow").predict_proba(X)
    assert np.isfinite(probabilities).all()


def test_predict_orders_rows_by_length_and_back(words, monkeypatch):
    monkeypatch.setattr("skfusion._module._NUMBERS_PER_STEP", 1)  # 16 rows a step
    model = fit(words, n_epochs=1)
    alone = [model.predict_proba(words[[row]])[0] for row in range(0, N, 20)]
    assert not np.allclose(alone[0], alone[1], atol=1e-4)
    np.testing.assert_allclose(model.predict_proba(words)[::20], alone, atol=1e-6)
    steps = []
    encoder = model.net_.module_.encoders[0]
    encoder.register_forward_hook(lambda module, args, output: steps.append(args[1].shape))
    model.predict(words)
    assert sum(n * longest for n, longest in steps) < 1.1 * words.lengths().sum() + 16 * 5


def test_a_spoiled_row_is_named_by_its_own_number(monkeypatch):
    monkeypatch.setattr("skfusion._module._NUMBERS_PER_STEP", 1)
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(length, 2)) for length in rng.integers(1, 9, 40)]
    model = FusionClassifier({"steps": RNN(2)}, max_epochs=1)
    model.fit({"steps": Ragged.from_rows(rows)}, [0, 1] * 20)
    rows[33][0, 1] = np.nan
    with pytest.raises(ValueError, match="'steps'.*row 33"):
        model.predict({"steps": Ragged.from_rows(rows)})
