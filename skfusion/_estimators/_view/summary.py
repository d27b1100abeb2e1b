"""The network as a table."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

from skfusion._estimators._view.parts import Part, one_line

__all__ = ["Summary", "summarise"]

_LONGEST = 40  # characters of a recipe that are printed


class Summary(pd.DataFrame):
    """A table that prints whole, with its shares in per cent."""

    def __repr__(self) -> str:
        return self.to_string(na_rep="", formatters=self._formatters())

    def _repr_html_(self) -> str:
        return self.to_html(na_rep="", formatters=self._formatters(), border=0)

    def _formatters(self) -> dict[Any, Callable[[Any], str]]:
        known: dict[str, Callable[..., str]] = {
            "recipe": _shortened,
            "parameters": "{:,}".format,
            "share": _percent,
        }
        return {name: known[name] for name in self.columns if name in known}


def summarise(parts: list[Part], n_parameters: int, n_members: int, n_linear: int) -> Summary:
    """Return a row per part of one network, and a last one of the whole.

    Of several networks, or with a linear member of ``n_linear`` parameters, there is a row for what
    one network has, too.
    """
    learns = {part.trained for part in parts} - {""}
    rows = {(part.kind, part.name): _row(part, n_parameters) for part in parts}
    if n_members > 1 or n_linear:
        rows["network", f"1 of {n_members}"] = {"parameters": n_parameters, "share": 1.0}
    if n_linear:
        rows["linear", ""] = {"parameters": n_linear}
    total = n_members * n_parameters + n_linear
    share = 1.0 if total == n_parameters else math.nan
    rows["total", ""] = {"parameters": total, "share": share, "trained": _together(learns)}
    names = pd.MultiIndex.from_tuples([*rows], names=["part", "name"])
    table = pd.DataFrame([*rows.values()], index=names)
    return Summary(table.fillna({name: "" for name in table.columns if name != "share"}))


def _row(part: Part, n_parameters: int) -> dict[str, object]:
    return {
        "form": part.form,
        "input": part.input,
        "recipe": one_line(part.recipe),
        "output": part.output,
        "parameters": part.n_parameters,
        "share": part.n_parameters / max(1, n_parameters),
        "trained": part.trained,
    }


def _together(learns: set[str]) -> str:
    return next(iter(learns)) if len(learns) == 1 else "partly" if learns else ""


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{share:.1%}"


def _shortened(line: str) -> str:
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
