"""Several nets of one plan: what is frozen of them is one, and is computed once for all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from joblib import Memory
from torch import nn

from skfusion._frozen import encode_frozen
from skfusion._training._net import Net, Part
from skfusion._training._outputs import Inspect, outputs_of_all
from skfusion._training._parameter_groups import to_pretrain
from skfusion._training._rows import Rows
from skfusion._training._torch_state import offer
from skfusion.blocks import Blocks

__all__ = [
    "encode_shared",
    "encode_shared_once",
    "outputs_of_members",
    "outputs_of_rows",
    "share_frozen",
]


def share_frozen(nets: Sequence[Net]) -> None:
    """Let all nets have the frozen parts of the first one, so far as they are equal."""
    first, *others = nets
    for name, part in first.module_.frozen_parts().items():
        for net in others:
            own = net.module_.frozen_parts()[name]
            if _are_equal(part, own):
                _put_in_place(net.module_, own, part)


def _are_equal(part: nn.Module, other: nn.Module) -> bool:
    mine, theirs = part.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(
        torch.equal(value, theirs[key]) for key, value in mine.items()
    )


def _put_in_place(module: nn.Module, old: nn.Module, new: nn.Module) -> None:
    for owner in list(module.modules()):
        for name, child in list(owner.named_children()):
            if child is old:
                setattr(owner, name, new)


def _shared(nets: Sequence[Net]) -> frozenset[str]:
    """Return the blocks whose encoders' frozen parts are one in all nets."""
    first, *others = (net.module_.frozen_parts() for net in nets)
    return frozenset(
        name for name, part in first.items() if all(parts[name] is part for parts in others)
    )


def encode_shared(nets: Sequence[Net], parts: Sequence[Rows]) -> list[Rows]:
    """Return the rows with blocks encoded so far as it is the same for all nets, several of them.

    An encoder that is first trained alone needs its rows as they are.
    """
    net = nets[0]
    names = _shared(nets) - set(to_pretrain(net.module))
    if len(nets) == 1 or not names:
        return list(parts)
    blocks, encoded = encode_frozen(
        net.module_,
        net.module,
        [rows.blocks for rows in parts],
        net.placement,
        net.settings.memory,
        offer,
        names,
    )
    return [
        Rows(one, rows.codes, rows.weight, encoded) for one, rows in zip(blocks, parts, strict=True)
    ]


def outputs_of_members(
    nets: Sequence[Net], blocks: Blocks, inspect: Inspect, part: Part | None = None
) -> list[np.ndarray]:
    """Return what the module of each net, or a method of it, makes of ``blocks`` (n_rows, ...)."""
    blocks, names = encode_shared_once(nets, blocks)
    return outputs_of_all(nets, blocks, inspect, part, names)


def encode_shared_once(nets: Sequence[Net], blocks: Blocks) -> tuple[Blocks, frozenset[str]]:
    """Return blocks for a prediction, and which are encoded so far as it is the same for all."""
    names = _shared(nets) if len(nets) > 1 else frozenset()
    if not names:
        return blocks, names
    first, nothing = nets[0], Memory(None)
    encoded, names = encode_frozen(
        first.module_, first.module, [blocks], first.placement, nothing, _pass, names
    )
    return encoded[0], names


def outputs_of_rows(net: Net, rows: Rows, inspect: Inspect) -> np.ndarray:
    """Return what the module makes of rows, of which some blocks may be encoded already."""
    return outputs_of_all([net], rows.blocks, inspect, encoded=rows.encoded)[0]


def _pass() -> None:
    """A prediction waits for no fit."""
