"""What a fitted union does with each column, as a table."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

import pandas as pd

from skfusion.blocks import BlockSpec
from skfusion.inputs._union.choose import GROUPS
from skfusion.inputs._union.columns import as_list
from skfusion.inputs._union.kinds import Kind
from skfusion.inputs._union.steps import Steps

__all__ = ["chosen_table", "shown_steps", "word_of"]

_WORDS = {
    **{group: kind for kind, group in GROUPS.items()},
    "passthrough": "array",
    "blank": "empty",
}


def chosen_table(
    steps: Steps, kinds: Mapping[Hashable, Kind], specs: Mapping[str, BlockSpec]
) -> pd.DataFrame:
    """Return a row a column; see ``BlockUnion.chosen``."""
    rows = [
        (column, *_kind_and_why(name, column, kinds), _shown(transformer), *_block(name, specs))
        for name, transformer, columns in steps
        for column in as_list(columns)
    ]
    names = ["column", "kind", "why", "transformer", "block", "form"]
    return pd.DataFrame(rows, columns=pd.Index(names, dtype=object))


def shown_steps(steps: Steps, kinds: Mapping[Hashable, Kind]) -> Steps:
    """Return the steps with what the diagram says of their columns."""
    return [
        (name, transformer, [_shown_column(column, kinds) for column in as_list(columns)])
        if any(column in kinds for column in as_list(columns))
        else (name, transformer, columns)
        for name, transformer, columns in steps
    ]


def word_of(kind: Kind) -> str:
    """Return the word that users have for a kind."""
    return _WORDS.get(kind.name, kind.name)


def _shown_column(column: Hashable, kinds: Mapping[Hashable, Kind]) -> str:
    kind = kinds.get(column)
    return str(column) if kind is None else f"{column}: {word_of(kind)} ({kind.why})"


def _kind_and_why(block: str, column: Hashable, kinds: Mapping[Hashable, Kind]) -> tuple[str, str]:
    if column in kinds:
        return word_of(kinds[column]), kinds[column].why
    return "", "the remainder" if block == "remainder" else "named in transformers"


def _shown(transformer: object) -> str:
    if isinstance(transformer, str):
        return transformer
    steps = getattr(transformer, "steps", None)
    if steps is not None:
        return " -> ".join(_shown(step) for _, step in steps)
    return type(transformer).__name__


def _block(name: str, specs: Mapping[str, BlockSpec]) -> tuple[str, str]:
    return (name, specs[name].form) if name in specs else ("", "")
