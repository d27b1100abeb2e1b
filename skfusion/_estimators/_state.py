"""All that a fit learned, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from skfusion._estimators._arguments import Arguments, has_device
from skfusion._estimators._mixture import Mixture
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
    outputs_of_members,
    pack_nets,
    pick_device,
    seeded,
    share_frozen,
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
    share = len(rows) / n_rows
    return Prior(target.mixed([before.outputs, found], [1 - share, share]), n_rows)


@dataclass(frozen=True, eq=False)
class FittedState:
    """What a fit learned: adopted in one step, and taken by a prediction in one step.

    It is never changed. A fit that goes on trains copies of the nets and makes a new state, so that
    a prediction meanwhile sees the old networks or the new ones, never one in between.
    """

    arguments: Arguments
    reader: Reader
    target: Coding
    nets: tuple[Net, ...]  # one a member
    prior: Prior
    seed: int  # of the fit that began
    mixture: Mixture = field(default_factory=Mixture)

    @cached_property
    def history(self) -> pd.DataFrame:
        """A row an epoch, of one member after the other."""
        tables = [history_table(net.history) for net in self.nets]
        if len(tables) == 1:
            return tables[0]
        for number, table in enumerate(tables):
            table.insert(0, "member", number)
        trained = [table for table in tables if len(table)]
        return pd.concat(trained or tables[:1], ignore_index=True)

    def read(self, X: XLike, missing: str) -> Blocks:
        """Return X as blocks like those of the fit."""
        blocks = self.reader.with_missing(check_missing(missing)).read(X)
        if missing == "error":
            check_some_block(blocks)
        return blocks

    def outputs(self, blocks: Blocks) -> np.ndarray:
        """Return the outputs of all members; those of the prior for rows without any block."""
        found = self._mixed(blocks)
        without = rows_without_blocks(blocks)
        if without is not None:
            found[without] = self.prior.outputs
        return found

    def _mixed(self, blocks: Blocks) -> np.ndarray:
        outputs = outputs_of_members(self.nets, blocks, check_finite)
        for one in outputs:
            _check_outputs(one)
        linear, share = self.mixture.linear, self.mixture.share
        shares = [(1 - share) / len(outputs)] * len(outputs)
        if linear is not None:
            outputs, shares = [*outputs, linear.outputs(blocks)], [*shares, share]
        if len(outputs) == 1:
            return outputs[0]
        mixed = self.target.mixed(outputs, shares) / self.mixture.temperature
        return mixed.astype(outputs[0].dtype, copy=False)

    def __getstate__(self) -> dict[str, Any]:
        """Recipes, specs and weights: small, and of no device; the optimiser's state is left."""
        state = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**state, "nets": pack_nets(self.nets)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        arguments, nets = state["arguments"], []
        device = pick_device(arguments.device if has_device(arguments.device) else "auto")
        with seeded(state["seed"]):
            for packed in state["nets"]:
                net = make_net(packed["plan"], state["target"], arguments.training, device)
                nets.append(load_weights(net, packed))
        share_frozen(nets)
        vars(self).update({**state, "nets": tuple(nets)})


def _check_outputs(found: np.ndarray) -> None:
    if np.isfinite(found).all():
        return
    row = int(np.isfinite(found).reshape(len(found), -1).all(axis=1).argmin())
    raise NonFiniteLossError(
        f"the network's output is not finite in row {row}: "
        "inputs or weights are too large for its precision. Scale the inputs, or fit again "
        "with a lower lr."
    )
