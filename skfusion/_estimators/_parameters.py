"""Parameters of the encoders, reachable by their block's name: ``photo__channels``."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator

from skfusion._checks import did_you_mean
from skfusion.decoding import Decoding
from skfusion.encoders import Encoder
from skfusion.encoders._choose import resolve_encoder
from skfusion.exceptions import BlockError, ParameterError
from skfusion.fusion import Tree
from skfusion.fusion._base import FusionLike
from skfusion.fusion.tree import resolve_fusion
from skfusion.heads import Head
from skfusion.heads._resolve import resolve_head
from skfusion.inputs import BlockUnion
from skfusion.targets import Target, TargetLike
from skfusion.training._resolve import resolve_averaging, resolve_schedule

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["NamedEncoders", "check_names_free"]

_RESOLVE = {
    "fusion": resolve_fusion,
    "head": resolve_head,
    "schedule": resolve_schedule,
    "averaging": resolve_averaging,
    "decoding": lambda given: Decoding() if given is None else given,
}


_ADVICE = (
    "To search over the transformer of texts, set union__text__ngram_range; over that of one "
    "column, name it: make_pipeline(BlockUnion([({name!r}, TfidfVectorizer(), {name!r})], "
    "remainder='auto'), model). "
)


class NamedEncoders(BaseEstimator):
    """Adds to an estimator's parameters those of the recipes in its ``encoders`` dict."""

    encoders: Mapping[str, Encoder | str] | None
    fusion: FusionLike
    head: Head | str
    target: TargetLike

    def _resolve_target(self) -> Target:
        """Return the recipe that ``target`` is or stands for."""
        raise NotImplementedError

    def _usual_union(self) -> BlockUnion | None:
        """Return what reads a table that no union is named for; None is ``BlockUnion()``."""
        return None

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Return the parameters; with ``deep`` also each encoder and its own parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include ``name`` and ``name__parameter`` for each of ``encoders``.

        Returns
        -------
        params : dict of str to object
            Values by parameter name.
        """
        params: dict[str, object] = super().get_params(deep=deep)
        if deep and isinstance(self.fusion, (list, tuple)):
            params |= _prefixed("fusion", Tree(self.fusion))
        if deep and isinstance(self.encoders, Mapping):
            for name, encoder in self.encoders.items():
                params[name] = encoder
                params |= _prefixed(name, encoder)
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters; ``name=...`` exchanges an encoder, ``name__parameter=...`` tunes it.

        So does ``fusion__parameter``; an alias or a list of groups becomes its recipe for that, and
        a ``union`` or a ``decoding`` that is None the default one.

        Parameters
        ----------
        **params : object
            Values by parameter name.

        Returns
        -------
        self : estimator
            This estimator.
        """
        own = self._get_param_names()
        if "encoders" in params:
            self.encoders = params.pop("encoders")
        for name in [key for key in params if "__" not in key and key not in own]:
            self._set_encoder(name, params.pop(name))
        nested = {key: params.pop(key) for key in [*params] if key.partition("__")[0] not in own}
        inner = {key: params.pop(key) for key in [*params] if "__" in key}
        super().set_params(**params)
        for key in inner:
            self._have_recipe(key)
        super().set_params(**inner)
        for key, value in nested.items():
            name, _, parameter = key.partition("__")
            self._encoder_called(name, key).set_params(**{parameter: value})
        return self

    def _have_recipe(self, key: str) -> None:
        """Put a recipe in the place of an argument, of which ``key`` names a parameter."""
        name = key.partition("__")[0]
        given = getattr(self, name)
        recipe = self._recipe_of(name)
        if not hasattr(recipe, "set_params"):
            raise ParameterError(
                f"{key!r}: {name} is {given!r}, which has no parameters. Give a recipe that has."
            )
        setattr(self, name, recipe)

    def _recipe_of(self, name: str) -> object:
        """Return the recipe that an argument is or stands for."""
        if name == "target":
            return self._resolve_target()
        given = getattr(self, name)
        if name == "union":
            return given or self._usual_union() or BlockUnion()
        return _RESOLVE[name](given) if name in _RESOLVE else given

    def _set_encoder(self, name: str, encoder: Encoder | str) -> None:
        if name not in (self.encoders or {}):
            self._encoder_called(name, name)
        self.encoders = {**(self.encoders or {}), name: encoder}

    def _encoder_called(self, name: str, key: str) -> Encoder:
        encoders = self.encoders if isinstance(self.encoders, Mapping) else {}
        if name not in encoders:
            known = [*self._get_param_names(), *encoders]
            of_column = _ADVICE.format(name=name) if "__" in key else ""
            raise ParameterError(
                f"Invalid parameter {name!r} (of {key!r}) for estimator {type(self).__name__}: it "
                f"is neither an argument nor a block in `encoders`. {did_you_mean(name, known)} "
                f"To search over a block's encoder, name it: encoders={{{name!r}: MLP()}}. "
                f"{of_column}Valid parameters are: {known}."
            )
        encoder = resolve_encoder(encoders[name])
        if encoder is not encoders[name]:  # it was the name of one
            self._set_encoder(name, encoder)
        return encoder


def check_names_free(kind: type[BaseEstimator], names: Iterable[str]) -> None:
    """Raise ``BlockError`` if a block is called like an argument of this kind of estimator."""
    arguments = inspect.signature(kind.__init__).parameters
    for name in names:
        if name in arguments:
            raise BlockError(
                f"a block must not be called {name!r}: that is an argument of "
                f"{kind.__name__}, and {name}__... would be ambiguous. Rename the block."
            )


def _prefixed(name: str, encoder: object) -> dict[str, object]:
    if not hasattr(encoder, "get_params") or isinstance(encoder, type):
        return {}
    return {f"{name}__{key}": value for key, value in encoder.get_params().items()}
