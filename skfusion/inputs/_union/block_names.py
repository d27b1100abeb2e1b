"""Names of the columns that ``Blocks.hstack()`` lays side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfusion.blocks import BlockSpec

__all__ = ["names_of_block"]


def names_of_block(name: str, transformer: Any, sources: list[str], spec: BlockSpec) -> list[str]:
    """Return ``block__feature`` for each column of a 2-D block; else the block's own name."""
    if len(spec.shape) != 1 or spec.shape[0] is None:
        return [name]
    return [f"{name}__{feature}" for feature in _features(transformer, sources, spec.shape[0])]


def _features(transformer: Any, sources: list[str], width: int) -> list[str]:
    if hasattr(transformer, "get_feature_names_out"):
        names = _per_input(sources, getattr(transformer, "n_features_in_", len(sources)))
        return list(transformer.get_feature_names_out(names))
    names = _per_input(sources, width)
    return [str(number) for number in range(width)] if len(names) != width else names


def _per_input(sources: list[str], n_inputs: int) -> Any:
    """Return one name per input column: an array of a dict has one name and several columns."""
    if len(sources) == 1 and n_inputs > 1:
        return np.array([f"{sources[0]}{number}" for number in range(n_inputs)], dtype=object)
    return np.array(sources, dtype=object)
