"""The steps of a union for a table: the blocks that are named, and those that are chosen."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from skfusion.blocks._agreement import check_block_name, check_blocks_exist
from skfusion.inputs._tables.table import NamedTable, Table
from skfusion.inputs._union.choose import Choice, choose_transformers
from skfusion.inputs._union.columns import as_list, resolve_columns
from skfusion.inputs._union.guesses import warn_of_empty, warn_of_guesses
from skfusion.inputs._union.kinds import Kind
from skfusion.inputs._union.own_blocks import NamedEncoders, check_left_to_choose, own_blocks
from skfusion.inputs._union.recipes import RECIPES
from skfusion.inputs._union.steps import (
    Steps,
    active_steps,
    check_names,
    check_steps,
    fresh,
    is_word,
)
from skfusion.inputs._union.words import Words, column_words, wants_default

if TYPE_CHECKING:
    from skfusion.inputs._union.union import BlockUnion

__all__ = ["Plan", "plan_of"]


@dataclass
class Plan:
    """What a union does with a table.

    Parameters
    ----------
    steps : list of (name, transformer, columns)
        All steps, with resolved columns.
    kinds : dict of key to Kind
        What the columns that no block names were taken for.
    words : dict of key to str
        Kinds that the user gave.
    table : Table
        The table.
    """

    steps: Steps
    kinds: dict[Hashable, Kind]
    words: Words
    table: Table

    def warn(self) -> None:
        """Warn of columns that may be something else than they are taken for, or hold nothing."""
        warn_of_guesses(self.table, self.kinds, self.words)
        warn_of_empty(self.table, self.kinds, self.words)


def plan_of(union: BlockUnion, table: Table, encoders: NamedEncoders) -> Plan:
    """Return the steps with resolved columns, the remainder included; nothing is fitted.

    A column that is chosen for, and for which one of ``encoders`` is named, is a block of its own.

    Raises
    ------
    ParameterError, BlockError, BlockTypeError
        For steps, columns and words that cannot be; each names block or column.
    """
    words = column_words(union.columns, table)
    named = _named_steps(union, table)
    used = {key for _, _, columns in named for key in as_list(columns)}
    chooses = union.transformers is None or is_word(union.remainder, "auto")
    wants_default(words, list(used), chooses)
    left = [key for key in table.keys if key not in used] if chooses else []
    check_left_to_choose(encoders, table, named, left)
    if not chooses:
        plan = Plan([*named, *_remaining(union, named, table)], {}, words, table)
        return _checked(plan, encoders)
    recipes = {name: vars(union)[name] for name in RECIPES}
    for name, recipe in recipes.items():
        if recipe is not None:
            fresh(name, recipe)
    taken = [name for name, _, _ in named]
    own = own_blocks(encoders, table, left, words, recipes, taken)
    chosen = choose_transformers(table, left, words, recipes, taken, own) if left else Choice()
    steps = [*named, *chosen.steps]
    all_steps = [*steps, *_passed_over(union, steps, chosen, table)]
    return _checked(Plan(all_steps, chosen.kinds, words, table), encoders)


def _checked(plan: Plan, encoders: NamedEncoders) -> Plan:
    check_names(plan.steps)
    check_blocks_exist(encoders, [name for name, _, _ in active_steps(plan.steps)], plan.kinds)
    return plan


def _named_steps(union: BlockUnion, table: Table) -> Steps:
    if union.transformers is None:
        return []
    return [
        (name, transformer, resolve_columns(name, columns, table))
        for name, transformer, columns in check_steps(
            union.transformers, union.get_params(deep=False)
        )
    ]


def _passed_over(union: BlockUnion, steps: Steps, chosen: Choice, table: Table) -> Steps:
    """Return the step of the columns for which nothing was chosen."""
    if not any(is_word(union.remainder, word) for word in ("auto", "drop")):
        dropped = {key for key, kind in chosen.kinds.items() if kind.name == "drop"}
        return _remaining(union, [*steps, ("dropped", "drop", list(dropped))], table)
    used = {key for _, _, columns in steps for key in as_list(columns)}
    rest = [key for key in table.keys if key not in used]
    return [("remainder", "drop", rest)] if rest else []


def _remaining(union: BlockUnion, steps: Steps, table: Table) -> Steps:
    used = {key for _, _, columns in steps for key in as_list(columns)}
    rest = [key for key in table.keys if key not in used]
    remainder: Any = union.remainder
    if not is_word(remainder, "drop"):
        fresh("remainder", remainder)
    if not rest:
        return []
    if isinstance(table, NamedTable) and is_word(remainder, "passthrough"):
        return [(check_block_name(key), "passthrough", key) for key in rest]
    return [("remainder", remainder, rest)]
