"""What ``BlockUnion()`` chooses for each column."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.pipeline import make_pipeline

from skfusion.exceptions import BlockError
from skfusion.inputs._tables.cell_kinds import has_value
from skfusion.inputs._tables.plain import PlainFlags
from skfusion.inputs._tables.table import ArrayTable, Table
from skfusion.inputs._union.absent import AbsentBlock
from skfusion.inputs._union.columns import as_list, shown_names
from skfusion.inputs._union.kinds import Kind, holds_only_numbers, is_numeric, kind_of
from skfusion.inputs._union.recipes import (
    RECIPES,
    numbers,
    reading_numbers,
    repeat_words,
    single_words,
)
from skfusion.inputs._union.same_kinds import kind_of_values
from skfusion.inputs._union.steps import Steps
from skfusion.inputs._union.words import Words, check_word

__all__ = [
    "GROUPS",
    "RECIPE_OF",
    "RESERVED",
    "Choice",
    "OwnBlock",
    "choose_transformers",
    "transformer_of",
    "unique_name",
]

GROUPS = {"number": "numbers", "boolean": "booleans", "category": "categories", "date": "dates"}

# By kind, the argument of BlockUnion that holds its transformer.
RECIPE_OF = {
    "array": "arrays",
    "audio": "audio",
    "image": "images",
    "text": "text",
    **GROUPS,
    **{group: group for group in GROUPS.values()},  # arrays of two axes
}

_WITHOUT_BLOCK = ("empty", "blank", "drop")

# A block with one of these names could not be told from the estimator's own parameter in
# names such as optimizer__lr, so a column of that name gets a block of a slightly other name.
RESERVED = frozenset(
    {
        "accumulate",
        "averaging",
        "batch_by_length",
        "batch_size",
        "block_dropout",
        "block_loss_weight",
        "callbacks",
        "checkpoint",
        "class_weight",
        "columns",
        "decoding",
        "device",
        "dtype",
        "early_stopping",
        "encoders",
        "fusion",
        "gradient_clipping",
        "gradient_modulation",
        "head",
        "label_smoothing",
        "linear",
        "loss",
        "lr",
        "max_epochs",
        "members",
        "memory",
        "missing",
        "missing_targets",
        "mixup",
        "n_iter_no_change",
        "n_jobs",
        "net_params",
        "optimizer",
        "precision",
        "random_state",
        "remainder",
        "schedule",
        "scoring",
        "target",
        "targets",
        "transformers",
        "union",
        "validation_fraction",
        "validation_split",
        "verbose",
        "warm_start",
        "weight_decay",
        "weights",
    }
)


@dataclass(frozen=True)
class OwnBlock:
    """The block of a single column that was decided before the others are chosen."""

    name: str
    kind: Kind
    transformer: object
    columns: Hashable | list[Hashable]  # a list where the transformer takes two dimensions


@dataclass
class Choice:
    """What was chosen for the columns that no block names.

    Parameters
    ----------
    steps : list of (name, transformer, columns)
        The blocks.
    kinds : dict of key to Kind
        What each column was taken for, and why; also of columns that are in no block.
    """

    steps: Steps = field(default_factory=list)
    kinds: dict[Hashable, Kind] = field(default_factory=dict)


def choose_transformers(
    table: Table,
    keys: Sequence[Hashable],
    words: Words,
    recipes: Mapping[str, object],
    taken: Sequence[str] = (),
    own: Mapping[Hashable, OwnBlock] | None = None,
) -> Choice:
    """Return ``(name, transformer, columns)`` for the columns ``keys`` of ``table``.

    Numbers, booleans, categories and dates become one block each; texts, images, sound, arrays in
    cells and the arrays of a dict one block a column. See ``BlockUnion`` for the rules.

    Parameters
    ----------
    table : Table
        What the user passed.
    keys : list of str or int
        Columns to choose for.
    words : mapping of key to str
        Kinds that the user gave.
    recipes : mapping of str to transformer or None
        The transformer of a kind, by the argument of ``BlockUnion``; None is the usual one.
    taken : list of str
        Names that other blocks have.
    own : mapping of key to OwnBlock, default=None
        Blocks of single columns that are decided already.

    Raises
    ------
    BlockTypeError
        For a column that is none of these, or cannot be what the user says; names it and the
        repair.
    """
    own = own or {}
    if not (words or own) and isinstance(table, ArrayTable) and holds_only_numbers(table.source):
        return _block_of_numbers(table, list(keys), recipes, taken)
    kinds = _kinds_of_columns(table, keys, words, {key: one.kind for key, one in own.items()})
    taken = [*taken, *(one.name for one in own.values())]
    names = _Names(taken, [key for key in keys if key not in own])
    steps: Steps = []
    for kind in GROUPS:
        if chosen := _group(kind, {key: one for key, one in kinds.items() if key not in own}):
            transformer = _transformer_of_group(kind, table, chosen, kinds, recipes)
            steps.append((names.of_groups[kind], transformer, chosen))
    for key, one in kinds.items():
        if key in own:
            steps.append((own[key].name, own[key].transformer, own[key].columns))
        elif one.name == "text" and one.is_empty:
            steps.append((names.of_columns[key], AbsentBlock("csr"), key))
        elif one.name not in (*GROUPS, *_WITHOUT_BLOCK) and not one.is_empty:
            transformer = transformer_of(one.name, table, key, recipes)
            steps.append((names.of_columns[key], transformer, key))
    return Choice(steps, kinds)


def _group(kind: str, kinds: Mapping[Hashable, Kind]) -> list[Hashable]:
    """Return the columns of a group; those without a value are in it if they are numbers, or all.

    So the group is there in each fold, and a number without a value is a missing one.
    """
    keys = [key for key, one in kinds.items() if one.name == kind]
    filled = [key for key in keys if not kinds[key].is_empty]
    return keys if kind == "number" or not filled else filled


def _transformer_of_group(
    kind: str,
    table: Table,
    keys: list[Hashable],
    kinds: Mapping[Hashable, Kind],
    recipes: Mapping[str, object],
) -> object:
    if all(kinds[key].is_empty for key in keys):
        return AbsentBlock("csr" if kind == "category" else "vector")
    return transformer_of(kind, table, keys, recipes)


class _Names:
    """What the blocks of groups and of columns are called, whatever is in the columns.

    A block has the same name in each fold: also columns that are in no block of their own, and
    groups without a column, keep others from having their name.
    """

    def __init__(self, taken: Iterable[str], keys: Iterable[Hashable]) -> None:
        self._taken = set(taken)
        self.of_groups = {kind: self._new(stem) for kind, stem in GROUPS.items()}
        self.of_columns = {key: self._new(key) for key in keys}

    def _new(self, key: Hashable) -> str:
        name = unique_name(key, self._taken)
        self._taken.add(name)
        return name


def _kinds_of_columns(
    table: Table, keys: Sequence[Hashable], words: Words, known: Mapping[Hashable, Kind]
) -> dict[Hashable, Kind]:
    """Return the kind of each column.

    Columns without a value, of which neither the user nor a type tells more, count as numbers, all
    missing, where there are numbers.
    """
    kinds = {key: known.get(key) or _said_or_seen(key, table, words) for key in keys}
    if any(kind.name == "number" and key not in known for key, kind in kinds.items()):
        kinds = {
            key: Kind("number", "no value, as a missing number", is_empty=True)
            if kind.name == "empty" and key not in known
            else kind
            for key, kind in kinds.items()
        }
    if len(kinds) == table.n_columns and all(
        kind.is_empty or kind.name == "blank" for kind in kinds.values()
    ):
        raise BlockError(
            f"none of the {table.n_columns} columns of X has a value: {shown_names(table.keys)}. "
            "There is nothing to learn from; were the columns read as intended?"
        )
    return kinds


def _said_or_seen(key: Hashable, table: Table, words: Words) -> Kind:
    value = table.take(key)
    word = words.get(key)
    if word is None:
        return kind_of(key, value)
    if word != "drop":
        check_word(key, word, value)
        if isinstance(value, pd.Series) and not has_value(value):
            return Kind(word, "no value", is_empty=True)
    is_block = getattr(value, "ndim", 1) > 1 and word in ("array", "image", "audio")
    return Kind("passthrough" if is_block else word, f"columns={{{key!r}: {word!r}}}")


def _block_of_numbers(
    table: ArrayTable, keys: list[Hashable], recipes: Mapping[str, object], taken: Sequence[str]
) -> Choice:
    if not keys:
        return Choice()
    why = f"{table.source.dtype} values"
    filled = None if issparse(table.source) else pd.notna(table.take(keys)).any(axis=0)
    kinds = {
        key: Kind("number", why, is_empty=filled is not None and not filled[place])
        for place, key in enumerate(keys)
    }
    name = unique_name("numbers", set(taken))
    if issparse(table.source) and recipes.get("numbers") is None:
        return Choice([(name, "passthrough", keys)], kinds)
    is_plain = table.source.dtype.kind != "O" and _is_plain(table.source)
    cells = "plain" if is_plain or table.source.dtype.kind == "O" else "any"
    return Choice([(name, _reading(recipes.get("numbers"), cells), keys)], kinds)


def transformer_of(kind: str, table: Table, columns: Any, recipes: Mapping[str, object]) -> object:
    """Return what is put on ``columns`` of a kind: the user's recipe, or the usual one."""
    if kind == "passthrough":
        return "passthrough"
    name = RECIPE_OF[kind]
    given = recipes.get(name)
    if name == "numbers":
        return _reading(given, _cells_of_numbers(table, as_list(columns)))
    if name == "booleans" and given is not None:
        return make_pipeline(PlainFlags(), given)
    if name == "text" and given is None and not repeat_words(_texts(table.take(columns))):
        return single_words()
    return RECIPES[name]() if given is None else given


