"""The regressor."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils import Tags, check_consistent_length

from skfusion._checks import check_choice
from skfusion._estimators._arguments import MemoryLike, PathLike
from skfusion._estimators._base import FusionEstimator
from skfusion._estimators._call import FitData
from skfusion._estimators._fitted import PredictsArrays
from skfusion._estimators._held_out import ValidationSplit
from skfusion._estimators._recipes import own_copy
from skfusion._estimators._rows import read_score_weight
from skfusion._training import CallbackLike, OptimizerLike
from skfusion.encoders import Encoder
from skfusion.exceptions import TargetError
from skfusion.fusion._base import FusionLike
from skfusion.heads import Head
from skfusion.inputs import BlockUnion
from skfusion.losses import LossLike, Squared, resolve_value_loss
from skfusion.targets import OutputSpec, Target, TargetLike, TargetOptions, Values
from skfusion.targets._reading import read_values
from skfusion.targets._resolve import check_heeded, resolve_value_target
from skfusion.targets._value_coding import unit_of
from skfusion.training import Averaging, Schedule
from skfusion.typing import Scorer, SeedLike, WeightLike, XLike, YLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FusionRegressor"]


# What the base does not take.
_OWN = {"self", "__class__", "target", "linear", "loss", "missing_targets", "scoring"}
_OWN |= {"block_loss_weight", "gradient_modulation", "mixup"}


class FusionRegressor(RegressorMixin, PredictsArrays, FusionEstimator):
    """Regressor on rows that carry several kinds of data: one network per block, fused.

    One output, several or a grid of them: y has the shape (n_rows,) or (n_rows, ...), and so has
    what is predicted. Each output is standardised while training.

    Parameters
    ----------
    encoders : dict of str to Encoder, default=None
        Sub-network of each block, by the block's name; blocks that are not named get the usual
        encoder for their form. One that is named for a column of a table decides how the column
        is read: see ``FusionClassifier``.
    fusion : str or Fusion, default="concat"
        How the encoded blocks become one vector.
    head : {"linear", "mlp", "grid"} or Head, default="linear"
        From the fused vector to the outputs; "grid" makes maps by up-convolution, and looks at the
        fused tokens where the fusion gives them (``fusion="token_concat"``). Of no use where the
        fusion decides, as ``Late`` does.
    union, columns : as in FusionClassifier
        What becomes of the columns of a table.
    target : {"auto", "values"} or Target, default="auto"
        How y is coded. Recipes of ``skfusion.targets`` have parameters.
    members, linear : as in FusionClassifier
        How many networks are trained and averaged, and whether a ridge regression is a member too.
    loss : str, Loss or callable, default="squared"
        What is minimised: "squared" predicts means, "absolute" medians, "huber" something between,
        "quantile" or ``Quantile(level=0.9)`` what nine in ten values lie below, "poisson" the means
        of counts. Recipes of ``skfusion.losses`` have parameters; a function (outputs, codes) of
        standardised values returns the loss of each row, see ``skfusion.losses.Loss``.
    missing_targets : {"error", "ignore"}, default="error"
        What becomes of NaN in y: an error, or an output that is not known of that row, such as a
        cell of a grid that was not measured; loss and score are then of what is known. There is
        no linear member then.
    max_epochs, batch_size, accumulate, batch_by_length : as in FusionClassifier
        Batches.
    lr, schedule, optimizer : as in FusionClassifier
        Steps.
    weight_decay, gradient_clipping, averaging : as in FusionClassifier
        Weights.
    early_stopping, validation_fraction, validation_split, scoring : as in FusionClassifier
    n_iter_no_change : as in FusionClassifier
        When to stop; the held-out rows are shuffled.
    missing, block_dropout, block_loss_weight, gradient_modulation : as in FusionClassifier
        Missing blocks, and balance between blocks.
    mixup : as in FusionClassifier
        Augmentation of fused vectors.
    memory, warm_start, random_state, device, precision, checkpoint : as in FusionClassifier
        How a fit runs.
    verbose, callbacks, net_params : as in FusionClassifier
        Further choices.

    Attributes
    ----------
    nets_, net_, linear_share_, history_, specs_, union_, target_
        As in ``FusionClassifier``.
    held_out_ : ndarray of shape (n_rows,) or (n_rows, ...)
        Predictions for the rows of the fit by members that were not trained on them;
        as in ``FusionClassifier``.
    held_out_score_ : float
        The R2 of ``held_out_``, or the score of ``scoring``.
    n_features_in_, feature_names_in_
        As in ``FusionClassifier``.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import Blocks, FusionRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = Blocks({"left": rng.normal(size=(200, 2)), "right": rng.normal(size=(200, 3))})
    >>> y = X["left"][:, 0] - X["right"][:, 1]
    >>> bool(FusionRegressor(random_state=0).fit(X, y).score(X, y) > 0.9)
    True
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder | str] | None = None,
        fusion: FusionLike = "concat",
        head: Head | str = "linear",
        *,
        union: BlockUnion | None = None,
        columns: Mapping[Hashable, str] | None = None,
        target: TargetLike = "auto",
        members: int | str = "auto",
        linear: bool | str = "auto",
        loss: LossLike = "squared",
        missing_targets: str = "error",
        max_epochs: int = 100,
        batch_size: int | str = "auto",
        accumulate: int = 1,
        batch_by_length: bool = False,
        lr: float = 3e-3,
        schedule: Schedule | str | None = None,
        optimizer: OptimizerLike = "adamw",
        weight_decay: float = 1e-4,
        gradient_clipping: float | None = None,
        averaging: Averaging | str | None = None,
        early_stopping: bool | str = "auto",
        validation_fraction: float | None = None,
        validation_split: ValidationSplit | None = None,
        scoring: str | Scorer | None = None,
        n_iter_no_change: int = 5,
        missing: str = "error",
        block_dropout: float = 0.0,
        block_loss_weight: float = 0.0,
        gradient_modulation: float = 0.0,
        mixup: float = 0.0,
        memory: MemoryLike | None = None,
        warm_start: bool = False,
        random_state: SeedLike = None,
        device: str | torch.device = "auto",
        precision: str = "float32",
        checkpoint: PathLike | None = None,
        verbose: int = 0,
        callbacks: Sequence[CallbackLike] | None = None,
        net_params: Mapping[str, object] | None = None,
    ) -> None:
        # By name, since each is an argument of the base too.
        shared = {name: value for name, value in locals().items() if name not in _OWN}
        super().__init__(**shared)
        self.target, self.loss, self.missing_targets = target, loss, missing_targets
        self.linear, self.scoring, self.mixup = linear, scoring, mixup
        self.block_loss_weight, self.gradient_modulation = block_loss_weight, gradient_modulation

    def partial_fit(self, X: XLike, y: YLike, sample_weight: WeightLike | None = None) -> Self:
        """Train one more epoch on these rows; the first call starts the network.

        Parameters
        ----------
        X, y : as in ``fit``
            Rows and values. Mean and spread of y are learned from the first call.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row in the loss.

        Returns
        -------
        self : FusionRegressor
            This estimator. If an error is raised it is as it was before.
        """
        self._fitted = self._fit_part(FitData(X, y, sample_weight))
        return self

    def score(self, X: XLike, y: YLike, sample_weight: WeightLike | None = None) -> float:
        """Return R2, the share of the spread of y that is explained, averaged over all outputs.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.
        y : array-like of shape (n_rows,) or (n_rows, ...)
            True values.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row.

        Returns
        -------
        score : float
            1 at best; 0 for the mean of y, and less for what is worse.
        """
        target = self._resolve_target()
        may_lack = isinstance(target, Values) and target.may_lack
        values, predicted = read_values(y, may_lack), self.predict(X)
        check_consistent_length(values, predicted)
        weight = read_score_weight(sample_weight, predicted)
        if values.size != predicted.size:
            raise TargetError(
                f"y has shape {values.shape}, but predictions have {predicted.shape}. Pass y as in "
                "the fit."
            )
        unit = unit_of(values)
        if unit is not None:
            values, predicted = values / unit, predicted.reshape(values.shape) / unit
        flat = values.reshape(len(values), -1), predicted.reshape(len(predicted), -1)
        if np.isnan(values).any():
            return _score_of_known(*flat, weight)
        return float(r2_score(*flat, sample_weight=weight))

    def _resolve_target(self) -> Target:
        missing = check_choice("missing_targets", self.missing_targets, ("error", "ignore"))
        target = resolve_value_target(self.target)
        if missing == "error" or target is self.target:
            return target
        return Values(missing)

    def _some_outputs(self) -> Sequence[OutputSpec]:
        return [*super()._some_outputs(), OutputSpec("grid", (4, 4))]

    def _target_options(self) -> TargetOptions:
        loss = resolve_value_loss(self.loss)
        check_heeded(self._resolve_target(), {"loss": loss}, {"loss": Squared})
        return TargetOptions(own_copy(loss))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _score_of_known(values: np.ndarray, predicted: np.ndarray, weight: np.ndarray | None) -> float:
    """Return the mean over outputs of R2 where values are known, (n_rows, n_outputs) each."""
    scores = []
    for known, found in zip(values.T, predicted.T, strict=True):
        rows = np.flatnonzero(~np.isnan(known))
        if len(rows) > 1:
            of_rows = None if weight is None else weight[rows]
            scores.append(r2_score(known[rows], found[rows], sample_weight=of_rows))
    if not scores:
        raise TargetError(
            "y has no output of which two rows are known, so that R2 has no meaning. Score more "
            "rows, or those in which y is known."
        )
    return float(np.mean(scores))
