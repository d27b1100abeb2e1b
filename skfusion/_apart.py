"""Networks whose layers have shapes and no numbers, built in a thread of their own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

__all__ = ["without_memory"]

Made = TypeVar("Made")


def without_memory(work: Callable[[], Made]) -> Made:
    """Return what ``work`` does where torch's device is "meta": tensors take no memory.

    The device is a setting of a thread, which torch changes in several lines: Ctrl-C, which comes
    between any two lines of the main thread, would leave it there for good. So it is that of a
    thread which ends with the work.

    Examples
    --------
    >>> import torch
    >>> from skfusion._apart import without_memory
    >>> without_memory(lambda: torch.zeros(10**12).shape)
    torch.Size([1000000000000])
    """

    def on_meta() -> Made:
        with torch.device("meta"):
            return work()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(on_meta).result()
