"""Times of the reference networks here; run by ``benchmarks.peers.video``."""

from __future__ import annotations

import json
import sys

import numpy as np
import torch

from benchmarks.encoders import Network, our_step, ours
from benchmarks.peers._clock import report
from skfusion import Blocks


def main() -> None:
    given = json.loads(sys.argv[1])
    repeats, threads = given.pop("repeats"), given.pop("threads")
    precision = given.pop("precision")
    torch.set_num_threads(threads)
    network = Network(**{**given, "shape": tuple(given["shape"])})
    clips = np.random.default_rng(0).integers(
        0, 256, (network.batch_size, *network.shape), dtype=np.uint8
    )
    y = np.arange(network.batch_size) % network.n_classes
    X = Blocks({"clip": clips})
    model = ours(network, X, y, precision)
    n_parameters = sum(weights.numel() for weights in model.net_.module_.parameters())
    report(our_step(model, X, y), lambda: model.predict(X), repeats, n_parameters)


if __name__ == "__main__":
    main()
