"""From the fused vector to the outputs."""

from skfusion.heads._base import Head
from skfusion.heads._grid_head import GridHead
from skfusion.heads._gru_decoder import GRUDecoder
from skfusion.heads._layers import LinearHead, MLPHead
from skfusion.heads._transformer_decoder import TransformerDecoder
from skfusion.heads._writing import Writer, WriterState

__all__ = [
    "GRUDecoder",
    "GridHead",
    "Head",
    "LinearHead",
    "MLPHead",
    "TransformerDecoder",
    "Writer",
    "WriterState",
]
