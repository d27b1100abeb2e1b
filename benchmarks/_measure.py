"""Ratios of CPU time, measured in turns so that a busy machine slows both sides alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import torch

torch.set_num_threads(1)


def ratio(
    ours: Callable[[], object], reference: Callable[[], object], repeats: int = 5
) -> tuple[float, float, float]:
    """Return least CPU seconds of both, and ours over reference."""
    ours(), reference()
    times: dict[str, list[float]] = {"ours": [], "reference": []}
    for _ in range(repeats):
        for name, run in (("ours", ours), ("reference", reference)):
            gc.collect()
            start = time.process_time()
            run()
            times[name].append(time.process_time() - start)
    best = {name: min(values) for name, values in times.items()}
    return best["ours"], best["reference"], best["ours"] / best["reference"]


def report(what: str, measured: tuple[float, float, float], goal: str) -> None:
    """Print one line of the table."""
    ours, reference, quotient = measured
    print(
        f"{what:<62} {ours * 1e3:>10.2f} {reference * 1e3:>10.2f} {quotient:>7.3f}  {goal}",
        flush=True,
    )


def header() -> None:
    print(f"{'':<62} {'ours ms':>10} {'ref. ms':>10} {'ratio':>7}  goal")