def _texts(column: object) -> Collection[object]:
    return column.dropna().tolist() if isinstance(column, pd.Series) else np.asarray(column).ravel()


def _reading(given: object, cells: str) -> object:
    """Return the transformer of numbers, behind one that makes floats of such cells."""
    if given is None:
        return numbers(cells)
    return given if cells == "plain" else make_pipeline(*reading_numbers(cells), given)


def _cells_of_numbers(table: Table, keys: list[Any]) -> str:
    columns = [table.take(key) for key in keys]
    if all(map(_is_plain, columns)):
        return "plain"
    with_value = (one for one in columns if not isinstance(one, pd.Series) or has_value(one))
    return "texts" if any(kind_of_values(one) == "text" for one in with_value) else "any"


def _is_plain(values: Any) -> bool:
    """Return whether ``values`` are numbers of numpy's own types, and some in each column."""
    if not is_numeric(values):
        return False
    if isinstance(values, pd.Series):
        return has_value(values)
    return values.dtype.kind != "f" or not np.isnan(values).all(axis=0).any()


# What a block is called


def unique_name(key: Any, taken: set[str]) -> str:
    """Return what the block of a column, or of several, is called."""
    stem = re.sub(r"[\W_]+", "_", key if isinstance(key, str) else f"x{key}").strip("_")
    stem = f"{stem}_block" if stem in RESERVED else stem or "block"
    name, number = stem, 2
    while name in taken:
        name, number = f"{stem}_{number}", number + 1
    return name
