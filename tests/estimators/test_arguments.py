"""Arguments are checked before a row is read: types, ranges, words, and what is in recipes."""

import subprocess
import sys
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import torch
from skorch.callbacks import EpochTimer

from skfusion import FusionClassifier, FusionRegressor
from skfusion._estimators._dry_run import _WithoutDraws
from skfusion._reading import Reader
from skfusion.encoders import (
    CNN,
    MLP,
    RNN,
    Chain,
    Policy,
    TemporalCNN,
    TimeDistributed,
    TokenEmbedding,
)
from skfusion.exceptions import BlockError, ParameterError
from skfusion.fusion import Bottleneck, Gated
from skfusion.heads import MLPHead
from skfusion.inputs import BlockUnion
from skfusion.training import EMA, Cosine

HUGE = 10**12


@pytest.fixture
def unread():
    """No row is read in the test: the reader fails if it is asked."""

    def fail(*args, **kwargs):
        raise AssertionError("a row was read")

    with patch.object(Reader, "fit", fail):
        yield


WRONG = [
    ({"lr": 0}, "lr must be a number > 0.*Got 0"),
    ({"lr": float("inf")}, "lr must be a finite number"),
    ({"lr": True}, "lr must be a number >= 0. Got True"),
    ({"lr": "fast"}, "lr must be a number"),
    ({"weight_decay": np.nan}, "weight_decay must be a number"),
    ({"max_epochs": 2.5}, "max_epochs must be an int >= 1. Got 2.5"),
    ({"batch_size": True}, "batch_size must be an int >= 1. Got True"),
    ({"batch_size": np.array([8])}, "batch_size must be an int >= 1"),
    ({"accumulate": 0}, "accumulate must be an int >= 1. Got 0"),
    ({"batch_by_length": "yes"}, "batch_by_length must be one of True, False"),
    ({"warm_start": "no"}, "warm_start must be one of True, False"),
    ({"verbose": "x"}, "verbose must be an int >= 0. Got 'x'"),
    ({"verbose": -1}, "verbose must be an int >= 0. Got -1"),
    ({"callbacks": [5]}, "Got 5 at position 0"),
    ({"callbacks": [EpochTimer(), ("timer", 5)]}, r"Got \('timer', 5\) at position 1"),
    ({"callbacks": EpochTimer()}, "callbacks must be a list"),
    ({"device": "meta"}, "device must be.*Got 'meta'"),
    ({"device": 5.5}, "device must be.*Got 5.5"),
    ({"device": 10**400}, "device must be"),
    ({"device": np.array([1, 2])}, "device must be"),
    ({"precision": pd.NA}, "precision must be one of.*Got <NA>"),
    ({"warm_start": pd.NA}, "warm_start must be one of.*Got <NA>"),
    ({"block_dropout": 10**400}, "block_dropout must be a finite number|between 0 and 1"),
    ({"weight_decay": 10**400}, "weight_decay must be a finite number"),
    ({"memory": ""}, "memory must be None, the path of a folder"),
    ({"checkpoint": ""}, "checkpoint must be None or a path.*Got ''"),
    ({"precision": "fp8"}, "precision must be one of"),
    ({"missing": "allowed"}, "missing must be one of.*Did you mean 'allow'"),
    ({"early_stopping": None}, "early_stopping must be one of"),
    ({"validation_fraction": "0.1"}, "validation_fraction must be a number"),
    ({"n_iter_no_change": 1.0}, "n_iter_no_change must be an int"),
    ({"block_dropout": 2}, "block_dropout must be a number between 0 and 1"),
    ({"block_loss_weight": -1}, "block_loss_weight must be a number >= 0"),
    ({"gradient_modulation": np.inf}, "gradient_modulation must be a finite number"),
    ({"mixup": -0.1}, "mixup must be a number >= 0. Got -0.1. 0 mixes nothing"),
    ({"gradient_clipping": 0}, "gradient_clipping must be a number > 0"),
    ({"gradient_clipping": True}, "gradient_clipping must be a number"),
    ({"random_state": "seed"}, "random_state must be None, an int.*Got 'seed'"),
    ({"random_state": -1}, "random_state must be None, an int.*Got -1"),
    ({"random_state": np.random.default_rng(0)}, "random_state must be None, an int"),
    ({"memory": 5}, "memory must be None, the path of a folder or a joblib.Memory. Got 5"),
    ({"memory": __file__}, "memory must be a folder.*which is a file"),
    ({"checkpoint": 5}, "checkpoint must be None or a path"),
    ({"schedule": "cosin"}, "schedule must be.*Did you mean 'cosine'"),
    ({"schedule": Cosine(warmup=2)}, "warmup must be a number between 0 and 1"),
    ({"averaging": "emma"}, "averaging must be.*Did you mean 'ema'"),
    ({"averaging": EMA(decay="x")}, "decay must be"),
    ({"optimizer": "rmsporp"}, "optimizer must be one of.*Did you mean"),
    ({"optimizer": torch.optim.LBFGS}, "cannot be made with.*weight_decay"),
    ({"optimizer": MLP}, "optimizer must be one of"),
    ({"net_params": {"optimizer__beta": 1}}, "cannot be made with.*beta"),
    ({"net_params": {"optimizer__betas": "x"}}, "cannot be made with.*betas"),
    ({"net_params": {"optimzer__betas": (0, 0)}}, "no place for.*Did you mean 'optimizer'"),
    ({"net_params": {"iterator_train__shuffle": True}}, "no place for 'iterator_train__shuffle'"),
    ({"net_params": {"lr": 1.0}}, "no place for 'lr'.*an argument of its own"),
    ({"net_params": {5: 1}}, "no place for 5"),
    ({"net_params": [("compile", True)]}, "net_params must be a dict"),
    ({"loss": "focl"}, "loss must be"),
    ({"loss": 5}, "loss must be"),
    ({"head": MLPHead(widths=HUGE)}, "MLPHead.*more than the memory"),
    ({"head": MLPHead(dropout="x")}, "dropout must be a number between 0 and 1"),
    ({"head": MLPHead}, r"That is the class: write MLPHead\(\)"),
    ({"fusion": "cnocat"}, "fusion must be a recipe.*Did you mean 'concat'"),
    ({"fusion": Gated(width=HUGE)}, "Gated.*(more than the memory|cannot be built)"),
    ({"fusion": Bottleneck(n_layers=0)}, "n_layers must be an int >= 2"),
    ({"encoders": {"facts": MLP(widths=HUGE)}}, "block 'facts'.*more than the memory"),
    ({"encoders": {"facts": MLP(widths=10**25)}}, "block 'facts'.*cannot be built"),
    ({"encoders": {"facts": Policy(MLP(widths="x"))}}, "block 'facts'.*widths must be"),
    ({"encoders": {"facts": Policy(MLP(), lr_scale=-1)}}, "block 'facts'.*lr_scale must be"),
    ({"encoders": {"facts": Policy("mlp")}}, "block 'facts'.*encoder must be a recipe"),
    ({"encoders": {"facts": TemporalCNN(causal="no")}}, "causal must be one of True, False"),
    ({"encoders": {"facts": RNN(bidirectional="no")}}, "bidirectional must be one of True, False"),
    ({"encoders": {"facts": CNN(residual=np.array([1, 2]))}}, "residual must be one of True"),
    ({"encoders": {"facts": RNN(width=0)}}, "block 'facts'.*width must be an int"),
    ({"encoders": {"facts": TokenEmbedding(width=HUGE)}}, "block 'facts'.*the memory"),
    ({"encoders": {"facts": TimeDistributed(CNN(channels="x"))}}, "block 'facts'.*channels"),
    ({"encoders": {"facts": Chain(CNN(kernel_size=0), RNN())}}, "block 'facts'.*kernel_size"),
    ({"encoders": "mlp"}, "encoders must be a dict.*Got str"),
]
OF_CLASSES = [
    ({"class_weight": "balnced"}, "class_weight must be None.*Did you mean 'balanced'"),
    ({"class_weight": {0: "much"}}, "class_weight of 0 must be a number"),
    ({"class_weight": {0: -1.0}}, "class_weight of 0 must be a number >= 0"),
    ({"class_weight": [1, 2]}, "class_weight must be None"),
    ({"label_smoothing": 1.5}, "label_smoothing must be a number between 0 and 1"),
]


