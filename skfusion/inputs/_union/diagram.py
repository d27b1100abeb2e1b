"""Parallel branches, and what is drawn of them, in scikit-learn's HTML diagram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.base import BaseEstimator

from skfusion._optional import import_optional

__all__ = ["branches", "chain", "labelled", "parallel_block", "single_block"]


def parallel_block(steps: list[tuple[str, Any, Any]]) -> Any:
    """Return scikit-learn's visual block with one branch per step."""
    names, transformers, columns = zip(*steps, strict=True)
    details = [list(chosen) if isinstance(chosen, list) else str(chosen) for chosen in columns]
    return branches(names, transformers, details, dash_wrapped=True)


def single_block(estimator: BaseEstimator) -> Any:
    """Return scikit-learn's visual block of an estimator without branches."""
    name = type(estimator).__name__
    return _visual_block()("single", estimator, names=name, name_details=str(estimator))


def branches(
    names: Sequence[str],
    contents: Sequence[Any],
    details: Sequence[Any],
    dash_wrapped: bool = False,
) -> Any:
    """Return named branches beside each other; ``details`` unfold below the names."""
    return _visual_block()(
        "parallel",
        list(contents),
        names=list(names),
        name_details=list(details),
        dash_wrapped=dash_wrapped,
    )


def chain(contents: Sequence[Any], dash_wrapped: bool = False) -> Any:
    """Return ``contents`` below each other."""
    return _visual_block()("serial", list(contents), dash_wrapped=dash_wrapped)


def labelled(label: str, caption: str, details: str) -> Any:
    """Return a box with a label, a smaller line below it, and details that unfold."""
    box = _visual_block()
    return box("single", None, names=label, name_caption=caption, name_details=details)


def _visual_block() -> Any:
    # The class has no public name, and moved to another module in scikit-learn 1.7.
    module = import_optional("sklearn.utils", "the HTML diagram")
    path = "_repr_html.estimator" if hasattr(module, "_repr_html") else "_estimator_html_repr"
    return import_optional(f"{module.__name__}.{path}", "the HTML diagram")._VisualBlock
