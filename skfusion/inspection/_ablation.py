"""Does fusion help? Blocks alone, blocks left out, levels and operators, on the same folds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.model_selection import check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import indexable

from skfusion._checks import check_real
from skfusion._estimators._base import FusionEstimator
from skfusion._reading import needs_coding, rows_without_blocks
from skfusion.blocks import Blocks
from skfusion.blocks._kinds import is_mapping
from skfusion.exceptions import BlockTypeError, ParameterError, noted
from skfusion.fusion import Fusion
from skfusion.inspection._scoring import check_y, find_scorer
from skfusion.inspection._splitting import final_step, unwrapped
from skfusion.inspection._variants import Operators, Variant, check_operators, make_variants
from skfusion.inspection._verdicts import Results, compare
from skfusion.typing import ArrayLike, CVLike, Scorer, XLike, YLike

__all__ = ["ablation"]

Fold: TypeAlias = tuple[np.ndarray, np.ndarray]  # numbers of rows to train and to test on


def ablation(
    estimator: BaseEstimator,
    X: XLike,
    y: YLike,
    *,
    cv: CVLike = None,
    scoring: str | Scorer | None = None,
    operators: Operators = ("early", "concat", "gated", "late"),
    groups: ArrayLike | None = None,
    alpha: float = 0.05,
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Compare every block alone, all but one, and all fused at each level, on the same folds.

    The answer to "does fusion help?", in numbers and in words. Everything is measured against the
    best single block: that with the highest mean score on these very folds. Being picked by the
    scores that it is judged by flatters it a little, so that a gain over it is believed late
    rather than early; a loss against it should be read with that in mind.

    Parameters
    ----------
    estimator : FusionClassifier, FusionRegressor, a Pipeline that ends in one, or a fitted search
        Is cloned, not fitted. The steps in front are fitted once a fold, for all variants. A
        fitted search stands for its best estimator; rows that it has seen flatter the fusion that
        it chose, so pass others.
    X : Blocks, DataFrame, or whatever ``estimator`` takes, of n_rows rows
        Rows.
    y : array-like of shape (n_rows,) or (n_rows, n_outputs)
        Target.
    cv : int, splitter, iterable or None, default=None
        Folds, as in ``cross_validate``. Few folds tell little apart: prefer a repeated one, such
        as ``RepeatedStratifiedKFold(n_splits=5, n_repeats=3, random_state=0)``.
    scoring : str, callable or None, default=None
        A scorer; higher is better. None takes the scorer of a fitted search, else the estimator's
        ``score``. Of a Pipeline a callable receives the last step, and ``Blocks``.
    operators : list of str or Fusion, or dict of label to such, \
default=("early", "concat", "gated", "late")
        Fusions of all blocks to compare, besides the estimator's own. Their levels are early (one
        network on all blocks joined), middle (each block encoded, then fused) and late (each block
        decides). One that equals the estimator's own is not fitted again, and gives it its label.
    groups : array-like of shape (n_rows,), default=None
        Groups of rows for ``cv``.
    alpha : float, default=0.05
        A difference is called one where its adjusted p value lies below.
    n_jobs : int or None, default=None
        Folds to work on at the same time.

    Returns
    -------
    table : DataFrame of shape (n_variants, 11)
        A row per variant. The first fusion of all blocks is the estimator's own, which is also
        the one of the variants without a block.

        variant : str
            Name of the block, "all but" its name, or the fusion.
        kind : str
            "block alone", "leave one out" (from three blocks on), "early fusion",
            "middle fusion", "late fusion".
        mean, std, n_folds
            Of the scores, the standard deviation with divisor ``n_folds - 1``.
        difference : float
            Mean difference in score to the best single block.
        low, high : float
            Its 95 % confidence interval.
        p_value : float
            Of the corrected resampled t-test of Nadeau and Bengio (2003) on the differences, fold
            by fold: see :func:`corrected_resampled_t_test`.
        p_holm : float
            The same, adjusted for the number of tests (Holm, 1979), among the blocks alone and
            among all others. Whoever tries twenty operators finds one that is better by chance.
        verdict : str
            What ``p_holm`` and the sign of ``difference`` say, in words: fusion helped (a gain,
            certain), was not shown to help (a gain, within chance), did not help (no gain), or
            hurt (a loss, certain).

    Raises
    ------
    ParameterError
        If ``estimator`` does not fuse, there is only one block, the folds make other blocks, a
        score is nan, two operators are the same or are called alike, several scorers are given at
        once, or no y.

    Notes
    -----
    A block alone is fused by nothing: encoder, then head. Rows that lack all blocks of a variant
    are not learned from, and predicted with ``missing="allow"``: the prior is answered for them.

    Where folds test on more rows than they train on (``n_test > n_train``), the correction makes
    the intervals so wide that only large differences are told apart.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import Blocks, FusionClassifier
    >>> from skfusion.inspection import ablation
    >>> rng = np.random.default_rng(0)
    >>> X = Blocks({"left": rng.normal(size=(120, 2)), "right": rng.normal(size=(120, 2))})
    >>> y = X["left"][:, 0] > 0
    >>> model = FusionClassifier(max_epochs=10, lr=0.02, random_state=0)
    >>> table = ablation(model, X, y, cv=5, operators=["late"])
    >>> table[["variant", "kind", "verdict"]]
      variant           kind                                    verdict
    0    left    block alone                      the best single block
    1   right    block alone                         worse than 'left'
    2  concat  middle fusion  fusion did not help: no better than 'left' alone
    3    late    late fusion  fusion did not help: no better than 'left' alone
    """
    _fusing(final_step(estimator))
    check_y(y)
    scorer = find_scorer(estimator, scoring)
    estimator = unwrapped(estimator)
    learner = _fusing(final_step(estimator))
    fusions = check_operators(operators, learner.fusion)
    alpha = check_real("alpha", alpha, 0, 1)
    X, y, groups = indexable(_indexed(X), y, groups)
    splitter = check_cv(cv, y, classifier=is_classifier(learner))
    folds: list[Fold] = list(splitter.split(X, y, groups))
    rows = Parallel(n_jobs=n_jobs)(
        delayed(_run_fold)(estimator, X, y, train, test, fusions, scorer) for train, test in folds
    )
    return compare(_gather(rows, folds), alpha)


