"""The generator: texts out of rows of any blocks."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from sklearn.utils import check_consistent_length

from skfusion._checks import check_int, check_real
from skfusion._estimators._arguments import Arguments, MemoryLike, PathLike
from skfusion._estimators._asked_texts import rules_for
from skfusion._estimators._base import FusionEstimator
from skfusion._estimators._call import FitData
from skfusion._estimators._held_out import ValidationSplit
from skfusion._optional import import_optional
from skfusion._reading import check_finite
from skfusion._training import CallbackLike, OptimizerLike, TrainingSettings, write_texts
from skfusion._warn import warn_user
from skfusion.decoding import Decoding
from skfusion.decoding._write import Hypothesis
from skfusion.encoders import Encoder
from skfusion.exceptions import ParameterError
from skfusion.fusion._base import FusionLike
from skfusion.heads import Head
from skfusion.inputs import BlockUnion, Tokenizer
from skfusion.targets import (
    Coding,
    OutputSpec,
    Target,
    TargetLike,
    TargetOptions,
    TextCoding,
)
from skfusion.targets._resolve import resolve_text_target
from skfusion.targets._texts import read_references, streams_of
from skfusion.training import Averaging, Schedule
from skfusion.typing import ArrayLike, SeedLike, WeightLike, XLike, YLike

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FusionGenerator"]

_OWN = {"self", "__class__", "target", "decoding", "label_smoothing"}  # what the base does not take
# Of a batch: each has dozens of tokens to learn from. Sentences about a table, 42,000 rows, three
# epochs: chrF 69 with 256 rows a batch and 76 with 64, in the same time.
_MOST_ROWS = 64
_WORDS = r"\w+|[^\w\s]"  # and signs


class FusionGenerator(FusionEstimator):
    """Writes texts about rows that carry several kinds of data: captions, translations.

    One network per block; a fusion that keeps their tokens, so that the decoder can look at cells
    of an image, frames of a clip and words of a text while it writes; and the decoder. y is one
    text a row, in any language, or a list of several that are all right: each is learned, with a
    share of the row's weight. It is neither a classifier nor a regressor, and goes into
    ``Pipeline``, ``GridSearchCV`` and ``cross_val_predict`` like them.

    Parameters
    ----------
    encoders : dict of str to Encoder, default=None
        Sub-network of each block, by the block's name; see ``FusionClassifier``.
    fusion : str or Fusion, default="token_concat"
        How the encoded blocks become what the decoder looks at: tokens, of a fusion that gives
        them, else one vector.
    head : {"gru", "transformer"} or Head, default="gru"
        The decoder: ``GRUDecoder`` or ``TransformerDecoder``, or a head of one's own that writes.
    union, columns : as in FusionClassifier
        What becomes of the columns of a table. Texts are read as words and signs in their order, by
        a ``Tokenizer``, and not as TF-IDF, which a decoder could not look into.
    target : {"auto", "texts"} or Texts, default="auto"
        What texts are written in: ``Texts(tokens="words")``, searchable as ``target__tokens``.
    decoding : Decoding or None, default=None
        How a text is chosen among all that could be written, searchable as
        ``decoding__num_beams``; no weight depends on it, so that it can be changed after a fit, and
        with a ``checkpoint`` a search over it trains once. None is ``Decoding()``.
    members : int or "auto", default="auto"
        How many networks are trained, whose probabilities of each token are averaged; "auto" is 1.
    label_smoothing : float, default=0.0
        Share of a token's weight that is spread evenly over all tokens (Szegedy et al., 2016).
    max_epochs, batch_size, accumulate, batch_by_length : as in FusionClassifier
        Batches, of texts of similar length in any case; "auto" has at most 64 rows.
    lr, schedule, optimizer : as in FusionClassifier
        Steps.
    weight_decay, gradient_clipping, averaging : as in FusionClassifier
        Weights.
    early_stopping, validation_fraction, validation_split, n_iter_no_change : as in FusionClassifier
        When to stop; held-out rows are measured by the loss of their tokens.
    missing, block_dropout : as in FusionClassifier
        Missing blocks.
    memory, warm_start, random_state, device, precision, checkpoint : as in FusionClassifier
        How a fit runs. Draws (``Decoding(do_sample=True)``) follow from the random state too.
    verbose, callbacks, net_params : as in FusionClassifier
        Further choices.

    Attributes
    ----------
    nets_, net_, history_, specs_, union_, target_, n_features_in_, feature_names_in_
        As in ``FusionClassifier``.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import FusionGenerator
    >>> from skfusion.targets import Texts
    >>> size = np.repeat([[0.0], [1.0]], 20, axis=0)
    >>> texts = ["a small one"] * 20 + ["a big one"] * 20
    >>> model = FusionGenerator(target=Texts("words"), max_epochs=30, random_state=0)
    >>> model.fit({"size": size}, texts).predict({"size": [[1.0], [0.0]]}).tolist()
    ['a big one', 'a small one']
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder | str] | None = None,
        fusion: FusionLike = "token_concat",
        head: Head | str = "gru",
        *,
        union: BlockUnion | None = None,
        columns: Mapping[Hashable, str] | None = None,
        target: TargetLike = "auto",
        decoding: Decoding | None = None,
        members: int | str = "auto",
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
        self.target, self.decoding, self.label_smoothing = target, decoding, label_smoothing

    def partial_fit(self, X: XLike, y: YLike, sample_weight: WeightLike | None = None) -> Self:
        """Train one more epoch on these rows; the first call starts the network.

        Parameters
        ----------
        X, y : as in ``fit``
            Rows and texts. The vocabulary is learned from the first call.
        sample_weight : array-like of shape (n_rows,), default=None
            Weight of each row in the loss.

        Returns
        -------
        self : FusionGenerator
            This estimator. If an error is raised it is as it was before.
        """
        self._fitted = self._fit_part(FitData(X, y, sample_weight))
        return self

    def predict(
        self,
        X: XLike,
        prefix: ArrayLike | None = None,
        allowed: Iterable[str] | None = None,
    ) -> np.ndarray:
        """Write a text about each row.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.
        prefix : array-like of str of shape (n_rows,), default=None
            What each text begins with.
        allowed : iterable of str, default=None
            Texts of which each is to be one.

        Returns
        -------
        texts : ndarray of str objects of shape (n_rows,)
            In the Unicode form of the texts of the fit.

        Raises
        ------
        ParameterError
            If nothing can be written under these conditions; names the row or the text.
        """
        texts, _ = self.predict_n(X, 1, prefix, allowed)
        return texts[:, 0]

    def predict_n(
        self,
        X: XLike,
        n: int,
        prefix: ArrayLike | None = None,
        allowed: Iterable[str] | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the ``n`` best texts about each row, or as many draws, and how likely they are.

        Parameters
        ----------
        X, prefix, allowed : as in ``predict``
            Rows, and what may be written about them.
        n : int
            How many texts a row.

        Returns
        -------
        texts : ndarray of str objects of shape (n_rows, n)
            The best first; empty where there are fewer.
        log_probabilities : ndarray of shape (n_rows, n)
            Sum of the log-probabilities of a text's tokens and its end; minus infinity where there
            are fewer texts.
        """
        fitted, n = self._snapshot(), check_int("n", n)
        coding = cast(TextCoding, fitted.target)
        plan = self._decoding().plan(coding.longest, n, fitted.seed)
        blocks = fitted.read(X, self.missing)
        device = fitted.nets[0].placement
        rules = rules_for(plan, coding, len(blocks), prefix, allowed, device)
        found = write_texts(fitted.nets, blocks, check_finite, plan, rules)
        return _tables(coding, found, n)

    def score(self, X: XLike, y: YLike) -> float:
        """Return chrF (Popović, 2015) of the predicted texts as a share, by ``sacrebleu``.

        Parameters
        ----------
        X : as in ``fit``
            Rows, with the blocks of the fit.
        y : array-like of str, or of several each, of shape (n_rows,)
            True texts; of several the one is compared that suits best.

        Returns
        -------
        score : float
            1 at best, 0 where no character is right.
        """
        references, predicted = read_references(y), self.predict(X)
        check_consistent_length(references, predicted)
        metrics = import_optional("sacrebleu.metrics", "score of a FusionGenerator", "text")
        found = metrics.CHRF().corpus_score(list(predicted), streams_of(references))
        return float(found.score) / 100

    def _decoding(self) -> Decoding:
        if self.decoding is None:
            return Decoding()
        if isinstance(self.decoding, Decoding):
            return self.decoding
        raise ParameterError(
            f"decoding must be a recipe such as Decoding(num_beams=4), or None. Got "
            f"{self.decoding!r}."
        )

    def _checked_arguments(self) -> Arguments:
        self._decoding().plan(longest=1, n_best=1, seed=0)  # what is wrong in it is said now
        arguments = super()._checked_arguments()
        if arguments.fusion.decides:
            raise ParameterError(
                f"the fusion {arguments.fusion!r} decides, and leaves nothing for a decoder to "
                'look at. Use fusion="token_concat", or another that does not decide.'
            )
        return arguments

    def _training_settings(self, mixup: float) -> TrainingSettings:
        return replace(super()._training_settings(mixup), most_rows=_MOST_ROWS)

    def _usual_union(self) -> BlockUnion:
        """Texts are words in their order, which a decoder looks at one by one."""
        return BlockUnion(text=Tokenizer(token_pattern=_WORDS, lowercase=False))

    def _resolve_target(self) -> Target:
        return resolve_text_target(self.target)

    def _target_options(self) -> TargetOptions:
        return TargetOptions(None, check_real("label_smoothing", self.label_smoothing, 0, 1))

    def _some_outputs(self) -> Sequence[OutputSpec]:
        return [OutputSpec("tokens", (None,), 8)]

    def _check_coding(self, coding: Coding, arguments: Arguments) -> None:
        if not isinstance(coding, TextCoding):
            raise ParameterError(
                f"target={arguments.target!r} learns no texts, but a {type(coding).__name__}, and "
                "a generator needs a TextCoding. Use Texts()."
            )
        if not arguments.head.writes:
            raise ParameterError(
                f'the head {arguments.head!r} does not write. Use head="gru" or '
                '"transformer", or a head of your own whose `writes` is True.'
            )
        most = self._decoding().max_new_tokens
        if most is not None and coding.longest > most:
            warn_user(
                f"max_new_tokens={most} cuts texts off that are longer: the longest text of the "
                f"fit has {coding.longest} tokens. Use None, or {coding.longest} or more."
            )


def _tables(
    coding: TextCoding, found: list[list[Hypothesis]], n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return texts and log-probabilities, (n_rows, n) each."""
    texts = np.full((len(found), n), "", dtype=object)
    logs = np.full((len(found), n), -np.inf)
    written = iter(coding.texts(one.ids for row in found for one in row))
    for row, best in enumerate(found):
        for place, one in enumerate(best):
            texts[row, place], logs[row, place] = next(written), one.log_probability
    return texts, logs
