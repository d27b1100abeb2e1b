"""The checkpoint of a fit: of these arguments, these rows, this network."""

from __future__ import annotations

from numbers import Integral

from skfusion._estimators._call import Call, TrainingData
from skfusion._estimators._fingerprint import content, fingerprint
from skfusion._training import Checkpoint, Net

__all__ = ["open_checkpoint"]


def open_checkpoint(call: Call, learned: TrainingData, net: Net, seed: int) -> Checkpoint | None:
    """Return the checkpoint of a whole fit of these rows, with its state if there is one."""
    arguments, n_epochs = call.arguments, call.n_epochs
    if arguments.checkpoint is None or not call.whole:
        return None
    words = fingerprint(call.owner, call.params, learned.blocks, learned.y, learned.rows.weight)
    if arguments.random_state is not None:
        words["random_state"] = str(seed)
    if learned.groups is not None:
        words["groups"] = content(learned.groups)
    if learned.held_out is not None:
        given = learned.held_out.rows
        words["validation_data"] = content((given.blocks, given.codes, given.weight))
    if arguments.plans_ahead:
        words["max_epochs"] = str(n_epochs)
    if call.before is not None:
        words["weights to go on from"] = content(call.before.net.module_.state_dict())
    extends = isinstance(arguments.random_state, Integral) and not arguments.plans_ahead
    checkpoint = Checkpoint(arguments.checkpoint, words, call.owner.__name__, seed, extends)
    n_before = len(net.history)
    checkpoint.read(n_before + n_epochs, n_before)
    return checkpoint
