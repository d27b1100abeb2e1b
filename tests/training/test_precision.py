"""Training and prediction in bfloat16, and compiled."""

import pickle

import numpy as np
import pytest
import torch
from scipy import sparse
from skorch.callbacks import Callback

from skfusion import Blocks, FusionClassifier, FusionRegressor, Ragged
from skfusion.encoders import CNN, MLP, RNN, Policy, SparseLinear, Transformer
from skfusion.exceptions import ParameterError
from skfusion.fusion import Bottleneck, CrossAttention, TokenTransformer

N_ROWS = 48
FUSIONS = ["concat", "sum", "product", "gated", "low_rank", "tensor", "bilinear", "film"]
FUSIONS += ["experts", "late"]
# Without dropout, which draws other numbers in another precision.
FUSIONS += [CrossAttention(dropout=0), TokenTransformer(dropout=0), Bottleneck(dropout=0)]
WORDS = [RNN(cell="gru", width=4), RNN(cell="lstm", width=4), Transformer(width=8)]


@pytest.fixture(scope="module")
def y():
    return np.arange(N_ROWS) % 2


@pytest.fixture(scope="module")
def X(y):
    rng = np.random.default_rng(0)
    signal = (y[:, None] + rng.normal(size=(N_ROWS, 3), scale=0.5)).astype(np.float32)
    photo = (60 * signal.clip(0, 3)).astype(np.uint8)[:, :, None, None].repeat(4, axis=2)
    words = Ragged.from_rows([[1 + label] * (2 + label) for label in y], n_tokens=5)
    text = sparse.csr_array(np.where(signal > 0.5, signal, 0))
    missing = {"facts": np.arange(N_ROWS) % 5 == 0}
    return Blocks({"text": text, "facts": signal, "photo": photo, "words": words}, missing)


def encoders(words):
    return {
        "text": SparseLinear(width=4),
        "facts": MLP(widths=(4,), norm="layer"),
        "photo": CNN(channels=(2,), norm="batch", width=4),
        "words": words,
    }


def model(kind=FusionClassifier, words=None, **params):
    parts = encoders(words or RNN(width=4, embedding_width=3))
    settings = {"encoders": parts, "members": 1, "max_epochs": 6, "lr": 0.01, "random_state": 0}
    return kind(**(settings | {"precision": "bf16"} | params))


class Dtypes(Callback):
    """Notes the precision in which a layer computes while training."""

    def on_train_begin(self, net, **kwargs):
        self.seen_ = set()
        layer = net.module_.encoders[1]
        layer.register_forward_hook(lambda layer, _, output: self.seen_.add(output.dtype))


@pytest.mark.parametrize("fusion", FUSIONS, ids=str)
def test_every_form_and_fusion_learns_in_bf16_as_in_float32(X, y, fusion):
    fitted = model(fusion=fusion, block_dropout=0.2).fit(X, y)
    full = model(fusion=fusion, block_dropout=0.2, precision="float32").fit(X, y)
    losses = [fit.history_["train_loss"] for fit in (fitted, full)]
    np.testing.assert_allclose(*losses, atol=0.05)
    np.testing.assert_allclose(fitted.predict_proba(X), full.predict_proba(X), atol=0.1)
    assert (fitted.decision_function(X) != full.decision_function(X)).any()


@pytest.mark.parametrize("words", WORDS)
def test_encoders_of_texts_learn_in_bf16(X, y, words):
    fitted = model(words=words).fit(X, y)
    assert np.isfinite(fitted.predict_proba(X)).all()


def test_layers_compute_in_bf16_and_results_are_float32(X, y):
    fitted = model(callbacks=[Dtypes()], early_stopping=True).fit(X, y)
    dtypes = dict(fitted.net_.callbacks_)["Dtypes"].seen_
    assert dtypes == {torch.bfloat16}
    dtypes.clear()
    assert fitted.transform(X).dtype == np.float32
    assert dtypes == {torch.bfloat16}
    assert fitted.predict_proba(X).dtype == np.float64
    assert {weight.dtype for weight in fitted.net_.module_.parameters()} == {torch.float32}
    assert np.isfinite(fitted.history_[["train_loss", "valid_loss"]]).all(axis=None)


def test_a_regressor_in_bf16(X, y):
    fitted = model(FusionRegressor, loss="huber").fit(X, y + 0.5)
    assert fitted.predict(X).dtype == np.float64
    assert fitted.history_["train_loss"].iloc[-1] < fitted.history_["train_loss"].iloc[0]


def test_other_parts_of_the_training_go_with_it(X, y):
    settings = {
        "schedule": "cosine",
        "averaging": "swa",
        "gradient_clipping": 1.0,
        "accumulate": 2,
        "batch_size": 8,
        "block_loss_weight": 0.5,
        "gradient_modulation": 0.3,
        "facts": Policy(MLP(4), pretrain_epochs=1),
        "text": Policy(SparseLinear(4), frozen=True),
    }
    one, other = (model().set_params(**settings).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    loaded = pickle.loads(pickle.dumps(one))
    np.testing.assert_array_equal(one.predict_proba(X), loaded.predict_proba(X))


def test_weights_of_a_gate_are_explained_in_float32(X, y):
    weights = model(fusion="gated").fit(X, y).explain(X)
    assert weights.to_numpy().dtype == np.float32
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=0.02)


def test_auto_changes_nothing_without_a_gpu(X, y):
    auto, full = (model(device="cpu", precision=word).fit(X, y) for word in ("auto", "float32"))
    np.testing.assert_array_equal(auto.predict_proba(X), full.predict_proba(X))


def test_float64_is_not_cut_down_unasked(y):
    X = np.random.default_rng(0).normal(size=(N_ROWS, 2))
    with pytest.raises(ParameterError, match="a block is float64. Give the blocks as float32"):
        FusionClassifier(precision="bf16").fit(X, y)
    for word in ("auto", "float32"):
        fitted = FusionClassifier(precision=word, max_epochs=1).fit(X, y)
        assert fitted.transform(X).dtype == np.float64


def test_precisions_that_are_none(X, y):
    with pytest.raises(ParameterError, match="precision must be one of 'float32', 'bf16', 'auto'"):
        model(precision="float16").fit(X, y)


# Compiled

EAGER = {"compile": True, "compile__backend": "eager"}  # traced as ever, without a C compiler


def test_a_compiled_network_is_the_same(X, y):
    settings = {"precision": "float32", "max_epochs": 2, "averaging": "ema", "accumulate": 2}
    plain = model(**settings).fit(X, y)
    compiled = model(**settings, net_params=EAGER).fit(X, y)
    assert hasattr(compiled.net_.module_, "_orig_mod")
    np.testing.assert_allclose(compiled.predict_proba(X), plain.predict_proba(X), atol=1e-5)
    loaded = pickle.loads(pickle.dumps(compiled))
    np.testing.assert_array_equal(loaded.predict_proba(X), compiled.predict_proba(X))
