"""Transformers that take numbers only, and would take dates for numbers."""

from __future__ import annotations

from collections.abc import Hashable

from sklearn.pipeline import FeatureUnion, Pipeline

from skfusion.inputs._tables.times import refuse_times

__all__ = ["check_no_times"]

# Of scikit-learn's, those that take categories or anything.
_TAKE_ALL = frozenset(
    {"OneHotEncoder", "OrdinalEncoder", "TargetEncoder", "FunctionTransformer", "ColumnTransformer"}
)


def check_no_times(X: object, transformer: object, names: list[Hashable]) -> None:
    """Raise ``BlockTypeError`` if X holds dates and ``transformer`` is for numbers alone."""
    numeric = _numbers_only(transformer)
    if numeric is not None:
        refuse_times(X, type(numeric).__name__, names)


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
    return transformer if is_of_sklearn and type(transformer).__name__ not in _TAKE_ALL else None
