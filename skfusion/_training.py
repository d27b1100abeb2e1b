"""Training and prediction: the only file that imports skorch."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, PassthroughScoring
from skorch.history import History
from torch import nn
from tqdm.auto import tqdm

from skfusion._balance import block_losses, slow_leaders
from skfusion._batch import Batch, draw_dropped, make_batch
from skfusion._checks import check_choice
from skfusion._frozen import encode_frozen
from skfusion._module import ModulePlan
from skfusion.blocks import Blocks
from skfusion.exceptions import NonFiniteLossError
from skfusion.targets import Target

__all__ = ["Balance", "Net", "Rows", "load_weights", "make_net", "pack_net", "pick_device", "seeded"]

OPTIMIZERS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
_BATCH_RECORDS = ("batches", "_batch_count", "_best")


class Rows:
    """Rows to train on: blocks, codes of the target, and weights of mean 1 (or None).

    ``encoded`` names blocks that are the outputs of their frozen encoder already.
    """

    def __init__(
        self,
        blocks: Blocks,
        codes: np.ndarray,
        weight: np.ndarray | None,
        encoded: frozenset[str] = frozenset(),
    ) -> None:
        self.blocks, self.codes, self.weight, self.encoded = blocks, codes, weight, encoded

    def __len__(self) -> int:
        return len(self.blocks)

    def __getitem__(self, rows: Any) -> Rows:
        weight = None if self.weight is None else self.weight[rows]
        return Rows(self.blocks[rows], self.codes[rows], weight, self.encoded)


class _BatchIterator:
    """Whole batches, cut by one selection each; a new order every epoch while training."""

    def __init__(
        self,
        rows: Rows,
        batch_size: int,
        training: bool,
        dtype: torch.dtype,
        device: torch.device,
        block_dropout: float,
    ) -> None:
        self.rows, self.batch_size, self.training = rows, batch_size, training
        self.dtype, self.device = dtype, device
        self.block_dropout = block_dropout if training else 0.0
        self.codes = _code_tensor(rows.codes, dtype).to(device)
        weight = rows.weight
        self.weight = None if weight is None else torch.from_numpy(weight).to(device, dtype)

    def __iter__(self) -> Iterator[tuple[Batch, torch.Tensor, torch.Tensor | None]]:
        n = len(self.rows)
        order = torch.randperm(n) if self.training else torch.arange(n)
        for chosen in order.split(self.batch_size):
            rows = self.rows.blocks.take(chosen.numpy())
            dropped = draw_dropped(rows, self.block_dropout) if self.block_dropout else {}
            batch = make_batch(rows, self.dtype, self.device, self.rows.encoded, dropped)
            chosen = chosen.to(self.device)
            weight = None if self.weight is None else self.weight[chosen]
            yield batch, self.codes[chosen], weight


class _TargetLoss(nn.Module):
    """The loss of ``target``, in the place where skorch expects a criterion."""

    def __init__(self, target: Target) -> None:
        super().__init__()
        self.target = target

    def forward(
        self, outputs: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        return self.target.loss(outputs, codes, weight)


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

    def __init__(self, *args: Any, balance: Balance, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.balance = balance

    def get_split_datasets(self, X: Any, y: Any = None, **fit_params: Any) -> tuple[Any, Any]:
        return X

    def get_iterator(self, dataset: Rows, training: bool = False) -> _BatchIterator:
        dtype, device = self.module.dtype, torch.device(self.device)
        dropout = self.balance.block_dropout
        return _BatchIterator(dataset, self.batch_size, training, dtype, device, dropout)

    def run_single_epoch(
        self, iterator: Any, training: bool, prefix: str, step_fn: Callable[..., Any], **params: Any
    ) -> None:
        """Run an epoch; where no callback listens to batches it is recorded as a single one."""
        if iterator is None:
            return
        self.module_.train(training)
        if _listens(self.callbacks_, "on_batch_begin", "on_batch_end"):
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
        if _listens(self.callbacks_, "on_grad_computed"):
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
            parts = [part and self._encode_frozen(part) for part in (rows, held_out)]
            self.partial_fit(tuple(parts))

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


class _ForgetBatches(Callback):
    """Drop the records of single batches once the epoch is scored: they would outgrow the net."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        net.history[-1]["batches"].clear()


