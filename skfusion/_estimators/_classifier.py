"""The classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import type_of_target

from skfusion._estimators._base import FusionEstimator
from skfusion.exceptions import ParameterError, TargetError
from skfusion.targets import Labels, class_target

__all__ = ["FusionClassifier"]


class FusionClassifier(ClassifierMixin, FusionEstimator):
    """Classifier on rows that carry several kinds of data: one network per block, fused.

    Binary, multiclass and multilabel targets; labels of any type come back as they went in.

    Parameters
    ----------
    encoders : dict of str to Encoder, default=None
        Sub-network of each block, by the block's name. Blocks that are not named get the usual
        encoder for their form: ``SparseLinear`` for csr, ``MLP`` for vectors, ``CNN`` for images,
        ``RNN`` for sequences and tokens.
    fusion : str or Fusion, default="concat"
        How the encoded blocks become one vector.
    head : {"linear", "mlp"} or Head, default="linear"
        From the fused vector to the outputs.
    max_epochs : int, default=100
        Passes over the rows, at most.
    batch_size : int or "auto", default="auto"
        Rows per step; "auto" takes 64 to 512 of them, the more rows there are the larger.
    lr : float, default=1e-3
        Learning rate.
    optimizer : {"adamw", "adam", "sgd"} or torch.optim.Optimizer subclass, default="adamw"
        Optimiser; "sgd" has Nesterov momentum 0.9.
    weight_decay : float, default=1e-4
        Weight decay of the optimiser.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out rows (stratified and shuffled), stop when their loss has not fallen for
        ``n_iter_no_change`` epochs, and keep the best weights; "auto" does so from 500 rows on.
    validation_fraction : float, default=0.1
        Share of the rows held out.
    n_iter_no_change : int, default=5
        Epochs without gain to wait for.
    missing : {"error", "allow"}, default="error"
        Rows may lack blocks in any case. "allow" also takes rows that lack every block (the prior
        is predicted for them), and X without some of the blocks of the fit.
    block_dropout : float, default=0.0
        Probability of leaving a block out of a row while training ("modality dropout"); a row
        always keeps one. Makes predictions degrade gracefully where blocks are missing.
    block_loss_weight : float, default=0.0
        Weight of the mean loss of the blocks alone, each through a linear head of its own, which is
        added while training.
    gradient_modulation : float, default=0.0
        Strength by which the gradients of encoders that are ahead of the others are shrunk (OGM-GE,
        Peng et al., 2022; the paper's alpha, 0.1 to 1).
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the last ``fit``.
    random_state : int, RandomState instance or None, default=None
        Seed of the first weights, the order of rows, dropout and the held-out part. Two fits with
        one int are equal to the last bit on a CPU; no global random state is touched.
    device : str, default="auto"
        A torch device; "auto" takes an accelerator where there is one.
    verbose : int, default=0
        1 shows a bar with the losses and the time left.
    callbacks : list of skorch callbacks, default=None
        Called while training; each fit works on copies. Those that predict on skorch's own data
        sets (``EpochScoring``, ``BatchScoring``) do not apply: ``history_`` has the losses.
    net_params : dict, default=None
        Further arguments of ``skorch.NeuralNet``, such as ``{"optimizer__betas": (0.8, 0.99)}`` or
        ``{"compile": True}``.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    net_ : skorch.NeuralNet
        The fitted net; ``net_.module_`` is the torch module.
    history_ : DataFrame
        Losses and seconds of each epoch.
    specs_ : dict of str to BlockSpec
        What was learned about each block.
    union_ : BlockUnion or None
        The default union that was put in front of a table.
    target_ : Target
        Coding of y, with its loss.
    n_features_in_ : int
        Number of columns, or of blocks.
    feature_names_in_ : ndarray of str
        Names of the columns, or of the blocks.

    Examples
    --------
    >>> import pandas as pd
    >>> from skfusion import FusionClassifier
    >>> frame = pd.DataFrame({
    ...     "review": ["good and very cheap", "bad and also broken"] * 20, "stars": [5, 1] * 20})
    >>> model = FusionClassifier(max_epochs=20, random_state=0).fit(frame, ["keep", "return"] * 20)
    >>> model.predict(frame[:2]).tolist()
    ['keep', 'return']
    """

    target_: Labels

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
        class_weight: Any = None,
        warm_start: bool = False,
        random_state: Any = None,
        device: str = "auto",
        verbose: int = 0,
        callbacks: Any = None,
        net_params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            encoders,
            fusion,
            head,
            max_epochs=max_epochs,
            batch_size=batch_size,
            lr=lr,
            optimizer=optimizer,
            weight_decay=weight_decay,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            missing=missing,
            block_dropout=block_dropout,
            block_loss_weight=block_loss_weight,
            gradient_modulation=gradient_modulation,
            warm_start=warm_start,
            random_state=random_state,
            device=device,
            verbose=verbose,
            callbacks=callbacks,
            net_params=net_params,
        )
        self.class_weight = class_weight

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> FusionClassifier:
        """Train one more epoch on these rows; the first call starts the network.

        Parameters
        ----------
        X, y : as in ``fit``
            Rows and labels.
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call, if not all are in ``y``.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row in the loss.

        Returns
        -------
        self : FusionClassifier
            This estimator. If an error is raised it is as it was before.
        """
        if self.class_weight == "balanced":
            raise ParameterError(
                'class_weight="balanced" needs all rows at once and does not go with partial_fit. '
                "Pass class_weight={label: weight}."
            )
        draft = self._draft()
        draft._partial_fit(X, y, sample_weight, classes)
        return self._adopt(draft)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Predict the probability of each class.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.

        Returns
        -------
        probabilities : ndarray of shape (n_rows, n_classes)
            Columns in the order of ``classes_``; for multilabel targets, the probability of each
            label.
        """
        outputs = self._outputs(X)
        return self.target_.probabilities(outputs)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the outputs of the network: log-odds, or scores whose softmax is the probability.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.

        Returns
        -------
        scores : ndarray of shape (n_rows,) or (n_rows, n_classes)
            One score a row for two classes (above 0 means ``classes_[1]``), else one a class.
        """
        outputs = self._outputs(X).astype(np.float64)
        binary = self.target_.n_outputs == 1 and len(self.classes_) == 2
        return outputs[:, 0] if binary else outputs

    def _check_target(self, y: Any) -> Any:
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        if kind.startswith("multilabel"):
            return y.tocsr() if issparse(y) else np.asarray(y)
        if kind.endswith("multioutput"):
            return np.asarray(y)
        return column_or_1d(y, warn=True)

    def _learn_target(self, y: Any, weight: np.ndarray | None, classes: Any) -> Labels:
        target = class_target(y, classes)
        self.classes_ = target.classes
        return target

    def _strata(self, y: Any) -> Any:
        return y if y.ndim == 1 else None

    def _target_weight(self, y: Any) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        if y.ndim != 1:
            raise TargetError(
                "class_weight does not go with several labels a row. Pass sample_weight."
            )
        return compute_sample_weight(self.class_weight, y)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
