"""Times of the reference networks in Keras; run by ``benchmarks.peers.video``, nothing else.

Needs TensorFlow and nothing of this library or of torch.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.peers._clock import report


def network(
    shape: list[int], channels: int, states: int, hidden: int | None, n_classes: int
) -> Any:
    import keras  # here, so that a tool that imports all benchmarks does not need it

    frames = keras.layers.TimeDistributed
    layers = [
        keras.layers.Input(shape),
        frames(keras.layers.Conv2D(channels, 3, activation="relu")),
        frames(keras.layers.MaxPooling2D(2)),
        frames(keras.layers.Flatten()),
        keras.layers.LSTM(states),
    ]
    if hidden:
        layers.append(keras.layers.Dense(hidden, activation="relu"))
    layers.append(keras.layers.Dense(n_classes))
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-6, weight_decay=1e-4), loss)
    return model


def main() -> None:
    import tensorflow as tf

    given = json.loads(sys.argv[1])
    tf.config.threading.set_intra_op_parallelism_threads(given["threads"])
    tf.config.threading.set_inter_op_parallelism_threads(given["threads"])
    rng, n = np.random.default_rng(0), given["batch_size"]
    clips = rng.integers(0, 256, (n, *given["shape"]), dtype=np.uint8).astype(np.float32) / 255
    y = np.arange(n) % given["n_classes"]
    keys = ("shape", "channels", "states", "hidden", "n_classes")
    model = network(**{key: given[key] for key in keys})
    report(
        lambda: model.train_on_batch(clips, y),
        lambda: model.predict_on_batch(clips).argmax(1),
        given["repeats"],
        model.count_params(),
    )


if __name__ == "__main__":
    main()
