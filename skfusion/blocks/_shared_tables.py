"""Lazy tables that several lookups share: what all of them hold is read once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from skfusion.blocks._kinds import Block, LazyBlock
from skfusion.blocks._lookup import Lookup, is_lazy
from skfusion.blocks._rows import cut_rows

__all__ = ["SharedTables"]


@dataclass
class _Table:
    """A lazy table, the rows that look things up in it, and the things that were read."""

    block: LazyBlock
    lookups: list[Lookup] = field(default_factory=list)
    things: Block | None = None

    def keys(self) -> np.ndarray:
        """Return the distinct keys of all rows."""
        return np.unique(np.concatenate([lookup.distinct()[0] for lookup in self.lookups]))


class SharedTables:
    """The lazy tables of some lookups, each known once.

    Parameters
    ----------
    lookups : iterable of Lookup
        Those of one batch. Tables that are in memory play no part.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion.blocks import Lookup
    >>> from skfusion.blocks._shared_tables import SharedTables
    >>> lookup = Lookup([2, 0, 2], np.eye(3))
    >>> SharedTables([lookup]).things(lookup, np.array([0, 2])).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """

    def __init__(self, lookups: Iterable[Lookup]) -> None:
        self._tables: list[_Table] = []
        for lookup in lookups:
            table = self._known(lookup.table)
            if table is None and is_lazy(lookup.table):
                self._tables.append(_Table(lookup.table, [lookup]))
            elif table is not None:
                table.lookups.append(lookup)

    def prefetch(self) -> None:
        """Let the tables begin with the things, where they can."""
        for table in self._tables:
            if hasattr(table.block, "prefetch"):
                table.block.prefetch(table.keys())

    def things(self, lookup: Lookup, keys: np.ndarray) -> Block:
        """Return the things of ``keys``, some or all of those that ``lookup`` holds."""
        table = self._known(lookup.table)
        if table is None or len(table.lookups) == 1:
            return lookup.things(keys)
        if table.things is None:
            table.things = table.block[table.keys()]
        return cut_rows(table.things, table.keys().searchsorted(keys))

    def _known(self, block: Block) -> _Table | None:
        return next((table for table in self._tables if table.block is block), None)
