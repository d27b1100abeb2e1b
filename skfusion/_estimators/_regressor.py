"""The regressor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from sklearn.base import RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_array

from skfusion._estimators._base import FusionEstimator
from skfusion.losses import Loss, resolve_value_loss
from skfusion.targets import Values, value_target
from skfusion.typing import ArrayLike, WeightLike, XLike, YLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FusionRegressor"]


class FusionRegressor(RegressorMixin, FusionEstimator):
    """Regressor on rows that carry several kinds of data: one network per block, fused.

    One output or several; standardised while training, predicted in the units of y.

    Parameters
    ----------
    encoders : dict of str to Encoder, default=None
        Sub-network of each block, by the block's name; blocks that are not named get the usual
        encoder for their form.
    fusion : str or Fusion, default="concat"
        How the encoded blocks become one vector.
    head : {"linear", "mlp"} or Head, default="linear"
        From the fused vector to the outputs. Of no use where the fusion decides, as ``Late`` does.
    loss : str, Loss or callable, default="squared"
        What is minimised: "squared" predicts means, "absolute" medians, "huber" something between,
        "quantile" or ``Quantile(level=0.9)`` what nine in ten values lie below, "poisson" the means
        of counts. Recipes of ``skfusion.losses`` have parameters; a function (outputs, codes) of
        standardised values returns the loss of each row, see ``skfusion.losses.Loss``.
    max_epochs, batch_size, accumulate, batch_by_length : as in FusionClassifier
        Batches.
    lr, schedule, optimizer : as in FusionClassifier
        Steps.
    weight_decay, gradient_clipping, averaging : as in FusionClassifier
        Weights.
    early_stopping, validation_fraction, n_iter_no_change : as in FusionClassifier
        When to stop; the held-out rows are shuffled.
    missing, block_dropout, block_loss_weight, gradient_modulation : as in FusionClassifier
        Missing blocks, and balance between blocks.
    memory, warm_start, random_state, device, precision, checkpoint : as in FusionClassifier
        How a fit runs.
    verbose, callbacks, net_params : as in FusionClassifier
        Further choices.

    Attributes
    ----------
    net_, history_, specs_, union_, target_, n_features_in_, feature_names_in_
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
        self._fitted = self._fit_part(X, y, sample_weight)
        return self

    def _checked_loss(self) -> Loss:
        return resolve_value_loss(self.loss)

    def _check_target(self, y: YLike) -> np.ndarray:
        checked: np.ndarray = check_array(
            y, ensure_2d=False, allow_nd=False, dtype=np.float64, input_name="y", estimator=self
        )
        return checked

    def _learn_target(
        self,
        y: np.ndarray | csr_array,
        weight: np.ndarray | None,
        classes: ArrayLike | None,
        loss: Loss,
    ) -> Values:
        return value_target(y, weight, loss)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
