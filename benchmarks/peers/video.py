"""The reference networks on clips here and in Keras, which does the same work.

Run ``make bench-peers``, or ``python -m benchmarks.peers.video --peer PYTHON``, where PYTHON is the
interpreter of an environment with TensorFlow. Each side runs in processes of its own, in turns, on
two threads; a training step and predict, the median of all turns by wall clock and by processor
time, which a busy machine disturbs less. Peak memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from statistics import median
from typing import Any

from benchmarks.encoders import LARGE, SMALL, Network

GOALS = {("train", "float32"): 0.21, ("train", "bf16"): 0.10}
GOALS |= {("predict", "float32"): 0.99, ("predict", "bf16"): 0.68}


def measure(peer: str, network: Network, threads: int, repeats: int, turns: int) -> dict[str, Any]:
    """Return what each side printed, turn by turn."""
    given = {**asdict(network), "threads": threads, "repeats": repeats}
    ours = [sys.executable, "-m", "benchmarks.peers.skfusion_video"]
    theirs = [peer, "-m", "benchmarks.peers.keras_video"]
    commands = {
        "keras": [*theirs, json.dumps(given)],
        "float32": [*ours, json.dumps({**given, "precision": "float32"})],
        "bf16": [*ours, json.dumps({**given, "precision": "bf16"})],
    }
    # Where cores are busy, threads that wait by spinning take them from those that work.
    waiting = {"OMP_WAIT_POLICY": "passive"}
    environment = {**os.environ, **waiting, "OMP_NUM_THREADS": str(threads)}
    results: dict[str, list[Any]] = {name: [] for name in commands}
    for _ in range(turns):
        for name, command in commands.items():
            run = subprocess.run(
                command, env=environment, stdout=subprocess.PIPE, text=True, check=True
            )
            results[name].append(json.loads(run.stdout.splitlines()[-1]))
    return results


def show(network: Network, results: dict[str, list[Any]], with_goals: bool) -> None:
    n_parameters = {name: turns[0]["parameters"] for name, turns in results.items()}
    print(f"\n{network}; parameters {n_parameters}")
    columns = ("wall ms", "Keras = 1", "CPU ms", "Keras = 1", "goal", "peak GB")
    print(" " * 18 + "".join(f"{column:>11}" for column in columns))
    for what in ("train", "predict"):
        typical = {name: medians(turns, what) for name, turns in results.items()}
        for name, seconds in typical.items():
            cells = []
            for ours, theirs in zip(seconds, typical["keras"], strict=True):
                cells += [f"{ours * 1e3:.1f}", f"{ours / theirs:.2f}"]
            goal = GOALS.get((what, name), "") if with_goals else ""
            peak = max(turn["peak"] for turn in results[name]) / 2**30
            cells += [str(goal), f"{peak:.2f}"]
            print(f"{name:<9}{what:<9}" + "".join(f"{cell:>11}" for cell in cells), flush=True)


def medians(turns: list[Any], what: str) -> list[float]:
    """Return the median wall-clock and processor seconds."""
    return [
        median(times)
        for times in zip(*(pair for turn in turns for pair in turn[what]), strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", required=True, help="interpreter that has TensorFlow")
    parser.add_argument("--large", action="store_true", help="the large network as well")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    print(f"load {os.getloadavg()}, {arguments.threads} threads")
    for network in (SMALL, LARGE)[: 1 + arguments.large]:
        small = network is SMALL
        repeats, turns = (arguments.repeats, arguments.turns) if small else (2, 1)
        results = measure(arguments.peer, network, arguments.threads, repeats, turns)
        show(network, results, with_goals=small)


if __name__ == "__main__":
    main()
