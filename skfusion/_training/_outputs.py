"""What a net makes of rows, without training it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

import numpy as np
import torch
from torch import nn

from skfusion._batch import make_batch, prefetched
from skfusion._training._net import Net, Part
from skfusion._training._torch_state import plain_settings
from skfusion.blocks import Blocks, Ragged
from skfusion.blocks._rows import n_rows

__all__ = ["evaluate", "outputs", "outputs_of_all"]

Inspect = Callable[[Blocks, int], None]
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
    plan, device = nets[0].module, nets[0].placement
    with ExitStack() as stack:
        stack.enter_context(plain_settings(device))
        for net in nets:
            stack.enter_context(_evaluating(net))
        stack.enter_context(torch.inference_mode())
        order = _order(blocks) if len(blocks) > plan.rows_per_step else None
        if order is None:
            return _in_steps(nets, blocks, inspect, part, encoded)
        ordered = _in_steps(nets, blocks.take(order), lambda *_: inspect(blocks, 0), part, encoded)
    back = order.argsort()
    return [one[back] for one in ordered]


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


def _in_steps(
    nets: Sequence[Net],
    blocks: Blocks,
    inspect: Inspect,
    part: Part | None,
    encoded: frozenset[str],
) -> list[np.ndarray]:
    plan, device = nets[0].module, nets[0].placement
    step = _rows_per_step(plan.rows_per_step, blocks)
    parts: list[list[torch.Tensor]] = []
    starts = range(0, len(blocks), step)
    cut = (blocks if step >= len(blocks) else blocks[i : i + step] for i in starts)
    for start, rows in zip(starts, prefetched(cut), strict=True):
        batch = make_batch(rows, plan.dtype, device, encoded)
        if not batch.is_finite():
            inspect(rows, start)
        parts.append([net.compute(batch, part) for net in nets])
    of_nets = zip(*parts, strict=True)
    return [(one[0] if len(one) == 1 else torch.cat(one)).cpu().numpy() for one in of_nets]
