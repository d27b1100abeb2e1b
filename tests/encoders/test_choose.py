import inspect

import numpy as np
import pytest
from scipy.sparse import csr_array

from skfusion import encoders
from skfusion.blocks import FORMS, Ragged, spec_of
from skfusion.encoders import (
    CNN,
    MLP,
    RNN,
    Encoder,
    SparseLinear,
    TemporalCNN,
    TimeDistributed,
    TokenEmbedding,
)
from skfusion.encoders._base import FITTING
from skfusion.encoders._choose import choose_encoders, resolve_encoder
from skfusion.exceptions import BlockError, ParameterError

BLOCKS = {
    "csr": csr_array(np.eye(3)),
    "vector": np.eye(3),
    "tokens": Ragged.from_rows([[1], [0]]),
    "sequence": np.zeros((2, 3, 4)),
    "image": np.zeros((2, 8, 8, 3)),
    "video": np.zeros((2, 3, 8, 8, 3)),
    "waveform": Ragged.from_rows([[0.5], [0.1, 0.2]]),
}
SPECS = {form: spec_of(form, block) for form, block in BLOCKS.items()}


def test_each_form_has_a_usual_encoder_that_takes_it():
    chosen = {name: type(encoder) for name, encoder in choose_encoders(None, SPECS).items()}
    assert chosen == {
        "csr": SparseLinear,
        "vector": MLP,
        "tokens": RNN,
        "sequence": TemporalCNN,
        "image": CNN,
        "video": TimeDistributed,
        "waveform": TemporalCNN,
    }
    assert set(chosen) == set(FORMS)


def test_a_given_encoder_goes_before_the_usual_one():
    chosen = choose_encoders({"tokens": "tokens", "image": MLP(3)}, SPECS)
    assert isinstance(chosen["tokens"], TokenEmbedding)
    assert chosen["image"].widths == 3


@pytest.mark.parametrize(
    "alias",
    [
        "sparse",
        "mlp",
        "numeric",
        "tokens",
        "cnn",
        "temporal_cnn",
        "rnn",
        "transformer",
        "time_distributed",
    ],
)
def test_aliases(alias):
    name = type(resolve_encoder(alias)).__name__.lower()
    assert alias.replace("_", "").rstrip("s") in name


def test_the_encoders_that_errors_name_take_the_form():
    """And every encoder that takes one form only is named for it."""
    assert set(FITTING) == set(FORMS)
    for form, names in FITTING.items():
        assert all(form in getattr(encoders, name).takes for name in names)
    for value in vars(encoders).values():
        if inspect.isclass(value) and issubclass(value, Encoder):
            takes = value.takes if isinstance(value.takes, tuple) else ()
            assert len(takes) != 1 or value.__name__ in FITTING[takes[0]]


@pytest.mark.parametrize(
    ("form", "encoder", "message"),
    [
        ("video", CNN(), "'video', which CNN cannot take: it takes image. Use TimeDistributed,"),
        ("waveform", RNN(), "it takes sequence, tokens. Use TemporalCNN, or leave 'waveform' out"),
        ("csr", MLP(), "Use SparseLinear"),
        ("image", "tokens", "TokenEmbedding cannot take: it takes tokens. Use CNN or Transformer"),
    ],
)
def test_a_form_that_an_encoder_cannot_take(form, encoder, message):
    with pytest.raises(BlockError, match=message):
        choose_encoders({form: encoder}, SPECS)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"imag": CNN()}, BlockError, "'imag' that does not exist.* Did you mean 'image'"),
        ({"image": "cn"}, ParameterError, "Got 'cn'. Did you mean 'cnn'"),
        ({"image": CNN}, ParameterError, "must be a recipe such as MLP"),
        (CNN(), ParameterError, "encoders must be a dict of block name to encoder. Got CNN"),
    ],
)
def test_what_cannot_be_is_refused(given, error, message):
    with pytest.raises(error, match=message):
        choose_encoders(given, SPECS)
