"""One encoder for several blocks."""

from __future__ import annotations

from torch import nn

from skfusion.blocks import BlockSpec
from skfusion.encoders._base import Encoder
from skfusion.exceptions import ParameterError

__all__ = ["SameAs"]


class SameAs(Encoder):
    """The encoder of another block, with the same weights (a siamese network).

    Two photos that are compared, question and answer, two sensors of one kind: what is learned of
    one holds for the other (Bromley et al., 1994). Both blocks must have the same form and shape.
    A search tunes the encoder by the name of the block that it was given for.

    Takes and returns what the encoder of ``block`` does.

    Parameters
    ----------
    block : str
        The block whose encoder this is.

    Raises
    ------
    BlockError
        If there is no such block, or its rows are of another form or shape.
    ParameterError
        If that block has no encoder of its own either.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionClassifier
    >>> from skfusion.encoders import MLP, SameAs
    >>> rng = np.random.default_rng(0)
    >>> X = {"left": rng.normal(size=(20, 4)), "right": rng.normal(size=(20, 4))}
    >>> model = FusionClassifier(
    ...     {"left": MLP(8), "right": SameAs("left")}, fusion="product", max_epochs=2
    ... )
    >>> model.fit(X, [0, 1] * 10).summary().loc["block", "recipe"].map(str).to_dict()
    {'left': 'MLP(widths=8)', 'right': "SameAs(block='left')"}
    """

    def __init__(self, block: str) -> None:
        self.block = block

    def build(self, spec: BlockSpec, pooled: bool = True) -> nn.Module:
        raise ParameterError(
            f"block {spec.name!r}: SameAs({self.block!r}) has no module of its own. "
            "Name it directly in `encoders`, not inside of another encoder."
        )
