"""The steps of a fit, in the order in which they are done; see ``FusionEstimator._learn``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from skfusion._estimators._arguments import (
    Arguments,
    check_lengths,
    net_dtype,
)
from skfusion._estimators._call import Call, FitData, TrainingData
from skfusion._estimators._changes import continued
from skfusion._estimators._held_out import (
    check_groups,
)
from skfusion._estimators._members import Member
from skfusion._estimators._parameters import check_names_free
from skfusion._estimators._rows import check_given, check_rows, scaled, with_each_value, with_weight
from skfusion._estimators._scoring import HeldOut, scorer_of_outputs
from skfusion._estimators._state import FittedState
from skfusion._module import ModulePlan
from skfusion._reading import Reader, check_finite, rows_without_blocks, warn_of_scales
from skfusion._training import (
    Checkpoint,
    Net,
    Rows,
    Run,
    TrainingCallback,
    begin_at_prior,
    cleared_at_the_end,
    encode_shared,
    fit_net,
    learn_columns,
    make_net,
    outputs_of_rows,
    pick_device,
    seeded,
    share_frozen,
    warn_at_chance_level,
)
from skfusion._warn import warn_user
from skfusion.blocks import Blocks
from skfusion.encoders._choose import check_same_words, choose_encoders, meant
from skfusion.exceptions import noted
from skfusion.targets import Coding
from skfusion.targets._class_weight import weight_by_class
from skfusion.typing import ValidationData

__all__ = ["code_target", "nets_for", "new_reader", "read_rows", "train"]


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
    return Reader(
        owner.__name__,
        arguments.missing,
        arguments.memory,
        arguments.union,
        encoders,
        arguments.usual_union,
    )


def code_target(call: Call, reader: Reader, blocks: Blocks, data: FitData) -> TrainingData:
    """Return the rows of a weight above 0, with the target that codes their y."""
    recipe, options = call.arguments.target, call.arguments.target_options
    groups, n_given = check_groups(data.groups, len(blocks)), len(blocks)
    blocks, checked, weight, kept = with_weight(blocks, recipe.read(data.y), data.sample_weight)
    groups = groups if groups is None or kept is None else groups[kept]
    blocks, checked, weight, groups = with_each_value(recipe, blocks, checked, weight, groups)
    weight = scaled(weight, weight_by_class(call.arguments.class_weight, checked))
    if call.before is None:
        check_names_free(call.owner, blocks.names)
        target = recipe.learn(checked, weight, replace(options, classes=call.classes))
        check_lengths(call.arguments.training.batch_by_length, blocks.specs())
    else:
        target = call.before.target.with_options(options)
    rows = Rows(blocks.row_major(), target.encode(checked), weight)
    held_out = _held_out(call, reader, target, data.validation)
    return TrainingData(blocks, checked, target, rows, groups, held_out, kept, n_given)


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
        recipe = call.arguments.target
        blocks, checked, weight, _ = with_each_value(recipe, blocks, checked, weight)
        weight = scaled(weight, weight_by_class(call.arguments.class_weight, checked))
        return HeldOut(Rows(blocks.row_major(), target.encode(checked), weight), checked)


def nets_for(call: Call, learned: TrainingData, members: Sequence[Member]) -> tuple[Net, ...]:
    """Return a new net for each member, or copies of those before that follow the arguments."""
    arguments, target = call.arguments, learned.target
    if call.before is not None:
        return tuple(continued(net, target, arguments) for net in call.before.nets)
    specs = learned.blocks.specs()
    encoders = choose_encoders(arguments.encoders, specs, arguments.fusion.encoder_for)
    plain = [name for name, one in encoders.items() if not getattr(one, "standardize", False)]
    warn_of_scales(learned.blocks, plain)
    plan = ModulePlan(
        specs,
        encoders,
        arguments.fusion,
        arguments.head,
        target.output,
        net_dtype(specs),
        block_heads=arguments.training.balance.needs_heads,
    )
    prior = target.prior(learned.rows.codes, learned.rows.weight)
    nets = []
    for member in members:
        with seeded(member.seed):
            net = make_net(plan, target, arguments.training, pick_device(arguments.device))
        learn_columns(net, learned.rows)
        begin_at_prior(net, prior)
        nets.append(net)
    share_frozen(nets)
    return tuple(nets)


def train(
    call: Call,
    learned: TrainingData,
    members: Sequence[Member],
    state: FittedState,
    checkpoints: Sequence[Checkpoint],
    callbacks: Sequence[tuple[str, TrainingCallback]],
) -> list[np.ndarray]:
    """Train the nets of ``state``; return what each makes of the rows that it held out.

    For rows without any block it is the prior. Nothing is returned if none were held out, or if
    outputs differ in length from row to row.
    """
    _warn_of_no_use(call, learned, members)
    with seeded(state.seed, state.nets[0].placement):
        rows, *given = encode_shared(
            state.nets,
            [learned.rows, *([] if learned.held_out is None else [learned.held_out.rows])],
        )
        encoded = replace(
            learned,
            rows=rows,
            held_out=None if learned.held_out is None else replace(learned.held_out, rows=given[0]),
        )
    runs, outputs, ragged = [], [], learned.target.output.ragged
    with cleared_at_the_end(checkpoints):
        for number, (net, member) in enumerate(zip(state.nets, members, strict=True)):
            checkpoint = checkpoints[number] if checkpoints else None
            score = _score_of(call, learned, member)
            run = _run_of(call, encoded, member, net, score, checkpoint, callbacks)
            fit_net(net, run)
            runs.append(run)
            if member.split is not None and run.held_out is not None and not ragged:
                outputs.append(_outputs_of_held_out(net, run.held_out, state))
    if call.whole:
        warn_at_chance_level(state.nets, runs)
    return outputs


def _outputs_of_held_out(net: Net, rows: Rows, state: FittedState) -> np.ndarray:
    found = outputs_of_rows(net, rows, check_finite)
    without = rows_without_blocks(rows.blocks)
    if without is not None:
        found[without] = state.prior.outputs
    return found


def _run_of(
    call: Call,
    learned: TrainingData,
    member: Member,
    net: Net,
    score: Callable[[np.ndarray], float] | None,
    checkpoint: Checkpoint | None,
    callbacks: Sequence[tuple[str, TrainingCallback]],
) -> Run:
    """Return what one net is to be trained on: these rows, that long, measured on those."""
    held_out = _held_out_by(member, learned)
    return Run(
        learned.rows if member.split is None else learned.rows[member.split[0]],
        call.n_epochs,
        seed=member.seed + 1 + len(net.history),
        held_out=None if held_out is None else held_out.rows,
        score=score,
        stops=call.arguments.early_stopping is not False,
        whole=call.whole,
        checkpoint=checkpoint,
        callbacks=callbacks,
    )


def _score_of(
    call: Call, learned: TrainingData, member: Member
) -> Callable[[np.ndarray], float] | None:
    """Return what scores the outputs for held-out rows, if the user named a scorer."""
    scorer = call.arguments.scorer
    held_out = None if scorer is None else _held_out_by(member, learned)
    if scorer is None or held_out is None:
        return None
    return scorer_of_outputs(scorer, learned.target, held_out)


def _held_out_by(member: Member, learned: TrainingData) -> HeldOut | None:
    if member.split is None:
        return learned.held_out
    _, rows = member.split
    return HeldOut(learned.rows[rows], learned.y[rows])


def _warn_of_no_use(call: Call, learned: TrainingData, members: Sequence[Member]) -> None:
    """Warn of what was said of held-out rows, where "auto" holds out none of so few rows."""
    if not call.whole or call.arguments.early_stopping is False or learned.held_out is not None:
        return
    if members[0].split is not None:
        return
    asked = {"groups": learned.groups, "scoring": call.arguments.scorer}
    given = [name for name, value in asked.items() if value is not None]
    if given:
        warn_user(
            f"{' and '.join(given)} have no effect: of {len(learned.rows)} rows none is held out. "
            "Set early_stopping=True, or give validation_data."
        )
