"""The network as a table."""

from __future__ import annotations

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
        known = {"recipe": _shortened, "parameters": "{:,}".format, "share": "{:.1%}".format}
        return {name: known[name] for name in self.columns if name in known}


def summarise(parts: list[Part], n_parameters: int) -> Summary:
    """Return a row per part, and a last one of the whole."""
    rows = [_row(part, n_parameters) for part in parts]
    learns = {part.trained for part in parts} - {""}
    whole = {"parameters": n_parameters, "share": 1.0, "trained": _together(learns)}
    names = pd.MultiIndex.from_tuples(
        [*((part.kind, part.name) for part in parts), ("total", "")], names=["part", "name"]
    )
    return Summary(pd.DataFrame([*rows, whole], index=names).fillna(""))


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


def _shortened(line: str) -> str:
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
