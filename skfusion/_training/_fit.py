"""A net is trained: pretrained where asked for, then epoch by epoch."""

from __future__ import annotations

from contextlib import suppress

import torch

from skfusion._frozen import encode_frozen
from skfusion._training._checkpoint import Save, begin_with, cleared_at_the_end
from skfusion._training._make import make_net, seeded
from skfusion._training._net import Net
from skfusion._training._policies import to_pretrain
from skfusion._training._rows import Rows
from skfusion._training._run import Run
from skfusion.exceptions import NonFiniteLossError

__all__ = ["fit_net", "pretrain"]


def fit_net(net: Net, run: Run) -> None:
    """Train ``net``; after an error it is of no use, so that who goes on trains a ``copy_of`` it.

    Raises
    ------
    NonFiniteLossError
        If a loss, or the weights in the end, are NaN or infinite.
    """
    with seeded(run.seed), cleared_at_the_end(run.checkpoint):
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
        encoder = encoder.module if hasattr(encoder, "thaw") else encoder
        # Tokens are not pooled here, so that what pools them alone has no place.
        encoder.load_state_dict(alone.module_.encoders[0].state_dict(), strict=False)


def _fit(net: Net, run: Run) -> None:
    """Train in the random state that is there."""
    last = [] if run.checkpoint is None else [("save", Save(run.checkpoint))]
    with net.running(run, last):
        begin_with(net, run.checkpoint)
        if not net.history:
            pretrain(net, run.rows)
        train = _encode_frozen(net, run.rows)
        held_out = None if run.held_out is None else _encode_frozen(net, run.held_out)
        net.notify("on_train_begin", X=(train, held_out), y=None)
        with suppress(KeyboardInterrupt):
            _epochs(net, train, held_out)
        net.notify("on_train_end", X=(train, held_out), y=None)
        _check_weights(net)


def _encode_frozen(net: Net, rows: Rows) -> Rows:
    """Run the encoders that are not trained now, once, instead of in every epoch."""
    blocks, encoded = encode_frozen(
        net.module_, net.module, rows.blocks, net.device, net.settings.memory
    )
    return Rows(blocks, rows.codes, rows.weight, encoded)


def _epochs(net: Net, train: Rows, held_out: Rows | None) -> None:
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


def _check_weights(net: Net) -> None:
    """The last step is followed by no loss that would tell."""
    for name, weight in net.module_.named_parameters():
        if not torch.isfinite(weight.sum()) and not torch.isfinite(weight).all():
            raise NonFiniteLossError(
                f"the weights {name!r} became NaN or infinite in epoch {len(net.history)}. "
                f"Lower lr (it is {net.lr:g}) or scale the inputs and targets. "
                "The estimator is as it was before."
            )
