"""Transformers that take numbers only, and would take dates for numbers."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, TargetEncoder
from sklearn.utils import _safe_indexing

from skfusion.inputs._tables.times import refuse_times

__all__ = ["check_no_times"]

# Of scikit-learn's, those that take categories or anything.
_TAKE_ALL = (OneHotEncoder, OrdinalEncoder, TargetEncoder, FunctionTransformer)


def check_no_times(X: object, transformer: object, names: list[Hashable]) -> None:
    """Raise ``BlockTypeError`` if X holds dates and ``transformer`` is for numbers alone."""
    if isinstance(transformer, ColumnTransformer):
        _check_inner(X, transformer)
        return
    numeric = _numbers_only(transformer)
    if numeric is not None:
        refuse_times(X, type(numeric).__name__, names)


def _check_inner(X: object, inner: ColumnTransformer) -> None:
    """Check each transformer of ``inner`` on the columns that it will see."""
    table = pd.DataFrame(X) if isinstance(X, np.ndarray) and X.ndim == 2 else X
    if not isinstance(table, pd.DataFrame):
        return  # for the ColumnTransformer to refuse
    where = pd.DataFrame([range(table.shape[1])], columns=table.columns)
    rest = set(range(table.shape[1]))
    for _, transformer, columns in inner.transformers:
        columns = columns(X) if callable(columns) else columns
        chosen = np.ravel(_safe_indexing(where, columns, axis=1))
        check_no_times(table.iloc[:, chosen], transformer, list(table.columns[chosen]))
        rest.difference_update(chosen.tolist())
    left = sorted(rest)
    check_no_times(table.iloc[:, left], inner.remainder, list(table.columns[left]))


def _numbers_only(transformer: object) -> object | None:
    """Return the transformer, or the first step of a pipeline, that takes numbers only."""
    if isinstance(transformer, Pipeline):
        steps = [step for _, step in transformer.steps if step not in ("passthrough", None)]
        return _numbers_only(steps[0]) if steps else None
    if isinstance(transformer, FeatureUnion):
        found = (_numbers_only(step) for _, step in transformer.transformer_list)
        return next((one for one in found if one is not None), None)
    # Where its fit is written: a user's subclass with a fit of its own may well know of dates.
    module = getattr(getattr(type(transformer), "fit", None), "__module__", "")
    is_of_sklearn = module.partition(".")[0] == "sklearn"
    return transformer if is_of_sklearn and not isinstance(transformer, _TAKE_ALL) else None