class _ProgressBar(Callback):
    """A bar over epochs with the losses and the time left."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.bar_ = tqdm(total=net.max_epochs, unit="epoch")

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        losses = {key: net.history[-1].get(key) for key in ("train_loss", "valid_loss")}
        self.bar_.set_postfix({key: f"{loss:.4f}" for key, loss in losses.items() if loss is not None})
        self.bar_.update()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.bar_.close()


def make_net(
    plan: ModulePlan,
    target: Target,
    *,
    lr: float,
    optimizer: Any,
    weight_decay: float,
    batch_size: int,
    max_epochs: int,
    patience: int | None,
    balance: Balance,
    device: str,
    verbose: int,
    callbacks: Any,
    net_params: Mapping[str, Any] | None,
) -> Net:
    """Return an initialised net; ``patience`` epochs without gain stop it, None trains on."""
    own: list[tuple[str, Callback]] = []
    if patience is not None:
        own.append(("early_stopping", _early_stopping(patience)))
    if verbose:
        own.append(("progress", _ProgressBar()))
    settings = {
        "lr": lr,
        "batch_size": batch_size,
        "max_epochs": max_epochs,
        "device": device,
        "verbose": 0,
        "train_split": None,
        "callbacks__print_log": None,
        **_optimizer_settings(optimizer, lr, weight_decay, device),
        **(net_params or {}),
    }
    callbacks = [*own, *copy.deepcopy(list(callbacks or [])), ("forget", _ForgetBatches())]
    net = Net(plan, _TargetLoss, criterion__target=target, balance=balance, callbacks=callbacks, **settings)
    return net.initialize()


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


def _listens(callbacks: Any, *hooks: str) -> bool:
    """Whether a callback of the user's has its own version of one of the ``hooks``."""
    return any(
        getattr(type(callback), hook) is not getattr(Callback, hook)
        for _, callback in callbacks
        for hook in hooks
        if not isinstance(callback, PassthroughScoring)
    )


def _early_stopping(patience: int) -> EarlyStopping:
    return EarlyStopping(monitor="valid_loss", patience=patience, load_best=True, sink=_silent)


def _silent(*message: Any) -> None:
    """Take what skorch would print."""


def _optimizer_settings(
    optimizer: Any, lr: float, weight_decay: float, device: str
) -> dict[str, Any]:
    if isinstance(optimizer, type) and issubclass(optimizer, torch.optim.Optimizer):
        return {"optimizer": optimizer, "optimizer__weight_decay": weight_decay}
    settings = {
        "optimizer": OPTIMIZERS[check_choice("optimizer", optimizer, OPTIMIZERS)],
        "optimizer__weight_decay": weight_decay,
        # One kernel for all parameters instead of one per parameter and operation.
        "optimizer__fused": torch.device(device).type in ("cpu", "cuda"),
    }
    if optimizer == "sgd":
        settings |= {"optimizer__momentum": 0.9, "optimizer__nesterov": True}
    return settings


def pack_net(net: Net) -> dict[str, Any]:
    """Return a fitted net as its plan, target, settings and weights: small, and of no device."""
    weights = {key: value.cpu().numpy() for key, value in net.module_.state_dict().items()}
    return {
        "plan": net.module,
        "target": net.criterion_.target,
        "weights": weights,
        "history": net.history.to_list(),
    }


def load_weights(net: Net, packed: Mapping[str, Any]) -> Net:
    """Give ``net``, made anew from the same plan, the weights and the history of ``packed``."""
    weights = {key: torch.from_numpy(np.array(value)) for key, value in packed["weights"].items()}
    net.module_.load_state_dict(weights)
    net.history = History(packed["history"])
    return net


def pick_device(device: str) -> str:
    """Return ``device``; for "auto" the accelerator if there is one, else "cpu"."""
    if device != "auto":
        return str(torch.device(device))
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch for the block of code, and leave its global state as it was."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def _code_tensor(codes: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    tensor = torch.from_numpy(codes)
    return tensor if tensor.dtype == torch.int64 else tensor.to(dtype)
