"""Sub-networks of single blocks, as recipes."""

from skfusion._tokens import Encoded, Tokens
from skfusion.encoders._base import Encoder
from skfusion.encoders.augment import Augment
from skfusion.encoders.backbone import Backbone
from skfusion.encoders.chain import Chain
from skfusion.encoders.cnn import CNN
from skfusion.encoders.fitted import FittedEncoder
from skfusion.encoders.mlp import MLP
from skfusion.encoders.numeric import NumericEmbedding
from skfusion.encoders.policy import Policy
from skfusion.encoders.pretrained import Pretrained
from skfusion.encoders.rnn import RNN
from skfusion.encoders.same_as import SameAs
from skfusion.encoders.sparse import SparseLinear
from skfusion.encoders.temporal_cnn import TemporalCNN
from skfusion.encoders.time_distributed import TimeDistributed
from skfusion.encoders.tokens import TokenEmbedding
from skfusion.encoders.transformer import Transformer

__all__ = [
    "CNN",
    "MLP",
    "RNN",
    "Augment",
    "Backbone",
    "Chain",
    "Encoded",
    "Encoder",
    "FittedEncoder",
    "NumericEmbedding",
    "Policy",
    "Pretrained",
    "SameAs",
    "SparseLinear",
    "TemporalCNN",
    "TimeDistributed",
    "TokenEmbedding",
    "Tokens",
    "Transformer",
]
