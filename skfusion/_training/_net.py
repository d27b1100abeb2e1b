"""skorch's network over ``Blocks``: batches, steps and prediction."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import Memory
from skorch import NeuralNet
from skorch.history import History

from skfusion._balance import block_losses, mean_of_losses, slow_leaders
from skfusion._batch import ahead, make_batch
from skfusion._frozen import encode_frozen
from skfusion._module import ModulePlan
from skfusion._training._callbacks import listens
from skfusion._training._checkpoint import Checkpoint, begin_with
from skfusion._training._group import Group
from skfusion._training._policies import parameter_groups, to_pretrain
from skfusion._training._rows import BatchIterator, Rows
from skfusion._training._tally import Tally
from skfusion.blocks import Blocks
from skfusion.exceptions import NonFiniteLossError, ParameterError

__all__ = ["Balance", "Net"]

_FIRST_COLUMNS = ("epoch", "train_loss", "valid_loss", "valid_score", "lr", "seconds")
_BATCH_RECORDS = ("batches", "_batch_count", "_best")


@dataclass(frozen=True)
class Balance:
    """How blocks are kept in balance while training; see the arguments of the estimators."""

    block_dropout: float = 0.0
    block_loss_weight: float = 0.0
    gradient_modulation: float = 0.0

    @property
    def needs_heads(self) -> bool:
        return self.block_loss_weight > 0 or self.gradient_modulation > 0


class Net(NeuralNet):
    """skorch's network over ``Blocks``: batches, steps and prediction are this library's."""

    def __init__(
        self,
        *args: Any,
        balance: Balance,
        like_me: Callable[[ModulePlan], Net],
        accumulate: int = 1,
        bf16: bool = False,
        by_length: bool = False,
        memory: Memory,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.balance, self.like_me, self.accumulate = balance, like_me, accumulate
        self.bf16 = bf16
        self.by_length, self.memory = by_length, memory
        self.tally_, self.group_ = Tally(), Group(accumulate)
        self.watch_: Any = None  # begins and ends epochs for scikit-learn's callbacks
        self.whole_fit_ = True  # else one epoch of an unknown number of them
        self.checkpoint_: Checkpoint | None = None
        self.n_epochs_before_ = 0  # this fit
        self.after_step_: list[Callable[[Net], None]] = []
        self.after_rows_: list[Callable[[Net, Any], None]] = []  # of an epoch, all trained on

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        return X

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> Any:
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        decay = kwargs.get("weight_decay", 0.0)
        groups = parameter_groups(self.module_, self.module, self.lr, decay)
        return (args if groups is None else (groups,)), kwargs

    def steps_of(self, rows: Rows) -> int:
        """Return the number of the optimiser's steps in an epoch over ``rows``."""
        return math.ceil(math.ceil(len(rows) / self.batch_size) / self.accumulate)

    def on_train_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        super().on_train_begin(net, *args, **kwargs)
        self.after_step_, self.after_rows_ = [], []

    def get_iterator(self, dataset: Rows, training: bool = False) -> Iterable[Any]:
        dtype, device = self.module.dtype, torch.device(self.device)
        dropout = self.balance.block_dropout
        batches = BatchIterator(
            dataset, self.batch_size, training, dtype, device, dropout, self.by_length
        )
        return self.group_.over(batches) if training else batches

    def on_epoch_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        super().on_epoch_begin(net, *args, **kwargs)
        self.tally_ = Tally()
        if self.watch_ is not None:
            self.watch_.begin()

    def on_epoch_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        super().on_epoch_end(net, *args, **kwargs)
        for key, value in self.tally_.records(self.module_.names, self.criterion_.target):
            self.history.record(key, value)
        self.told_to_stop_ = self.watch_ is not None and self.watch_.end()

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
        outputs = self._compute(batch[0])
        loss = self.criterion_.target.loss(outputs, *batch[1:])
        self._check_loss(loss, "training")
        losses = self._backward(loss, *batch[1:])
        if self.group_.ends:
            self._step(batch, losses)
        return {"loss": loss, "y_pred": outputs}

    def _compute(self, batch: Any, part: str = "forward") -> torch.Tensor:
        """Return what ``part`` of the module makes of the batch, in the precision of the data."""
        compute = self.module_ if part == "forward" else getattr(self.module_, part)
        if not self.bf16:
            return compute(batch)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16):
            return compute(batch).to(self.module.dtype)

    def _step(self, batch: Any, losses: tuple[torch.Tensor, torch.Tensor] | None) -> None:
        """Take the gradients as they are, or as the user wants them, for one step."""
        self.group_.finish(self.module_.parameters())
        if losses is not None and self.balance.gradient_modulation:
            slow_leaders(self.module_.encoders, *losses, self.balance.gradient_modulation)
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
        balance, module, group = self.balance, self.module_, self.group_
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
            outputs = self._compute(batch[0])
            loss = self.criterion_.target.loss(outputs, *batch[1:])
        self._check_loss(loss, "validation")
        self.tally_.add_held_out(outputs, batch[1])
        return {"loss": loss, "y_pred": outputs}

    def _check_weights(self) -> None:
        """The last step is followed by no loss that would tell."""
        for name, weight in self.module_.named_parameters():
            if not torch.isfinite(weight.sum()) and not torch.isfinite(weight).all():
                raise NonFiniteLossError(
                    f"the weights {name!r} became NaN or infinite in epoch {len(self.history)}. "
                    f"Lower lr (it is {self.lr:g}) or scale the inputs and targets. "
                    "The estimator is as it was before."
                )

    def _check_loss(self, loss: torch.Tensor, which: str) -> None:
        if not math.isfinite(value := loss.item()):
            raise NonFiniteLossError(
                f"the {which} loss became {value} in epoch {len(self.history)}. Lower lr (it is "
                f"{self.lr:g}), scale the inputs and targets, or clip gradients, such as by "
                "gradient_clipping=1.0. The estimator is as it was before."
            )

    def train(
        self,
        rows: Rows,
        held_out: Rows | None,
        n_epochs: int,
        undo: bool,
        whole: bool = True,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        """Train for ``n_epochs``; with ``undo`` an error leaves the net as it was before.

        Unless it is a ``whole`` fit, schedule and averaging rest.
        """
        self.set_params(max_epochs=n_epochs)
        self.whole_fit_, self.checkpoint_ = whole, checkpoint
        self.n_epochs_before_ = len(self.history)
        with _undone_on_error(self) if undo else nullcontext():
            begin_with(self, checkpoint)
            if not self.history:
                self._pretrain(rows)
            parts = [part and self._encode_frozen(part) for part in (rows, held_out)]
            self.partial_fit(tuple(parts))
            self._check_weights()
        self.checkpoint_ = None

    def fit_loop(self, X: Any, y: Any = None, epochs: int | None = None, **params: Any) -> Any:
        """Run the epochs that are left, which are all of them unless a checkpoint had some."""
        return super().fit_loop(X, y, self.max_epochs - self.n_epochs_done, **params)

    @property
    def n_epochs_done(self) -> int:
        """Epochs of this fit that are behind it, be it in a process that was killed."""
        return len(self.history) - self.n_epochs_before_

    def group(self, accumulate: int) -> None:
        """Take ``accumulate`` batches for a step from now on."""
        self.accumulate, self.group_ = accumulate, Group(accumulate)

    def weigh(self, balance: Balance) -> None:
        """Keep the blocks in another balance from now on."""
        if balance.needs_heads and self.module_.block_heads is None:
            raise ParameterError(
                "block_loss_weight and gradient_modulation need a head for each block, which a "
                "network that goes on cannot be given. Set one of them in the first fit already, "
                "or fit anew with warm_start=False."
            )
        self.balance = balance

    def follow(self, lr: float, batch_size: int, by_length: bool) -> None:
        """Go on with another learning rate, in the proportions of the encoders' policies."""
        self.by_length = by_length
        groups, factor = self.optimizer_.param_groups, lr / self.lr if self.lr else 1.0
        rates = [group["lr"] * factor for group in groups]
        self.set_params(lr=lr, batch_size=batch_size)
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate

    def _pretrain(self, rows: Rows) -> None:
        """Train the encoders alone whose policy asks for it, each with a linear head of its own."""
        for name, n_epochs in to_pretrain(self.module).items():
            there = rows.having(name)
            alone = self.like_me(self.module.only(name))
            alone.train(there, None, n_epochs, undo=False)
            encoder = self.module_.encoders[self.module_.names.index(name)]
            encoder = encoder.module if hasattr(encoder, "thaw") else encoder
            # Tokens are not pooled here, so that what pools them alone has no place.
            encoder.load_state_dict(alone.module_.encoders[0].state_dict(), strict=False)

    def _encode_frozen(self, rows: Rows) -> Rows:
        """Run the encoders that are not trained now, once, instead of in every epoch."""
        blocks, encoded = encode_frozen(
            self.module_, self.module, rows.blocks, self.device, self.memory
        )
        return Rows(blocks, rows.codes, rows.weight, encoded)

    def outputs(
        self, blocks: Blocks, inspect: Callable[[Blocks, int], None], part: str = "forward"
    ) -> np.ndarray:
        """Return what ``part`` of the module makes of ``blocks``: (n_rows, width).

        ``inspect(rows, start)`` is called for rows in which a sum is not finite, to tell why.
        """
        if self.module_.training:
            self.module_.eval()
        lengths = blocks.lengths() if len(blocks) > self.module.rows_per_step else None
        if lengths is None:
            return self._outputs(blocks, inspect, part)
        # Rows of similar length together, so that little padding is computed.
        order = lengths.argsort(kind="stable")
        ordered = self._outputs(blocks.take(order), lambda *_: inspect(blocks, 0), part)
        outputs = np.empty_like(ordered)
        outputs[order] = ordered
        return outputs

    def _outputs(
        self, blocks: Blocks, inspect: Callable[[Blocks, int], None], part: str
    ) -> np.ndarray:
        plan = self.module
        device, step = torch.device(self.device), plan.rows_per_step
        parts = []
        starts = range(0, len(blocks), step)
        cut = (blocks if step >= len(blocks) else blocks[i : i + step] for i in starts)
        with torch.inference_mode():
            for start, rows in zip(starts, ahead(cut), strict=True):
                batch = make_batch(rows, plan.dtype, device)
                if not batch.is_finite():
                    inspect(rows, start)
                parts.append(self._compute(batch, part))
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).cpu().numpy()

    def epochs(self) -> pd.DataFrame:
        """Return the history, a row an epoch, without the records of single batches."""
        rows = [
            {key: value for key, value in epoch.items() if not _of_batches(key)}
            for epoch in self.history
        ]
        epochs = pd.DataFrame(rows).rename(columns={"dur": "seconds"})
        first = [name for name in _FIRST_COLUMNS if name in epochs]
        return epochs[[*first, *epochs.columns.difference(first, sort=False)]]


def _of_batches(key: str) -> bool:
    """Whether skorch made the record for its own use; block names may end like its names."""
    return key.endswith(_BATCH_RECORDS) and not key.startswith("loss_")


@contextmanager
def _undone_on_error(net: Net) -> Iterator[None]:
    """Give ``net`` its weights, optimiser state and history back if training fails."""
    before = copy.deepcopy((net.module_.state_dict(), net.optimizer_.state_dict(), [*net.history]))
    try:
        yield
    except Exception:
        weights, steps, history = before
        net.module_.load_state_dict(weights)
        net.optimizer_.load_state_dict(steps)
        net.history = History(history)
        raise
