"""Sub-networks of single blocks, as recipes."""

from skfusion.encoders._base import Encoder
from skfusion.encoders.choose import choose_encoders, resolve_encoder
from skfusion.encoders.cnn import CNN
from skfusion.encoders.mlp import MLP
from skfusion.encoders.rnn import RNN
from skfusion.encoders.sparse import SparseLinear

__all__ = ["CNN", "MLP", "RNN", "Encoder", "SparseLinear", "choose_encoders", "resolve_encoder"]
