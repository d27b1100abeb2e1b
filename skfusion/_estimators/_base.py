"""What the classifier and the regressor share: fit, continue, predict, keep."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils.validation import check_consistent_length

from skfusion._estimators._arguments import (
    balance_of,
    check_arguments,
    check_lengths,
    draw_seed,
    has_device,
    net_dtype,
    training_settings,
)
from skfusion._estimators._fingerprint import content, fingerprint
from skfusion._estimators._parameters import check_names_free
from skfusion._estimators._rows import (
    holds_out,
    require_target,
    scaled,
    split_rows,
    with_weight,
)
from skfusion._estimators._using import FittedNetwork
from skfusion._estimators._watching import WatchedFit, fit_watched
from skfusion._module import ModulePlan
from skfusion._reading import Reader, check_finite, check_some_block
from skfusion._training import (
    Checkpoint,
    Net,
    Rows,
    Run,
    copy_of,
    fit_net,
    follow,
    history_table,
    load_weights,
    make_net,
    pack_net,
    pick_device,
    seeded,
)
from skfusion.blocks import Blocks
from skfusion.encoders._choose import choose_encoders
from skfusion.fusion.tree import resolve_fusion
from skfusion.heads import resolve_head
from skfusion.targets import Target
from skfusion.typing import YLike

__all__ = ["FusionEstimator"]


class FusionEstimator(WatchedFit, FittedNetwork):
    """Base of ``FusionClassifier`` and ``FusionRegressor``; they add the target."""

    def __init__(
        self,
        encoders: Mapping[str, Any] | None = None,
        fusion: Any = "concat",
        head: Any = "linear",
        *,
        loss: Any = "squared",
        max_epochs: int = 100,
        batch_size: int | str = "auto",
        accumulate: int = 1,
        batch_by_length: bool = False,
        lr: float = 3e-3,
        schedule: Any = None,
        optimizer: Any = "adamw",
        weight_decay: float = 1e-4,
        gradient_clipping: float | None = None,
        averaging: Any = None,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        missing: str = "error",
        block_dropout: float = 0.0,
        block_loss_weight: float = 0.0,
        gradient_modulation: float = 0.0,
        memory: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
        device: str = "auto",
        precision: str = "float32",
        checkpoint: Any = None,
        verbose: int = 0,
        callbacks: Any = None,
        net_params: Mapping[str, Any] | None = None,
    ) -> None:
        self.encoders, self.fusion, self.head, self.loss = encoders, fusion, head, loss
        self.max_epochs, self.batch_size, self.accumulate = max_epochs, batch_size, accumulate
        self.batch_by_length, self.lr, self.schedule = batch_by_length, lr, schedule
        self.optimizer, self.weight_decay = optimizer, weight_decay
        self.gradient_clipping, self.averaging = gradient_clipping, averaging
        self.early_stopping, self.validation_fraction = early_stopping, validation_fraction
        self.n_iter_no_change, self.missing = n_iter_no_change, missing
        self.block_dropout, self.block_loss_weight = block_dropout, block_loss_weight
        self.gradient_modulation, self.memory = gradient_modulation, memory
        self.warm_start, self.random_state, self.device = warm_start, random_state, device
        self.precision, self.checkpoint, self.verbose = precision, checkpoint, verbose
        self.callbacks, self.net_params = callbacks, net_params

    # Fitting

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Fit the network.

        Parameters
        ----------
        X : Blocks, DataFrame, dict of arrays, ndarray or csr of shape (n_rows, ...)
            Rows. A table gets a default ``BlockUnion`` in front; a plain matrix is one block
            called "X".
        y : array-like of shape (n_rows,) or (n_rows, n_outputs)
            Target.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row in the loss.

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
        draft = self._draft()
        fit_watched(self, draft, X, y, sample_weight)
        return self._adopt(draft)

    def _draft(self) -> Any:
        """Return a shallow copy to work on, so that an error leaves ``self`` as it was."""
        draft = object.__new__(type(self))
        draft.__dict__.update(self.__dict__)
        return draft

    def _adopt(self, draft: Any) -> Any:
        self.__dict__.update(draft.__dict__)
        return self

    def _fit(self, X: Any, y: Any, sample_weight: Any) -> None:
        check_arguments(self)
        require_target(self, y)
        going_on = self.warm_start and hasattr(self, "net_")
        blocks = self._read(X, y, going_on)
        blocks, y, weight = self._weigh(blocks, y, sample_weight)
        stops = holds_out(self.early_stopping, len(blocks))
        if not going_on:
            self._prepare(blocks, y, weight)
        self._train(blocks, y, weight, self.max_epochs, stops, fresh=not going_on)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> None:
        check_arguments(self)
        require_target(self, y)
        going_on = hasattr(self, "net_")
        blocks = self._read(X, y, going_on)
        blocks, y, weight = self._weigh(blocks, y, sample_weight)
        if not going_on:
            self._prepare(blocks, y, weight, classes)
        self._train(blocks, y, weight, 1, stops=False, fresh=not going_on, whole=False)

    def _read(self, X: Any, y: Any, going_on: bool) -> Blocks:
        if not going_on:
            self._reader = Reader(type(self).__name__, self.missing, self.memory)
        reader = self._reader.with_missing(self.missing)
        blocks = reader.read(X) if going_on else reader.fit(X)
        check_consistent_length(blocks, y)
        check_finite(blocks)
        if self.missing == "error":
            check_some_block(blocks)
        return blocks

    def _weigh(
        self, blocks: Blocks, y: Any, sample_weight: Any
    ) -> tuple[Blocks, Any, np.ndarray | None]:
        blocks, y, weight = with_weight(blocks, self._check_target(y), sample_weight)
        return blocks, y, scaled(weight, self._target_weight(y))

    def _prepare(
        self,
        blocks: Blocks,
        y: Any,
        weight: np.ndarray | None,
        classes: Any = None,
    ) -> None:
        """Learn target and specs, choose the parts, build the net."""
        check_names_free(self, blocks.names)
        self.target_ = self._learn_target(y, weight, classes)
        check_lengths(self, self.specs_)
        fusion = resolve_fusion(self.fusion)
        plan = ModulePlan(
            self.specs_,
            choose_encoders(self.encoders, self.specs_, fusion.encoder_for),
            fusion,
            resolve_head(self.head),
            self.target_.n_outputs,
            net_dtype(blocks),
            block_heads=balance_of(self).needs_heads,
            exclusive=self.target_.exclusive,
        )
        self._seed = draw_seed(self.random_state)
        self._settings = training_settings(self)
        self.net_ = self._new_net(plan, self.device)
        self._n_features_out = self.net_.module_.width

    def _new_net(self, plan: ModulePlan, device: str) -> Net:
        with seeded(self._seed):
            return make_net(plan, self.target_, self._settings, pick_device(device))

    def _train(
        self,
        blocks: Blocks,
        y: Any,
        weight: np.ndarray | None,
        n_epochs: int,
        stops: bool,
        fresh: bool,
        whole: bool = True,
    ) -> None:
        checkpoint = self._open_checkpoint(blocks, y, weight, fresh) if whole else None
        if checkpoint is not None:
            self._seed = checkpoint.seed
        rows = Rows(blocks.row_major(), self.target_.encode(y), weight)
        self._learn_prior(rows, add=not fresh and not whole)
        train, held_out = self._split(rows, y) if stops else (rows, None)
        if not fresh:
            self._settings = training_settings(self)
            self.net_ = copy_of(self.net_)
            follow(self.net_, self._settings)
        run = Run(
            train,
            n_epochs,
            seed=self._seed + 1 + len(self.net_.history),
            held_out=held_out,
            fresh=fresh,
            whole=whole,
            checkpoint=checkpoint,
            callbacks=vars(self).get("_run_callbacks", ()),
        )
        fit_net(self.net_, run)
        self.history_ = history_table(self.net_.history)

    def _open_checkpoint(
        self, blocks: Blocks, y: YLike, weight: np.ndarray | None, fresh: bool
    ) -> Checkpoint | None:
        """Return the checkpoint of a fit of these rows, with its state if there is one."""
        if self.checkpoint is None:
            return None
        words = fingerprint(type(self), self.get_params(), blocks, y, weight)
        if self.random_state is not None:
            words["random_state"] = str(self._seed)
        # What plans ahead for all epochs is another fit where they are more.
        plans_ahead = self.schedule is not None or self.averaging is not None
        if plans_ahead:
            words["max_epochs"] = str(self.max_epochs)
        if not fresh:
            words["weights to go on from"] = content(self.net_.module_.state_dict())
        extends = isinstance(self.random_state, Integral) and not plans_ahead
        name = type(self).__name__
        checkpoint = Checkpoint(self.checkpoint, words, name, self._seed, extends)
        n_before = 0 if fresh else len(self.net_.history)
        checkpoint.read(n_before + self.max_epochs, n_before)
        return checkpoint

    def _split(self, rows: Rows, y: Any) -> tuple[Rows, Rows]:
        """Return the rows to train on, and those to hold out."""
        share, strata = self.validation_fraction, self._strata(y)
        chosen, held_out = split_rows(strata, len(rows), share, self._seed)
        return rows[chosen], rows[held_out]

    def _learn_prior(self, rows: Rows, add: bool) -> None:
        """Learn what is predicted of a row without blocks: from ``rows``, or from them as well."""
        prior = self.target_.prior(rows.codes, rows.weight)
        self._n_seen = len(rows) + (self._n_seen if add else 0)
        share = len(rows) / self._n_seen
        self._prior = self.target_.blended(self._prior, prior, share) if add else prior

    # What the classifier and the regressor say of y

    def _check_target(self, y: Any) -> Any:
        """Return y as an array of the kind that this estimator learns."""
        raise NotImplementedError

    def _learn_target(self, y: Any, weight: np.ndarray | None, classes: Any) -> Target:
        """Return the coding of y, and set what the user reads of it."""
        raise NotImplementedError

    def _strata(self, y: Any) -> Any:
        """Return what the held-out part is stratified by, or None."""
        return None

    def _target_weight(self, y: Any) -> np.ndarray | None:
        """Return weights that come from y itself."""
        return None

    # Keeping

    def __getstate__(self) -> dict[str, Any]:
        """Recipes, specs and weights: small, and of no device; the optimiser's state is left."""
        state = dict(super().__getstate__())
        if "net_" in state:
            state["net_"] = pack_net(self.net_)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        packed = state.get("net_")
        super().__setstate__({key: value for key, value in state.items() if key != "net_"})
        if packed is not None:
            device = self.device if has_device(self.device) else "auto"
            self.net_ = load_weights(self._new_net(packed["plan"], device), packed)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags
