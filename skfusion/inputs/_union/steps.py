"""Steps of a union, ``(name, transformer, columns)``: what is allowed, what is at work."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch, get_tags

from skfusion._checks import did_you_mean
from skfusion.blocks._agreement import check_block_name
from skfusion.exceptions import BlockError, BlockTypeError, ParameterError
from skfusion.inputs._union.recipes import RECIPES

__all__ = [
    "Steps",
    "active_steps",
    "check_dtype",
    "check_names",
    "check_steps",
    "fresh",
    "is_word",
    "learns_in_chunks",
    "params_of",
    "well_formed",
]

Steps = list[tuple[str, Any, Any]]

_EXAMPLE = "such as [('facts', StandardScaler(), ['price'])]"


def well_formed(transformers: Any) -> Steps:
    """Return the triples in ``transformers``, whatever it is: parameters are checked by fit."""
    if not isinstance(transformers, (list, tuple)):
        return []
    return [
        tuple(step)
        for step in transformers
        if isinstance(step, (list, tuple)) and len(step) == 3 and isinstance(step[0], str)
    ]


def check_steps(transformers: Any, parameters: dict[str, Any]) -> Steps:
    """Return ``transformers`` as triples with valid names; ``parameters`` are the union's own."""
    if not isinstance(transformers, (list, tuple)) or not transformers:
        raise ParameterError(
            f"transformers must be a list of (name, transformer, columns), {_EXAMPLE}. "
            f"Got {transformers!r}. Leave it out to let BlockUnion() choose by column."
        )
    for step in transformers:
        if not isinstance(step, (list, tuple)) or len(step) != 3:
            raise ParameterError(
                f"each of transformers must be (name, transformer, columns), {_EXAMPLE}. "
                f"Got {step!r}."
            )
        _check_own_name(check_block_name(step[0]), parameters)
    return well_formed(transformers)


def _check_own_name(name: str, parameters: dict[str, Any]) -> None:
    if name in parameters and name not in RECIPES:
        raise BlockError(
            f"no block can be called {name!r}, which is a parameter of BlockUnion. "
            f"Call it {name + '_block'!r}."
        )


def check_names(steps: Steps) -> None:
    """Raise if two steps have one name, or none makes a block."""
    name, count = Counter(name for name, _, _ in steps).most_common(1)[0]
    if count > 1:
        raise BlockError(
            f"{count} blocks are called {name!r}. A block is known by its name; rename all but one."
        )
    if not active_steps(steps):
        raise BlockError(
            "BlockUnion makes no block: each is dropped or has no columns. "
            "Give at least one block a transformer and a column."
        )


def active_steps(steps: Steps) -> Steps:
    """Return the steps that make a block: not dropped, and with columns."""
    return [step for step in steps if not is_word(step[1], "drop") and not _is_empty_list(step[2])]


def _is_empty_list(columns: Any) -> bool:
    return isinstance(columns, list) and not columns


def is_word(transformer: Any, word: str) -> bool:
    """Return whether ``transformer`` is the string ``word``; some transformers define ``==``."""
    return isinstance(transformer, str) and transformer == word


def fresh(name: str, transformer: Any) -> Any:
    """Return an unfitted copy of ``transformer``, or "passthrough".

    Raises
    ------
    BlockTypeError
        If it is neither.
    """
    if is_word(transformer, "passthrough"):
        return transformer
    is_able = hasattr(transformer, "transform") and (
        hasattr(transformer, "fit") or hasattr(transformer, "fit_transform")
    )
    if is_able and not isinstance(transformer, type):
        return clone(transformer)
    raise BlockTypeError(f"block {name!r}: {_what_is_wrong(transformer)}")


def _what_is_wrong(transformer: Any) -> str:
    if isinstance(transformer, type):
        return f"{transformer.__name__} is a class. Pass an instance: {transformer.__name__}()."
    rule = "a transformer has fit and transform, or is 'passthrough' or 'drop'."
    hint = did_you_mean(transformer, ("passthrough", "drop"))
    return f"{rule} Got {transformer!r}. {hint}".rstrip()


def learns_in_chunks(union: Any) -> bool:
    """Return True if every transformer of ``union`` can learn from one chunk of rows after another.

    Raises
    ------
    AttributeError
        If not; names the block.
    """
    if union.transformers is None or is_word(union.remainder, "auto"):
        raise AttributeError(
            "BlockUnion() chooses by looking at all rows, and has no partial_fit. Name the blocks "
            "and their transformers, or fit it on a sample of the rows."
        )
    for name, transformer, _ in [
        *well_formed(union.transformers),
        ("remainder", union.remainder, 0),
    ]:
        if not (isinstance(transformer, str) or _learns_in_chunks(transformer)):
            raise AttributeError(
                f"block {name!r}: {type(transformer).__name__} learns from all rows at once. Take "
                "one that has partial_fit or needs no fit, such as HashingVectorizer for text, or "
                "fit the union on a sample of the rows."
            )
    return True


def _learns_in_chunks(transformer: Any) -> bool:
    if isinstance(transformer, type) or hasattr(transformer, "partial_fit"):
        return True  # what a class is doing there is told by ``fresh``
    return hasattr(transformer, "__sklearn_tags__") and not get_tags(transformer).requires_fit


def params_of(routed: Any, name: str) -> Any:
    """Return the metadata routed to block ``name``; nothing where BlockUnion() chose it."""
    nothing: Bunch = Bunch(fit={}, transform={}, fit_transform={})
    return routed.get(name, nothing)


def check_dtype(dtype: Any) -> np.dtype | None:
    """Return ``dtype`` as float32 or float64, the types that networks and scipy share, or None."""
    if dtype is None:
        return None
    try:
        known = np.dtype(dtype)
    except TypeError:
        known = None
    if known not in (np.float32, np.float64):
        raise ParameterError(
            f"dtype must be 'float32' or 'float64', or None to cast nothing. Got {dtype!r}."
        )
    return known
