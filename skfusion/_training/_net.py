"""skorch's network over ``Blocks``: batches, steps and prediction."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback

from skfusion._balance import block_losses, mean_of_losses, slow_leaders
from skfusion._batch import Batch
from skfusion._training._callbacks import listens
from skfusion._training._group import Group
from skfusion._training._policies import parameter_groups
from skfusion._training._rows import BatchIterator, Rows
from skfusion._training._run import Run
from skfusion._training._settings import TrainingSettings
from skfusion._training._tally import Tally
from skfusion.exceptions import NonFiniteLossError, ParameterError

__all__ = ["Net"]


class Net(NeuralNet):
    """skorch's network over ``Blocks``: batches, steps and prediction are this library's."""

    callbacks_: list[tuple[str, Callback]]

    def __init__(
        self, *args: Any, settings: TrainingSettings, net_class: Callable[..., Net], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.settings, self.net_class = settings, net_class
        self.bf16 = settings.takes_bf16(self.module.dtype, self.device)
        self.tally_, self.group_ = Tally(), Group(settings.accumulate)
        self.run_: Run | None = None  # what is trained at the moment
        self.stops_ = False  # whether the epoch at hand is the last
        self.n_epochs_before_ = 0  # this run
        self.after_step_: list[Callable[[Net], None]] = []
        self.after_rows_: list[Callable[[Net, Any], None]] = []  # of an epoch, all trained on

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> Any:
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        decay = kwargs.get("weight_decay", 0.0)
        groups = parameter_groups(self.module_, self.module, self.lr, decay)
        return (args if groups is None else (groups,)), kwargs

    def steps_of(self, rows: Rows) -> int:
        """Return the number of the optimiser's steps in an epoch over ``rows``."""
        return math.ceil(math.ceil(len(rows) / self.batch_size) / self.settings.accumulate)

    def get_iterator(self, dataset: Rows, training: bool = False) -> Iterable[Any]:
        dtype, device = self.module.dtype, torch.device(self.device)
        dropout, by_length = self.settings.balance.block_dropout, self.settings.batch_by_length
        batches = BatchIterator(
            dataset, self.batch_size, training, dtype, device, dropout, by_length
        )
        return self.group_.over(batches) if training else batches

    def on_epoch_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        super().on_epoch_begin(net, *args, **kwargs)
        self.tally_ = Tally()

    def on_epoch_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        super().on_epoch_end(net, *args, **kwargs)
        for key, value in self.tally_.records(self.module_.names, self.criterion_.target):
            self.history.record(key, value)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Callable[..., Any], **params: Any
    ) -> None:
        """Run the rows that are trained on, or those held out, of an epoch."""
        if iterator is None:
            return
        self.module_.train(training)
        if training:
            self.history.record("lr", self.optimizer_.param_groups[0]["lr"])
        if listens(self.callbacks_, "on_batch_begin", "on_batch_end"):
            super().run_single_epoch(iterator, training, prefix, step_fn, **params)
        else:
            self._run_unheard(iterator, prefix, step_fn)
        for after in self.after_rows_ if training else ():
            after(self, iterator)

    def _run_unheard(self, iterator: Any, prefix: str, step_fn: Callable[..., Any]) -> None:
        """Run all batches, where no callback listens to them, and record them as a single one."""
        total, n_rows = 0.0, 0
        for batch in iterator:
            total += step_fn(batch)["loss"].item() * len(batch[0])
            n_rows += len(batch[0])
        self.history.new_batch()
        self.history.record_batch(prefix + "_loss", total / n_rows)
        self.history.record_batch(prefix + "_batch_size", n_rows)

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        if self.group_.begins:
            self.optimizer_.zero_grad(set_to_none=True)
        outputs = self.compute(batch[0])
        loss = self.criterion_.target.loss(outputs, *batch[1:])
        self._check_loss(loss, "training")
        losses = self._backward(loss, *batch[1:])
        if self.group_.ends:
            self._step(batch, losses)
        return {"loss": loss, "y_pred": outputs}

    def compute(self, batch: Batch, part: str = "forward") -> torch.Tensor:
        """Return what ``part`` of the module makes of the batch, in the precision of the data."""
        compute = self.module_ if part == "forward" else getattr(self.module_, part)
        if not self.bf16:
            return compute(batch)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16):
            return compute(batch).to(self.module.dtype)

    def _step(self, batch: Any, losses: tuple[torch.Tensor, torch.Tensor] | None) -> None:
        """Take the gradients as they are, or as the user wants them, for one step."""
        self.group_.finish(self.module_.parameters())
        if losses is not None and self.settings.balance.gradient_modulation:
            slow_leaders(self.module_.encoders, *losses, self.settings.balance.gradient_modulation)
        if listens(self.callbacks_, "on_grad_computed"):
            parameters = list(self.get_all_learnable_params())
            self.notify("on_grad_computed", named_parameters=parameters, batch=batch, training=True)
        self.optimizer_.step()
        for after in self.after_step_:
            after(self)

    def _backward(
        self, loss: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Compute the gradients; where asked for, return the blocks' own losses and row counts."""
        balance, module, group = self.settings.balance, self.module_, self.group_
        extra = getattr(module.fusion, "auxiliary_loss", None)
        if extra is not None:
            loss = loss + extra
        if not balance.needs_heads:
            group.scaled(loss, len(codes)).backward()
            return None
        detached, n_rows = balance.block_loss_weight == 0, module.block_heads.n_rows()
        losses = block_losses(module.block_heads, self.criterion_.target, codes, weight, detached)
        self.tally_.add_blocks(losses, n_rows)
        loss = loss + mean_of_losses(losses, n_rows) * (balance.block_loss_weight or 1.0)
        group.scaled(loss, len(codes)).backward()
        return group.block_losses(losses, n_rows)

    def validation_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        with torch.no_grad():
            outputs = self.compute(batch[0])
            loss = self.criterion_.target.loss(outputs, *batch[1:])
        self._check_loss(loss, "validation")
        self.tally_.add_held_out(outputs, batch[1])
        return {"loss": loss, "y_pred": outputs}

    def _check_loss(self, loss: torch.Tensor, which: str) -> None:
        if not math.isfinite(value := loss.item()):
            raise NonFiniteLossError(
                f"the {which} loss became {value} in epoch {len(self.history)}. Lower lr (it is "
                f"{self.lr:g}), scale the inputs and targets, or clip gradients, such as by "
                "gradient_clipping=1.0. The estimator is as it was before."
            )

    @contextmanager
    def running(self, run: Run, last: Sequence[tuple[str, Callback]]) -> Iterator[None]:
        """Train what ``run`` says in the block of code; the ``last`` come after all callbacks."""
        kept = self.callbacks_
        first, last = (
            [(name, one.initialize()) for name, one in part] for part in (run.callbacks, last)
        )
        self.set_params(
            max_epochs=run.n_epochs, batch_size=self.settings.rows_per_batch(run.n_rows)
        )
        self.run_, self.stops_, self.n_epochs_before_ = run, False, len(self.history)
        self.after_step_, self.after_rows_ = [], []
        self.callbacks_ = [*first, *kept, *last]
        try:
            yield
        finally:
            self.run_, self.callbacks_ = None, kept

    def stop(self) -> None:
        """Let the epoch at hand be the last; to be called by callbacks."""
        self.stops_ = True

    @property
    def n_epochs_done(self) -> int:
        """Epochs of this run that are behind it, be it in a process that was killed."""
        return len(self.history) - self.n_epochs_before_

    def follow(self, settings: TrainingSettings) -> None:
        """Go on as the user chose since, with the optimiser's state that there is."""
        if settings.balance.needs_heads and self.module_.block_heads is None:
            raise ParameterError(
                "block_loss_weight and gradient_modulation need a head for each block, which a "
                "network that goes on cannot be given. Set one of them in the first fit already, "
                "or fit anew with warm_start=False."
            )
        self.settings, self.group_ = settings, Group(settings.accumulate)
        self.bf16 = settings.takes_bf16(self.module.dtype, self.device)
        # In the proportions of the encoders' policies.
        groups, factor = self.optimizer_.param_groups, settings.lr / self.lr if self.lr else 1.0
        rates = [group["lr"] * factor for group in groups]
        self.set_params(lr=settings.lr)
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate
