"""
The networks of the textbooks, and their sizes
==============================================

Three networks on clips that tutorials build layer by layer, named in a line each: a convolution per
frame, pooling, an LSTM over the frames, a decision. The number of parameters is worked out by hand
and compared with what is built.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skfusion import BlockSpec
from skfusion.encoders import CNN, RNN, TimeDistributed
from skfusion.heads import Head, LinearHead, MLPHead
from skfusion.targets import OutputSpec


@dataclass
class Reference:
    """A per-frame Conv2D(3x3, relu), MaxPool(2), Flatten, an LSTM and a head."""

    shape: tuple[int, int, int, int]  # time, height, width, channels of a clip
    channels: int
    states: int
    hidden: int | None
    n_classes: int

    def encoder(self) -> TimeDistributed:
        frames = CNN(channels=self.channels, padding="valid", output="flatten", width=None)
        return TimeDistributed(frames, over=RNN(width=self.states, cell="lstm"))

    def head(self) -> Head:
        return LinearHead() if self.hidden is None else MLPHead(widths=self.hidden)

    def n_parameters_by_hand(self) -> int:
        """Count as Keras does: one bias per gate of the LSTM."""
        _, height, width, n_colours = self.shape
        convolution = (3 * 3 * n_colours + 1) * self.channels
        features = ((height - 2) // 2) * ((width - 2) // 2) * self.channels
        lstm = 4 * self.states * (features + self.states + 1)
        sizes = [self.states, *([self.hidden] if self.hidden else []), self.n_classes]
        dense = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
        return convolution + lstm + dense

    def n_parameters_built(self) -> int:
        spec = BlockSpec("clip", "video", self.shape, np.dtype(np.uint8))
        output = OutputSpec("classes", (self.n_classes,), self.n_classes)
        modules = (self.encoder().build(spec), self.head().build(self.states, output))
        return sum(p.numel() for module in modules for p in module.parameters())


REFERENCES = [
    Reference((10, 64, 64, 3), channels=32, states=64, hidden=None, n_classes=10),
    Reference((15, 64, 64, 3), channels=64, states=128, hidden=64, n_classes=5),
    Reference((20, 128, 128, 3), channels=64, states=128, hidden=64, n_classes=5),
]


def main() -> None:
    print(f"{'clip':<20} {'network':<54} {'by hand':>12} {'built':>12} {'2nd bias':>9}")
    for reference in REFERENCES:
        dense = "" if reference.hidden is None else f" -> Dense({reference.hidden})"
        network = f"Conv2D({reference.channels}) -> LSTM({reference.states}){dense}"
        network += f" -> {reference.n_classes} classes"
        by_hand, built = reference.n_parameters_by_hand(), reference.n_parameters_built()
        extra = built - by_hand
        print(f"{reference.shape!s:<20} {network:<54} {by_hand:>12,} {built:>12,} {extra:>9,}")
    print("torch gives each gate of an LSTM a second bias: 4 x states more than Keras.")


if __name__ == "__main__":
    main()
