"""Several targets by one network."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd
import torch
from sklearn.utils import check_consistent_length

from skfusion._estimators._arguments import Arguments, MemoryLike, PathLike
from skfusion._estimators._base import FusionEstimator
from skfusion._estimators._call import FitData
from skfusion._estimators._fitted import indexed_like
from skfusion._estimators._held_out import ValidationSplit
from skfusion._training import CallbackLike, OptimizerLike
from skfusion.encoders import Encoder
from skfusion.exceptions import ParameterError, TargetError
from skfusion.fusion._base import FusionLike
from skfusion.heads import Head
from skfusion.inputs import BlockUnion
from skfusion.targets import (
    Coding,
    LabelCoding,
    SeveralCoding,
    SeveralTargets,
    Target,
    TargetOptions,
)
from skfusion.targets._several import frame_of
from skfusion.training import Averaging, Schedule
from skfusion.typing import ArrayLike, SeedLike, ValidationData, WeightLike, XLike, YLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FusionMultiTask"]

_OWN = {"self", "__class__", "targets", "weights"}  # what the base does not take


class FusionMultiTask(FusionEstimator):
    """Several named targets, classes and values, on one fusion of the blocks (Caruana, 1997).

    y is a DataFrame, or a dict of columns: one a target. Each has its own outputs and its own loss;
    the losses are added. A cell of y that is missing is not learned from, so that rows may lack
    some of their targets.

    Parameters
    ----------
    encoders : dict of str to Encoder, default=None
        Sub-network of each block, by the block's name; see ``FusionClassifier``.
    fusion : str or Fusion, default="concat"
        How the encoded blocks become one vector, which all targets share.
    head : {"linear", "mlp"} or Head, default="linear"
        From the fused vector to the outputs of all targets; of an "mlp" they share the layers.
    targets : dict of str to Target or str, or None, default=None
        What each column of y is: ``Values()`` or ``Labels()``, or the words "values" and "classes".
        Columns that are not named are values if they are numbers, else classes.
    weights : dict of str to float, "learned" or None, default=None
        What the loss of each target is multiplied by; 1 where none is given. Values are
        standardised, so that their losses begin near 1 and those of n classes near log n.
        "learned" divides each loss by a variance that the network gives (Kendall et al., 2018).
    union, columns : as in FusionClassifier
        What becomes of the columns of a table.
    members : as in FusionClassifier
        How many networks are trained and averaged.
    max_epochs, batch_size, accumulate, batch_by_length : as in FusionClassifier
        Batches.
    lr, schedule, optimizer : as in FusionClassifier
        Steps.
    weight_decay, gradient_clipping, averaging : as in FusionClassifier
        Weights.
    early_stopping, validation_fraction, validation_split, n_iter_no_change : as in FusionClassifier
        When to stop.
    missing, block_dropout : as in FusionClassifier
        Missing blocks.
    memory, warm_start, random_state, device, precision, checkpoint : as in FusionClassifier
        How a fit runs.
    verbose, callbacks, net_params : as in FusionClassifier
        Further choices.

    Attributes
    ----------
    nets_, net_, history_, specs_, union_, target_, n_features_in_, feature_names_in_
        As in ``FusionClassifier``.
    held_out_ : ndarray of objects of shape (n_rows, n_targets)
        Predictions for the rows of the fit by members that were not trained on them.
    held_out_score_ : float
        The mean score of ``held_out_``.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skfusion import FusionMultiTask
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> y = pd.DataFrame({"sum": X.sum(axis=1), "sign": np.where(X[:, 0] > 0, "plus", "minus")})
    >>> y.loc[:20, "sum"] = np.nan  # not known
    >>> model = FusionMultiTask(random_state=0).fit(X, y)
    >>> model.scores(X, y).index.tolist(), bool(model.score(X, y) > 0.9)
    (['sum', 'sign'], True)
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder | str] | None = None,
        fusion: FusionLike = "concat",
        head: Head | str = "linear",
        *,
        targets: Mapping[str, Target | str] | None = None,
        weights: Mapping[str, float] | str | None = None,
        union: BlockUnion | None = None,
        columns: Mapping[Hashable, str] | None = None,
        members: int | str = "auto",
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
        n_iter_no_change: int = 5,
        missing: str = "error",
        block_dropout: float = 0.0,
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
        self.targets, self.weights = targets, weights

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
        X, sample_weight, groups : as in ``FusionClassifier``
            Rows, their weights and groups.
        y : DataFrame or dict of columns
            Targets, missing where one is not known.
        validation_data : (X, y) or (X, y, sample_weight), default=None
            Rows to measure after each epoch, and to stop early by, instead of some of X.

        Returns
        -------
        self : FusionMultiTask
            This estimator, fitted. If an error is raised it is as it was before.
        """
        validation_data = _with_frame(validation_data)
        y = y if y is None else frame_of(y)
        return super().fit(X, y, sample_weight, validation_data=validation_data, groups=groups)

    def partial_fit(self, X: XLike, y: YLike, sample_weight: WeightLike | None = None) -> Self:
        """Train one more epoch on these rows; the first call starts the network.

        Parameters
        ----------
        X, y : as in ``fit``
            Rows and targets. Classes, means and spreads are learned from the first call.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row in the loss.

        Returns
        -------
        self : FusionMultiTask
            This estimator. If an error is raised it is as it was before.
        """
        self._fitted = self._fit_part(FitData(X, frame_of(y), sample_weight))
        return self

    def predict(self, X: XLike) -> pd.DataFrame:
        """Predict all targets.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.

        Returns
        -------
        y : DataFrame of shape (n_rows, n_targets)
            A column for each, with the index of a pandas X.
        """
        outputs, coding = self._outputs(X)
        return indexed_like(X, _frame(coding, outputs))

    def predict_proba(self, X: XLike) -> dict[str, pd.DataFrame]:
        """Predict the probabilities of the classes, of each target that has some.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.

        Returns
        -------
        probabilities : dict of str to DataFrame of shape (n_rows, n_classes)
            By target, a column for each class.
        """
        outputs, coding = self._outputs(X)
        found = {}
        for part in coding.parts:
            if isinstance(part.coding, LabelCoding):
                shares = part.coding.probabilities(part.of_numpy(outputs))
                found[part.name] = indexed_like(
                    X, pd.DataFrame(shares, columns=part.coding.classes)
                )
        return found

    def score(self, X: XLike, y: YLike) -> float:
        """Return the mean over the targets of each one's score: accuracy of classes, R2 of values.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.
        y : DataFrame or dict of columns
            True values; what is missing is left out.

        Returns
        -------
        score : float
            1 at best.
        """
        return float(self.scores(X, y)["score"].mean())

    def scores(self, X: XLike, y: YLike) -> pd.DataFrame:
        """Return the score of each target: accuracy of classes, R2 of values.

        Parameters
        ----------
        X, y : as in ``score``
            Rows, and true values.

        Returns
        -------
        scores : DataFrame of shape (n_targets, 2)
            Columns "score" and "n_rows", the rows in which the target is known.

        Raises
        ------
        TargetError
            If a target of the fit is no column of y.
        """
        outputs, coding = self._outputs(X)
        frame = frame_of(y)
        lacking = [part.name for part in coding.parts if part.name not in frame]
        if lacking:
            raise TargetError(
                f"y lacks the target {lacking[0]!r} of the fit; its columns are "
                f"{', '.join(map(repr, frame))}. Give a column of missing values for it."
            )
        check_consistent_length(frame, outputs)
        names = [part.name for part in coding.parts]
        columns = np.empty(len(frame), dtype=[(name, object) for name in names])
        for name in names:
            column = frame[name].astype(object)
            columns[name][:] = column.where(column.notna(), None).to_numpy()
        found = coding.scores(outputs, coding.encode(columns))
        table = pd.DataFrame({"score": found, "n_rows": frame[names].notna().sum()})
        return table.loc[names]

    def _outputs(self, X: XLike) -> tuple[np.ndarray, SeveralCoding]:
        fitted = self._snapshot()
        return fitted.outputs(fitted.read(X, self.missing)), cast(SeveralCoding, fitted.target)

    def _resolve_target(self) -> Target:
        return SeveralTargets(self.targets, self.weights)

    def _target_options(self) -> TargetOptions:
        return TargetOptions()

    def _check_coding(self, coding: Coding, arguments: Arguments) -> None:
        if arguments.fusion.decides:
            raise ParameterError(
                f"the fusion {arguments.fusion!r} decides about one kind of outputs, and several "
                'targets have several. Use fusion="concat", or another that does not decide.'
            )

    def _answers(self, outputs: np.ndarray) -> np.ndarray:
        return _frame(self._snapshot().target, outputs).to_numpy(dtype=object)


def _frame(coding: Coding, outputs: np.ndarray) -> pd.DataFrame:
    """Return a column for each target, each of the kind that its own coding gives."""
    parts = cast(SeveralCoding, coding).parts
    return pd.DataFrame({part.name: part.coding.decode(part.of_numpy(outputs)) for part in parts})


def _with_frame(given: ValidationData | None) -> ValidationData | None:
    """Return what is given to measure on with its y as a frame; what is wrong in it as it is."""
    if not isinstance(given, tuple | list) or len(given) not in (2, 3):
        return given
    if len(given) == 3:
        return given[0], frame_of(given[1]), given[2]
    return given[0], frame_of(given[1])
