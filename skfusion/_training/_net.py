"""skorch's network over ``Blocks``: batches, steps and prediction."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from skorch import NeuralNet
from skorch.history import History

from skfusion._balance import block_losses, slow_leaders
from skfusion._batch import make_batch
from skfusion._frozen import encode_frozen
from skfusion._module import ModulePlan
from skfusion._training._callbacks import listens
from skfusion._training._policies import parameter_groups, to_pretrain
from skfusion._training._rows import BatchIterator, Rows
from skfusion.blocks import Blocks
from skfusion.exceptions import NonFiniteLossError

__all__ = ["Balance", "Net"]

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
        self, *args: Any, balance: Balance, like_me: Callable[[ModulePlan], Net], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.balance, self.like_me = balance, like_me

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        return X

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> Any:
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        decay = kwargs.get("weight_decay", 0.0)
        groups = parameter_groups(self.module_, self.module, self.lr, decay)
        return (args if groups is None else (groups,)), kwargs

    def get_iterator(self, dataset: Rows, training: bool = False) -> BatchIterator:
        dtype, device = self.module.dtype, torch.device(self.device)
        dropout = self.balance.block_dropout
        return BatchIterator(dataset, self.batch_size, training, dtype, device, dropout)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Callable[..., Any], **params: Any
    ) -> None:
        """Run an epoch; where no callback listens to batches it is recorded as a single one."""
        if iterator is None:
            return
        self.module_.train(training)
        if listens(self.callbacks_, "on_batch_begin", "on_batch_end"):
            super().run_single_epoch(iterator, training, prefix, step_fn, **params)
            return
        total, n_rows = 0.0, 0
        for batch in iterator:
            total += step_fn(batch)["loss"].item() * len(batch[0])
            n_rows += len(batch[0])
        self.history.new_batch()
        self.history.record_batch(prefix + "_loss", total / n_rows)
        self.history.record_batch(prefix + "_batch_size", n_rows)

    def train_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        self.optimizer_.zero_grad(set_to_none=True)
        outputs = self.module_(batch[0])
        loss = self.criterion_.target.loss(outputs, *batch[1:])
        self._check_loss(loss, "training")
        self._backward(loss, *batch[1:])
        if listens(self.callbacks_, "on_grad_computed"):
            parameters = list(self.get_all_learnable_params())
            self.notify("on_grad_computed", named_parameters=parameters, batch=batch, training=True)
        self.optimizer_.step()
        return {"loss": loss, "y_pred": outputs}

    def _backward(
        self, loss: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> None:
        """Compute the gradients of the loss, with what balances the blocks where asked for."""
        balance, module = self.balance, self.module_
        extra = getattr(module.fusion, "auxiliary_loss", None)
        if extra is not None:
            loss = loss + extra
        if module.block_heads is None:
            loss.backward()
            return
        detached = balance.block_loss_weight == 0
        losses = block_losses(module.block_heads, self.criterion_.target, codes, weight, detached)
        (loss + losses.mean() * (balance.block_loss_weight or 1.0)).backward()
        if balance.gradient_modulation:
            slow_leaders(module.encoders, losses, balance.gradient_modulation)

    def validation_step(self, batch: Any, **fit_params: Any) -> dict[str, Any]:
        with torch.no_grad():
            outputs = self.module_(batch[0])
            loss = self.criterion_.target.loss(outputs, *batch[1:])
        self._check_loss(loss, "validation")
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
                f"{self.lr:g}), scale the inputs and targets, or clip gradients with "
                "skorch.callbacks.GradientNormClipping. The estimator is as it was before."
            )

    def train(self, rows: Rows, held_out: Rows | None, n_epochs: int, undo: bool) -> None:
        """Train for ``n_epochs``; with ``undo`` an error leaves the net as it was before."""
        self.set_params(max_epochs=n_epochs)
        with _undone_on_error(self) if undo else nullcontext():
            if not self.history:
                self._pretrain(rows)
            parts = [part and self._encode_frozen(part) for part in (rows, held_out)]
            self.partial_fit(tuple(parts))
            self._check_weights()

    def follow(self, lr: float, batch_size: int) -> None:
        """Go on with another learning rate, in the proportions of the encoders' policies."""
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
        blocks, encoded = encode_frozen(self.module_, self.module, rows.blocks, self.device)
        return Rows(blocks, rows.codes, rows.weight, encoded)

    def outputs(
        self, blocks: Blocks, inspect: Callable[[Blocks, int], None], part: str = "forward"
    ) -> np.ndarray:
        """Return what ``part`` of the module makes of ``blocks``: (n_rows, width).

        ``inspect(rows, start)`` is called for rows in which a sum is not finite, to tell why.
        """
        if self.module_.training:
            self.module_.eval()
        compute, plan = getattr(self.module_, part), self.module
        device, step = torch.device(self.device), plan.rows_per_step
        parts = []
        with torch.inference_mode():
            for start in range(0, len(blocks), step):
                rows = blocks if step >= len(blocks) else blocks[start : start + step]
                batch = make_batch(rows, plan.dtype, device)
                if not batch.is_finite():
                    inspect(rows, start)
                parts.append(compute(batch))
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).cpu().numpy()

    def epochs(self) -> pd.DataFrame:
        """Return the history, a row an epoch, without the records of single batches."""
        rows = [
            {key: value for key, value in epoch.items() if not key.endswith(_BATCH_RECORDS)}
            for epoch in self.history
        ]
        return pd.DataFrame(rows).rename(columns={"dur": "seconds"})


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
