"""The checkpoints of a fit: of these arguments, these rows, one a member."""

from __future__ import annotations

from numbers import Integral
from pathlib import Path

from skfusion._estimators._call import Call, TrainingData
from skfusion._estimators._fingerprint import content, fingerprint
from skfusion._training import Checkpoint

__all__ = ["open_checkpoints"]


def open_checkpoints(
    call: Call, learned: TrainingData, seed: int, n_members: int
) -> list[Checkpoint]:
    """Return the checkpoint of each member, with its state if there is one.

    Empty where none is asked for: a whole fit of these rows is kept, no part of one. All are of the
    seed of the fit, which is that of the first if there is one.
    """
    if call.arguments.checkpoint is None or not call.whole:
        return []
    words = _words(call, learned, seed)
    first, *others = (_open(call, words, seed, (number, n_members)) for number in range(n_members))
    for other in others:
        other.keep_only_of(first.seed)
    return [first, *others]


def _words(call: Call, learned: TrainingData, seed: int) -> dict[str, str]:
    """Return what the fit is of, in words."""
    arguments = call.arguments
    words = fingerprint(call.owner, call.params, learned.blocks, learned.y, learned.rows.weight)
    if arguments.random_state is not None:
        words["random_state"] = str(seed)
    if learned.groups is not None:
        words["groups"] = content(learned.groups)
    if learned.held_out is not None:
        given = learned.held_out.rows
        words["validation_data"] = content((given.blocks, given.codes, given.weight))
    if arguments.plans_ahead:
        words["max_epochs"] = str(call.n_epochs)
    return words


def _open(call: Call, words: dict[str, str], seed: int, place: tuple[int, int]) -> Checkpoint:
    """Return the checkpoint of one member; ``place`` is its number, and that of all members."""
    arguments, (number, n_members) = call.arguments, place
    assert arguments.checkpoint is not None
    path = Path(arguments.checkpoint)
    if n_members > 1:
        words = words | {"member": f"{number + 1} of {n_members}"}
        if path.suffix == ".pt":
            path = path.with_stem(f"{path.stem}-{number + 1}")
    before = None if call.before is None else call.before.nets[number]
    if before is not None:
        words = words | {"weights to go on from": content(before.module_.state_dict())}
    extends = isinstance(arguments.random_state, Integral) and not arguments.plans_ahead
    checkpoint = Checkpoint(path, words, call.owner.__name__, seed, extends)
    n_before = 0 if before is None else len(before.history)
    checkpoint.read(n_before + call.n_epochs, n_before)
    return checkpoint
