"""Parameters of a union: its own, those of the blocks by name, those of the usual transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

from skfusion.exceptions import ParameterError
from skfusion.inputs._union.recipes import RECIPES
from skfusion.inputs._union.steps import well_formed

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["UnionParameters"]


class UnionParameters(BaseEstimator):
    """Adds to the parameters of a union those of its blocks, by their names.

    A block may be called like the argument of a kind, "text" for one; the name then means the
    block.
    """

    transformers: Any

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters; where ``deep``, with those of the transformers by name."""
        params = dict(super().get_params(deep=deep))
        for name, transformer, _ in well_formed(self.transformers) if deep else []:
            params[name] = transformer
            if hasattr(transformer, "get_params") and not isinstance(transformer, type):
                inner = transformer.get_params(deep=True)
                params.update({f"{name}__{key}": value for key, value in inner.items()})
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters: the union's, a transformer by its name, or ``name__parameter``.

        Of a kind whose transformer is None, ``text__parameter`` puts the usual one in its place.
        """
        if "transformers" in params:
            self.transformers = params.pop("transformers")
        steps = well_formed(self.transformers)
        names = {name for name, _, _ in steps}
        if replaced := names & set(params):
            self.transformers = [
                (name, params[name] if name in replaced else transformer, columns)
                for name, transformer, columns in steps
            ]
        own = {key: params[key] for key in params if key not in replaced}
        super().set_params(**{key: own.pop(key) for key in [*own] if "__" not in key})
        for kind in {key.partition("__")[0] for key in own} - names:
            if kind in RECIPES and getattr(self, kind) is None:
                setattr(self, kind, RECIPES[kind]())
        super().set_params(**own)
        return self

    def _check_names_of_kinds(self) -> None:
        """Check that no name means both a block and the transformer of a kind."""
        for name, _, _ in well_formed(self.transformers):
            if name in RECIPES and getattr(self, name) is not None:
                raise ParameterError(
                    f"{name!r} is both a block in transformers and the argument {name}= for a "
                    f"kind of columns. Rename the block, such as {name + '_block'!r}."
                )
