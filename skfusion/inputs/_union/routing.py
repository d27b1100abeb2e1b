"""How metadata such as sample weights reaches the transformers of a union."""

from __future__ import annotations

from sklearn import get_config
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

__all__ = ["route", "router_of"]


def router_of(union: BaseEstimator, consumers: list[tuple[str, object]]) -> MetadataRouter:
    """Return which method of ``union`` calls which of the ``consumers``, named transformers."""
    router = MetadataRouter(owner=union)
    for name, transformer in consumers:
        mapping = MethodMapping()
        callees = (
            ["fit_transform"] if hasattr(transformer, "fit_transform") else ["fit", "transform"]
        )
        for callee in callees:
            mapping.add(caller="fit", callee=callee).add(caller="fit_transform", callee=callee)
        mapping.add(caller="transform", callee="transform")
        router.add(method_mapping=mapping, **{name: transformer})
    return router


def route(union: BaseEstimator, method: str, params: dict[str, object]) -> Bunch:
    """Return the metadata for each transformer; raises where scikit-learn's routing is off."""
    if params and not get_config()["enable_metadata_routing"]:
        raise ValueError(
            f"{sorted(params)} are passed to BlockUnion.{method}, but metadata routing is off. "
            "Set sklearn.set_config(enable_metadata_routing=True), and request the metadata "
            "from the inner transformers with their set_..._request."
        )
    return process_routing(union, method, **params)
