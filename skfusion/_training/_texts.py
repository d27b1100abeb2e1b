"""The texts that nets write about rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch

from skfusion._batch import Batch
from skfusion._tokens import Encoded
from skfusion._training._averaging import plain_module
from skfusion._training._members import encode_shared_once
from skfusion._training._net import Net
from skfusion._training._outputs import Inspect, in_steps, order_of
from skfusion._training._row_keys import row_keys
from skfusion.blocks import Blocks
from skfusion.decoding._recipe import Plan
from skfusion.decoding._rules import Rule
from skfusion.decoding._write import Hypothesis, write
from skfusion.exceptions import NonFiniteLossError
from skfusion.heads import Writer

__all__ = ["write_texts"]


def write_texts(
    nets: Sequence[Net], blocks: Blocks, inspect: Inspect, plan: Plan, rules: Sequence[Rule]
) -> list[list[Hypothesis]]:
    """Return the texts of each row, the best first, by nets of one plan together."""
    order = order_of(nets, blocks)
    numbers = np.arange(len(blocks)) if order is None else order
    ordered = blocks if order is None else blocks.take(order)
    ordered, names = encode_shared_once(nets, ordered)

    def of_batch(batch: Batch, start: int) -> list[list[Hypothesis]]:
        rows = torch.from_numpy(numbers[start : start + len(batch)]).to(nets[0].placement)
        writers = [cast(Writer, plain_module(net.module_).head) for net in nets]
        fused = [_read(net, batch, rows) for net in nets]
        keys = row_keys(batch) if plan.draws else np.zeros(len(batch), np.int64)
        return write(writers, fused, plan, rules, rows, keys)

    parts = in_steps(nets, ordered, lambda *_: inspect(blocks, 0), of_batch, names)
    texts: list[list[Hypothesis]] = [[] for _ in numbers]
    for number, found in zip(numbers, (row for part in parts for row in part), strict=True):
        texts[number] = found
    return texts


def _read(net: Net, batch: Batch, rows: torch.Tensor) -> Encoded:
    """Return what the head looks at, in the dtype of the network."""
    with net.precision():
        found = plain_module(net.module_).read(batch)
    values = (found.values if isinstance(found, tuple) else found).to(net.module.dtype)
    finite = torch.isfinite(values.flatten(1).sum(1))
    if not finite.all():
        raise NonFiniteLossError(
            f"what the network makes of row {int(rows[~finite].min())} is not finite: inputs or "
            "weights are too large for its precision. Scale the inputs, or fit again with a lower "
            "lr."
        )
    return found._replace(values=values) if isinstance(found, tuple) else values
