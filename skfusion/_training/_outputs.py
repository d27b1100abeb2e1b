"""What a net makes of rows, without training it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from skfusion._batch import Batch, make_batch, prefetched
from skfusion._training._net import Net, Part
from skfusion._training._torch_state import plain_settings
from skfusion.blocks import Blocks, Ragged
from skfusion.blocks._rows import n_rows

__all__ = ["evaluate", "in_steps", "order_of", "outputs", "outputs_of_all"]

Inspect = Callable[[Blocks, int], None]
Used = TypeVar("Used")
_AS_IT_IS = nullcontext()


def outputs(net: Net, blocks: Blocks, inspect: Inspect, part: Part | None = None) -> np.ndarray:
    """Return what the module, or a method of it as ``part``, makes of ``blocks``: (n_rows, ...)."""
    return outputs_of_all([net], blocks, inspect, part)[0]


def outputs_of_all(
    nets: Sequence[Net],
    blocks: Blocks,
    inspect: Inspect,
    part: Part | None = None,
    encoded: frozenset[str] = frozenset(),
) -> list[np.ndarray]:
    """Return what the module of each net, or a method of it as ``part``, makes of ``blocks``.

    Rows are read once for all nets, which are made from one plan. ``inspect(rows, start)`` is
    called for rows in which a sum is not finite, to tell why. Blocks that are ``encoded`` are what
    the frozen parts of the encoders made of them.
    """
    order = order_of(nets, blocks)
    ordered = blocks if order is None else blocks.take(order)
    told = inspect if order is None else lambda *_: inspect(blocks, 0)
    steps = in_steps(
        nets, ordered, told, lambda batch, _: [net.compute(batch, part) for net in nets], encoded
    )
    joined = [(one[0] if len(one) == 1 else torch.cat(one)) for one in zip(*steps, strict=True)]
    found = [one.cpu().numpy() for one in joined]
    return found if order is None else [one[order.argsort()] for one in found]


def order_of(nets: Sequence[Net], blocks: Blocks) -> np.ndarray | None:
    """Return the order in which rows of several steps are best computed; None for as they are."""
    return _order(blocks) if len(blocks) > nets[0].module.rows_per_step else None


def _order(blocks: Blocks) -> np.ndarray | None:
    """Return rows of similar length, or of the same thing, one after the other.

    So that little padding is computed, and no thing is encoded in many steps.
    """
    lengths = blocks.lengths()
    if lengths is not None:
        return lengths.argsort(kind="stable")
    lookups = (blocks[name] for name in blocks.names if blocks.is_lookup(name))
    keys = next((one.keys for one in lookups if isinstance(one.keys, np.ndarray)), None)
    return None if keys is None else keys.argsort(kind="stable")


def _evaluating(net: Net) -> AbstractContextManager[None]:
    """Have the module in evaluation; in the middle of a training, only for the block of code."""
    if net.module_.training and net.run_ is not None:
        return _for_now(net.module_)
    if net.module_.training:
        evaluate(net.module_)
    return _AS_IT_IS


@contextmanager
def _for_now(module: nn.Module) -> Iterator[None]:
    modes = [(part, part.training) for part in module.modules()]
    evaluate(module)
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def evaluate(module: nn.Module) -> None:
    """Put the module into evaluation for good.

    Its parts first, so that for other threads all of it is in evaluation once the whole says so.
    """
    for part in module.children():
        part.eval()
    module.eval()


def _rows_per_step(step: int, blocks: Blocks) -> int:
    """Return how many rows to encode at once: fewer where rows look up many things of a table."""
    for name in blocks.names:
        lookup = blocks[name] if blocks.is_lookup(name) else None
        if lookup is not None and isinstance(lookup.keys, Ragged) and n_rows(lookup.table) > step:
            per_row = math.ceil(lookup.keys.lengths.sum() / max(1, len(lookup)))
            step = max(1, step // max(1, per_row))
    return step


def in_steps(
    nets: Sequence[Net],
    blocks: Blocks,
    inspect: Inspect,
    use: Callable[[Batch, int], Used],
    encoded: frozenset[str],
) -> list[Used]:
    """Return what ``use`` makes of each batch of rows, which begins at the row that it is told.

    The nets, made from one plan, are in evaluation meanwhile, and no gradient is kept.
    """
    plan, device, found = nets[0].module, nets[0].placement, []
    step = _rows_per_step(plan.rows_per_step, blocks)
    starts = range(0, len(blocks), step)
    cut = (blocks if step >= len(blocks) else blocks[i : i + step] for i in starts)
    with ExitStack() as stack:
        stack.enter_context(plain_settings(device))
        for net in nets:
            stack.enter_context(_evaluating(net))
        stack.enter_context(torch.inference_mode())
        for start, rows in zip(starts, prefetched(cut), strict=True):
            batch = make_batch(rows, plan.dtype, device, encoded)
            if not batch.is_finite():
                inspect(rows, start)
            found.append(use(batch, start))
    return found
