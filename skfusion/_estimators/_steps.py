"""The steps of a fit, in the order in which they are done; see ``FusionEstimator._learn``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from skfusion._estimators._arguments import (
    Arguments,
    check_lengths,
    net_dtype,
)
from skfusion._estimators._call import Call, FitData, TrainingData
from skfusion._estimators._changes import continued
from skfusion._estimators._held_out import (
    check_groups,
    holds_out,
    split_rows,
)
from skfusion._estimators._parameters import check_names_free
from skfusion._estimators._rows import check_given, check_rows, scaled, with_weight
from skfusion._estimators._scoring import HeldOut, scorer_of_outputs
from skfusion._estimators._state import FittedState
from skfusion._module import ModulePlan
from skfusion._reading import Reader
from skfusion._training import (
    Checkpoint,
    Net,
    Rows,
    Run,
    TrainingCallback,
    make_net,
    pick_device,
    seeded,
)
from skfusion._warn import warn_user
from skfusion.blocks import Blocks
from skfusion.encoders._choose import check_same_words, choose_encoders, meant
from skfusion.exceptions import noted
from skfusion.targets import Coding
from skfusion.targets._class_weight import weight_by_class
from skfusion.typing import ValidationData

__all__ = ["code_target", "net_for", "new_reader", "read_rows", "run_of"]


def read_rows(call: Call, data: FitData) -> tuple[Reader, Blocks]:
    """Return X as blocks, and what read it: a new reader, or that of the fit before."""
    X, missing = data.X, call.arguments.missing
    y = check_given(data.y, call.owner.__name__)
    if call.before is None:
        reader = new_reader(call.owner, call.arguments)
        blocks = reader.fit(X)
        if reader.union_ is not None:
            check_same_words(call.arguments.encoders, reader.union_.named_transformers_)
    else:
        reader = call.before.reader.with_missing(missing).with_memory(call.arguments.memory)
        blocks = reader.read(X)
    check_rows(blocks, y, missing)
    return reader, blocks


def new_reader(owner: type, arguments: Arguments) -> Reader:
    """Return what reads X by these arguments, to be fitted."""
    encoders = meant(arguments.encoders)
    return Reader(owner.__name__, arguments.missing, arguments.memory, arguments.union, encoders)


def code_target(call: Call, reader: Reader, blocks: Blocks, data: FitData) -> TrainingData:
    """Return the rows of a weight above 0, with the target that codes their y."""
    recipe, options = call.arguments.target, call.arguments.target_options
    groups = check_groups(data.groups, len(blocks))
    blocks, checked, weight, groups = with_weight(
        blocks, recipe.read(data.y), data.sample_weight, groups
    )
    weight = scaled(weight, weight_by_class(call.arguments.class_weight, checked))
    if call.before is None:
        check_names_free(call.owner, blocks.names)
        target = recipe.learn(checked, weight, replace(options, classes=call.classes))
        check_lengths(call.arguments.training.batch_by_length, blocks.specs())
    else:
        target = call.before.target.with_options(options)
    rows = Rows(blocks.row_major(), target.encode(checked), weight)
    held_out = _held_out(call, reader, target, data.validation)
    return TrainingData(blocks, checked, target, rows, groups, held_out)


def _held_out(
    call: Call, reader: Reader, target: Coding, given: ValidationData | None
) -> HeldOut | None:
    """Return the rows that the user gave to measure on, if there are any."""
    if given is None:
        return None
    X, y, *weights = given
    with noted("validation_data"):
        blocks = reader.read(X)
        check_rows(blocks, y, call.arguments.missing)
        blocks, checked, weight, _ = with_weight(
            blocks, call.arguments.target.read(y), weights[0] if weights else None
        )
        weight = scaled(weight, weight_by_class(call.arguments.class_weight, checked))
        return HeldOut(Rows(blocks.row_major(), target.encode(checked), weight), checked)


def net_for(call: Call, learned: TrainingData, seed: int) -> Net:
    """Return a new net, or a copy of the one before that follows the arguments."""
    arguments, target = call.arguments, learned.target
    if call.before is not None:
        return continued(call.before, target, arguments)
    specs = learned.blocks.specs()
    plan = ModulePlan(
        specs,
        choose_encoders(arguments.encoders, specs, arguments.fusion.encoder_for),
        arguments.fusion,
        arguments.head,
        target.output,
        net_dtype(specs),
        block_heads=arguments.training.balance.needs_heads,
    )
    with seeded(seed):
        return make_net(plan, target, arguments.training, pick_device(arguments.device))


def run_of(
    call: Call,
    learned: TrainingData,
    state: FittedState,
    checkpoint: Checkpoint | None,
    callbacks: Sequence[tuple[str, TrainingCallback]],
) -> Run:
    """Return what is to be trained: these rows, that long, measured on those."""
    train, held_out = _split(call, learned, state.seed)
    scorer, score = call.arguments.scorer, None
    if scorer is not None and held_out is not None:
        score = scorer_of_outputs(scorer, learned.target, held_out)
    return Run(
        train,
        call.n_epochs,
        seed=state.seed + 1 + len(state.net.history),
        held_out=None if held_out is None else held_out.rows,
        score=score,
        stops=call.arguments.early_stopping is not False,
        whole=call.whole,
        checkpoint=checkpoint,
        callbacks=callbacks,
    )


def _split(call: Call, learned: TrainingData, seed: int) -> tuple[Rows, HeldOut | None]:
    """Return the rows to train on, and those to hold out, if there are any."""
    rows, split = learned.rows, call.arguments.validation_split
    if learned.held_out is not None:
        return rows, learned.held_out
    if not (call.whole and holds_out(call.arguments.early_stopping, split, len(rows))):
        _warn_of_no_use(call, learned)
        return rows, None
    strata = learned.target.strata(learned.y)
    chosen, held_out = split_rows(split, learned.y, strata, learned.groups, seed)
    return rows[chosen], HeldOut(rows[held_out], learned.y[held_out])


def _warn_of_no_use(call: Call, learned: TrainingData) -> None:
    """Warn of what was said of held-out rows, where "auto" holds out none of so few rows."""
    if not call.whole or call.arguments.early_stopping is False:
        return
    asked = {"groups": learned.groups, "scoring": call.arguments.scorer}
    given = [name for name, value in asked.items() if value is not None]
    if given:
        warn_user(
            f"{' and '.join(given)} have no effect: of {len(learned.rows)} rows none is held out. "
            "Set early_stopping=True, or give validation_data."
        )
