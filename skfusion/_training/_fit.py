"""A net is trained: pretrained where asked for, then epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from skfusion._frozen import encode_frozen
from skfusion._training._callbacks import asked_to_stop
from skfusion._training._checkpoint import Save, begin_with
from skfusion._training._make import make_net
from skfusion._training._net import Net
from skfusion._training._outputs import evaluate
from skfusion._training._parameter_groups import to_pretrain
from skfusion._training._rows import Rows
from skfusion._training._run import Run
from skfusion._training._torch_state import lent, offer, seeded
from skfusion.exceptions import NonFiniteLossError, add_note

__all__ = ["fit_net", "pretrain"]


def fit_net(net: Net, run: Run) -> None:
    """Train ``net``; after an error it is of no use, so that who goes on trains a ``copy_of`` it.

    Raises
    ------
    NonFiniteLossError
        If a loss, or the weights in the end, are NaN or infinite.
    KeyboardInterrupt
        If the user interrupts. Early stopping, which skorch asks for in this way, ends in order.
    """
    with seeded(run.seed, net.placement):
        _fit(net, run)


def pretrain(net: Net, rows: Rows) -> None:
    """Train the encoders alone whose policy asks for it, each with a linear head of its own."""
    for name, n_epochs in to_pretrain(net.module).items():
        alone = make_net(
            net.module.only(name),
            net.criterion_.target,
            net.settings.alone(net.batch_size),
            net.device,
            net.net_class,
        )
        _fit(alone, Run(rows.having(name), n_epochs, seed=0))
        encoder = net.module_.encoders[net.module_.names.index(name)]
        encoder = getattr(encoder, "module", encoder) if hasattr(encoder, "thaw") else encoder
        # Tokens are not pooled here, so that what pools them alone has no place.
        encoder.load_state_dict(alone.module_.encoders[0].state_dict(), strict=False)


def _fit(net: Net, run: Run) -> None:
    """Train in the random state that is there, and leave the net ready to predict."""
    last = [] if run.checkpoint is None else [("save", Save(run.checkpoint))]
    with net.running(run, last):
        begin_with(net, run.checkpoint)
        if not net.history:
            pretrain(net, run.rows)
        parts = [run.rows] if run.held_out is None else [run.rows, run.held_out]
        train, *held_out = _encode_frozen(net, parts)
        _train(net, train, held_out[0] if held_out else None)
        _check_weights(net)
    evaluate(net.module_)


def _encode_frozen(net: Net, parts: list[Rows]) -> list[Rows]:
    """Run the encoders that are not trained now, once, instead of in every epoch."""
    done = parts[0].encoded
    names = [name for name in net.module_.names if name not in done]
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
        Rows(one, rows.codes, rows.weight, done | encoded)
        for one, rows in zip(blocks, parts, strict=True)
    ]


def _train(net: Net, train: Rows, held_out: Rows | None) -> None:
    """Run the epochs between the callbacks' begin and end, which come whatever happens."""
    told = {"X": (train, held_out), "y": None}
    try:
        net.notify("on_train_begin", **told)
        _run_epochs(net, train, held_out)
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt) or not asked_to_stop(error):
            _break_off(net, error, told)
            raise
    net.notify("on_train_end", **told)


def _run_epochs(net: Net, train: Rows, held_out: Rows | None) -> None:
    """Run the epochs that are left, which are all of them unless a checkpoint had some."""
    batches = net.get_iterator(train, training=True)
    measured = None if held_out is None else net.get_iterator(held_out)
    told = {"dataset_train": train, "dataset_valid": held_out}
    for _ in range(net.max_epochs - net.n_epochs_done):
        net.notify("on_epoch_begin", **told)
        net.run_single_epoch(batches, True, "train", net.train_step)
        net.run_single_epoch(measured, False, "valid", net.validation_step)
        net.notify("on_epoch_end", **told)
        if net.stops_:
            break


def _break_off(net: Net, error: BaseException, told: Mapping[str, object]) -> None:
    """Let all callbacks close what they opened; their own errors are told with the first one."""
    for one in (net, *(callback for _, callback in net.callbacks_)):
        try:
            with lent():
                one.on_train_end(net, **told)
        except Exception as another:
            name = type(one).__name__
            add_note(error, f"{name}.on_train_end also failed: {type(another).__name__}: {another}")


def _check_weights(net: Net) -> None:
    """The last step is followed by no loss that would tell."""
    for name, weight in net.module_.named_parameters():
        if not torch.isfinite(weight.sum()) and not torch.isfinite(weight).all():
            raise NonFiniteLossError(
                f"the weights {name!r} became NaN or infinite in epoch {len(net.history)}. "
                f"Lower lr (it is {net.lr:g}) or scale the inputs and targets. "
                "The estimator is as it was before."
            )
