"""Ratios of CPU time, measured in turns so that a busy machine slows both sides alike.

A function ``track_...`` under ``@tracked`` is a benchmark of asv; its value is the ratio;
``main`` runs all of a module and prints a table.
"""

from __future__ import annotations

import argparse
import functools
import gc
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

torch.set_num_threads(1)


class Measured(NamedTuple):
    """Least CPU seconds of both."""

    ours: float
    reference: float

    @property
    def ratio(self) -> float:
        return self.ours / self.reference


def ratio(
    ours: Callable[[], object], reference: Callable[[], object], repeats: int = 5
) -> Measured:
    """Return the least CPU seconds of both, which take turns."""
    ours(), reference()
    times: dict[str, list[float]] = {"ours": [], "reference": []}
    for _ in range(repeats):
        for name, run in (("ours", ours), ("reference", reference)):
            gc.collect()
            start = time.process_time()
            run()
            times[name].append(time.process_time() - start)
    return Measured(min(times["ours"]), min(times["reference"]))


def tracked(what: str, goal: str, over: Sequence[Any] = ()) -> Callable[[Any], Any]:
    """Make a function that returns ``Measured`` a benchmark, called for each value in ``over``.

    ``what`` names it in the table; ``{}`` stands for the value.
    """

    def decorate(function: Callable[..., Measured]) -> Any:
        @functools.wraps(function)
        def track(*value: Any) -> float:
            return function(*value).ratio

        benchmark: Any = track
        benchmark.unit = "ratio"
        benchmark.timeout = 600
        benchmark.params, benchmark.param_names = list(over), ["size"] if over else []
        benchmark.measure, benchmark.what, benchmark.goal = function, what, goal
        return benchmark

    return decorate


def header() -> None:
    print(f"{'':<62} {'ours ms':>10} {'ref. ms':>10} {'ratio':>7}  goal")


def report(what: str, measured: Measured, goal: str) -> None:
    """Print one line of the table."""
    print(
        f"{what:<62} {measured.ours * 1e3:>10.2f} {measured.reference * 1e3:>10.2f} "
        f"{measured.ratio:>7.3f}  {goal}",
        flush=True,
    )


def main(module_name: str) -> None:
    """Run the benchmarks of a module, or those whose names contain a word of the command line."""
    module = sys.modules[module_name]
    parser = argparse.ArgumentParser(description=module.__doc__)
    parser.add_argument("words", nargs="*", help="parts of the names of benchmarks to run")
    words = parser.parse_args().words
    header()
    for name, benchmark in vars(module).items():
        if hasattr(benchmark, "measure") and any(word in name for word in words or [name]):
            for value in benchmark.params or [None]:
                given = [] if value is None else [value]
                shown = benchmark.what.format(*(_shown(one) for one in given))
                report(shown, benchmark.measure(*given), benchmark.goal)


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
