"""skorch's network over ``Blocks``: a training step, a validation step, and their batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.history import History

from skfusion._balance import block_losses, mean_of_losses, modulate_gradients
from skfusion._batch import Batch
from skfusion._module import FusionModule, ModulePlan
from skfusion._training._accumulation import Accumulation
from skfusion._training._averaging import plain_module
from skfusion._training._callbacks import OwnCallback, hears, listens
from skfusion._training._metrics import EpochMetrics
from skfusion._training._parameter_groups import parameter_groups, set_weight_decay
from skfusion._training._rows import BatchIterator, Rows, TrainingBatch
from skfusion._training._run import Run
from skfusion._training._settings import TrainingSettings
from skfusion._training._torch_state import lent
from skfusion.exceptions import NonFiniteLossError, ParameterError
from skfusion.fusion._base import auxiliary_loss
from skfusion.targets import Coding

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Net", "Part"]

Part: TypeAlias = Callable[[FusionModule, Batch], torch.Tensor]


class Net(NeuralNet):
    """skorch's network over ``Blocks``, which takes steps. Functions around it make it train.

    Other ways to take a step replace one of the small methods: ``compute``, ``batch_loss``,
    ``objective``, ``backward``, ``step_optimizer``, ``after_step``, ``after_rows``.

    Parameters
    ----------
    *args, **kwargs : object
        Of skorch's ``NeuralNet``; the module is a ``ModulePlan``, which makes one.
    settings : TrainingSettings
        What the user chose.
    net_class : callable
        What this net was made by, for others like it.
    """

    module: ModulePlan
    module_: FusionModule
    optimizer_: torch.optim.Optimizer
    callbacks_: list[tuple[str, Callback]]

    def __init__(
        self, *args: Any, settings: TrainingSettings, net_class: Callable[..., Net], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.settings, self.net_class = settings, net_class
        self.bf16 = settings.takes_bf16(self.module.dtype, self.device or "cpu")
        self.metrics_, self.accumulation_ = EpochMetrics(), Accumulation(settings.accumulate)
        self.block_losses_: tuple[torch.Tensor, torch.Tensor] | None = None  # of this step
        self.run_: Run | None = None  # what is trained at the moment
        self.stops_ = False  # whether the epoch at hand is the last
        self.hearing_steps_: list[OwnCallback] = []
        self.gradients_heard_ = False
        self.n_epochs_before_ = 0  # this run

    # Small methods that others may replace

    def compute(self, batch: Batch, part: Part | None = None) -> torch.Tensor:
        """Return what the module makes of the batch (n_rows, ...), in the precision of the data.

        ``part``, a method of the module, is called in its place.
        """
        compute = self.module_ if part is None else partial(part, plain_module(self.module_))
        if not self.bf16:
            return compute(batch)
        with self.precision():
            return compute(batch).to(self.module.dtype)

    def precision(self) -> AbstractContextManager[None]:
        """Compute in the precision of the settings in the block of code."""
        if not self.bf16:
            return nullcontext()
        bf16: AbstractContextManager[None] = torch.autocast(self.placement.type, torch.bfloat16)
        return bf16

    def batch_loss(self, outputs: torch.Tensor, batch: TrainingBatch) -> torch.Tensor:
        """Return the mean loss; that of mixed rows is the same mix of the losses to both codes."""
        (inputs, codes, weight), loss = batch, self.criterion_.target.loss
        if inputs.mixing is None:
            return loss(outputs, codes, weight)
        partners = inputs.mixing.partners
        other = loss(outputs, codes[partners], None if weight is None else weight[partners])
        return inputs.mixing.pair(loss(outputs, codes, weight), other)

    def objective(
        self, loss: torch.Tensor, codes: torch.Tensor, weight: torch.Tensor | None
    ) -> torch.Tensor:
        """Return what is minimised: the loss, and what the fusion and the balance add to it."""
        balance, module = self.settings.balance, self.module_
        extra = auxiliary_loss(module.fusion)
        if extra is not None:
            loss = loss + extra
        if module.block_heads is None or not balance.needs_heads:
            return loss
        detached, n_rows = balance.block_loss_weight == 0, module.block_heads.n_rows()
        losses = block_losses(module.block_heads, self.criterion_.target, codes, weight, detached)
        self.metrics_.add_blocks(losses, n_rows)
        self.block_losses_ = self.accumulation_.block_losses(losses.detach(), n_rows)
        return loss + mean_of_losses(losses, n_rows) * (balance.block_loss_weight or 1.0)

    def backward(self, loss: torch.Tensor) -> None:
        """Add the gradients of ``loss`` to those of the batches before."""
        loss.backward()

    def step_optimizer(self) -> None:
        """Change the weights by their gradients."""
        self.optimizer_.step()

    def after_step(self) -> None:
        """Tell this library's callbacks of a step of the optimiser."""
        for callback in self.hearing_steps_:
            callback.on_step_end(self)

    def after_rows(self, batches: Iterable[TrainingBatch]) -> None:
        """Tell this library's callbacks that an epoch's rows were all trained on."""
        for callback in self._own_callbacks():
            callback.on_rows_end(self, batches)

    # What skorch's loop consists of

    def train_step(self, batch: TrainingBatch, **fit_params: Any) -> dict[str, torch.Tensor]:
        inputs, codes, weight = batch
        if self.accumulation_.begins:
            self.optimizer_.zero_grad(set_to_none=True)
        outputs = self.compute(inputs)
        loss = self.batch_loss(outputs, batch)
        found = self._checked_loss(loss, "training")
        objective = self.objective(loss, codes, weight)
        self.backward(self.accumulation_.scaled(objective, len(codes)))
        if self.accumulation_.ends:
            self._step(batch)
        return {"loss": found, "y_pred": outputs}

    def validation_step(self, batch: TrainingBatch, **fit_params: Any) -> dict[str, torch.Tensor]:
        inputs, codes, weight = batch
        with torch.no_grad():
            outputs = self.compute(inputs)
            loss = self.criterion_.target.loss(outputs, codes, weight)
        found = self._checked_loss(loss, "validation")
        if not self.module.output.ragged:  # those of rows of other length have no score
            self.metrics_.add_held_out(outputs, codes)
        return {"loss": found, "y_pred": outputs}

    def get_iterator(self, dataset: Rows, training: bool = False) -> Iterable[TrainingBatch]:
        settings = self.settings
        dropout, by_length = settings.balance.block_dropout, settings.batch_by_length
        dtype, device = self.module.dtype, self.placement
        in_order = not training and self.run_ is not None and self.run_.score is not None
        by_length = by_length and not in_order  # a scorer asks for the rows as they stand
        batches = BatchIterator(
            dataset,
            self.batch_size,
            training,
            dtype,
            device,
            dropout,
            settings.mixup,
            by_length,
            self.module.head.writes,
        )
        return self.accumulation_.over(batches) if training else batches

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> Any:
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        decay = kwargs.get("weight_decay", 0.0)
        groups = parameter_groups(self.module_, self.module, self.lr, decay)
        return (args if groups is None else (groups,)), kwargs

    def run_single_epoch(
        self,
        iterator: Any,
        training: bool,
        prefix: str,
        step_fn: Callable[[TrainingBatch], dict[str, torch.Tensor]],
        **params: Any,
    ) -> None:
        """Run the rows that are trained on, or those held out, of an epoch."""
        if iterator is None:
            return
        self.module_.train(training)
        if training:
            # Asked once an epoch, not in every step.
            steps = OwnCallback.on_step_end
            own = self._own_callbacks()
            self.hearing_steps_ = [one for one in own if type(one).on_step_end is not steps]
            self.gradients_heard_ = listens(self.callbacks_, "on_grad_computed")
            self.history.record("lr", self.optimizer_.param_groups[0]["lr"])
        if listens(self.callbacks_, "on_batch_begin", "on_batch_end"):
            super().run_single_epoch(iterator, training, prefix, step_fn, **params)
        else:
            self._run_unheard(iterator, prefix, step_fn)
        if training:
            self.after_rows(iterator)

    def notify(self, method_name: str, **cb_kwargs: Any) -> None:
        """Call a method of this net and of all callbacks. Those of the user may take long."""
        getattr(self, method_name)(self, **cb_kwargs)
        for _, callback in self.callbacks_:
            hook = getattr(callback, method_name)
            if isinstance(callback, OwnCallback):
                hook(self, **cb_kwargs)
            elif hears(callback, method_name):
                with lent():
                    hook(self, **cb_kwargs)

    def on_epoch_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        super().on_epoch_begin(net, *args, **kwargs)
        self.metrics_ = EpochMetrics()

    def on_epoch_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        super().on_epoch_end(net, *args, **kwargs)
        score = None if self.run_ is None else self.run_.score
        for key, value in self.metrics_.records(self.module_.names, self.criterion_.target, score):
            self.history.record(key, value)

    def _run_unheard(
        self,
        iterator: Iterable[TrainingBatch],
        prefix: str,
        step_fn: Callable[[TrainingBatch], dict[str, torch.Tensor]],
    ) -> None:
        """Run all batches, where no callback listens to them, and record them as a single one."""
        total, n_rows = 0.0, 0
        for batch in iterator:
            total += step_fn(batch)["loss"].item() * len(batch.inputs)
            n_rows += len(batch.inputs)
        self.history.new_batch()
        self.history.record_batch(prefix + "_loss", total / n_rows)
        self.history.record_batch(prefix + "_batch_size", n_rows)

    def _step(self, batch: TrainingBatch) -> None:
        """Take the gradients as they are, or as the user wants them, for one step."""
        self.accumulation_.finish(self.module_.parameters())
        strength = self.settings.balance.gradient_modulation
        if strength and self.block_losses_ is not None:
            modulate_gradients(self.module_.encoders, *self.block_losses_, strength)
        if self.gradients_heard_:
            parameters = list(self.get_all_learnable_params())
            self.notify("on_grad_computed", named_parameters=parameters, batch=batch, training=True)
        self.step_optimizer()
        self.after_step()

    def _checked_loss(self, loss: torch.Tensor, which: str) -> torch.Tensor:
        """Return the loss as a number on the CPU, so that a step waits for its device once."""
        found = loss.detach().cpu()
        if not math.isfinite(value := found.item()):
            raise NonFiniteLossError(
                f"the {which} loss became {value} in epoch {len(self.history)}. Lower lr (it is "
                f"{self.lr:g}), scale the inputs and targets, or clip gradients, such as by "
                "gradient_clipping=1.0. The estimator is as it was before."
            )
        return found

    # What callbacks and the functions around the net ask it

    @property
    def placement(self) -> torch.device:
        """The device that the module is on."""
        if self.device is None:  # left to what wraps the net, such as accelerate
            return next(self.module_.parameters()).device
        return torch.device(self.device)

    @property
    def n_epochs_done(self) -> int:
        """Epochs of this run that are behind it, be it in a process that was killed."""
        return len(self.history) - self.n_epochs_before_

    def n_steps(self, rows: Rows) -> int:
        """Return the number of the optimiser's steps in an epoch over ``rows``."""
        return math.ceil(math.ceil(len(rows) / self.batch_size) / self.settings.accumulate)

    def stop(self) -> None:
        """Let the epoch at hand be the last; to be called by callbacks."""
        self.stops_ = True

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
        self.callbacks_ = [*first, *kept, *last]
        try:
            yield
        finally:
            self.run_, self.callbacks_ = None, kept

    def take_up(self, weights: Mapping[str, torch.Tensor], history: Iterable[object]) -> None:
        """Go on from the weights and the history of another net of the same plan."""
        self.module_.load_state_dict(weights)
        self.history = History(history)

    def twin(
        self,
        module: FusionModule,
        optimizer: torch.optim.Optimizer,
        callbacks: list[tuple[str, Callback]],
        history: History,
    ) -> Self:
        """Return a net of the same settings with these parts, which can be trained on its own."""
        other: Self = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.module_, other.optimizer_ = other.torch_compile(module, "module"), optimizer
        other.callbacks_, other.history = callbacks, history
        return other

    def hear(self, callbacks: Iterable[tuple[str, Callback]]) -> None:
        """Tell these callbacks, in this order, instead of those before."""
        self.callbacks_ = [*callbacks]

    def follow(self, settings: TrainingSettings, target: Coding) -> None:
        """Go on as the user chose since, with the optimiser's state that there is."""
        if settings.balance.needs_heads and self.module_.block_heads is None:
            raise ParameterError(
                "block_loss_weight and gradient_modulation need a head for each block, which a "
                "network that goes on cannot be given. Set one of them in the first fit already, "
                "or fit anew with warm_start=False."
            )
        if settings.weight_decay != self.settings.weight_decay:
            set_weight_decay(self.optimizer_, self.module, settings.weight_decay)
        self.criterion__target, self.criterion_ = target, self.criterion(target)
        self.settings, self.accumulation_ = settings, Accumulation(settings.accumulate)
        self.bf16 = settings.takes_bf16(self.module.dtype, self.device or "cpu")
        # In the proportions of the encoders' policies.
        groups, factor = self.optimizer_.param_groups, settings.lr / self.lr if self.lr else 1.0
        rates = [group["lr"] * factor for group in groups]
        self.set_params(lr=settings.lr)
        for group, rate in zip(groups, rates, strict=True):
            group["lr"] = rate

    def _own_callbacks(self) -> Iterator[OwnCallback]:
        return (one for _, one in self.callbacks_ if isinstance(one, OwnCallback))