def _named(value):
    """Return a name without addresses and paths, the same in every process."""
    return "-".join(value) if isinstance(value, dict) else value[:30]


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
@pytest.mark.parametrize(("params", "match"), WRONG, ids=_named)
def test_what_is_wrong_is_said_before_a_row_is_read(unread, table, y, params, match, call):
    for kind in (FusionClassifier, FusionRegressor):
        model = kind(**params)
        before = dict(vars(model))
        with pytest.raises(ParameterError, match=match):
            getattr(model, call)(table, y)
        assert vars(model) == before


@pytest.mark.parametrize(("params", "match"), OF_CLASSES, ids=_named)
def test_what_is_wrong_of_a_classifier_is_said_too(unread, table, y, params, match):
    with pytest.raises(ParameterError, match=match):
        FusionClassifier(**params).fit(table, y)


@pytest.fixture
def frame():
    reviews = [f"good value, number {i}" for i in range(40)]
    return pd.DataFrame({"review": reviews, "price": np.arange(40.0)})


def test_an_encoder_without_a_block_is_refused_before_a_transformer_is_fitted(frame, y):
    with (
        patch.object(BlockUnion, "fit_transform", side_effect=AssertionError("fitted")),
        pytest.raises(BlockError, match="'reviw' that does not exist.*Did you mean 'review'"),
    ):
        FusionClassifier({"reviw": "rnn"}).fit(frame, y)


