"""What the user chose about training, checked before a row is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import torch
from joblib import Memory
from skorch.callbacks import Callback

from skfusion.exceptions import ParameterError
from skfusion.training import Averaging, Schedule

__all__ = ["Balance", "CallbackLike", "OptimizerLike", "TrainingSettings"]

CallbackLike: TypeAlias = Callback | type[Callback] | tuple[str, Callback | type[Callback]]
OptimizerLike: TypeAlias = str | type[torch.optim.Optimizer]

_BATCH_SIZES = (64, 128, 256, 512)


@dataclass(frozen=True)
class Balance:
    """How blocks are kept in balance while training; see the arguments of the estimators."""

    block_dropout: float = 0.0
    block_loss_weight: float = 0.0
    gradient_modulation: float = 0.0

    @property
    def needs_heads(self) -> bool:
        return self.block_loss_weight > 0 or self.gradient_modulation > 0


@dataclass(frozen=True)
class TrainingSettings:
    """The arguments of the estimators that are about training.

    All values are checked. What follows from the rows as well (``batch_size="auto"``,
    ``precision="auto"``) is found by a method, once they were read.
    """

    lr: float
    optimizer: OptimizerLike
    weight_decay: float
    batch_size: int | None  # None: the more rows the larger
    max_epochs: int
    patience: int | None  # epochs without gain that stop the training; None trains on
    schedule: Schedule | None
    gradient_clipping: float | None
    averaging: Averaging | None
    accumulate: int
    batch_by_length: bool
    memory: Memory
    balance: Balance
    mixup: float  # alpha of the Beta distribution; 0 mixes nothing
    precision: str  # "float32", "bf16" or "auto"
    verbose: int
    callbacks: Sequence[CallbackLike]
    net_params: Mapping[str, object]
    most_rows: int = _BATCH_SIZES[-1]  # of a batch, if its size is left to us

    def alone(self, batch_size: int) -> TrainingSettings:
        """Return the settings for training one encoder alone, in front of the fit proper."""
        plain = replace(self, patience=None, schedule=None, averaging=None, balance=Balance())
        return replace(plain, batch_size=batch_size, mixup=0.0, verbose=0, callbacks=())

    def rows_per_batch(self, n_rows: int) -> int:
        """Return the batch size for a fit of ``n_rows``: about 64 steps an epoch, if left to us."""
        if self.batch_size is not None:
            return self.batch_size
        largest = _BATCH_SIZES[-1]
        usual = next(size for size in _BATCH_SIZES if n_rows < 128 * size or size == largest)
        return min(usual, self.most_rows)

    def takes_bf16(self, dtype: torch.dtype, device: str) -> bool:
        """Whether data of this dtype is computed with in bfloat16 on this device."""
        if self.precision == "auto":
            on_gpu = torch.device(device).type == "cuda"
            return on_gpu and dtype == torch.float32 and torch.cuda.is_bf16_supported()
        if self.precision == "bf16" and dtype != torch.float32:
            raise ParameterError(
                'precision="bf16" computes in fewer digits than the data has: a block is float64. '
                'Give the blocks as float32, as BlockUnion does, or use precision="float32", which '
                "follows the data."
            )
        return self.precision == "bf16"
