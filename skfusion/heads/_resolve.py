"""From a word or a recipe to a head."""

from __future__ import annotations

from skfusion._checks import resolve_recipe
from skfusion.heads._base import Head
from skfusion.heads._grid_head import GridHead
from skfusion.heads._gru_decoder import GRUDecoder
from skfusion.heads._layers import LinearHead, MLPHead
from skfusion.heads._transformer_decoder import TransformerDecoder

__all__ = ["resolve_head"]

_ALIASES = {
    "grid": GridHead,
    "gru": GRUDecoder,
    "linear": LinearHead,
    "mlp": MLPHead,
    "transformer": TransformerDecoder,
}


def resolve_head(head: Head | str) -> Head:
    """Return ``head``, or a new one for an alias such as ``"linear"``.

    Examples
    --------
    >>> from skfusion.heads._resolve import resolve_head
    >>> resolve_head("mlp")
    MLPHead()
    """
    return resolve_recipe("head must be a recipe such as LinearHead()", head, Head, _ALIASES)