@pytest.mark.parametrize("named", [{"review": "sparse"}, {"numbers": MLP(4)}])
def test_names_that_are_foreseen_are_those_that_come(frame, y, named):
    assert set(named) <= set(FusionClassifier(named, max_epochs=1).fit(frame, y).specs_)


def test_checks_draw_no_random_number_and_load_no_compiler():
    """torch's device "meta" has the shapes, but loads a great deal for a single random number."""
    program = """
import sys
import numpy as np, torch
from skfusion._estimators._dry_run import check_encoders, check_fusion
from skfusion.encoders import CNN, MLP, RNN, NumericEmbedding, SparseLinear, TokenEmbedding
from skfusion.encoders import TemporalCNN, Transformer
before = torch.get_rng_state()
kinds = CNN, MLP, RNN, NumericEmbedding, SparseLinear, TokenEmbedding, TemporalCNN, Transformer
check_encoders({str(i): kind() for i, kind in enumerate(kinds)})
for fusion in ("concat", "gated", "late", "tensor", "bilinear", "film", "bottleneck", "experts"):
    check_fusion(fusion)
print(torch.equal(before, torch.get_rng_state()), "sympy" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False"], done.stderr


@pytest.mark.parametrize("side", [8, 40])
def test_what_flattens_a_picture_is_not_judged_by_a_larger_one(side):
    """A flattened picture of 4,096 pixels a side has more weights than any memory holds."""
    photos = np.zeros((4, side, side, 1), np.uint8)
    encoder = CNN(channels=16, output="flatten", width=128)
    model = FusionClassifier({"photo": encoder}, max_epochs=1, random_state=0)
    assert model.fit({"photo": photos}, [0, 1, 0, 1]).specs_["photo"].shape == (side, side, 1)


PRODUCTS = {
    "wider": (torch.ones(3, 1), torch.ones(1, 4)),
    "of a row": (torch.ones(4), torch.ones(2, 3, 4)),
    "another dtype": (torch.ones(2, dtype=torch.int64), torch.ones(2, dtype=torch.float64)),
    "a number": (torch.ones(2, 3), 0.5),
    "integers and a number": (torch.ones(2, 3, dtype=torch.int64), 0.5),
}


@pytest.mark.parametrize("case", PRODUCTS)
def test_products_without_memory_have_the_shape_and_dtype_of_products(case):
    one, other = PRODUCTS[case]
    expected = one * other
    with _WithoutDraws():
        shaped = [one.mul(other), one * other, other * one]
    for found in shaped:
        assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
