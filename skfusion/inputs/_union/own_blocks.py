"""How a column is read for which an encoder is named: as a block of its own that this can take."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import pandas as pd

from skfusion.blocks import FORMS
from skfusion.blocks._agreement import check_block_name
from skfusion.blocks._dense import are_whole
from skfusion.exceptions import BlockError, ParameterError, noted
from skfusion.inputs._arrays import array_of_cell
from skfusion.inputs._sequences.array_stacker import ArrayStacker
from skfusion.inputs._sequences.sequence_stacker import SequenceStacker
from skfusion.inputs._tables.plain import plain_floats
from skfusion.inputs._tables.table import Table
from skfusion.inputs._union.absent import ABSENT_FORMS, AbsentBlock
from skfusion.inputs._union.choose import (
    GROUPS,
    RECIPE_OF,
    RESERVED,
    OwnBlock,
    transformer_of,
    unique_name,
)
from skfusion.inputs._union.columns import as_list
from skfusion.inputs._union.guesses import guess_of
from skfusion.inputs._union.kinds import Kind, kind_of
from skfusion.inputs._union.recipes import (
    RECIPES,
    dense_categories,
    form_made_by,
    frames,
    words,
    words_of_labels,
)
from skfusion.inputs._union.same_kinds import kind_of_values
from skfusion.inputs._union.steps import Steps
from skfusion.inputs._union.words import HELD, Words, check_word

__all__ = ["NamedEncoders", "ReadsColumns", "check_left_to_choose", "own_blocks"]


class ReadsColumns(Protocol):
    """What has to be known of an encoder to read a column for it; see ``Encoder``."""

    def accepts(self, form: str) -> bool: ...

    def reads(self, kind: str) -> object | None: ...

    def misfit(self, name: str, what: str, forms: Iterable[str]) -> BlockError: ...


NamedEncoders: TypeAlias = Mapping[str, ReadsColumns]


class _Way(NamedTuple):
    """A transformer that reads a column as this kind, and the forms that its block may have."""

    kind: Kind
    forms: tuple[str, ...]
    make: Callable[[], object]


_USUAL_FORMS = {
    "audio": "sequence",
    "boolean": "vector",
    "category": "csr",
    "date": "vector",
    "image": "image",
    "number": "vector",
    "text": "csr",
}
# The same where the user gave a transformer that is not known.
_POSSIBLE_FORMS = {
    "array": FORMS,
    "audio": ("sequence", "waveform", "vector", "image"),
    "boolean": ("vector", "csr"),
    "category": ("csr", "vector", "tokens"),
    "date": ("vector", "csr"),
    "image": ("image", "vector", "sequence"),
    "number": ("vector", "csr"),
    "text": ("csr", "tokens", "vector", "sequence"),
}
# By kind, what else can be made of it.
_FURTHER: dict[str, dict[str, Callable[[], object]]] = {
    "category": {"vector": dense_categories, "tokens": words_of_labels},
    "image": {"video": frames},
    "text": {"tokens": words},
}


def own_blocks(
    encoders: NamedEncoders,
    table: Table,
    keys: Sequence[Hashable],
    words: Words,
    recipes: Mapping[str, object],
    taken: Sequence[str],
) -> dict[Hashable, OwnBlock]:
    """Return the blocks of the columns for which an encoder is named, by column.

    Parameters
    ----------
    encoders : mapping of str to ReadsColumns
        By the name of a column, or of the block that it gets; others are none of a column.
    table, keys, words, recipes, taken
        As for ``choose_transformers``.

    Raises
    ------
    BlockError
        For a column that its encoder can take in no form, one without a value (of an encoder of
        vectors, csr or tokens it is an absent block), and one whose name cannot be that of a block.
    """
    found: dict[Hashable, OwnBlock] = {}
    for name, encoder in encoders.items():
        key = None if name in taken else _column_of(name, keys)
        if key is None:
            continue
        value = table.take(key)
        if isinstance(value, np.ndarray | pd.Series) and value.ndim == 1:
            column = _Column(key, value, words.get(key), table, recipes)
            found[key] = column.block_for(_checked_name(name), encoder)
    return found


def check_left_to_choose(
    encoders: NamedEncoders, table: Table, steps: Steps, left: Sequence[Hashable]
) -> None:
    """Raise ``BlockError`` for an encoder of a column that is not one of those ``left`` to choose.

    Parameters
    ----------
    encoders, table
        As for ``own_blocks``.
    steps : list of (name, transformer, columns)
        The blocks that the user named.
    left : list of str or int
        Columns for which the union chooses.
    """
    block_of = {key: name for name, _, columns in steps for key in as_list(columns)}
    for name in encoders:
        if name in table.keys and name not in left and name not in {step[0] for step in steps}:
            raise BlockError(
                f"encoders names the column {name!r}, which is part of block {block_of[name]!r}. "
                f"Name that block, or leave the column out of it."
                if name in block_of
                else f"encoders names the column {name!r}, which the union leaves out. Give it "
                "remainder='auto', or a block of this column."
            )


def _column_of(name: str, keys: Sequence[Hashable]) -> Hashable | None:
    if name in keys:
        return name
    if name in GROUPS.values():
        return None
    return next((key for key in keys if unique_name(key, set()) == name), None)


def _checked_name(name: str) -> str:
    instead = unique_name(name, set())
    try:
        check_block_name(name)
    except BlockError as error:
        raise BlockError(
            f"encoders: no block can be called like the column {name!r}. Name it {instead!r} there."
        ) from error
    if name in RESERVED:
        raise BlockError(
            f"encoders: {name!r} is a parameter of the estimator, and no block can be called so. "
            f"Name that of the column {instead!r}."
        )
    return name


class _Column:
    """A column for which an encoder is named, and the ways in which it can be read."""

    def __init__(
        self,
        key: Hashable,
        value: np.ndarray | pd.Series,
        word: str | None,
        table: Table,
        recipes: Mapping[str, object],
    ) -> None:
        self.key, self.value, self.word, self.table, self.recipes = key, value, word, table, recipes
        self.held = kind_of_values(value)

    def block_for(self, name: str, encoder: ReadsColumns) -> OwnBlock:
        """Return the block by the first way that the encoder accepts."""
        self._check_wanted(name, encoder)
        kinds = self._kinds()
        if kinds[0].name in ("empty", "blank"):
            form = next(filter(encoder.accepts, ABSENT_FORMS), None)
            if form is not None:  # such as in a fold
                return OwnBlock(name, kinds[0], AbsentBlock(form), self.key)
            raise BlockError(
                f"column {self.key!r} has no value of which {encoder!r:.60} could learn "
                f"({kinds[0].why}). Leave {name!r} out of `encoders`, or give rows that have one."
            )
        ways = list(self._ways(kinds))
        for kind in [*kinds, *self._also(ways)]:
            with noted(f"column {self.key!r}"):
                transformer = encoder.reads(kind.name)
            if transformer is not None:
                return self._block(name, kind, transformer, encoder)
        for way in ways:
            if any(map(encoder.accepts, way.forms)):
                return self._block(name, way.kind, way.make(), encoder)
        what = f"column {self.key!r} holds {HELD[self.held]}{self._if_paths(encoder)}"
        raise encoder.misfit(name, what, [form for way in ways for form in way.forms])

    def _if_paths(self, encoder: ReadsColumns) -> str:
        if self.held != "text" or self.word is not None or encoder.accepts("vector"):
            return ""
        if not (encoder.accepts("image") or encoder.accepts("video")):
            return ""
        return f" (paths of images, columns={{{self.key!r}: 'image'}}, it could)"

    def _block(self, name: str, kind: Kind, transformer: object, encoder: ReadsColumns) -> OwnBlock:
        columns = [self.key] if kind.name in GROUPS else self.key
        seen = Kind(kind.name, f"{kind.why}; read for {encoder!r:.60}")
        return OwnBlock(name, seen, transformer, columns)

    def _check_wanted(self, name: str, encoder: ReadsColumns) -> None:
        if self.word == "drop":
            raise ParameterError(
                f"columns={{{self.key!r}: 'drop'}} contradicts encoders={{{name!r}: {encoder!r}}}. "
                "Leave the column out of one of them."
            )

    def _kinds(self) -> list[Kind]:
        """Return what the column may be taken for, the likeliest first."""
        if self.held == "nothing":
            return [Kind("empty", "no value", is_empty=True)]
        if self.word is not None:
            check_word(self.key, self.word, self.value)
            return [Kind(self.word, f"columns={{{self.key!r}: {self.word!r}}}")]
        if self.held == "bytes" or (self.held == "other" and self._starts_with_file()):
            return [Kind(name, HELD[self.held]) for name in ("image", "audio")]
        seen = kind_of(self.key, self.value)
        kinds = [seen]
        guess = guess_of(self.key, seen.name, self.value) if self.held == "text" else None
        if guess is not None and guess.word != "drop":
            kinds.append(Kind(guess.word, guess.looks_like))
        if seen.name == "boolean" or (seen.name == "number" and self._are_whole()):
            kinds.append(Kind("category", f"{pd.Series(self.value).nunique():,} different values"))
        return kinds

    def _starts_with_file(self) -> bool:
        """Whether the first cell is a path or an image, whose type pandas has no name for."""
        cell = pd.Series(self.value).dropna().iloc[0]
        return isinstance(cell, os.PathLike) or hasattr(cell, "__array_interface__")

    def _are_whole(self) -> bool:
        """Whether all numbers are whole, also where some are missing, so that others are floats."""
        return are_whole(plain_floats(pd.Series(self.value).dropna()))

    def _ways(self, kinds: list[Kind]) -> Iterator[_Way]:
        """Yield the usual way of each kind, then what else can be made of one."""
        yield from chain.from_iterable(map(self._usual, kinds))
        for kind in reversed(kinds):
            for form, make in _FURTHER.get(kind.name, {}).items():
                yield _Way(kind, (form,), make)

    def _also(self, ways: list[_Way]) -> Iterator[Kind]:
        """Yield what an encoder that reads columns itself may take the column for."""
        if self.held == "text" and self.word is None:
            yield Kind("text", "texts")
        if self.held == "array" and any("image" in way.forms for way in ways):
            yield Kind("image", "arrays in its cells")

    def _usual(self, kind: Kind) -> Iterator[_Way]:
        if kind.name == "array" and self.recipes.get("arrays") is None:
            yield from _ways_of_arrays(kind, pd.Series(self.value))
            return
        given = self.recipes.get(RECIPE_OF[kind.name])
        columns = [self.key] if kind.name in GROUPS else self.key
        form = _USUAL_FORMS.get(kind.name) if given is None else form_made_by(given)
        forms = _POSSIBLE_FORMS[kind.name] if form is None else (form,)
        make = partial(transformer_of, kind.name, self.table, columns, self.recipes)
        yield _Way(kind, forms, make)


# Arrays in cells

_OF_PIXELS = {np.dtype(kind) for kind in (np.uint8, np.uint16, np.bool_)}


def _ways_of_arrays(kind: Kind, column: pd.Series) -> Iterator[_Way]:
    try:
        arrays = [array_of_cell(cell) for cell in column.dropna()]
    except (BlockError, TypeError, ValueError, RuntimeError):
        yield _Way(kind, FORMS, ArrayStacker)  # which says what is wrong with the cell
        return
    arrays = [array for array in arrays if array.size]
    is_uniform = len({array.shape for array in arrays}) == 1
    dtypes = {array.dtype for array in arrays}
    if arrays[0].ndim == 1:
        ragged = "tokens" if all(dtype.kind in "iu" for dtype in dtypes) else "waveform"
        yield _Way(kind, ("vector" if is_uniform else ragged,), ArrayStacker)
        yield _Way(kind, ("sequence",), SequenceStacker)
    elif arrays[0].ndim == 2:
        yield _Way(kind, ("sequence",), ArrayStacker)
        if dtypes <= _OF_PIXELS:
            yield _Way(kind, ("image",), RECIPES["images"])
    elif arrays[0].ndim == 3:
        yield _Way(kind, ("image",), ArrayStacker if is_uniform else RECIPES["images"])
        if dtypes <= _OF_PIXELS:
            yield _Way(kind, ("video",), frames)
    else:
        yield _Way(kind, ("video",), ArrayStacker if is_uniform else frames)
