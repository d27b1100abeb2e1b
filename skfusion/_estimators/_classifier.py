"""The classifier."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from sklearn.utils import Tags

from skfusion._checks import check_real
from skfusion._estimators._arguments import (
    Arguments,
    MemoryLike,
    PathLike,
    check_class_weight,
    is_balanced,
)
from skfusion._estimators._base import FusionEstimator
from skfusion._estimators._call import FitData
from skfusion._estimators._held_out import ValidationSplit
from skfusion._estimators._probabilities import GivesProbabilities, labels_of
from skfusion._estimators._recipes import own_copy
from skfusion._training import CallbackLike, OptimizerLike
from skfusion.encoders import Encoder
from skfusion.exceptions import ParameterError
from skfusion.fusion._base import FusionLike
from skfusion.heads import Head
from skfusion.inputs import BlockUnion
from skfusion.losses import CrossEntropy, LossLike, resolve_class_loss
from skfusion.targets import (
    Coding,
    LabelCoding,
    Target,
    TargetLike,
    TargetOptions,
)
from skfusion.targets._class_weight import check_classes_known
from skfusion.targets._resolve import check_heeded, resolve_label_target
from skfusion.targets._same_labels import check_same_classes
from skfusion.training import Averaging, Schedule
from skfusion.typing import ArrayLike, Scorer, SeedLike, WeightLike, XLike, YLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FusionClassifier"]

# What the base does not take.
_OWN = {"self", "__class__", "target", "linear", "loss", "label_smoothing", "class_weight"}
_OWN |= {"scoring", "block_loss_weight", "gradient_modulation", "mixup"}


class FusionClassifier(GivesProbabilities, FusionEstimator):
    """Classifier on rows that carry several kinds of data: one network per block, fused.

    Binary, multiclass and multilabel targets; labels of any type come back as they went in.

    Parameters
    ----------
    encoders : dict of str to Encoder, default=None
        Sub-network of each block, by the block's name. Blocks that are not named get the usual
        encoder for their form: ``SparseLinear`` for csr, ``MLP`` for vectors, ``CNN`` for images,
        ``TemporalCNN`` for sequences, ``RNN`` for tokens; ``docs/defaults.md`` has the table. One
        that is named for a column of a table decides how the
        column is read: ``{"review": Transformer(), "photo": CNN()}`` makes token ids of the one
        and images of the other, each a block of its own.
    fusion : str or Fusion, default="concat"
        How the encoded blocks become one vector.
    head : {"linear", "mlp"} or Head, default="linear"
        From the fused vector to the outputs. Of no use where the fusion decides, as ``Late`` does.
    union : BlockUnion or None, default=None
        What makes blocks of X. None is ``BlockUnion()``, in front of tables that need one; one that
        is given is copied and put in front of any X but ``Blocks`` and single deeper arrays, which
        are taken as they are. A search reaches it in either case: ``union__text__ngram_range``.
    columns : dict of column to str, default=None
        What columns are, where the union would guess something else, such as ``{"zip": "category",
        "id": "drop"}``; see ``BlockUnion``. They go before the ``columns`` of the union.
    target : {"auto", "classes", "labels"} or Target, default="auto"
        How y is coded: one of several classes a row, or several labels a row (an indicator matrix);
        "auto" tells by y. Recipes of ``skfusion.targets`` have parameters.
    members : int or "auto", default="auto"
        How many networks are trained, each stopped by rows of its own that it is not trained on,
        and all trained on by the others. Their probabilities are averaged, which nearly always
        beats one of them. "auto" is four, fewer where there are more than 50,000 rows or fewer
        splits, and one where no rows are held out.
    linear : bool or "auto", default="auto"
        Whether a logistic regression on all blocks that are csr, vectors or short sequences is a
        member too. Its penalty is chosen on the rows that the networks hold out, and so is its
        share in the probabilities, at least a tenth. "auto" leaves it out where even a tenth does
        harm, with a single network, or with another loss than cross-entropy.
    loss : {"cross_entropy", "focal"}, Loss or callable, default="cross_entropy"
        What is minimised. Recipes of ``skfusion.losses`` have parameters; a function
        (outputs, codes) returns the loss of each row, see ``skfusion.losses.Loss``.
    label_smoothing : float, default=0.0
        Share of the labels' weight that is spread evenly over all labels, also in the loss of the
        held-out rows (Szegedy et al., 2016).
    max_epochs : int, default=100
        Passes over the rows, at most.
    batch_size : int or "auto", default="auto"
        Rows per batch; "auto" takes 64 to 512 of them, the more rows there are the larger.
    accumulate : int, default=1
        Batches per step of the optimiser: as one batch of so many times the rows, in the memory of
        a small one.
    batch_by_length : bool, default=False
        Whether rows of similar length meet in a batch while training, so that little padding is
        computed where the rows of ragged blocks differ much in length. Batches stay random: rows
        are sorted within pools drawn anew in every epoch, of at most 50 batches.
    lr : float, default=3e-3
        Learning rate, the highest one where there is a schedule.
    schedule : {"cosine", "one_cycle", "plateau"}, Schedule or None, default=None
        How the learning rate changes over the ``max_epochs`` of ``fit``; None keeps it. Recipes of
        ``skfusion.training`` have parameters, such as ``Cosine(warmup=0.1)``. Each ``fit`` runs
        through the whole schedule, also a warm start; ``partial_fit`` takes ``lr`` itself.
    optimizer : str or torch.optim.Optimizer subclass, default="adamw"
        Optimiser: one of torch's by its usual name ("adadelta", "adagrad", "adam", "adamax",
        "adamw", "asgd", "nadam", "radam", "rmsprop", "sgd"), or a class. "sgd" has Nesterov
        momentum 0.9; other settings of an optimiser go through ``net_params``.
    weight_decay : float, default=1e-4
        Weight decay of the optimiser.
    gradient_clipping : float or None, default=None
        Norm to which the gradients of all weights together are cut down in each step.
    averaging : {"ema", "swa"}, Averaging or None, default=None
        Average of the weights over steps or epochs of ``fit``, which is then what early stopping
        sees and what predicts. ``skfusion.training`` has the recipes, such as ``EMA(decay=0.99)``.
        A warm start goes on from the average; ``partial_fit`` averages nothing.
    early_stopping : bool or "auto", default="auto"
        Whether to hold out rows (stratified and shuffled), stop when their loss has not fallen for
        ``n_iter_no_change`` epochs, and keep the best weights; "auto" does so from 100 rows on, of
        one network from 500 on, and where a splitter or ``validation_data`` is given.
    validation_fraction : float or None, default=None
        Share of the rows held out, drawn anew for each member. None is a tenth for one network; of
        several each holds out its own fold, so that every row is held out once.
    validation_split : float, splitter or None, default=None
        What holds rows out in place of ``validation_fraction``: another share, or a splitter of
        scikit-learn such as ``TimeSeriesSplit`` or ``GroupShuffleSplit``, whose last splits are
        taken, one for each member. Where several rows are of one person, random ones are too
        easy: hand the persons to ``fit`` as ``groups``.
    scoring : str, callable or None, default=None
        Scorer of scikit-learn for the held-out rows, higher is better: it is what ``history_``
        keeps as ``valid_score`` and, in place of their loss, what early stopping watches. A
        callable (estimator, X, y) gets what can predict, the blocks of these rows, and their y.
    n_iter_no_change : int, default=5
        Epochs without gain to wait for; five times as many while the network is no better than the
        most frequent class (the mean, in regression), since that may be a plateau. A training that
        ends there is a ``ChanceLevelWarning``.
    missing : {"error", "allow"}, default="error"
        Rows may lack blocks in any case. "allow" also takes rows that lack every block (the prior
        is predicted for them), and X without some of the blocks of the fit, or without all columns
        of a block. In a pipeline the ``BlockUnion`` has an argument ``missing`` of its own.
    block_dropout : float, default=0.0
        Probability of leaving a block out of a row while training ("modality dropout"); a row
        always keeps one. Makes predictions degrade gracefully where blocks are missing.
    block_loss_weight : float, default=0.0
        Weight of the mean loss of the blocks alone, each through a linear head of its own, which is
        added while training.
    gradient_modulation : float, default=0.0
        Strength by which the gradients of encoders that are ahead of the others are shrunk (OGM-GE,
        Peng et al., 2022; the paper's alpha, 0.1 to 1). Meant for ``optimizer="sgd"``, as in the
        paper: AdamW divides gradients by their running size, which cancels much of a factor.
    mixup : float, default=0.0
        Alpha of the distribution Beta(alpha, alpha) of the share by which, while training, fused
        vectors (outputs, where the fusion decides) are mixed with those of other rows, and losses
        alike (manifold mixup, Verma et al., 2019; 0.2 to 2 is usual). 0 mixes nothing.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class in the loss.
    memory : str, joblib.Memory or None, default=None
        Folder in which is kept what does not depend on the training: the outputs of frozen encoders
        and the work of the default union. A search fits and transforms once per fold, then, and
        runs a frozen encoder once on the rows of a fold.
    warm_start : bool, default=False
        Whether ``fit`` goes on from the weights of the last ``fit``.
    random_state : int, RandomState instance or None, default=None
        Seed of the first weights, the order of rows, dropout and the held-out part. Two fits with
        one int are equal to the last bit on a CPU, also beside each other in threads; no global
        random state is touched. (torch has one random state a process: a thread that draws from it
        itself, outside of any fit, while a fit runs in another one does change that fit.)
    device : str, default="auto"
        A torch device; "auto" takes an accelerator where there is one.
    precision : {"float32", "bf16", "auto"}, default="float32"
        Numbers in training and prediction: "bf16" computes layers in bfloat16 by torch's autocast,
        while weights, losses and all results stay float32; "auto" does so on a GPU that has it.
        "float32" follows the data, which may be float64.
    checkpoint : str, Path or None, default=None
        A folder where ``fit`` writes its state after each epoch, so that a fit that was killed and
        is called again goes on to the same bits. With an int as ``random_state`` the file stays,
        and the same fit with more ``max_epochs`` goes on from it, as in a ``HalvingGridSearchCV``
        with that resource. See ``docs/design.md``.
    verbose : int, default=0
        1 shows a bar with the epoch, the losses, the score on the rows held out and the time left;
        it stays away where fits run beside each other, as in a search with ``n_jobs``.
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
    nets_ : list of skorch.NeuralNet
        The fitted net of each member; ``nets_[0].module_`` is a torch module.
    net_ : skorch.NeuralNet
        The same, of a fit with one member.
    linear_share_ : float
        Share of the linear member in the probabilities; 0 where there is none.
    temperature_ : float
        What the mixed scores are divided by to be as sure as they are right on held-out rows (Guo
        et al., 2017), from 3/4 to 4/3; 1 for a single network.
    held_out_ : ndarray of shape (n_rows, n_classes)
        Probabilities for the rows of the fit by members that were not trained on them, mixed with
        the linear member's; NaN in rows that none held out. It is gone once a fit goes on that
        learns such rows: by ``partial_fit``, with other rows or another seed, or holding none out.
    held_out_score_ : float
        The accuracy of ``held_out_``, or the score of ``scoring``: what to expect on new rows like
        those of the fit, if not a little more, since one network alone says it of each row.
    history_ : DataFrame
        A row an epoch: its ``member``, from 0, if there are several, its number ``epoch``,
        ``train_loss``, ``valid_loss`` and ``valid_score`` of the rows held out, learning rate
        ``lr``, ``seconds``, and ``loss_<block>`` of each block alone where ``block_loss_weight`` or
        ``gradient_modulation`` is on.
    specs_ : dict of str to BlockSpec
        What was learned about each block.
    union_ : BlockUnion or None
        The union that was put in front of a table; ``print(model.union_)`` shows what it made of
        each column, ``model.union_.chosen()`` is the same as a frame.
    target_ : Coding
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
        loss: LossLike = "cross_entropy",
        label_smoothing: float = 0.0,
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
        class_weight: Mapping[object, float] | str | None = None,
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
        self.target, self.loss, self.linear, self.scoring = target, loss, linear, scoring
        self.label_smoothing, self.class_weight, self.mixup = label_smoothing, class_weight, mixup
        self.block_loss_weight, self.gradient_modulation = block_loss_weight, gradient_modulation

    def partial_fit(
        self,
        X: XLike,
        y: YLike,
        classes: ArrayLike | None = None,
        sample_weight: WeightLike | None = None,
    ) -> Self:
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
        if is_balanced(self.class_weight):
            raise ParameterError(
                'class_weight="balanced" needs all rows at once and does not go with partial_fit. '
                "Pass class_weight={label: weight}."
            )
        if classes is not None and (fitted := self._fitted) is not None:
            check_same_classes(classes, labels_of(fitted))
        self._fitted = self._fit_part(FitData(X, y, sample_weight), classes)
        return self

    def _resolve_target(self) -> Target:
        return resolve_label_target(self.target)

    def _target_options(self) -> TargetOptions:
        smoothing = check_real("label_smoothing", self.label_smoothing, 0, 1)
        loss = resolve_class_loss(self.loss)
        given = {"loss": loss, "label_smoothing": smoothing}
        usual = {"loss": CrossEntropy, "label_smoothing": 0.0}
        check_heeded(self._resolve_target(), given, usual)
        return TargetOptions(own_copy(loss), smoothing)

    def _checked_arguments(self) -> Arguments:
        class_weight = check_class_weight(self.class_weight)
        return replace(super()._checked_arguments(), class_weight=class_weight)

    def _check_coding(self, coding: Coding, arguments: Arguments) -> None:
        if not isinstance(coding, LabelCoding):
            raise ParameterError(
                f"target={arguments.target!r} learns no classes, but a {type(coding).__name__}, "
                "and a classifier needs a LabelCoding. Use FusionRegressor."
            )
        check_classes_known(arguments.class_weight, coding.classes)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
