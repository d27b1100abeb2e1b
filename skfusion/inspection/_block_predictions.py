"""What a fitted estimator would answer from each block alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from skfusion._checks import check_choice
from skfusion._estimators._fitted import indexed_like
from skfusion.inspection._masking import without_blocks
from skfusion.inspection._splitting import allow_missing, split_off
from skfusion.typing import XLike

__all__ = ["block_predictions"]


def block_predictions(
    estimator: BaseEstimator, X: XLike, *, method: str = "predict"
) -> pd.DataFrame:
    """Return what a fitted estimator answers from all blocks, and from each block alone.

    "Alone" means that the other blocks are marked missing in all rows. For a row that lacks the
    block itself nothing is left then: a fusion estimator answers with the prior.

    Parameters
    ----------
    estimator : fitted estimator
        As in :func:`block_importance`.
    X : Blocks, or whatever ``estimator`` takes, of n_rows rows
        Rows.
    method : {"predict", "predict_proba", "decision_function"}, default="predict"
        Which answer.

    Returns
    -------
    answers : DataFrame of n_rows rows
        A column "all blocks" and one per block, with the index of a pandas X. Where an answer has
        several numbers (classes, outputs), the columns have a second level with their labels, or
        their places.

    Raises
    ------
    BlockError
        If X lacks a block of the fit, and the estimator has ``missing="error"``.
    BlockTypeError
        If X does not become ``Blocks``.

    Examples
    --------
    >>> import numpy as np
    >>> from skfusion import Blocks, FusionClassifier
    >>> from skfusion.inspection import block_predictions
    >>> X = Blocks({"left": [[1.0], [-1.0]] * 30, "right": [[0.5], [-2.0]] * 30})
    >>> model = FusionClassifier(lr=0.02, random_state=0).fit(X, ["yes", "no"] * 30)
    >>> block_predictions(model, X[:2])
      all blocks left right
    0        yes  yes   yes
    1         no   no    no
    """
    check_choice("method", method, ("predict", "predict_proba", "decision_function"))
    learner, blocks = split_off(estimator, X)
    learner = allow_missing(learner)
    sets = {"all blocks": blocks}
    for name in blocks.names:
        sets[name] = without_blocks(blocks, [other for other in blocks.names if other != name])
    answers = {name: getattr(learner, method)(rows) for name, rows in sets.items()}
    labels = None if method == "predict" else getattr(learner, "classes_", None)
    frames = {name: _frame(answer, labels) for name, answer in answers.items()}
    return indexed_like(X, pd.concat(frames, axis=1))


def _frame(answer: np.ndarray, labels: np.ndarray | None) -> pd.Series | pd.DataFrame:
    if answer.ndim == 1:
        return pd.Series(answer)
    if answer.ndim > 2:  # a grid a row, whose cells are known by their places
        places = [str(place) for place in np.ndindex(answer.shape[1:])]
        return pd.DataFrame(answer.reshape(len(answer), -1), columns=places)
    known = labels is not None and len(labels) == answer.shape[1]
    return pd.DataFrame(answer, columns=labels if known else None)
