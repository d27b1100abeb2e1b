"""All that a fit learned, as one value."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from skfusion._estimators._arguments import Arguments, has_device
from skfusion._reading import (
    Reader,
    check_finite,
    check_missing,
    check_some_block,
    rows_without_blocks,
)
from skfusion._training import (
    Net,
    Rows,
    history_table,
    load_weights,
    make_net,
    outputs,
    pack_net,
    pick_device,
    seeded,
)
from skfusion.blocks import Blocks
from skfusion.exceptions import NonFiniteLossError
from skfusion.targets import Coding
from skfusion.typing import XLike

__all__ = ["FittedState", "Prior", "learn_prior"]


@dataclass(frozen=True, eq=False)
class Prior:
    """What is predicted of a row without blocks: ``outputs`` (*shape,), of ``n_rows`` rows."""

    outputs: np.ndarray
    n_rows: int


def learn_prior(target: Coding, rows: Rows, before: Prior | None = None) -> Prior:
    """Return the prior of ``rows``, or of these and those of ``before`` together."""
    found = target.prior(rows.codes, rows.weight)
    if before is None:
        return Prior(found, len(rows))
    n_rows = before.n_rows + len(rows)
    return Prior(target.blended(before.outputs, found, len(rows) / n_rows), n_rows)


@dataclass(frozen=True, eq=False)
class FittedState:
    """What a fit learned: adopted in one step, and taken by a prediction in one step.

    It is never changed. A fit that goes on trains a copy of the net and makes a new state, so that
    a prediction meanwhile sees the old network or the new one, never one in between.
    """

    arguments: Arguments
    reader: Reader
    target: Coding
    net: Net
    prior: Prior
    seed: int  # of the fit that began

    @cached_property
    def history(self) -> pd.DataFrame:
        """A row an epoch."""
        return history_table(self.net.history)

    def read(self, X: XLike, missing: str) -> Blocks:
        """Return X as blocks like those of the fit."""
        blocks = self.reader.with_missing(check_missing(missing)).read(X)
        if missing == "error":
            check_some_block(blocks)
        return blocks

    def outputs(self, blocks: Blocks) -> np.ndarray:
        """Return the outputs of the network; those of the prior for rows without any block."""
        found = outputs(self.net, blocks, check_finite)
        if not np.isfinite(found).all():
            row = int(np.isfinite(found).reshape(len(found), -1).all(axis=1).argmin())
            raise NonFiniteLossError(
                f"the network's output is not finite in row {row}: "
                "inputs or weights are too large for its precision. Scale the inputs, or fit again "
                "with a lower lr."
            )
        without = rows_without_blocks(blocks)
        if without is not None:
            found[without] = self.prior.outputs
        return found

    def __getstate__(self) -> dict[str, Any]:
        """Recipes, specs and weights: small, and of no device; the optimiser's state is left."""
        state = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**state, "net": pack_net(self.net)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        packed, arguments = state["net"], state["arguments"]
        device = pick_device(arguments.device if has_device(arguments.device) else "auto")
        with seeded(state["seed"]):
            net = make_net(packed["plan"], state["target"], arguments.training, device)
        vars(self).update({**state, "net": load_weights(net, packed)})
