"""The union as parallel branches in scikit-learn's HTML diagram."""

from __future__ import annotations

from typing import Any

from skfusion._optional import import_optional

__all__ = ["parallel_block", "single_block"]


def parallel_block(steps: list[tuple[str, Any, Any]]) -> Any:
    """Return scikit-learn's visual block with one branch per step."""
    names, transformers, columns = zip(*steps, strict=True)
    details = [list(chosen) if isinstance(chosen, list) else str(chosen) for chosen in columns]
    return _visual_block()("parallel", list(transformers), names=list(names), name_details=details)


def single_block(estimator: Any) -> Any:
    """Return scikit-learn's visual block of an estimator without branches."""
    name = type(estimator).__name__
    return _visual_block()("single", estimator, names=name, name_details=str(estimator))


def _visual_block() -> Any:
    # The class has no public name, and moved to another module in scikit-learn 1.7.
    module = import_optional("sklearn.utils", "the HTML diagram")
    path = "_repr_html.estimator" if hasattr(module, "_repr_html") else "_estimator_html_repr"
    return import_optional(f"{module.__name__}.{path}", "the HTML diagram")._VisualBlock