def _fusing(learner: BaseEstimator) -> FusionEstimator:
    """Return ``learner`` if it has a fusion to exchange."""
    if not isinstance(learner, FusionEstimator):
        raise ParameterError(
            "ablation exchanges the fusion of a FusionClassifier or FusionRegressor. Got "
            f"{type(learner).__name__}. Pass such an estimator, a Pipeline that ends in one, or a "
            "search over one that is fitted."
        )
    return learner


def _indexed(X: XLike) -> XLike:
    """A dict of arrays has no rows to select; Blocks of the same arrays have."""
    if not is_mapping(X):
        return X
    texts = [name for name, value in X.items() if needs_coding(value)]
    if texts:
        raise BlockTypeError(
            f"X is a dict that holds text or objects ({', '.join(map(repr, texts))}), of which no "
            "rows can be selected. Pass a DataFrame; arrays may stand in its cells."
        )
    return Blocks(X)


def _run_fold(
    estimator: BaseEstimator,
    X: XLike,
    y: YLike,
    train: np.ndarray,
    test: np.ndarray,
    fusions: Mapping[str, Fusion],
    scorer: Scorer,
) -> dict[Variant, float]:
    """Return the score of each variant on one fold; what makes blocks is fitted once."""
    y_train, y_test = _safe_indexing(y, train), _safe_indexing(y, test)
    learner = final_step(estimator)
    X_train, X_test = _blocks_of_fold(
        estimator, _safe_indexing(X, train), y_train, _safe_indexing(X, test)
    )
    return {
        variant: _fit_and_score(variant, learner, X_train, y_train, X_test, y_test, scorer)
        for variant in make_variants(X_train.names, fusions)
    }


def _blocks_of_fold(
    estimator: BaseEstimator, X_train: XLike, y_train: YLike, X_test: XLike
) -> tuple[Blocks, Blocks]:
    if isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
        steps = clone(estimator[:-1])
        X_train = steps.fit_transform(X_train, y_train)
        X_test = steps.transform(X_test)
    reader = _fusing(final_step(estimator))._new_reader()
    return reader.fit(X_train), reader.read(X_test)


def _fit_and_score(
    variant: Variant,
    learner: BaseEstimator,
    X_train: Blocks,
    y_train: YLike,
    X_test: Blocks,
    y_test: YLike,
    scorer: Scorer,
) -> float:
    X_train, X_test = X_train.select(variant.blocks), X_test.select(variant.blocks)
    without = rows_without_blocks(X_train)
    with noted(f"in the variant {variant.label!r} of the ablation"):
        if without is None:
            fitted = variant.of(learner).fit(X_train, y_train)
        elif without.all():  # an empty column in this fold: there is nothing to learn from
            fitted = _prior(learner, y_train)
        else:
            rows = np.flatnonzero(~without)
            fitted = variant.of(learner).fit(X_train[rows], _safe_indexing(y_train, rows))
        return _check_score(float(scorer(fitted, X_test, y_test)), len(X_test))


def _prior(learner: BaseEstimator, y: YLike) -> BaseEstimator:
    """Return what predicts the shares of the classes, or the mean, of each row."""
    constant = DummyClassifier(strategy="prior") if is_classifier(learner) else DummyRegressor()
    return constant.fit(np.zeros((len(y), 1)), y)


def _check_score(score: float, n_rows: int) -> float:
    if math.isnan(score):
        raise ParameterError(
            f"scoring returned nan on a fold of {n_rows} row{'s' * (n_rows > 1)}. Use a score that "
            "is defined there, or fewer and larger folds."
        )
    return score


def _gather(rows: list[dict[Variant, float]], folds: list[Fold]) -> Results:
    variants = [(variant.label, variant.kind) for variant in rows[0]]
    for fold, row in enumerate(rows):
        if [(variant.label, variant.kind) for variant in row] != variants:
            blocks = [[v.label for v in given if len(v.blocks) == 1] for given in (rows[0], row)]
            raise ParameterError(
                f"all folds must make the same blocks. Fold 0 makes {blocks[0]}, fold {fold} makes "
                f"{blocks[1]}. Name the columns of each block in a BlockUnion."
            )
    scores = np.array([list(row.values()) for row in rows]).T
    n_train, n_test = (float(np.mean([len(fold[i]) for fold in folds])) for i in (0, 1))
    return Results(variants, scores, n_train, n_test)
