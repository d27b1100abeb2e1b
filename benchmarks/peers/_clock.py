"""What both sides are measured by; needs nothing but Python."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable
from typing import Any

__all__ = ["report"]


def report(
    train: Callable[[], Any], predict: Callable[[], Any], repeats: int, n_parameters: int
) -> None:
    """Print seconds of each turn (wall clock, processor), number of parameters, peak as JSON."""
    times = {"train": _seconds(train, repeats), "predict": _seconds(predict, repeats)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({**times, "parameters": n_parameters, "peak": peak}))


def _seconds(run: Callable[[], Any], repeats: int) -> list[tuple[float, float]]:
    run()
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        run()
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return times
