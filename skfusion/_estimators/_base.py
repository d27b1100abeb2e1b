"""What the classifier and the regressor share: fit, continue, predict, keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    check_is_fitted,
)

from skfusion._checks import check_choice, check_int, check_real
from skfusion._estimators._parameters import NamedEncoders, check_names_free
from skfusion._estimators._reading import (
    check_finite,
    check_some_block,
    read_fit,
    read_predict,
    require_target,
    rows_without_blocks,
)
from skfusion._module import ModulePlan
from skfusion._training import (
    Balance,
    Net,
    Rows,
    load_weights,
    make_net,
    pack_net,
    pick_device,
    seeded,
)
from skfusion.blocks import Blocks
from skfusion.encoders import choose_encoders
from skfusion.exceptions import ParameterError, TargetError
from skfusion.fusion import resolve_fusion
from skfusion.heads import resolve_head
from skfusion.targets import Target

__all__ = ["FusionEstimator"]

# From this many rows on, early_stopping="auto" holds some out.
_ROWS_TO_HOLD_OUT = 500


class FusionEstimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, NamedEncoders):
    """Base of ``FusionClassifier`` and ``FusionRegressor``; they add the target."""

    def __init__(
        self,
        encoders: Mapping[str, Any] | None = None,
        fusion: Any = "concat",
        head: Any = "linear",
        *,
        max_epochs: int = 100,
        batch_size: int | str = "auto",
        lr: float = 1e-3,
        optimizer: Any = "adamw",
        weight_decay: float = 1e-4,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        missing: str = "error",
        block_dropout: float = 0.0,
        block_loss_weight: float = 0.0,
        gradient_modulation: float = 0.0,
        warm_start: bool = False,
        random_state: Any = None,
        device: str = "auto",
        verbose: int = 0,
        callbacks: Any = None,
        net_params: Mapping[str, Any] | None = None,
    ) -> None:
        self.encoders = encoders
        self.fusion = fusion
        self.head = head
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.optimizer = optimizer
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.missing = missing
        self.block_dropout = block_dropout
        self.block_loss_weight = block_loss_weight
        self.gradient_modulation = gradient_modulation
        self.warm_start = warm_start
        self.random_state = random_state
        self.device = device
        self.verbose = verbose
        self.callbacks = callbacks
        self.net_params = net_params

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
        draft._fit(X, y, sample_weight)
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
        self._check_arguments()
        require_target(self, y)
        going_on = self.warm_start and hasattr(self, "net_")
        blocks = self._read(X, y, going_on)
        blocks, y, weight = self._weigh(blocks, self._check_target(y), sample_weight)
        holds_out = self._holds_out(len(blocks))
        if not going_on:
            self._prepare(blocks, y, weight, patience=self.n_iter_no_change if holds_out else None)
        self._train(blocks, y, weight, self.max_epochs, holds_out, undo=going_on)

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, classes: Any = None) -> None:
        self._check_arguments()
        require_target(self, y)
        going_on = hasattr(self, "net_")
        blocks = self._read(X, y, going_on)
        blocks, y, weight = self._weigh(blocks, self._check_target(y), sample_weight)
        if not going_on:
            self._prepare(blocks, y, weight, patience=None, classes=classes)
        self._train(blocks, y, weight, n_epochs=1, holds_out=False, undo=going_on)

    def _read(self, X: Any, y: Any, going_on: bool) -> Blocks:
        blocks = read_predict(self, X) if going_on else read_fit(self, X)
        check_consistent_length(blocks, y)
        check_finite(blocks)
        if self.missing == "error":
            check_some_block(blocks)
        return blocks

    def _prepare(
        self,
        blocks: Blocks,
        y: Any,
        weight: np.ndarray | None,
        patience: int | None,
        classes: Any = None,
    ) -> None:
        """Learn target and specs, choose the parts, build the net."""
        check_names_free(self, blocks.names)
        self.target_ = self._learn_target(y, weight, classes)
        self.specs_ = blocks.specs()
        fusion = resolve_fusion(self.fusion)
        plan = ModulePlan(
            self.specs_,
            choose_encoders(self.encoders, self.specs_, fusion.encoder_for),
            fusion,
            resolve_head(self.head),
            self.target_.n_outputs,
            _net_dtype(blocks),
            block_heads=self._balance().needs_heads,
        )
        self._seed = _draw_seed(self.random_state)
        self._settings = self._net_settings(len(blocks), patience)
        self.net_ = self._new_net(plan, self.device)
        self._n_features_out = self.net_.module_.width

    def _new_net(self, plan: ModulePlan, device: str) -> Net:
        with seeded(self._seed):
            return make_net(plan, self.target_, device=pick_device(device), **self._settings)

    def _net_settings(self, n_rows: int, patience: int | None) -> dict[str, Any]:
        return {
            "lr": self.lr,
            "optimizer": self.optimizer,
            "weight_decay": self.weight_decay,
            "batch_size": _batch_size(self.batch_size, n_rows),
            "max_epochs": self.max_epochs,
            "patience": patience,
            "balance": self._balance(),
            "verbose": self.verbose,
            "callbacks": self.callbacks,
            "net_params": self.net_params,
        }

    def _balance(self) -> Balance:
        return Balance(
            check_real("block_dropout", self.block_dropout, 0, 1),
            check_real("block_loss_weight", self.block_loss_weight),
            check_real("gradient_modulation", self.gradient_modulation),
        )

    def _train(
        self,
        blocks: Blocks,
        y: Any,
        weight: np.ndarray | None,
        n_epochs: int,
        holds_out: bool,
        undo: bool,
    ) -> None:
        rows = Rows(blocks, self.target_.encode(y), weight)
        if not undo:
            self._prior = self.target_.prior(rows.codes, weight)
        train, valid = rows, None
        if holds_out:
            chosen, held_out = self._split(y, len(rows))
            train, valid = rows[chosen], rows[held_out]
        with seeded(self._seed + 1 + len(self.net_.history)):
            self.net_.train(train, valid, n_epochs, undo=undo)
        self.history_ = self.net_.epochs()

    # Checks and choices

    def _check_arguments(self) -> None:
        check_int("max_epochs", self.max_epochs)
        check_int("n_iter_no_change", self.n_iter_no_change)
        check_real("lr", self.lr)
        check_real("weight_decay", self.weight_decay)
        check_choice("missing", self.missing, ("error", "allow"))
        check_choice("early_stopping", self.early_stopping, (True, False, "auto"))
        _check_device(self.device)
        _check_callbacks(self.callbacks)
        if self.batch_size != "auto":
            check_int("batch_size", self.batch_size, repair='Or leave it to batch_size="auto".')
        if not 0 < check_real("validation_fraction", self.validation_fraction) < 1:
            raise ParameterError(
                "validation_fraction must lie strictly between 0 and 1. "
                f"Got {self.validation_fraction!r}. Use early_stopping=False to hold out nothing."
            )

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

    def _weigh(
        self, blocks: Blocks, y: Any, sample_weight: Any
    ) -> tuple[Blocks, Any, np.ndarray | None]:
        """Drop rows of weight zero; return the other weights with mean 1, None if all are equal."""
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(
                sample_weight, blocks, dtype=np.float64, ensure_non_negative=True
            )
            kept = weight > 0
            if not kept.any():
                raise TargetError("sample_weight is zero in every row; no row is left to learn.")
            if not kept.all():
                blocks, y, weight = blocks[kept], y[kept], weight[kept]
        from_target = self._target_weight(y)
        if from_target is not None:
            weight = from_target if weight is None else weight * from_target
        if weight is None or np.all(weight == weight[0]):
            return blocks, y, None
        return blocks, y, weight / weight.mean()

    def _holds_out(self, n_rows: int) -> bool:
        if self.early_stopping == "auto":
            return n_rows >= _ROWS_TO_HOLD_OUT
        return bool(self.early_stopping)

    def _split(self, y: Any, n_rows: int) -> tuple[np.ndarray, np.ndarray]:
        """Return shuffled row numbers to train on and to hold out, stratified where possible."""
        n_valid = max(1, round(self.validation_fraction * n_rows))
        if n_rows < 2:
            raise TargetError(
                "early stopping needs at least 2 rows, one of them held out. Got 1. "
                "Use early_stopping=False."
            )
        strata = self._strata(y)
        if strata is not None:
            _, counts = np.unique(strata, return_counts=True)
            if counts.min() >= 2 and len(counts) <= min(n_valid, n_rows - n_valid):
                split = StratifiedShuffleSplit(1, test_size=n_valid, random_state=self._seed)
                return next(split.split(strata, strata))
        split = ShuffleSplit(1, test_size=n_valid, random_state=self._seed)
        return next(split.split(np.empty(n_rows)))

    # Using

    def _read_to_predict(self, X: Any) -> Blocks:
        if "net_" not in vars(self):  # asked first, since check_is_fitted costs as much as a row
            check_is_fitted(self, "net_")
        blocks = read_predict(self, X)
        if self.missing == "error":
            check_some_block(blocks)
        return blocks

    def _outputs(self, X: Any) -> np.ndarray:
        """Return the outputs of the network; those of the prior for rows without any block."""
        blocks = self._read_to_predict(X)
        outputs = self.net_.outputs(blocks, check_finite)
        without = rows_without_blocks(blocks) if self.missing == "allow" else None
        if without is not None:
            outputs[without] = self._prior
        return outputs

    def predict(self, X: Any) -> np.ndarray:
        """Predict the target.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.

        Returns
        -------
        y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
            Predictions, in the terms of the y that was fitted.
        """
        outputs = self._outputs(X)
        return self.target_.decode(outputs)

    def transform(self, X: Any) -> np.ndarray:
        """Return the fused vectors: what the head decides from.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.

        Returns
        -------
        vectors : ndarray of shape (n_rows, width)
            One vector a row.
        """
        return self.net_.outputs(self._read_to_predict(X), check_finite, part="fuse")

    def explain(self, X: Any) -> pd.DataFrame:
        """Return how much the fusion weighs each block of each row.

        Only fusions with gates or attention over blocks have such weights, ``Gated`` for one.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.

        Returns
        -------
        weights : DataFrame of shape (n_rows, n_blocks)
            A column a block; what a weight means is said in the docstring of the fusion.

        Raises
        ------
        ParameterError
            If the fusion has no weights.
        """
        blocks = self._read_to_predict(X)
        if not hasattr(self.net_.module_.fusion, "weights"):
            raise ParameterError(
                f"fusion={self.fusion!r} has no weights per row and block to explain. "
                'Use one with gates or attention, such as fusion="gated".'
            )
        weights = self.net_.outputs(blocks, check_finite, part="weights")
        return pd.DataFrame(weights, columns=list(self.specs_))

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
            device = self.device if _has_device(self.device) else "auto"
            self.net_ = load_weights(self._new_net(packed["plan"], device), packed)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = True
        return tags


def _check_device(device: Any) -> None:
    if not _has_device(device):
        raise ParameterError(
            'device must be "auto" or a torch device that this machine has, such as "cpu". '
            f"Got {device!r}."
        )


def _has_device(device: Any) -> bool:
    try:
        torch.empty(0, device=pick_device(device))
    except (AssertionError, RuntimeError, TypeError):  # torch raises one or another of them
        return False
    return True


def _check_callbacks(callbacks: Any) -> None:
    if callbacks is not None and not isinstance(callbacks, (list, tuple)):
        raise ParameterError(
            f"callbacks must be a list of skorch callbacks. Got {callbacks!r}. "
            "Write callbacks=[...], also for one."
        )


def _net_dtype(blocks: Blocks) -> torch.dtype:
    """The network follows its data: float64 where a block is, else float32."""
    kinds = [spec.dtype for spec in blocks.specs().values()]
    return torch.float64 if np.float64 in kinds else torch.float32


def _batch_size(given: int | str, n_rows: int) -> int:
    """About 64 steps an epoch, in batches of 64 to 512 rows."""
    if given != "auto":
        return int(given)
    return next(size for size in (64, 128, 256, 512) if n_rows < 128 * size or size == 512)


def _draw_seed(random_state: Any) -> int:
    return int(check_random_state(random_state).randint(2**31 - 1))
