"""What the classifier and the regressor share: ``fit`` and ``partial_fit``, step by step."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from skfusion._checks import check_choice, check_int, check_real
from skfusion._estimators._arguments import (
    Arguments,
    MemoryLike,
    PathLike,
    check_batch_size,
    check_device,
    check_flag,
    check_gradient_clipping,
    check_lr,
    check_members,
    check_memory_folder,
    check_mixup,
    check_place,
    check_random,
    check_union,
    check_verbose,
)
from skfusion._estimators._call import Call, FitData
from skfusion._estimators._changes import check_same_network
from skfusion._estimators._checkpoints import open_checkpoints
from skfusion._estimators._choose_mixture import check_linear, mixture_of, unseen
from skfusion._estimators._dry_run import check_encoders, check_fusion, check_head
from skfusion._estimators._fitted import FittedNetwork
from skfusion._estimators._held_out import (
    ValidationSplit,
    check_validation_data,
    check_validation_split,
    read_groups,
)
from skfusion._estimators._members import members_of, n_members
from skfusion._estimators._recipes import own_copy
from skfusion._estimators._scoring import check_scoring
from skfusion._estimators._sklearn_callbacks import CallbackSupport, FitTask, with_callbacks
from skfusion._estimators._state import FittedState, learn_prior
from skfusion._estimators._steps import code_target, nets_for, new_reader, read_rows, train
from skfusion._reading import Reader, check_missing
from skfusion._training import (
    Balance,
    CallbackLike,
    OptimizerLike,
    TrainingSettings,
    check_callbacks,
    check_net_params,
    check_optimizer,
)
from skfusion.encoders import Encoder
from skfusion.fusion._base import FusionLike
from skfusion.heads import Head
from skfusion.inputs import BlockUnion
from skfusion.targets import Coding, OutputSpec, TargetOptions
from skfusion.training import Averaging, Schedule
from skfusion.training._resolve import resolve_averaging, resolve_schedule
from skfusion.typing import ArrayLike, Scorer, SeedLike, ValidationData, WeightLike, XLike, YLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FusionEstimator"]

_AUTO = (True, False, "auto")


class FusionEstimator(CallbackSupport, FittedNetwork):
    """Base of the estimators; each adds its target, and arguments of its own."""

    # What only some estimators have as an argument of theirs; in the others it is off.
    linear: bool | str = False
    scoring: str | Scorer | None = None
    block_loss_weight: float = 0.0
    gradient_modulation: float = 0.0
    mixup: float = 0.0

    def __init__(
        self,
        encoders: Mapping[str, Encoder | str] | None,
        fusion: FusionLike,
        head: Head | str,
        union: BlockUnion | None,
        columns: Mapping[Hashable, str] | None,
        members: int | str,
        max_epochs: int,
        batch_size: int | str,
        accumulate: int,
        batch_by_length: bool,
        lr: float,
        schedule: Schedule | str | None,
        optimizer: OptimizerLike,
        weight_decay: float,
        gradient_clipping: float | None,
        averaging: Averaging | str | None,
        early_stopping: bool | str,
        validation_fraction: float | None,
        validation_split: ValidationSplit | None,
        n_iter_no_change: int,
        missing: str,
        block_dropout: float,
        memory: MemoryLike | None,
        warm_start: bool,
        random_state: SeedLike,
        device: str | torch.device,
        precision: str,
        checkpoint: PathLike | None,
        verbose: int,
        callbacks: Sequence[CallbackLike] | None,
        net_params: Mapping[str, object] | None,
    ) -> None:
        super().__init__(encoders, fusion, head, union, columns, missing, device, precision)
        self.members, self.max_epochs, self.batch_size = members, max_epochs, batch_size
        self.accumulate, self.batch_by_length, self.lr = accumulate, batch_by_length, lr
        self.schedule, self.optimizer, self.weight_decay = schedule, optimizer, weight_decay
        self.gradient_clipping, self.averaging = gradient_clipping, averaging
        self.early_stopping, self.n_iter_no_change = early_stopping, n_iter_no_change
        self.validation_fraction, self.validation_split = validation_fraction, validation_split
        self.block_dropout, self.memory, self.warm_start = block_dropout, memory, warm_start
        self.random_state, self.checkpoint, self.verbose = random_state, checkpoint, verbose
        self.callbacks, self.net_params = callbacks, net_params

    def fit(
        self,
        X: XLike,
        y: YLike,
        sample_weight: WeightLike | None = None,
        *,
        validation_data: ValidationData | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : Blocks, DataFrame, dict of arrays, ndarray or csr of shape (n_rows, ...)
            Rows. A table gets a default ``BlockUnion`` in front; a plain matrix is one block
            called "X".
        y : array-like of shape (n_rows,) or (n_rows, ...)
            Target.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row in the loss.
        validation_data : (X, y) or (X, y, sample_weight), default=None
            Rows to measure after each epoch, and to stop early by, instead of some of X. They are
            measured also with ``early_stopping=False``.
        groups : array-like of shape (n_rows,), default=None
            Group of each row, such as the person it is of. Rows of one group are held out together,
            by the splitter in ``validation_split`` or by drawing groups. ``set_fit_request`` has a
            search or a pipeline hand it on.

        Returns
        -------
        self : estimator
            This estimator, fitted. If an error is raised it is as it was before.

        Raises
        ------
        BlockError
            If the blocks cannot be learned from; names the block and the row.
        ParameterError
            If an argument is out of range or names something unknown.
        TargetError
            If y cannot be learned.
        NonFiniteLossError
            If the loss becomes NaN or infinite.
        """
        given = check_validation_data(validation_data)
        data = FitData(X, y, sample_weight, read_groups(groups), given)
        self._fitted = self._fit(data)
        return self

    @with_callbacks
    def _fit(self, data: FitData) -> FittedState:
        arguments, params = self._checked_arguments(), self.get_params()
        call = Call(type(self), arguments, params, self._fitted if self.warm_start else None)
        task = FitTask(self)
        state = self._learn(call, data, task)
        task.end(state)
        return state

    def _fit_part(self, data: FitData, classes: ArrayLike | None = None) -> FittedState:
        arguments, params = self._checked_arguments(), self.get_params()
        call = Call(type(self), arguments, params, self._fitted, whole=False, classes=classes)
        return self._learn(call, data, FitTask())

    def _learn(self, call: Call, data: FitData, task: FitTask) -> FittedState:
        """Read X, code y, make nets, train and mix them; nothing of this estimator changes."""
        if call.before is not None:
            check_same_network(call.before, call.arguments)
        reader, blocks = read_rows(call, data)
        learned = code_target(call, reader, blocks, data)
        self._check_coding(learned.target, call.arguments)
        seed, n = call.draw_seed(), n_members(call, learned)
        checkpoints = open_checkpoints(call, learned, seed, n)
        seed = checkpoints[0].seed if checkpoints else seed
        members = members_of(call, learned, seed, n)
        held_out = unseen(call, learned, members)
        check_linear(call, learned, held_out)
        nets = nets_for(call, learned, members)
        prior = learn_prior(learned.target, learned.rows, call.prior_before)
        state = FittedState(call.arguments, reader, learned.target, nets, prior, seed)
        task.begin(data, n * call.n_epochs)
        outputs = train(call, learned, members, state, checkpoints, task.epochs(state))
        return replace(state, mixture=mixture_of(call, learned, members, outputs, held_out))

    def _new_reader(self) -> Reader:
        """Return what would read X in a fit."""
        return new_reader(type(self), self._checked_arguments())

    # The arguments

    def _checked_arguments(self) -> Arguments:
        """Return all arguments, checked and resolved; no row was read yet."""
        check_flag("warm_start", self.warm_start)
        fusion = check_fusion(self.fusion)
        head = check_head(self.head, fusion, self._some_outputs())
        return Arguments(
            union=check_union(self.union, self.columns, self._usual_union()),
            usual_union=self._usual_union(),
            encoders=check_encoders(self.encoders),
            fusion=fusion,
            head=head,
            target=own_copy(self._resolve_target()),
            target_options=self._target_options(),
            members=check_members(self.members),
            linear=check_choice("linear", self.linear, _AUTO),
            early_stopping=check_choice("early_stopping", self.early_stopping, _AUTO),
            validation_split=check_validation_split(
                self.validation_fraction, self.validation_split
            ),
            scorer=check_scoring(self.scoring),
            missing=check_missing(self.missing),
            memory=self.memory,
            random_state=check_random(self.random_state),
            device=check_device(self.device),
            checkpoint=check_place(self.checkpoint),
            training=self._training_settings(check_mixup(self.mixup, fusion, head)),
        )

    def _training_settings(self, mixup: float) -> TrainingSettings:
        lr, net_params = check_lr(self.lr), check_net_params(self.net_params)
        weight_decay = check_real("weight_decay", self.weight_decay)
        return TrainingSettings(
            lr=lr,
            optimizer=check_optimizer(self.optimizer, lr, weight_decay, net_params),
            weight_decay=weight_decay,
            batch_size=check_batch_size(self.batch_size),
            max_epochs=check_int("max_epochs", self.max_epochs),
            patience=check_int("n_iter_no_change", self.n_iter_no_change),
            schedule=own_copy(resolve_schedule(self.schedule)),
            gradient_clipping=check_gradient_clipping(self.gradient_clipping),
            averaging=own_copy(resolve_averaging(self.averaging)),
            accumulate=check_int("accumulate", self.accumulate),
            batch_by_length=check_flag("batch_by_length", self.batch_by_length),
            memory=check_memory_folder(self.memory),
            balance=Balance(
                check_real("block_dropout", self.block_dropout, 0, 1),
                check_real("block_loss_weight", self.block_loss_weight),
                check_real("gradient_modulation", self.gradient_modulation),
            ),
            mixup=mixup,
            precision=check_choice("precision", self.precision, ("float32", "bf16", "auto")),
            verbose=check_verbose(self.verbose),
            callbacks=check_callbacks(self.callbacks),
            net_params=net_params,
        )

    # What each estimator says of y

    def _target_options(self) -> TargetOptions:
        """Return what the arguments say of the target, checked."""
        raise NotImplementedError

    def _some_outputs(self) -> Sequence[OutputSpec]:
        """Return outputs of each form that y may have, whatever their number."""
        return [OutputSpec("value", (2,))]

    def _check_coding(self, coding: Coding, arguments: Arguments) -> None:
        """Check what was learned of y."""
